#!/usr/bin/env python3
"""Whether debian/copyright is machine-readable (DEP-5) and says of each file of a source package what
the file says of itself: its licence and who wrote it.

    python3 tests/package/copyright.py TREE

SPDX-License-Identifier: BSD-2-Clause
"""
import pathlib
import re
import sys

from debian.copyright import Copyright

# A licence or a notice in a comment; not the words in a text about them.
LICENCE = re.compile(r'^[ /*#.\\"%<!-]*SPDX-License-Identifier: ([\w.+-]+)', re.M)
NOTICE = re.compile(r'^[ /*#.\\"%<!-]*Copyright (?:\([cC]\) |\u00a9 )?(\d{4}.*)', re.M)


def source_files(root):
    """All but what the build left in debian/."""
    tracked = root / 'docs/packaging/debian'
    for path in sorted(root.rglob('*')):
        name = path.relative_to(root)
        ours = name.parts[0] != 'debian' or (tracked / name.relative_to('debian')).is_file()
        if path.is_file() and ours and not name.parts[0].startswith('obj-'):
            yield name.as_posix(), path.read_text(encoding='utf-8', errors='replace')


def problems(copyright, name, text):
    paragraph = copyright.find_files_paragraph(name)
    if paragraph is None:
        yield 'no paragraph'
        return
    for licence in LICENCE.findall(text):
        if licence != paragraph.license.synopsis:
            yield f'says {licence}, debian/copyright {paragraph.license.synopsis}'
    for notice in NOTICE.findall(text):
        if notice.strip(' */') not in paragraph.copyright:
            yield f'says "{notice}", debian/copyright "{paragraph.copyright}"'


def main(tree):
    root = pathlib.Path(tree)
    with open(root / 'debian/copyright', encoding='utf-8') as file:
        copyright = Copyright(file, strict=True)
    if not list(copyright.all_license_paragraphs()):
        sys.exit('debian/copyright: no licence in full')
    found = [f'{name}: {words}' for name, text in source_files(root)
             for words in problems(copyright, name, text)]
    print('\n'.join(found))
    return bool(found)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
