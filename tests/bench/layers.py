"""Every layer and pass of the networks, in place; and beside each pass of a transposed convolution
an ordinary one with as much to do.

SPDX-License-Identifier: BSD-2-Clause
"""
import work
from tables import Table, number, percent

PRESETS = ('cae-compress', 'cae-denoise', 'sae-compress')
FORWARD, WEIGHTS, DATA, BACKWARD = range(4)  # columns of the worker's times
COLUMN = {'forward': FORWARD, 'weights': WEIGHTS, 'data': DATA}


def batch_of(preset):
    """How many images a run trains at a time: networks with a dense layer take them together."""
    return 32 if preset.startswith('sae') else 1


def rounds(run, text, count, number_of, kind='both'):
    """(layers, windows): each window's detail is whether its backward passes were halved, and the
    times of all layers. `kind` 'halves': no whole ones."""
    answer = run.one.ask('layers', text, count, number_of, kind)
    return answer['layers'], [
        run.judge.window(1, r['window'][0], (kind == 'halves' or i % 2 == 0, r['times']))
        for i, r in enumerate(answer['rounds'])]


def measure(run):
    found = {}
    turns = run.seconds(5, 1)
    for preset in run.presets(PRESETS):
        run.say(f'{preset}: layers')
        count = batch_of(preset)
        data = found[preset] = {'count': count, 'windows': [], 'ordinary': {}}
        for _ in range(int(turns)):
            data['layers'], windows = rounds(run, preset, count, 8 if count > 1 else 24)
            data['windows'] += windows
            for index, layer in enumerate(data['layers']):
                if layer['type'] == 'tconv':
                    measure_ordinary(run, data['ordinary'], index, layer)
    return found


def measure_ordinary(run, found, index, layer):
    """Both in a small network of their own, so that caches hold as much of what they need."""
    texts = {name: work.ordinary(layer, name) for name in work.PASSES}
    _, own = rounds(run, work.itself(layer), 1, 24)
    for text in dict.fromkeys(texts.values()):
        layers, windows = rounds(run, text, 1, 24)
        for name in work.PASSES:
            if texts[name] == text:
                entry = found.setdefault((index, name), {'layer': layers[1], 'windows': [], 'own': []})
                entry['windows'] += windows
                entry['own'] += own


# ---- Results --------------------------------------------------------------------------------------

def seconds(run, windows, layer, column):
    """Of one layer and column, over the rounds that have it; and how good those were."""
    halves = {FORWARD: (True, False), BACKWARD: (False,)}.get(column, (True,))
    chosen = [w for w in windows if w.detail[0] in halves]
    figure = run.judge.figure(chosen, lambda w: w.detail[1][layer][column])
    return (figure.median, figure.near) if figure else (0, 1)


class Line:
    """A layer with the pool behind it, times per image in seconds."""

    def __init__(self, run, data, index):
        self.run, self.data, self.index = run, data, index
        self.layer = data['layers'][index]
        self.near = 1
        following = data['layers'][index + 1:index + 2]
        self.pool = index + 1 if following and following[0]['type'] == 'maxpool' else None
        self.forward = self.time(FORWARD)
        self.halves = {name: self.time(COLUMN[name], False) for name in ('data', 'weights')}
        self.pool_back = self.of(self.pool, BACKWARD) if self.pool else None
        self.all = self.forward + self.time(BACKWARD)

    def of(self, index, column):
        found, near = seconds(self.run, self.data['windows'], index, column)
        self.near = min(self.near, near)
        return found / self.data['count']

    def time(self, column, with_pool=True):
        pool = self.of(self.pool, column) if self.pool and with_pool else 0
        return self.of(self.index, column) + pool

    def took(self, name):
        return self.forward if name == 'forward' else self.halves[name]

    def has(self, name):
        return work.has_pass(self.data['layers'], self.index, name)

    def share_of_peak(self, name):
        peak = self.run.judge.peak
        if not peak or not self.has(name) or not self.took(name):
            return None
        return 2 * work.multiply_adds(self.layer) / self.took(name) * 1e-9 / peak

    @property
    def work(self):
        return work.layer_work(self.data['layers'], self.index)

    @property
    def title(self):
        into, out = self.layer['in'], self.layer['out']
        if self.layer['type'] == 'dense':
            return f'dense {work.product(into)}->{work.product(out)}'
        options = f'k{self.layer["kernel"]} s{self.layer["stride"]}'
        pool = ', pool' if self.pool else ''
        return f'{self.layer["type"]} {into[0]}->{out[0]} {options}{pool}, to {out[1]} x {out[2]}'


def lines_of(run, data):
    return [Line(run, data, i) for i, layer in enumerate(data['layers'])
            if work.multiply_adds(layer)]


def micro(value):
    return number(value * 1e6 if value is not None else None)


def pass_cells(line, name):
    if not line.has(name):
        return ['-', '-']
    return [micro(line.took(name)), percent(line.share_of_peak(name))]


def table_of_layers(run, preset, data):
    lines = lines_of(run, data)
    time, arithmetic = sum(x.all for x in lines), sum(x.work for x in lines)
    rows = [[x.title] + [cell for name in work.PASSES for cell in pass_cells(x, name)] +
            [micro(x.pool_back), micro(x.all), percent(x.work / arithmetic), percent(x.all / time),
             number(x.all / time / (x.work / arithmetic), 2)] for x in lines]
    peak = run.judge.peak
    share = percent(2 * arithmetic / time * 1e-9 / peak) if peak else '-'
    rows.append(['all'] + ['-'] * 7 + [micro(time), percent(1), percent(1), share])
    notes = ['us per image. A pool counts with the layer before it: forward in its "forward", '
             'backward in a column of its own. "both" is forward and the whole backward pass, '
             'which reads what it shares once; the last cell of the last row is the share of peak. '
             f'Windows at {percent(min(x.near for x in lines))} of the best probes or more.']
    alive = [data['layers'][x.pool]['alive'] for x in lines if x.pool]
    if alive:
        notes.append('Behind the pools the gradient is sparse, as data has it (random images, weights '
                     'as drawn): of the pooled values ' + ', '.join(percent(a) for a in alive) +
                     ' are above zero, and of the gradient a quarter of that.')
    return Table(f'layers-{preset}', f'{preset}, layer by layer', [
        'layer', 'forward', 'of peak', 'data', 'of peak', 'weights', 'of peak', 'pool back',
        'both', 'arithmetic', 'time', 'time/arith.'], rows, notes)


def transposed(run, data):
    """[layer's line, pass, the ordinary layer, ratio of the times per multiply-add]"""
    found = []
    for line in lines_of(run, data):
        for name in work.PASSES:
            entry = data['ordinary'].get((line.index, name))
            if entry:
                time, _ = seconds(run, entry['windows'], 1, COLUMN[name])
                own, _ = seconds(run, entry['own'], 1, COLUMN[name])
                per_term = time / work.multiply_adds(entry['layer'])
                ratio = own / work.multiply_adds(line.layer) / per_term
                found.append((line, name, entry['layer'], ratio))
    return found


def table_of_transposed(run, preset, data):
    rows = []
    for line, name, layer, ratio in transposed(run, data):
        into, out = layer['in'], layer['out']
        rows.append([line.title, name,
                     f'{into[0]}->{out[0]} k{layer["kernel"]} to {out[1]} x {out[2]}',
                     number(work.multiply_adds(layer) / work.multiply_adds(line.layer), 2),
                     number(work.terms(line.layer, name), 0), number(work.terms(layer, name), 0),
                     number(ratio, 2)])
    return Table(f'transposed-{preset}', f'{preset}: transposed convolutions by ordinary ones', [
        'layer', 'pass', 'ordinary', 'its work', 'terms', 'its terms', 'time by work'], rows)


def tables(run, found):
    made = []
    for preset, data in found.items():
        made.append(table_of_layers(run, preset, data))
        if data['ordinary']:
            made.append(table_of_transposed(run, preset, data))
    return made


def bars(run, found):
    rows = []
    for preset, data in found.items():
        for name in work.PASSES:
            ratios = [(ratio, line.title) for line, which, _, ratio in transposed(run, data)
                      if which == name]
            if ratios:
                worst, where = max(ratios)
                rows.append(run.bar('4', f'{preset} {name}: {where} by an ordinary convolution',
                                    worst, '<=', 1.3))
        if data['ordinary']:
            lines = lines_of(run, data)
            time, arithmetic = sum(x.all for x in lines), sum(x.work for x in lines)
            for line in (lines[0], lines[-1]):
                rows.append(run.bar('4', f'{preset} {line.title}: share of time by arithmetic',
                                    line.all / time / (line.work / arithmetic), '<=', 3))
    return rows
