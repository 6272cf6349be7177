# SPDX-License-Identifier: BSD-2-Clause
"""The pictures that the measurements of this folder are made on, read by the command `cae`, and the
Python package from this tree."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"))

import numpy as np  # noqa: E402

ENDINGS = {".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".bmp"}


def files(folder):
    return sorted(path for path in pathlib.Path(folder).iterdir() if path.suffix.lower() in ENDINGS)


def read(path):
    """A picture, channels x height x width of 0 .. 255."""
    tool = os.environ.get("CAE_TOOL", "cae")
    done = subprocess.run([tool, "noise", "--sigma", "0", "--format", "pnm", path, "-"],
                          capture_output=True, check=True)
    _, size, _, pixels = done.stdout.split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, -1).transpose(2, 0, 1)


def grey(picture):
    """Its green channel, or the only one: 1 x height x width."""
    return picture[len(picture) // 2:][:1]
