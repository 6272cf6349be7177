"""What names the release: header, build, news, manual, bindings and packaging are all of one
version, what asks for an older one asks for one that there was, and the packages' list of symbols is
the map's.

SPDX-License-Identifier: BSD-2-Clause
"""
import re

from rules import Rule, map_functions, read_files, run

HEADER, MAP = 'include/cae/cae.h', 'lib/cae.map'
SYMBOLS = 'docs/packaging/debian/libcae0.symbols'

# Where the release stands, and how: the first match is it.
RELEASE = {
    'meson.build': r"^ +version: '(.*)'",
    'NEWS.md': r'^## (\S+)',
    'docs/man/cae.1': r'^\.TH .*"libcae (\S+)"',
    'docs/man/libcae.3': r'^\.TH .*"libcae (\S+)"',
    'docs/packaging/debian/changelog': r'\Alibcae \((.*)-\w+\)',
    'docs/packaging/libcae.spec': r'^Version: +(\S+)$',
    'examples/python/pyproject.toml': r'^version = "(.*)"',
    'examples/rust/Cargo.toml': r'^version = "(.*)"',
    'examples/rust/Cargo.lock': r'^name = "cae"\nversion = "(.*)"',
}

# Where a release stands that is this one or an older one.
NOT_NEWER = {
    MAP: (r'^LIBCAE_([\d.]+) \{', None),  # the last is the newest
    'examples/python/cae/_library.py': (r'^OLDEST_VERSION = 0x(\w\w)(\w\w)(\w\w)\b', 16),
    'examples/rust/src/oldest.rs': (r'^pub const OLDEST.*= \[(\d+), (\d+), (\d+)\]', 10),
}


def numbers(match, base):
    """[0, 1, 0] of what was found."""
    parts = match.split('.') if isinstance(match, str) else match
    return [int(part, base or 10) for part in parts]


def header_version(text):
    return '.'.join(re.search(rf'^#define CAE_VERSION_{part} (\d+)', text, re.M).group(1)
                    for part in ('MAJOR', 'MINOR', 'PATCH'))


def check_version(texts):
    version = header_version(texts[HEADER])
    found = []
    for path, pattern in RELEASE.items():
        match = re.search(pattern, texts[path], re.M)
        if match is None or match.group(1) != version:
            found.append(f'{path}: not of version {version}')
    for path, (pattern, base) in NOT_NEWER.items():
        matches = re.findall(pattern, texts[path], re.M)
        if not matches or numbers(matches[-1], base) > numbers(version, 10):
            found.append(f'{path}: names no version up to {version}')
    return found


def check_symbols(texts):
    """Debian's list against the map: each function, each with the node it stands in."""
    wanted, node = {}, None
    for line in texts[MAP].split('\n'):
        node = (re.findall(r'^(LIBCAE_[\d.]+) \{', line) or [node])[0]
        wanted.update({name: node for name in map_functions(line)})
    listed = dict(re.findall(r'^ (cae_\w+)@(\S+) \S+$', texts[SYMBOLS], re.M))
    return [f'{name}: {listed.get(name)} in {SYMBOLS}, {wanted.get(name)} in {MAP}'
            for name in sorted(wanted.keys() | listed.keys())
            if wanted.get(name) != listed.get(name)]


GOOD = {
    HEADER: ''.join(f'#define CAE_VERSION_{part} {number}\n'
                    for part, number in (('MAJOR', 0), ('MINOR', 1), ('PATCH', 0))),
    MAP: 'LIBCAE_0.1 {\n',
    'meson.build': "  version: '0.1.0',",
    'NEWS.md': '# News\n\n## 0.1.0\n\n## 0.0.9\n',
    'docs/man/cae.1': '.TH CAE 1 2026-01-01 "libcae 0.1.0" "User Commands"',
    'docs/man/libcae.3': '.TH LIBCAE 3 2026-01-01 "libcae 0.1.0" "Library Functions Manual"',
    'docs/packaging/debian/changelog': 'libcae (0.1.0-1) unstable; urgency=medium',
    'docs/packaging/libcae.spec': 'Version:        0.1.0',
    'examples/python/cae/_library.py': 'OLDEST_VERSION = 0x000100',
    'examples/python/pyproject.toml': '[project]\nversion = "0.1.0"',
    'examples/rust/Cargo.toml': '[package]\nversion = "0.1.0"',
    'examples/rust/Cargo.lock': 'name = "cae"\nversion = "0.1.0"',
    'examples/rust/src/oldest.rs': 'pub const OLDEST: [u32; 3] = [0, 1, 0];',
}
assert not check_version(GOOD)


def newer(text):
    """The same of version 0.2.0."""
    return text.replace('0.1', '0.2').replace('0x0001', '0x0002').replace('0, 1', '0, 2')


BAD_VERSIONS = [{**GOOD, path: bad} for path, text in GOOD.items() if path != HEADER
                for bad in ('', newer(text))] + [{**GOOD, HEADER: GOOD[HEADER].replace('1', '2')}]

ONE, TWO = 'LIBCAE_0.1 {\n    cae_one;\n', 'LIBCAE_0.2 {\n    cae_two;\n'
LISTED = ' LIBCAE_0.1@LIBCAE_0.1 0.1.0\n cae_one@LIBCAE_0.1 0.1.0\n'
assert not check_symbols({MAP: ONE, SYMBOLS: LISTED})
BAD_SYMBOLS = [{MAP: ONE, SYMBOLS: ''}, {MAP: '', SYMBOLS: LISTED}, {MAP: ONE + TWO, SYMBOLS: LISTED},
               {MAP: ONE, SYMBOLS: LISTED.replace('0.1 0.1.0', '0.2 0.1.0')}]

RULES = {
    'version': Rule(lambda a: read_files(a.source, [HEADER, *RELEASE, *NOT_NEWER]), check_version,
                    BAD_VERSIONS),
    'symbols': Rule(lambda a: read_files(a.source, [MAP, SYMBOLS]), check_symbols, BAD_SYMBOLS),
}

if __name__ == '__main__':
    run(RULES)
