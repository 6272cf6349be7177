"""What a call costs beside the steady state: single images, large images, the first picture after
loading, memory; and the library's size.

SPDX-License-Identifier: BSD-2-Clause
"""
import pathlib
import shutil
import subprocess
import tempfile

import steps
from tables import Table, kept, number, spread

CODECS = ('cae-compress', 'cae-denoise')
BATCH, SIDE, LARGE, HUGE = steps.BATCH, steps.SIDE, 1024, 4096
MIB = 2 ** 20


# ---- One image, large images, the first picture ------------------------------------------------------

def measure_calls(run, preset, turns):
    """{what: windows}; several single images make a window, or it would be too short."""
    run.one.ask('open', preset)
    found = {'one': [], 'batch': [], 'small': [], 'large': []}
    for turn in range(turns + 1):
        made = {'one': steps.ours(run, 1, 'code', 4, count=1, repeat=4),
                'batch': steps.ours(run, 1, 'code', 2),
                'small': steps.ours(run, 1, 'infer', 2),
                'large': steps.ours(run, 1, 'infer', 1, count=1, side=LARGE)}
        for what, windows in made.items():
            found[what] += windows if turn else []
    with tempfile.TemporaryDirectory() as folder:
        answer = run.one.ask('first', f'{folder}/model', 5 * turns)
    found['first'] = [run.judge.window(1, raw) for raw in answer['windows']]
    return found


def measure_memory(run, preset):
    """Bytes at the most: of a training step beyond the model's numbers, and of a call on an image."""
    step = run.one.ask('memory', preset, 'train', BATCH, SIDE, SIDE)
    found = {'step': step['peak'] - 3 * 4 * step['parameters']}
    if preset in CODECS:
        sides = [LARGE] if run.options.quick else [LARGE, HUGE]
        for side in sides:
            call = run.one.ask('memory', preset, 'infer', 1, side, side)
            found[side] = call['peak'] - call['model']
    return found


def stripped_size(run):
    """Of the shared library, or None when it or strip is missing."""
    library = run.build / 'lib' / 'libcae.so'
    if not library.exists() or not shutil.which('strip'):
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / 'libcae.so'
        subprocess.run(['strip', '-o', copy, library], check=True)
        return copy.stat().st_size


def measure(run):
    found = {'calls': {}, 'memory': {}}
    for preset in run.presets(CODECS):
        run.say(f'{preset}: single and large images')
        found['calls'][preset] = measure_calls(run, preset, int(run.seconds(4, 1)))
    for preset in run.presets(steps.PRESETS):
        run.say(f'{preset}: memory')
        found['memory'][preset] = measure_memory(run, preset)
    found['size'] = stripped_size(run)
    return found


class Calls:
    """Figures of one network in seconds for one image, or one pixel."""

    def __init__(self, run, windows):
        figure = {what: run.judge.figure(found) for what, found in windows.items()}
        self.one = figure['one'].scaled(1 / 4)
        self.batch = figure['batch'].scaled(1 / BATCH)
        self.small = figure['small'].scaled(1 / BATCH / SIDE ** 2)
        self.large = figure['large'].scaled(1 / LARGE ** 2)
        self.first = run.judge.figure(windows['first'], lambda w: w.wall)
        self.single = self.one.median / self.batch.median
        self.growth = self.large.median / self.small.median


def table_of_calls(run, found):
    rows = []
    for preset, windows in found.items():
        calls = Calls(run, windows)
        rows += [
            [f'{preset}: encode and decode, batch 1, us an image', spread(calls.one, 1, 1e6),
             number(calls.single, 2), kept(calls.one)],
            [f'{preset}: the same, batch {BATCH}', spread(calls.batch, 1, 1e6), '1',
             kept(calls.batch)],
            [f'{preset}: de-noise {LARGE} x {LARGE}, ns a pixel', spread(calls.large, 1, 1e9),
             number(calls.growth, 2), kept(calls.large)],
            [f'{preset}: the same, {SIDE} x {SIDE}, batch {BATCH}', spread(calls.small, 1, 1e9), '1',
             kept(calls.small)],
            [f'{preset}: load a model and de-noise the first face, ms', spread(calls.first, 2, 1e3),
             '-', kept(calls.first)]]
    return Table('calls', 'Single and large images, 1 thread',
                 ['call', 'time', 'ratio', 'windows'], rows)


def mebibytes(size):
    return number(size / MIB if size is not None else None)


def table_of_memory(found, size):
    rows = []
    for preset, memory in found.items():
        rows.append([f'{preset}: training step, batch {BATCH}, beyond weights and moments',
                     mebibytes(memory['step'])])
        rows += [[f'{preset}: de-noising {side} x {side}, the call', mebibytes(memory[side])]
                 for side in (LARGE, HUGE) if side in memory]
    rows.append(['libcae.so, stripped', mebibytes(size)])
    return Table('memory', 'Memory, by what the library allocates', ['what', 'MiB'], rows)


def tables(run, found):
    return [table_of_calls(run, found['calls']), table_of_memory(found['memory'], found['size'])]


def bars(run, found):
    rows = []
    for preset, windows in found['calls'].items():
        calls = Calls(run, windows)
        rows += [run.bar('5', f'{preset}: batch 1 by batch {BATCH}, encode + decode', calls.single,
                         '<=', 1.3),
                 run.bar('5', f'{preset}: a pixel of {LARGE} x {LARGE} by one of {SIDE} x {SIDE}',
                         calls.growth, '<=', 1.1),
                 run.bar('5', f'{preset}: load and first face, ms', calls.first.median * 1e3, '<=', 5)]
    for preset, memory in found['memory'].items():
        sizes = [memory[side] for side in (LARGE, HUGE) if side in memory]
        if sizes:
            rows.append(run.bar('5', f'{preset}: memory of de-noising a large image, MB',
                                max(sizes) / 1e6, '<=', 160))
            rows.append(run.bar('7', f'{preset}: memory of a training step, MB', memory['step'] / 1e6,
                                '<=', 40))
    size = found['size']
    rows.append(run.bar('7', 'libcae.so stripped, KB', size / 1e3 if size else None, '<=', 300))
    return rows
