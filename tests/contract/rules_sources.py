"""Rules that are read off the sources: who may include whom, what the header, the map and the manual
say alike, what every file opens with, and what must not be written.

SPDX-License-Identifier: BSD-2-Clause
"""
import atexit
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

from rules import FOLDERS, Rule, Skip, header_functions, map_functions, read_files, read_tree, run

LICENCE = 'SPDX-License-Identifier: BSD-2-Clause'
TEXT = {'', '.c', '.h', '.inc', '.py', '.rs', '.sh', '.md', '.build', '.txt', '.map', '.1', '.3',
        '.cpp', '.toml'}


# ---- include order ------------------------------------------------------------------------------

def folder_of(path):
    """'net' for net/graph.h, '' for a file at the top of lib/."""
    return path.split('/')[0] if '/' in path else ''


def check_includes(files):
    found = []
    for path, text in files.items():
        own = folder_of(path[len('lib/'):])
        if own not in FOLDERS:
            found.append(f'{path} is in no folder of the order')
            continue
        allowed = FOLDERS[:FOLDERS.index(own) + 1]
        for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.M):
            if name == 'cae/cae.h':
                continue
            if f'lib/{name}' not in files:
                found.append(f'{path} includes {name}: not a path from lib/')
            elif folder_of(name) not in allowed:
                found.append(f'{path} includes {name}, which stands to its right')
    return found


def gather_lib(args):
    return read_tree(args.source, ['lib'], {'.c', '.h', '.inc'})


BAD_INCLUDES = [
    {'lib/base/a.c': '#include "net/b.h"\n', 'lib/net/b.h': ''},
    {'lib/net/a.c': '#include "b.h"\n', 'lib/net/b.h': ''},
    {'lib/image/a.c': '  # include "api/b.h"\n', 'lib/api/b.h': ''},
    {'lib/a.c': ''},
]


# ---- files that pages name -------------------------------------------------------------------------

def check_names(data):
    """data: the repository's paths, and {page: text}. `net/plan.c` is a path from the root or from lib/."""
    paths, pages = data
    known = paths | {path[len('lib/'):] for path in paths if path.startswith('lib/')}
    return [f'{page} names {name}, which is not there' for page, text in pages.items()
            for name in re.findall(r'`((?:[\w.-]+/)+[\w.-]+\.(?:c|h|py|rs|sh|md|txt))`', text)
            if name not in known and 'NAME' not in name]


def gather_names(args):
    root = pathlib.Path(args.source).resolve()
    paths = {p.relative_to(root).as_posix() for p in tracked(root)}
    return paths, read_files(root, sorted(p for p in paths if re.fullmatch(r'docs/[\w-]+\.md', p)))


BAD_NAMES = [({'lib/net/plan.c'}, {'docs/a.md': f'see `{name}`'}) for name in
             ('net/none.c', 'lib/plan.c', 'tests/unit/none.py')]


# ---- names of types ------------------------------------------------------------------------------

def check_types(files):
    """A type that a header of lib/ defines has its name alone, and no other name is twice in lib/."""
    places = {}
    for path, text in files.items():
        code = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
        for tag, name in re.findall(
                r'^(?:typedef )?(?:struct|union|enum) (\w+)\s*\{|^\} (\w+);', code, re.M):
            places.setdefault(tag or name, []).append(path)
        for name in re.findall(r'^typedef (?:struct|union|enum) (\w+) \{.*?^\} \1;', code, re.M | re.S):
            places[name].remove(path)  # tag and name are one type's
    return [f'{name} is defined in ' + ' and in '.join(found)
            for name, found in places.items()
            if len(found) > 1 and (name.startswith('cae_') or any(p.endswith('.h') for p in found))]


BAD_TYPES = [{'lib/net/a.h': text, 'lib/serial/b.h': text} for text in
             ('typedef struct cae_a {\n    int b;\n} cae_a;\n', 'union cae_a {\n    int b;\n};\n',
              'typedef enum cae_a {\n    CAE_B\n} cae_a;\n', 'typedef struct {\n    int b;\n} cae_a;\n')]
BAD_TYPES += [
    {'lib/net/a.h': 'typedef struct cae_a {\n} cae_b;\n', 'lib/serial/b.h': 'struct cae_a {\n};\n'},
    {'lib/net/a.h': 'typedef struct {\n} a;\n', 'lib/net/b.c': 'struct a {\n};\n'},
]


# ---- header, map, manual -------------------------------------------------------------------------

def read(args, *paths):
    return list(read_files(args.source, paths).values())


def check_map(texts):
    header, script = set(header_functions(texts[0])), set(map_functions(texts[1]))
    return ([f'{name} is in the header, not in the map' for name in sorted(header - script)] +
            [f'{name} is in the map, not in the header' for name in sorted(script - header)])


def check_comments(texts):
    """Each declaration, or the group it stands in, follows a comment that says since when."""
    found = []
    for block in re.split(r'\n\s*\n', texts[0]):
        names = header_functions(block)
        comment = ' '.join(re.findall(r'/\*(.*?)\*/', block, re.S))
        if names and not re.search(r'Since\s[\s*]*\d+\.\d+\.', comment):
            found.append(f'{names[0]} has no comment that says "Since"')
    return found


def declarations(text):
    """The header's declarations, each on one line, in its order."""
    found = re.findall(r'^CAE_API ([^;]*;)', text, re.M)
    return [' '.join(declaration.split()) for declaration in found]


def manual_declarations(text):
    """The same from libcae(3): the lines in bold of its synopsis."""
    bold = re.findall(r'^\.BI? (.*cae_.*|"    .*)$', text.split('.SH DESCRIPTION')[0], re.M)
    lines = [''.join(shlex.split(line)) for line in bold]
    return [' '.join(part.split()) + ';' for part in ' '.join(lines).split(';') if part.strip()]


def check_manual(texts):
    wanted, listed = declarations(texts[0]), manual_declarations(texts[1])
    if listed == wanted:
        return []
    missing = [f'the manual lacks {name}' for name in wanted if name not in listed]
    return missing or ['the manual has other functions, or another order, than the header']


DECLARATION = '/* One sentence. Since 0.1. */\nCAE_API int cae_one(void);\n'


# ---- how files open, and what they must not say ----------------------------------------------------

def check_opening(files):
    return [f'{path} does not open with its job and its licence' for path, text in files.items()
            if LICENCE not in '\n'.join(text.split('\n')[:30])]


def gather_code(args):
    return read_tree(args.source, ['include', 'lib', 'tests', 'examples'],
                     {'.c', '.h', '.inc', '.cpp', '.py', '.rs', '.sh', '.build'})


# Whole words that have no place in lib/, and why.
WORDS = {
    'NDEBUG': 'a build without assertions computes the same',
    r'assert(?!\.h")': 'internal contracts are stated with CAE_ASSERT, bad input gets a status',
    'abort|_?exit|__builtin_trap': 'the program goes on',
    'setjmp|longjmp': 'control returns to the caller',
    'alloca': 'stacks may be small',
    'constructor|destructor': 'nothing runs before or after a call',
    r'_mm\d*_r(?:cp|sqrt)\d*_\w+': 'approximations differ between processors',
    '__DATE__|__TIME__': 'builds are reproducible',
}


def check_words(files):
    found = []
    for path, text in files.items():
        code = re.sub(r'/\*.*?\*/|//[^\n]*', '', text, flags=re.S)
        if path == 'lib/base/assert.h':  # the one that traps, in builds with assertions
            code = code.replace('__builtin_trap', '')
        for pattern, why in WORDS.items():
            for match in re.findall(rf'\b(?:{pattern})\b', code):
                found.append(f'{path} uses {match}: {why}')
    return found


BAD_WORDS = [{'lib/a.c': f'{word};'} for word in
             ('NDEBUG', 'assert(x)', '#include <assert.h>', 'abort()', '__builtin_trap()', 'longjmp(b, 1)', 'alloca(9)', '__attribute__((constructor))',
              '_mm256_rcp_ps(x)', '_mm_rsqrt_ss(x)', '__DATE__')]


# ---- no path outside ---------------------------------------------------------------------------

def tracked(root):
    """The repository's files: git's list, or without git what is neither hidden nor built, nor
    a distribution's own folder."""
    try:
        names = subprocess.run(['git', '-C', str(root), 'ls-files', '-co', '--exclude-standard'],
                               check=True, capture_output=True, text=True).stdout.split('\n')
    except (OSError, subprocess.CalledProcessError):
        names = []
    files = [root / name for name in names if name]
    if not files:
        built = {p.parent.name for p in root.glob('*/meson-private')} | {'debian'}
        files = [p for p in root.rglob('*')
                 if not re.match(r'(?:\.git|build)', p.relative_to(root).as_posix())
                 and p.relative_to(root).parts[0] not in built]
    return sorted(p for p in files if p.suffix in TEXT and p.is_file())


def escapes(path, step):
    """Whether a relative path, written in the file `path` from the root, leaves the root."""
    depth = path.count('/')
    for part in step.split('/'):
        depth += {'..': -1, '.': 0, '': 0}.get(part, 1)
        if depth < 0:
            return True
    return False


def check_paths(data):
    home, files = data
    found = []
    for path, text in files.items():
        outside = [step for step in re.findall(r'(?<![\w./])(?:\.\./)+[\w./-]*', text)
                   if escapes(path, step)]
        if path == '.ci/run':  # the one place that may name one folder outside: the test data
            outside = sorted(set(outside))[1:]
        found += [f'{path} names {step}, outside the repository' for step in outside]
        private = rf'(?:{re.escape(home)}|/(?:home|root|Users|mnt)\b)(?=/)'
        found += [f'{path} names {match}, a folder of one machine'
                  for match in re.findall(rf'(?<![\w.]){private}', text)]
    return found


COMMON = ['/', '/tmp', '/var/tmp', '/usr/src', '/srv', '/opt']  # any document may name these


def gather_paths(args):
    root = pathlib.Path(args.source).resolve()
    texts = {p.relative_to(root).as_posix(): p.read_text(encoding='utf-8', errors='replace')
             for p in tracked(root)}
    return str(root if str(root.parent) in COMMON else root.parent), texts


HOMES = ['/'.join(['', 'ho' + 'me', 'ann', 'x']), '/'.join(['', 'builds', 'x'])]
UP = '../'  # in pieces, for this file is read by the rule too
BAD_PATHS = [('/builds', {'docs/a.md': text}) for text in HOMES + [f'see {UP}{UP}b', f'"{UP}{UP}"']]
BAD_PATHS.append(('/builds', {'.ci/run': f'{UP}{UP}a {UP}{UP}b'}))


# ---- layout -------------------------------------------------------------------------------------

def check_format(data):
    program, paths = data
    done = subprocess.run([program, '--dry-run', '--style=file', *paths],
                          capture_output=True, text=True, check=True)
    lines = re.findall(r'^(.*?):(\d+):\d+: warning:', done.stderr, re.M)
    return [f'{path}, line {line}: not as clang-format lays it out'
            for path, line in {path: line for path, line in reversed(lines)}.items()]


def check_width(files):
    """clang-format breaks code, but leaves comments as long as they are."""
    return [f'{path}, line {number}: {len(line)} columns'
            for path, text in files.items() if path.startswith(('include/', 'lib/', 'examples/tool/'))
            for number, line in enumerate(text.split('\n'), 1)
            if len(line) > 100 and not line.lstrip().startswith('"')]


def clang_format():
    program = shutil.which('clang-format') or shutil.which('clang-format-14')
    if program is None:
        raise Skip('no clang-format')
    return program


def gather_format(args):
    root = pathlib.Path(args.source)
    files = read_tree(root, ['include', 'lib', 'tests', 'examples'], {'.c', '.h', '.inc', '.cpp'})
    return clang_format(), [str(root / path) for path in files]


def bad_format(args):
    with tempfile.NamedTemporaryFile('w', suffix='.c', dir=args.build, delete=False) as scratch:
        scratch.write('int f( void ){return 1 ;}\n')
    atexit.register(os.unlink, scratch.name)
    return [(clang_format(), [scratch.name])]


RULES = {
    'include-order': Rule(gather_lib, check_includes, BAD_INCLUDES),
    'named-files': Rule(gather_names, check_names, BAD_NAMES),
    'types': Rule(gather_lib, check_types, BAD_TYPES),
    'map': Rule(lambda a: read(a, 'include/cae/cae.h', 'lib/cae.map'), check_map,
                [[DECLARATION, ''], ['', '    cae_one;\n']]),
    'comments': Rule(lambda a: read(a, 'include/cae/cae.h'), check_comments,
                     [[DECLARATION.replace('Since', '')], [DECLARATION.split('\n')[1]]]),
    'manual': Rule(lambda a: read(a, 'include/cae/cae.h', 'docs/man/libcae.3'), check_manual,
                   [[DECLARATION, ''], [DECLARATION, '.BI "int cae_two(void);"\n']]),
    'opening': Rule(gather_code, check_opening, [{'lib/a.c': 'int a;\n'}]),
    'words': Rule(gather_lib, check_words, BAD_WORDS),
    'paths': Rule(gather_paths, check_paths, BAD_PATHS),
    'width': Rule(gather_code, check_width, [{'lib/a.c': '/* ' + 'a ' * 50 + '*/\n'}]),
    'format': Rule(gather_format, check_format, bad_format),
}

if __name__ == '__main__':
    run(RULES)
