"""Tables as aligned text or Markdown.

SPDX-License-Identifier: BSD-2-Clause
"""
from typing import List, NamedTuple


class Table(NamedTuple):
    name: str
    title: str
    columns: List[str]
    rows: List[List[str]]
    notes: List[str] = []


def spread(figure, digits=1, factor=1.0):
    """Median and quartiles."""
    if figure is None:
        return '-'
    f = figure.scaled(factor)
    return f'{f.median:.{digits}f} ({f.low:.{digits}f}-{f.high:.{digits}f})'


def number(value, digits=1):
    return '-' if value is None else f'{value:.{digits}f}'


def hundredths(value):
    return number(value, 2)


def percent(value):
    return '-' if value is None else f'{100 * value:.0f} %'


def kept(figure):
    return '-' if figure is None else f'{figure.kept}/{figure.all} at {100 * figure.near:.0f} %'


def text(table):
    lines = [table.columns] + table.rows
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.columns))]

    def line_of(cells):
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return '  '.join([first] + rest).rstrip()

    rule = '  '.join('-' * width for width in widths)
    return '\n'.join([f'== {table.title}', '', line_of(table.columns), rule] +
                     [line_of(row) for row in table.rows] +
                     [''] * bool(table.notes) + table.notes) + '\n'


def markdown(table):
    def line_of(cells):
        return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'

    aligned = ['---'] + ['---:'] * (len(table.columns) - 1)
    return '\n'.join([f'**{table.title}**', '', line_of(table.columns), line_of(aligned)] +
                     [line_of(row) for row in table.rows] +
                     [part for note in table.notes for part in ('', note)]) + '\n'
