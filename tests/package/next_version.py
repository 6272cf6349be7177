#!/usr/bin/env python3
"""Makes of a tree of libcae the release that could follow: 0.2.0 with one function more, in every
place where a release says so. For tests that put an old program and a new library together.

    python3 tests/package/next_version.py TREE

SPDX-License-Identifier: BSD-2-Clause
"""
import pathlib
import re
import sys

NEXT = '0.2.0'
FUNCTION = 'cae_next_version_only'
DECLARATION = f"""
/* What the release before did not have: returns 42. Since 0.2. */
CAE_API int {FUNCTION}(void);

#ifdef __cplusplus
}}"""


def change(path, pattern, replacement):
    """One replacement, which must be possible: a test of yesterday's tree would show nothing."""
    text, count = re.subn(pattern, lambda _: replacement, path.read_text(encoding='utf-8'), count=1,
                          flags=re.M)
    if count != 1:
        sys.exit(f'{path}: found no {pattern}')
    path.write_text(text, encoding='utf-8')


def append(path, text):
    path.write_text(path.read_text(encoding='utf-8') + text, encoding='utf-8')


def main(tree):
    root = pathlib.Path(tree)
    packaging = root / 'docs/packaging/debian'
    change(root / 'meson.build', r"version: '0\.1\.0'", f"version: '{NEXT}'")
    change(root / 'NEWS.md', r'^## 0\.1\.0', f'## {NEXT}\n\nOne function more.\n\n## 0.1.0')
    change(root / 'include/cae/cae.h', r'CAE_VERSION_MINOR 1', 'CAE_VERSION_MINOR 2')
    change(root / 'include/cae/cae.h', r'\n#ifdef __cplusplus\n\}', DECLARATION)
    append(root / 'lib/cae.c', f'\nint {FUNCTION}(void)\n{{\n    return 42;\n}}\n')
    append(root / 'lib/cae.map', f'LIBCAE_0.2 {{\nglobal:\n    {FUNCTION};\n}} LIBCAE_0.1;\n')
    append(packaging / 'libcae0.symbols',
           f' LIBCAE_0.2@LIBCAE_0.2 {NEXT}\n {FUNCTION}@LIBCAE_0.2 {NEXT}\n')
    changelog = packaging / 'changelog'
    entry = changelog.read_text(encoding='utf-8')
    changelog.write_text(entry.replace('0.1.0', NEXT).replace('First release', 'One function more')
                         + '\n' + entry, encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
