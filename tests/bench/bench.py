#!/usr/bin/env python3
"""Measures libcae: the machine's peak, our calls and layers beside it, and the peers that are
installed in turn with ours. Prints tables; the last one holds every bar that was set against what
was measured. Exit status: 0 measured, whether bars are met or not; 1 something broke.

    tests/bench/bench.py [--build DIR] [--quick] [--no-peers] [--steps] [--layers] ...

SPDX-License-Identifier: BSD-2-Clause
"""
import argparse
import json
import os
import pathlib
import sys
import time

import layers
import limits
import steps
import sweep
import tables
import tiers
from windows import Judge
from workers import Broken, Worker, busy_ticks, find_peers, own_ticks, processors

PARTS = {'steps': steps, 'layers': layers, 'limits': limits, 'tiers': tiers,
         'sweep': sweep}


class Run:
    """What the parts share."""

    def __init__(self, options):
        self.options = options
        self.judge = Judge()
        self.build = pathlib.Path(options.build)
        self.worker = self.build / 'tests' / 'bench' / 'cae_bench'
        self.started = []
        self.began = time.monotonic()
        self.busy = busy_ticks()
        self.peers = {}
        self.torch = None  # what its worker says of itself
        self.onednn = ''   # the instruction set that it uses
        self.one = self.start([self.worker], 1)
        self.two = self.start([self.worker], 2) if len(processors()) > 1 else None
        self.machine = self.one.ask('machine')

    def start(self, command, threads, env=None):
        worker = Worker(command, threads, env)
        self.started.append(worker)
        return worker

    def start_peers(self):
        found, missing = find_peers(self.build) if not self.options.no_peers else ({}, {})
        for name, command in found.items():
            for threads in (1, 2) if self.two else (1,):
                env = {'OMP_NUM_THREADS': str(threads)}
                self.peers[name, threads] = self.start([*command, threads], threads, env)
        return [f'{name} is left out: {why}.' for name, why in missing.items()]

    def others(self):
        """How much of a processor other programs of this system have used meanwhile."""
        if self.busy is None:
            return 0
        ticks = busy_ticks() - self.busy - own_ticks(self.started)
        return max(0, ticks / os.sysconf('SC_CLK_TCK') / (time.monotonic() - self.began))

    def close(self):
        for worker in self.started:
            worker.close()

    def say(self, what):
        if sys.stderr.isatty() or self.options.verbose:
            print(f'... {what}', file=sys.stderr, flush=True)

    def seconds(self, usual, quick):
        return quick if self.options.quick else usual * self.options.scale

    def presets(self, usual):
        """Which of the usual networks a part looks at."""
        chosen = self.options.presets or (steps.QUICK if self.options.quick else usual)
        return [preset for preset in usual if preset in chosen]

    def layers_of(self, text):
        return self.one.ask('layers', text, 1, 0)['layers']

    @staticmethod
    def bar(point, what, value, sign, limit, write=tables.hundredths):
        """A row of the last table."""
        if value is None:
            met = 'not measured'
        else:
            met = 'yes' if (value >= limit if sign == '>=' else value <= limit) else 'no'
        return [what, point, write(value), f'{sign} {write(limit)}', met]


# ---- The frame ------------------------------------------------------------------------------------

def processor_name():
    try:
        lines = pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8').split('\n')
        return next(line.split(':')[1].strip() for line in lines if line.startswith('model name'))
    except (OSError, StopIteration):
        return 'unknown processor'


def table_of_machine(run, absent):
    judge = run.judge
    rows = [['processor', processor_name()], ['tier in use', run.machine['kernels']]]
    notes = list(absent)
    for cores, what in ((1, 'one core'), (2, 'two cores at once')):
        fma, load = judge.best[cores]
        if fma:
            rows += [[f'multiply-adds in registers, {what}', f'{fma:.1f} GFLOP/s'],
                     [f'multiplies and adds with loads, {what}', f'{load:.1f} GFLOP/s']]
    if not judge.peak:
        notes.append('No AVX2 and FMA here, so no probes: every window counts, and shares of the '
                     'peak are left out.')
    else:
        notes.append('Best of the run; the first is the peak. Windows count in which both probes, before '
                     'and behind, were at 95 % of these or more; where too few were, down to '
                     f'{100 * judge.lowest:.0f} %.')
    others = run.others()
    if others > 0.05:
        notes.append(f'Other programs here took {100 * others:.0f} % of a processor meanwhile: do not '
                     'trust the rows with two threads.')
    return tables.Table('machine', 'The machine', ['what', 'value'], rows, notes)


def table_of_bars(rows):
    return tables.Table('bars', 'What was asked for',
                        ['bar', 'point', 'measured', 'asked', 'met'], rows)


def options_from(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split('.')[0].replace('\n', ' '))
    parser.add_argument('--build', default='build', help='the build folder (default: build)')
    for part, module in PARTS.items():
        what = module.__doc__.split('.')[0].replace('\n', ' ')
        parser.add_argument(f'--{part}', action='append_const', dest='parts', const=part,
                            help=f'this part (default: all): {what}')
    parser.add_argument('--presets', default='', help='these networks alone, by commas')
    parser.add_argument('--quick', action='store_true', help='few windows: to see that all works')
    parser.add_argument('--scale', type=float, default=1, help='times as long as usual')
    parser.add_argument('--seconds', type=float, help='for the sweep')
    parser.add_argument('--seed', type=int, default=1, help='of the sweep')
    parser.add_argument('--no-peers', action='store_true')
    parser.add_argument('--markdown', metavar='FOLDER', help='pages, too: FOLDER/PART.md for each part')
    parser.add_argument('--json', metavar='FILE', help='the tables and the probes\' best as data')
    parser.add_argument('--verbose', action='store_true', help='say what is under way')
    options = parser.parse_args(arguments)
    options.parts = options.parts or list(PARTS)
    options.presets = [name for name in options.presets.split(',') if name]
    return options


def measure(run):
    """{part: its tables}, and what is for all of them."""
    absent = run.start_peers() if 'steps' in run.options.parts else []
    found = {}
    for part in run.options.parts:
        found[part] = PARTS[part].measure(run)
    made = {}
    for part, data in found.items():  # when all is measured, the best of the probes is known
        made[part] = PARTS[part].tables(run, data), PARTS[part].bars(run, data)
    return table_of_machine(run, absent), made


def page(part, machine, made, rows):
    """A part's page: what it is, how it is made again, and its tables."""
    what = PARTS[part].__doc__.split('.')[0].replace('\n', ' ')
    parts = [machine] + made + ([table_of_bars(rows)] if rows else [])
    return (f'# {what}\n\nMade by\n\n    tests/bench/bench.py --build build --{part} --markdown docs/bench\n\n'
            + '\n'.join(tables.markdown(table) for table in parts))


def write(run, machine, parts):
    made = [machine] + [table for part, _ in parts.values() for table in part]
    rows = sorted((row for _, bars in parts.values() for row in bars), key=lambda row: row[1])
    made.append(table_of_bars(rows))
    print('\n'.join(tables.text(table) for table in made))
    if run.options.markdown:
        folder = pathlib.Path(run.options.markdown)
        for part, (some, bars) in parts.items():
            (folder / f'{part}.md').write_text(page(part, machine, some, bars), encoding='utf-8')
    if run.options.json:
        data = {'best': run.judge.best, 'tables': [table._asdict() for table in made]}
        pathlib.Path(run.options.json).write_text(json.dumps(data, indent=1) + '\n', encoding='utf-8')


def main(arguments):
    began = time.monotonic()
    run = None
    try:
        options = options_from(arguments)
        if options.markdown and not pathlib.Path(options.markdown).is_dir():
            raise Broken(f'{options.markdown}: this is no folder')
        run = Run(options)
        write(run, *measure(run))
        print(f'{time.monotonic() - began:.0f} s')
        return 0
    except (Broken, OSError) as error:
        print(f'bench: {error}', file=sys.stderr)
        return 1
    finally:
        if run:
            run.close()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
