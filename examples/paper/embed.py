# SPDX-License-Identifier: BSD-2-Clause
"""Writes text files as C strings: embed.py OUT.h NAME=FILE..."""

import sys
from pathlib import Path


def literal(text):
    lines = (
        '    "' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'
        for line in text.split("\n")[:-1]
    )
    return "\n".join(lines)


def main():
    parts = (argument.split("=", 1) for argument in sys.argv[2:])
    texts = (
        f"static const char {name}[] =\n{literal(Path(path).read_text(encoding='utf-8'))};\n"
        for name, path in parts
    )
    Path(sys.argv[1]).write_text("\n".join(texts), encoding="utf-8")


main()
