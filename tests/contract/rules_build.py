"""Rules that need a compiler or its command lines: the header stands alone, the flags that the
numbers depend on have the last word, and nothing in lib/ is left out of the build.

SPDX-License-Identifier: BSD-2-Clause
"""
import json
import pathlib
import re
import shlex
import subprocess
import tempfile

from rules import Rule, Skip, run


# ---- the header alone ------------------------------------------------------------------------

STRICT = ['-pedantic', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Wundef', '-Werror',
          '-fsyntax-only', '-Wno-unused-macros']
USE = '\nint main(void) { return cae_version() == 0 && cae_last_error() == (const char *)0; }\n'


def compiler(args):
    if not args.compiler:
        raise Skip('no compiler for this language')
    return args.compiler


def check_header(data):
    """data: the compiler and its flags, the folder of headers, a source that includes the header."""
    command, folder, source, suffix = data
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / f'alone{suffix}'
        path.write_text(source, encoding='utf-8')
        done = subprocess.run(command + STRICT + ['-I', str(folder), str(path)],
                              capture_output=True, text=True)
    return [] if done.returncode == 0 else [done.stderr.strip() or 'the compiler failed']


def gather_header(standard, suffix):
    include = '#include <cae/cae.h>\n#include <cae/cae.h>\n'  # twice: the guard works
    return lambda args: (compiler(args) + [f'-std={standard}'],
                         pathlib.Path(args.source) / 'include', include + USE, suffix)


def bad_header(standard, suffix):
    return lambda args: [(compiler(args) + [f'-std={standard}'], '.', text, suffix)
                         for text in ('#include <cae/none.h>\n', 'int f(int a) { return b; }\n')]


# ---- -ffast-math is refused ---------------------------------------------------------------------

def check_fast_math(data):
    """data: {source: whether it compiled with -ffast-math}"""
    return [f'{path} compiles with -ffast-math' for path, compiled in data.items() if compiled]


def library_commands(args):
    """{source, from the root: words of its command line} of what stands in lib/."""
    root = pathlib.Path(args.source).resolve()
    build = pathlib.Path(args.build)
    entries = json.loads((build / 'compile_commands.json').read_text(encoding='utf-8'))
    commands = []
    for entry in entries:
        path = (pathlib.Path(entry['directory']) / entry['file']).resolve()
        if root / 'lib' in path.parents:
            commands.append((path.relative_to(root).as_posix(), shlex.split(entry['command'])))
    return commands


def gather_fast_math(args):
    """Every file that computes with floats, preprocessed by its own command line."""
    root = pathlib.Path(args.source)
    compiled = {}
    for path, words in library_commands(args):
        text = (root / path).read_text(encoding='utf-8')
        if re.search(r'\b(?:float|double)\b', text) or '/tier_' in path:
            words = re.sub(r' -(?:o|MF|MQ) \S+| -MD', '', ' '.join(map(shlex.quote, words)))
            command = shlex.split(words) + ['-ffast-math', '-E', '-o', '/dev/null']
            done = subprocess.run(command, capture_output=True, cwd=args.build)
            compiled[path] = done.returncode == 0
    return compiled


# ---- command lines --------------------------------------------------------------------------------

def last(words, pattern):
    matches = [word for word in words if re.fullmatch(pattern, word)]
    return matches[-1] if matches else ''


def check_flags(commands):
    found = []
    for path, words in commands:
        tier = re.fullmatch(r'lib/kernels/tier_(\w+)\.c', path)
        if last(words, '-ffp-contract=.*') != '-ffp-contract=off':
            found.append(f'{path} is not compiled with -ffp-contract=off')
        if last(words, '-f(?:no-)?(?:fast-math|unsafe-math-optimizations)').startswith('-ff'):
            found.append(f'{path} is compiled with -ffast-math')
        if '-fvisibility=hidden' not in words:
            found.append(f'{path} is compiled without -fvisibility=hidden')
        if tier and '-mavx2' in words and not last(words, '-m(?:no-)?fma'):
            found.append(f'{path} says neither -mfma nor -mno-fma')
        if tier is None and '-mavx2' in words:
            found.append(f'{path} is compiled for one processor')
    return found


HIDDEN = ['-fvisibility=hidden']
BAD_FLAGS = [
    [('lib/base/a.c', HIDDEN)],
    [('lib/base/a.c', HIDDEN + ['-ffp-contract=off', '-ffp-contract=fast'])],
    [('lib/base/a.c', HIDDEN + ['-ffp-contract=off', '-ffast-math'])],
    [('lib/base/a.c', ['-ffp-contract=off'])],
    [('lib/base/a.c', HIDDEN + ['-ffp-contract=off', '-mavx2'])],
    [('lib/kernels/tier_avx2.c', HIDDEN + ['-ffp-contract=off', '-mavx2'])],
]


# ---- nothing left out ----------------------------------------------------------------------------

def check_built(data):
    sources, built = data
    return [f'{path} is not in lib/meson.build' for path in sources if path not in built]


def gather_built(args):
    root = pathlib.Path(args.source)
    sources = sorted(p.relative_to(root).as_posix() for p in (root / 'lib').rglob('*.c'))
    built = {path for path, _ in library_commands(args)}
    # A tier is built where the compiler can; it has a row in any case.
    text = (root / 'lib' / 'meson.build').read_text(encoding='utf-8')
    rows = {f'lib/kernels/tier_{tier}.c' for tier in re.findall(r"'(\w+)': (?:\['-m|\w+_args)", text)}
    return [path for path in sources if path not in rows], built


RULES = {
    'header-c': Rule(gather_header('c99', '.c'), check_header, bad_header('c99', '.c')),
    'header-cpp': Rule(gather_header('c++11', '.cpp'), check_header,
                       bad_header('c++11', '.cpp')),
    'fast-math': Rule(gather_fast_math, check_fast_math, [{'lib/a.c': True}]),
    'flags': Rule(library_commands, check_flags, BAD_FLAGS),
    'built': Rule(gather_built, check_built, [(['lib/base/a.c'], set())]),
}

if __name__ == '__main__':
    run(RULES)
