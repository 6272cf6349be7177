"""Training steps and inference of the four presets with one thread and two, in turn with the peers.

SPDX-License-Identifier: BSD-2-Clause
"""
import time

import work
from tables import Table, kept, number, percent, spread

PRESETS = ('cae-compress', 'cae-denoise', 'sae-compress', 'sae-denoise')
QUICK = ('cae-compress', 'sae-compress')
CALLS = ('train', 'infer')
BATCH, SIDE = 32, 64
SEVERAL = 3  # windows of ours a turn: they are cheap beside the peers'
# Calls in a window of two threads, one behind the other as in a training: the first call after a
# pause waits some milliseconds until the second processor works.
IN_A_ROW = 4
UPDATED = 2 ** 27  # bytes, beyond every cache


def ours(run, threads, call, windows=1, count=BATCH, side=SIDE, repeat=1, worker=None):
    """Windows of the library's call."""
    worker = worker or (run.two if threads > 1 else run.one)
    found = worker.ask('call', call, count, side, side, threads, repeat, windows)['windows']
    return [run.judge.window(min(threads, 2), raw) for raw in found]


def in_a_row(run, threads, call, windows):
    """The same as time for each of several calls."""
    repeat = IN_A_ROW if threads > 1 else 1
    return [w._replace(cpu=w.cpu / repeat, wall=w.wall / repeat)
            for w in ours(run, threads, call, windows, repeat=repeat)]


def peer(run, who, call):
    """One window of a peer's, between our probes."""
    threads = who[1]
    prober = run.two if threads > 1 else run.one
    before = prober.ask('probe', threads)
    took = run.peers[who].ask('call', call, BATCH)
    after = prober.ask('probe', threads)
    return run.judge.window(threads, [before['fma'], before['load'], after['fma'], after['load'],
                                      took['cpu'], took['wall']])


def peers_of(run, preset):
    return [who for who in run.peers if who[0] != 'oneDNN' or preset.startswith('cae')]


def measure_preset(run, preset, seconds):
    """{(who, threads, call): windows}, in turns until the time is over."""
    all_threads = (1, 2) if run.two else (1,)
    others = peers_of(run, preset)
    for worker in [run.one, run.two] + [run.peers[who] for who in others]:
        answer = worker.ask('open', preset) if worker else {}
        if 'algebra' in answer:
            run.torch = answer
        if 'isa' in answer:
            run.onednn = answer['isa']
    found = {(who, threads, call): [] for who, threads in
             [('libcae', t) for t in all_threads] + others for call in CALLS}
    end = time.monotonic() + seconds
    turn = 0
    while turn < 2 or time.monotonic() < end:
        for who, threads, call in found:
            if who == 'libcae':
                windows = in_a_row(run, threads, call, SEVERAL if turn else 1)
            else:
                windows = [peer(run, (who, threads), call)]
            if turn > 0:  # the first is for the caches
                found[who, threads, call] += windows
        turn += 1
    return found


def measure(run):
    found = {}
    for preset in run.presets(PRESETS):
        run.say(f'{preset}: training and inference')
        layers = run.layers_of(preset)
        windows = measure_preset(run, preset, run.seconds(24, 1.5))
        data = found[preset] = {'layers': layers, 'windows': windows}
        if preset.startswith('sae'):
            data['parameters'] = run.one.ask('open', preset)['parameters']
            data['update'] = [run.judge.window(1, raw) for raw in
                              run.one.ask('update', UPDATED, 1, 11)['windows'][1:]]
    return found


# ---- Results --------------------------------------------------------------------------------------

class Results:
    """Figures in seconds, and what follows from them."""

    def __init__(self, run, found):
        self.run = run
        self.found = found
        self.figures = {(preset, *key): run.judge.figure(windows)
                        for preset, data in found.items()
                        for key, windows in data['windows'].items()}

    def flops(self, preset, call):
        return BATCH * work.network_work(self.found[preset]['layers'], call)

    def time(self, preset, call, threads=1, who='libcae'):
        figure = self.figures.get((preset, who, threads, call))
        return figure.median if figure else None

    def least(self, preset, call, threads, who):
        return min(w.seconds for w in self.found[preset]['windows'][who, threads, call])

    def rate(self, preset, call, threads, who):
        return self.flops(preset, call) / self.time(preset, call, threads, who) * 1e-9

    def share(self, preset, call, threads=1, who='libcae'):
        peak = self.run.judge.peak
        return self.rate(preset, call, threads, who) / (peak * threads) if peak else None

    def ratio(self, preset, call, who, threads=1):
        other = self.time(preset, call, threads, who)
        return other / self.time(preset, call, threads) if other else None

    def speed_up(self, preset, call):
        two = self.time(preset, call, 2)
        return self.time(preset, call) / two if two else None

    def probe_scaling(self, preset, call):
        """What the probes around our windows gained from the second core, the mean of both."""
        means = []
        for threads in (1, 2):
            windows = self.found[preset]['windows'].get(('libcae', threads, call))
            if not windows or not self.run.judge.peak:
                return None
            kept_windows = self.run.judge.keep(windows).windows
            means.append([sum(w.probes[i] + w.probes[i + 2] for w in kept_windows) / len(kept_windows)
                          for i in (0, 1)])
        return sum(two / one for one, two in zip(*means)) / 2

    def scaled_speed_up(self, preset, call):
        scaling = self.probe_scaling(preset, call)
        speed_up = self.speed_up(preset, call)
        return 2 * speed_up / scaling if scaling and speed_up else None


def slow_algebra(run):
    """Whether PyTorch runs on the plain BLAS, which is several times slower than others."""
    return run.torch is not None and not any(
        word in path for path in run.torch['algebra'] for word in ('openblas', 'mkl', 'blis', 'atlas'))


def note_of_torch(run):
    used = ', '.join(run.torch['algebra']) or 'no BLAS that shows'
    chosen = ', '.join(run.torch['instructions']) or 'nothing that it tells'
    note = f'PyTorch {run.torch["version"]} with {used}. Instruction sets in use: {chosen}.'
    if slow_algebra(run):
        note += (' That is the plain BLAS, several times slower than others: bars against PyTorch are '
                 'not judged (Debian: install libopenblas0-pthread).')
    return note


def table_of_steps(results):
    rows = []
    for preset, data in results.found.items():
        for call in CALLS:
            for who, threads, name in data['windows']:
                figure = results.figures[preset, who, threads, name]
                if name != call or figure is None:
                    continue
                ratio = results.ratio(preset, call, who, threads) if who != 'libcae' else None
                rows.append([f'{preset} {call}', who, str(threads), spread(figure, 1, 1e3),
                             number(results.least(preset, call, threads, who) * 1e3),
                             number(results.rate(preset, call, threads, who)),
                             percent(results.share(preset, call, threads, who)),
                             number(ratio, 2), kept(figure)])
    notes = ['Times are medians with quartiles, and the least of all windows; "against ours" is the '
             'time of a peer over ours with as many threads; "windows" says how many counted, and how '
             'near to their best the probes were in those.']
    if any(who == 'oneDNN' for who, _ in results.run.peers):
        notes.append('oneDNN stands for its convolutions alone, in the layouts it likes best: no pools, '
                     f'no reorders, no Adam. Instruction set in use: {results.run.onednn}.')
    if results.run.torch:
        notes.append(note_of_torch(results.run))
    return Table('steps', f'Batch {BATCH}, {SIDE} x {SIDE}', [
        'call', 'who', 'threads', 'ms', 'least', 'GFLOP/s', 'of peak', 'against ours', 'windows'],
        rows, notes)


def table_of_scaling(results):
    rows = [[f'{preset} {call}', number(results.speed_up(preset, call), 2),
             number(results.probe_scaling(preset, call), 2),
             number(results.scaled_speed_up(preset, call), 2)]
            for preset in results.found for call in CALLS if results.speed_up(preset, call)]
    return Table('scaling', 'Two threads against one', [
        'call', 'speed-up', 'of the probes', 'speed-up by half of that'], rows)


def table_of_limits(results):
    """What bounds a training step of a network whose weights fit no cache."""
    rows = []
    peak = results.run.judge.peak
    for preset, data in results.found.items():
        if 'update' in data:
            # Weights and moments are read and written once, and the weights read forward; those of
            # the second layer, half of them, backward too.
            traffic = 4 * data['parameters'] * (6 + 1 + 0.5)
            rate = 2 * UPDATED / results.run.judge.figure(data['update']).median
            arithmetic = results.flops(preset, 'train') * 1e-9 / peak if peak else None
            rows.append([preset, number(arithmetic and arithmetic * 1e3), number(traffic / 1e6, 0),
                         number(rate / 1e9), number(traffic / rate * 1e3),
                         number(results.time(preset, 'train') * 1e3)])
    return Table('limits', 'Training of dense networks, 1 thread: what it cannot go below', [
        'network', 'arithmetic at peak, ms', 'traffic, MB', 'GB/s in an update in place',
        'traffic, ms', 'measured, ms'], rows)


def tables(run, found):
    results = Results(run, found)
    made = [table_of_steps(results)]
    if any('update' in data for data in found.values()):
        made.append(table_of_limits(results))
    return made + ([table_of_scaling(results)] if run.two else [])


def bars(run, found):
    results = Results(run, found)
    fair = not slow_algebra(run)
    rows = []
    for preset in found:
        simple = preset.startswith('sae')
        for call, torch, peak in (('train', 4, 0.5), ('infer', 1.5, None)) if simple else (
                ('train', 3.5, 0.75), ('infer', 2.7, 0.75)):
            point = '3' if simple else '1'
            ratio = results.ratio(preset, call, 'PyTorch') if fair else None
            share = results.share(preset, call)
            if peak:
                rows.append(run.bar(point, f'{preset} {call}, 1 thread: share of peak',
                                    share, '>=', peak, percent))
            rows.append(run.bar(point, f'{preset} {call}, 1 thread: PyTorch over ours',
                                ratio, '>=', torch))
            rows.append(run.bar('2', f'{preset} {call}: speed-up of 2 threads by half the probes\'',
                                results.scaled_speed_up(preset, call), '>=', 1.85))
    return rows
