"""What the rule tests share. A rule gathers plain data and checks it; it also owns examples that
break it. The examples go first, so that a rule that cannot fail fails.

SPDX-License-Identifier: BSD-2-Clause
"""
import argparse
import pathlib
import re
import subprocess
import sys
from typing import Any, Callable, List, NamedTuple

SKIPPED = 77  # the exit status that meson shows as a skipped test

# A folder of lib/ may use itself and what stands to its left.
FOLDERS = ['base', 'kernels', 'optim', 'layers', 'latent', 'net', 'codec', 'serial', 'export', 'image',
           'model', 'api']


class Skip(Exception):
    """What the rule looks at is not there; the message says what and why."""


class Rule(NamedTuple):
    gather: Callable[[argparse.Namespace], Any]
    check: Callable[[Any], List[str]]  # one sentence for each violation
    bad: Any                           # data with at least one violation each, or how to get it


def output(command):
    """What a command prints; its failure is ours."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def header_functions(text):
    """The names of the public functions, in the header's order."""
    return re.findall(r'^CAE_API [^(;]*?\b(cae_\w+)\(', text, re.M)


def map_functions(text):
    """The names in the version script."""
    return re.findall(r'^\s*(cae_\w+);', text, re.M)


def read_files(source, paths):
    """{path from the root: text} of these files."""
    return {path: (pathlib.Path(source) / path).read_text(encoding='utf-8') for path in paths}


def read_tree(source, folders, suffixes):
    """{path from the root: text} of the files below `folders`, sorted."""
    root = pathlib.Path(source)
    files = sorted(p for folder in folders for p in (root / folder).rglob('*')
                   if p.suffix in suffixes and p.is_file())
    return {p.relative_to(root).as_posix(): p.read_text(encoding='utf-8') for p in files}


def arguments(names):
    parser = argparse.ArgumentParser()
    parser.add_argument('rule', choices=names)
    parser.add_argument('--source', help='the root of the sources')
    parser.add_argument('--build', help='the root of the build')
    parser.add_argument('--archive', help='the static library of all objects')
    parser.add_argument('--library', help='the shared library')
    parser.add_argument('--nm', default='nm')
    parser.add_argument('--objdump', default='objdump')
    parser.add_argument('--assertions', action='store_true', help='the build has them')
    parser.add_argument('--altered', default='', help='why the objects are not the usual ones')
    parser.add_argument('--compiler', nargs=argparse.REMAINDER, help='the command that compiles; last')
    return parser.parse_args()


def main(rules):
    args = arguments(rules.keys())
    rule = rules[args.rule]
    try:
        for number, example in enumerate(rule.bad(args) if callable(rule.bad) else rule.bad):
            if not rule.check(example):
                print(f'{args.rule}: bad example {number} passes: the rule cannot fail')
                return 1
        found = rule.check(rule.gather(args))
    except Skip as reason:
        print(f'{args.rule}: skipped: {reason}')
        return SKIPPED
    for violation in found:
        print(f'{args.rule}: {violation}')
    return 1 if found else 0


def run(rules):
    sys.exit(main(rules))
