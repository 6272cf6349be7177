"""The bench itself, briefly: that it counts work as it should, judges windows as it says, prints every
table with numbers that can be, and tells when it is broken. How fast anything is, is no matter here.

    test_bench.py --build DIR

SPDX-License-Identifier: BSD-2-Clause
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import tables
import work
from windows import Judge

HERE = pathlib.Path(__file__).resolve().parent
TABLES = {'machine', 'steps', 'limits', 'layers-cae-compress', 'transposed-cae-compress',
          'layers-sae-compress', 'calls', 'memory', 'tiers', 'bars'}
PAGES = HERE.parents[1] / 'docs' / 'bench'
BUILD = ''


def bench(*arguments):
    return subprocess.run([sys.executable, HERE / 'bench.py', *arguments], capture_output=True,
                          text=True, check=False)


class Counting(unittest.TestCase):
    def test_convolutions(self):
        conv = {'type': 'conv', 'in': [2, 9, 9], 'out': [3, 5, 5], 'kernel': 3, 'stride': 2, 'pad': 1}
        back = {'type': 'tconv', 'in': [3, 5, 5], 'out': [2, 9, 9], 'kernel': 3, 'stride': 2, 'pad': 1}
        self.assertEqual(work.multiply_adds(conv), 25 * 9 * 6)
        self.assertEqual(work.multiply_adds(back), 25 * 9 * 6)
        self.assertEqual(work.terms(conv, 'forward'), 18)

    def test_first_layer_has_no_gradient_of_its_input(self):
        dense = {'type': 'dense', 'in': [4, 1, 1], 'out': [5, 1, 1]}
        self.assertEqual(work.network_work([dense, dense], 'infer'), 2 * 40)
        self.assertEqual(work.network_work([dense, dense], 'train'), 2 * (40 + 60))


class Judging(unittest.TestCase):
    def test_disturbed_windows_do_not_count(self):
        judge = Judge()
        calm = [judge.window(1, [100, 90, 99, 89, 2.0, 2.0]) for _ in range(6)]
        disturbed = [judge.window(1, [100, 90, 99, 40, 9.0, 9.0]) for _ in range(4)]
        figure = judge.figure(calm + disturbed)
        self.assertEqual((figure.median, figure.kept, figure.all), (2.0, 6, 10))
        self.assertAlmostEqual(figure.near, 0.95)

    def test_too_few_are_said(self):
        judge = Judge()
        windows = [judge.window(1, [100 - i, 100, 100, 100, 1.0, 1.0]) for i in (0, 10, 20, 30, 40)]
        self.assertAlmostEqual(judge.figure(windows).near, 0.6)

    def test_no_probes(self):
        judge = Judge()
        self.assertEqual(judge.figure([judge.window(1, [0, 0, 0, 0, 1.0, 3.0])] * 2).kept, 2)


class Writing(unittest.TestCase):
    def test_markdown(self):
        table = tables.Table('t', 'Title', ['a', 'b'], [['x|y', '1']], ['A note.'])
        self.assertEqual(tables.markdown(table),
                         '**Title**\n\n| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n\nA note.\n')


class Running(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'tables.json'
            cls.done = bench('--build', BUILD, '--quick', '--no-peers', '--json', path,
                             '--markdown', folder)
            cls.pages = {page.stem: page.read_text(encoding='utf-8')
                         for page in pathlib.Path(folder).glob('*.md')}
            cls.data = json.loads(path.read_text(encoding='utf-8')) if path.exists() else {'tables': []}
        cls.tables = {table['name']: table for table in cls.data['tables']}

    def column(self, table, name):
        """A column's numbers, without what stands in brackets."""
        at = self.tables[table]['columns'].index(name)
        cells = [row[at] for row in self.tables[table]['rows']]
        return [float(re.match(r'[\d.]+', cell).group()) for cell in cells if cell != '-']

    def test_measured(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertLessEqual(TABLES, set(self.tables))
        for table in self.tables.values():
            self.assertIn(table['title'], self.done.stdout)

    def test_pages(self):
        self.assertEqual(set(self.pages), {page.stem for page in PAGES.glob('*.md')})
        titles = re.findall(r'^\*\*(.*)\*\*$', '\n'.join(self.pages.values()), re.MULTILINE)
        self.assertLessEqual({table['title'] for table in self.tables.values()}, set(titles))

    def test_numbers_can_be(self):
        peak = self.data['best']['1'][0]
        for name, column, least, most in (
                ('steps', 'ms', 0.1, 1e5), ('calls', 'time', 1e-3, 1e7), ('memory', 'MiB', 0.1, 1000),
                ('tiers', 'ms', 0.1, 1e5), ('layers-cae-compress', 'both', 1, 1e6)):
            values = self.column(name, column)
            self.assertGreater(len(values), 1)
            for value in values:
                self.assertTrue(least < value < most, f'{name}, {column}: {value}')
        for value in self.column('layers-cae-compress', 'time')[:-1]:
            self.assertTrue(0 <= value < 100)
        if peak:  # work may be saved, but not most of it
            for value in self.column('steps', 'of peak'):
                self.assertTrue(1 < value < 300, value)
            self.assertGreater(len(self.tables['sweep']['rows']), 0)

    def test_every_bar_is_a_row(self):
        points = {row[1] for row in self.tables['bars']['rows']}
        wanted = {'1', '3', '4', '5', '7'} | (set() if self.one_tier() else {'6'})
        self.assertLessEqual(wanted, points)
        for row in self.tables['bars']['rows']:
            self.assertIn(row[-1], ('yes', 'no', 'not measured'))

    def one_tier(self):
        return len({row[1] for row in self.tables['tiers']['rows']}) == 1

    def test_what_is_broken_is_said(self):
        done = bench('--build', 'no-such-folder')
        self.assertEqual(done.returncode, 1)
        self.assertIn('bench:', done.stderr)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', required=True)
    options, rest = parser.parse_known_args()
    BUILD = options.build
    unittest.main(argv=[sys.argv[0], *rest])
