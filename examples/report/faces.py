#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Takes faces to train on and unseen ones from a folder: grey squares of 64 x 64 pixels.

    faces.py CAE DIR OUT

CAE is the command `cae`, which reads the pictures. If DIR holds the folders `train` and `val`,
faces to train on come from the one and unseen ones from the other; else DIR's pictures, in the
order of their names, are cut in two at three quarters, so that pictures of one person, which mostly
stand together, mostly stay together. At most the first 300 and the first 100 are taken. They go to
OUT/train and OUT/unseen as PNGs. Larger or oblong pictures are cut to the square in the middle and
scaled; what cannot be read is named and left out.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pictures import encode_png, read_pnm, square

SIZE, TRAIN, UNSEEN, FEWEST = 64, 300, 100, 10
ENDINGS = (".png", ".pgm", ".ppm", ".pnm")


def pictures_in(folder):
    """The pictures in a folder, sorted by the bytes of their names."""
    found = [p for p in folder.iterdir() if p.name.endswith(ENDINGS) and not p.name.startswith(".")]
    return sorted(found, key=lambda path: os.fsencode(path.name))


def split(folder):
    """The pictures to train on and the unseen ones, before any is left out."""
    if (folder / "train").is_dir() and (folder / "val").is_dir():
        return pictures_in(folder / "train"), pictures_in(folder / "val")
    found = pictures_in(folder)
    cut = len(found) * 3 // 4
    return found[:cut], found[cut:]


def convert(command, source, target, scratch):
    """Writes a picture as a grey 64 x 64 PNG; False if it cannot be read."""
    plain = Path(scratch, "picture.pnm")
    noise = [command, "noise", "--quiet", "--sigma", "0", os.fspath(source), os.fspath(plain)]
    if subprocess.run(noise, check=False).returncode != 0:
        return False
    target.write_bytes(encode_png(square(read_pnm(plain), SIZE), filters=(2,)))
    return True


def take(command, sources, most, folder):
    """Converts the first pictures that can be read; how many."""
    folder.mkdir(parents=True)
    taken = 0
    with tempfile.TemporaryDirectory() as scratch:
        for source in sources:
            if taken < most:
                name = source.name if source.suffix == ".png" else source.name + ".png"
                taken += convert(command, source, folder / name, scratch)
    return taken


def main():
    command, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if not folder.is_dir():
        return f"{folder}: no such folder"
    train, unseen = split(folder)
    if len(train) + len(unseen) < FEWEST or not train or not unseen:
        return (
            f"{folder}: {len(train) + len(unseen)} pictures (PNG, PGM, PPM) are too few to train on"
        )
    counts = take(command, train, TRAIN, out / "train"), take(
        command, unseen, UNSEEN, out / "unseen"
    )
    if min(counts) == 0:
        return f"{folder}: no picture could be read"
    print(f"{counts[0]} faces to train on, {counts[1]} unseen ones")
    return None


if __name__ == "__main__":
    sys.exit(main())
