#!/usr/bin/env python3
"""Makes of a tree of libcae the release that could follow, X.Y+1.0 after X.Y.Z, with one function more,
in every place where a release says so. For tests that put an old program and a new library together.
Prints the version.

    python3 tests/package/next_version.py TREE

SPDX-License-Identifier: BSD-2-Clause
"""
import pathlib
import re
import sys

FUNCTION = 'cae_next_version_only'


def change(path, pattern, replacement):
    """One replacement, which must be possible: a test of yesterday's tree would show nothing."""
    text, count = re.subn(pattern, replacement, path.read_text(encoding='utf-8'), count=1, flags=re.M)
    if count != 1:
        sys.exit(f'{path}: found no {pattern}')
    path.write_text(text, encoding='utf-8')


def append(path, text):
    path.write_text(path.read_text(encoding='utf-8') + text, encoding='utf-8')


def add_function(root, since):
    change(root / 'include/cae/cae.h', r'\n#ifdef __cplusplus\n\}',
           f'\n/* What the release before did not have: returns 42. Since {since}. */\n'
           rf'CAE_API int {FUNCTION}(void);\n\g<0>')
    append(root / 'lib/api/library.c', f'\nint {FUNCTION}(void)\n{{\n    return 42;\n}}\n')
    last = re.findall(r'^(LIBCAE_[\d.]+) \{', (root / 'lib/cae.map').read_text(encoding='utf-8'), re.M)[-1]
    append(root / 'lib/cae.map', f'LIBCAE_{since} {{\nglobal:\n    {FUNCTION};\n}} {last};\n')
    change(root / 'docs/man/functions.py', r'^BRIEFS = \{\n', rf'\g<0>    "{FUNCTION}": "one function more",\n')
    append(root / 'docs/packaging/debian/libcae0.symbols',
           f' LIBCAE_{since}@LIBCAE_{since} {since}.0\n {FUNCTION}@LIBCAE_{since} {since}.0\n')


def raise_version(root, since, minor):
    change(root / 'meson.build', r"^  version: '.*'", f"  version: '{since}.0'")
    change(root / 'NEWS.md', r'^## ', rf'## {since}.0\n\nOne function more.\n\n\g<0>')
    change(root / 'include/cae/cae.h', r'CAE_VERSION_MINOR \d+', f'CAE_VERSION_MINOR {minor}')
    change(root / 'include/cae/cae.h', r'CAE_VERSION_PATCH \d+', 'CAE_VERSION_PATCH 0')
    change(root / 'docs/packaging/debian/changelog', r'\A(libcae \()[^-]*(-.*\n)((?:.*\n)*? -- .*\n)',
           rf'\g<1>{since}.0\g<2>\n  * One function more.\n\n -- Nobody <nobody@libcae.invalid>  '
           r'Thu, 01 Jan 2099 00:00:00 +0000\n\n\g<0>')


def main(tree):
    root = pathlib.Path(tree)
    version = re.search(r"^  version: '(\d+)\.(\d+)\.", (root / 'meson.build').read_text(encoding='utf-8'),
                        re.M)
    minor = int(version.group(2)) + 1
    since = f'{version.group(1)}.{minor}'
    add_function(root, since)
    raise_version(root, since, minor)
    print(f'{since}.0')


if __name__ == '__main__':
    main(*sys.argv[1:])
