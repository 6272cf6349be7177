"""The lesser tiers on this processor, in turn with the best one.

SPDX-License-Identifier: BSD-2-Clause
"""
import time

import steps
from tables import Table, kept, number, spread

PRESETS = ('cae-compress', 'sae-compress')
AT_LEAST = {'fma': ('avx512', 0.5), 'avx2': ('fma', 0.8), 'sse2': ('avx2', 0.35), 'c': ('sse2', 0.75)}


def measure(run):
    """{(preset, call): {tier: windows}}"""
    workers = {tier: run.start([run.worker], 1, {'CAE_CPU': tier})
               for tier in reversed(run.machine['tiers']) if not tier.endswith('-exact')}
    found = {}
    for preset in PRESETS[:1] if run.options.quick else PRESETS:
        run.say(f'{preset}: tiers')
        for worker in workers.values():
            worker.ask('open', preset)
        for call in steps.CALLS:
            found[preset, call] = measure_call(run, workers, call)
    for worker in workers.values():
        worker.close()
        run.started.remove(worker)
    return found


def measure_call(run, workers, call):
    windows = {tier: [] for tier in workers}
    end = time.monotonic() + run.seconds(9, 0.1)
    turn = 0
    while turn < 2 or time.monotonic() < end:
        for tier, worker in workers.items():
            made = steps.ours(run, 1, call, worker=worker)
            windows[tier] += made if turn else []
        turn += 1
    return windows


def ratios(run, windows):
    """{tier: (the tier above, how fast this one is by that one)}"""
    figures = {tier: run.judge.figure(found) for tier, found in windows.items()}
    return {tier: (above, figures[above].median / figures[tier].median)
            for tier, (above, _) in AT_LEAST.items() if tier in figures and above in figures}


def tables(run, found):
    rows = []
    for (preset, call), windows in found.items():
        by = ratios(run, windows)
        for tier, made in windows.items():
            figure = run.judge.figure(made)
            above, ratio = by.get(tier, (None, None))
            rows.append([f'{preset} {call}', tier, spread(figure, 1, 1e3),
                         f'{number(ratio, 2)} of {above}' if above else '-', kept(figure)])
    return [Table('tiers', f'Tiers, batch {steps.BATCH}, 1 thread',
                  ['call', 'tier', 'ms', 'speed', 'windows'], rows)]


def bars(run, found):
    return [run.bar('6', f'{preset} {call}: {tier} by {above}', ratio, '>=', AT_LEAST[tier][1])
            for (preset, call), windows in found.items()
            for tier, (above, ratio) in ratios(run, windows).items()]
