"""A sweep over the shapes of convolutions, to find what is slow. Shapes are drawn from a seed, kernels
and strides evenly; each draw makes a convolution and the transposed one that undoes it.

SPDX-License-Identifier: BSD-2-Clause
"""
import random
import time
from typing import NamedTuple

import layers
import work
from tables import Table, number, percent

CHANNELS, SIDES, KERNELS, STRIDES = (1, 130), (5, 97), 7, 3
MOST = 3e8     # multiply-adds: larger ones would take the time of many
ASKED = 1 / 3  # of peak
WORST = 10


class Shape(NamedTuple):
    channels: tuple  # of the larger map, of the smaller one
    side: tuple      # of the larger map
    kernel: int
    stride: int
    pad: int

    def text(self):
        """`code` stands early, so that no size is rounded up to the stride."""
        options = f'kernel {self.kernel} stride {self.stride} pad {self.pad}'
        fine, coarse = self.channels
        return ';'.join([f'input 1 {self.side[0]} {self.side[1]}', f'conv {fine} kernel 1 relu', 'code',
                         f'conv {coarse} {options} relu', f'tconv {fine} {options} relu',
                         'conv 1 kernel 1 sigmoid', ''])

    def multiply_adds(self):
        outputs = work.product((s + 2 * self.pad - self.kernel) // self.stride + 1 for s in self.side)
        return outputs * self.kernel ** 2 * work.product(self.channels)


def log_uniform(draw, low, high):
    return round(low * (high / low) ** draw.random())


def side_of(draw, kernel, stride, pad):
    """A side that the transposed convolution gives back."""
    wanted = draw.randint(*SIDES)
    steps = max(0, -(-(wanted + 2 * pad - kernel) // stride))
    side = steps * stride + kernel - 2 * pad
    return side - stride if side > SIDES[1] else side


def shapes(seed):
    """Without end."""
    draw = random.Random(seed)
    turn = 0
    while True:
        kernel, stride = turn % KERNELS + 1, turn // KERNELS % STRIDES + 1
        turn += 1
        if stride > kernel:
            continue  # leaves pixels out, and cannot be undone
        pad = draw.randint(0, kernel // 2)
        shape = Shape((log_uniform(draw, *CHANNELS), log_uniform(draw, *CHANNELS)),
                      (side_of(draw, kernel, stride, pad), side_of(draw, kernel, stride, pad)),
                      kernel, stride, pad)
        if min(shape.side) >= SIDES[0] and shape.multiply_adds() <= MOST:
            yield shape


class Found:
    """One pass of one layer of a shape."""

    def __init__(self, shape, index, layer, name, windows):
        self.shape = shape
        self.index = index  # of the layer in its network
        self.layer = layer
        self.name = name
        self.windows = list(windows)

    def figure(self, run):
        return run.judge.figure(self.windows,
                                lambda w: w.detail[1][self.index][layers.COLUMN[self.name]])

    def share(self, run):
        time_spent = self.figure(run).median
        return 2 * work.multiply_adds(self.layer) / time_spent * 1e-9 / run.judge.peak


def counts(layer, name):
    """Whether a pass is large enough for the bar; that of the weights is when the forward one is."""
    into, out = layer['in'], layer['out']
    made = into if name == 'data' else out
    terms = work.terms(layer, 'forward' if name == 'weights' else name)
    return made[0] >= 8 and terms >= 32 and min(made[1:]) >= 16


def measure_shape(run, shape, rounds):
    answer, windows = layers.rounds(run, shape.text(), 1, rounds, 'halves')
    return [Found(shape, index, answer[index], name, windows) for index in (1, 2)
            for name in work.PASSES]


def measure(run):
    seconds = run.options.seconds or run.seconds(60, 1.5)
    end = time.monotonic() + 0.8 * seconds
    found = []
    drawn = 0
    for shape in shapes(run.options.seed):
        if time.monotonic() > end:
            break
        if drawn % 50 == 0:
            run.say(f'sweep: {drawn} shapes')
        found += measure_shape(run, shape, 6)
        drawn += 1
    found = [f for f in found if counts(f.layer, f.name)]
    if run.judge.peak:
        again(run, found, end + 0.2 * seconds)
    copies = {f: copy_of(run, f.layer) for f in worst(run, found)}
    return {'drawn': drawn, 'found': found, 'copies': copies}


def again(run, found, end):
    """Once more what came out slow, worst first: a neighbour may have done it."""
    slow = sorted((f for f in found if f.share(run) < 1.2 * ASKED), key=lambda f: f.share(run))
    for shape in dict.fromkeys(f.shape for f in slow):
        if time.monotonic() > end:
            break
        fresh = {(f.index, f.name): f for f in measure_shape(run, shape, 12)}
        for f in found:
            if f.shape == shape:
                f.windows.extend(fresh[f.index, f.name].windows)


def copy_of(run, layer):
    windows = run.one.ask('copy', work.moved(layer), 4, 8)['windows']
    return [run.judge.window(1, raw) for raw in windows[1:]]


def worst(run, found):
    if not run.judge.peak:
        return []
    return sorted(found, key=lambda f: f.share(run))[:WORST]


def title(layer):
    into, out = layer['in'], layer['out']
    return (f'{layer["type"]} {into[0]}->{out[0]} k{layer["kernel"]} s{layer["stride"]} '
            f'p{layer["pad"]}, {into[1]} x {into[2]} to {out[1]} x {out[2]}')


def tables(run, data):
    if not run.judge.peak:
        return []
    found = data['found']
    below = [f for f in found if f.share(run) < ASKED]
    rows = []
    for f in worst(run, found):
        copy = data['copies'].get(f)
        copy_time = run.judge.figure(copy).median / 4 if copy else None
        rows.append([title(f.layer), f.name, number(work.terms(f.layer, f.name), 0),
                     number(f.figure(run).median * 1e6), percent(f.share(run)),
                     percent(f.figure(run).near),
                     number(copy_time * 1e6 if copy_time else None)])
    shares = sorted(f.share(run) for f in found)
    notes = [f'{data["drawn"]} shapes from seed {run.options.seed}: channels {CHANNELS[0]}-'
             f'{CHANNELS[1]}, sides {SIDES[0]}-{SIDES[1]}, kernels 1-{KERNELS}, strides 1-{STRIDES}, '
             f'up to {MOST:.0e} multiply-adds. Of their passes {len(found)} make at least 8 channels '
             f'of 16 x 16 from at least 32 terms; {len(below)} of them are below a third of peak. '
             '"copy" is the time of copying as many bytes as input, output and weights have.']
    if shares:
        notes.append(f'Median {percent(shares[len(shares) // 2])}, lowest tenth up to '
                     f'{percent(shares[len(shares) // 10])} of peak.')
    made = [Table('sweep', 'The slowest of the sweep',
                  ['layer', 'pass', 'terms', 'us', 'of peak', 'probes', 'copy us'], rows, notes)]
    if len(below) > WORST:
        made.append(Table('below', 'Below a third of peak', ['layer', 'pass', 'of peak'], [
            [title(f.layer), f.name, percent(f.share(run))]
            for f in sorted(below, key=lambda f: f.share(run))]))
    return made


def bars(run, data):
    if not run.judge.peak or not data['found']:
        return []
    least = min(data['found'], key=lambda f: f.share(run))
    return [run.bar('8', f'sweep: the slowest, {title(least.layer)} {least.name}',
                    least.share(run), '>=', ASKED, percent)]
