# SPDX-License-Identifier: BSD-2-Clause
"""Two readers of the model file, one verdict: 10,000 mutated files, each accepted by both libcae
and tests/peers/safetensors_reader.py, with the same notes, or refused by both.

    LIBCAE=build/lib/libcae.so.0 python3 tests/fuzz/model_reader_compare.py [--count N] [--seed S]

The mutations depend on the seed alone. --keep DIR writes the files that the two disagree on. Exits
with 77 (skipped) where NumPy is missing.
"""

import argparse
import collections
import os
import random
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "examples", "python"), os.path.join(ROOT, "tests", "peers")]

try:
    import numpy as np
except ModuleNotFoundError:
    print("SKIP: NumPy is missing (Debian: apt-get install python3-numpy)")
    sys.exit(77)

import cae
import safetensors_reader
from model_mutations import Parts, mutate

ARCHITECTURES = [
    "input 1 4 4\nconv 2 kernel 3 pad 1 relu\nmaxpool 2\ncode\ntconv 1 kernel 2 stride 2 sigmoid\n",
    "input 2 4 3\ndense 3 relu\ncode\ndense 2 4 3 sigmoid\n",
    "input 2 4 3\nconv 6 kernel 1\ncode sampled\nconv 2 kernel 3 pad 1\n",
    "input 1 5 5\nconv 2 kernel 3 pad 1 leaky\nmark skip\nconv 2 kernel 3 pad 1 tanh\ncode\n"
    "conv 2 kernel 1\nadd skip relu\nconcat skip\nconv 1 kernel 3 pad 1\n",
    "input 1 6 6\nmaxpool 3 stride 1 pad 1\nconv 3 kernel 2 stride 2 relu\ncode\ndense 4 tanh\n"
    "dense 1 6 6\n",
]

# How libcae may refuse a file; anything else (out of memory, say) is a fault.
REFUSALS = (cae.FormatError, cae.VersionError, cae.ShapeError, cae.NonFiniteError, cae.LimitError,
            cae.UnsupportedError, cae.ArchitectureError)

# ---- The comparison ------------------------------------------------------------------------------


def base_files():
    for text in ARCHITECTURES:
        model = cae.Model(text, seed=1)
        yield model.to_bytes()
        yield model.to_bytes(half=True)
        images = np.full((2, *model.shape), 0.25, np.float32)
        model.train_step(images)
        yield model.to_bytes(training=True)


def library_judges(data):
    """(None if libcae loads the file, else its words; the notes)"""
    try:
        with cae.Model.from_bytes(data) as model:
            return None, dict(model.notes)
    except REFUSALS as error:
        return f"{type(error).__name__}: {error}", None


def peer_judges(data):
    """The same of the second reader."""
    try:
        return None, safetensors_reader.check_file(data)
    except safetensors_reader.Refused as error:
        return str(error), None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="a folder for the files that the readers disagree on")
    options = parser.parse_args()

    bases = list(base_files())
    for number, data in enumerate(bases):
        assert Parts(data).bytes() == data, "taking apart and putting together must change nothing"
        reason = safetensors_reader.validate(data)
        assert reason is None, f"file {number} as libcae wrote it is refused: {reason}"
    accepted, notes, disagreements, reasons = 0, 0, 0, collections.Counter()
    for number in range(options.count):
        rng = random.Random(options.seed * 1000003 + number)
        names, data = mutate(rng, rng.choice(bases))
        (ours, our_notes), (theirs, their_notes) = library_judges(data), peer_judges(data)
        notes += bool(our_notes)
        accepted += ours is None
        reasons[re.sub(r"[\d.]+|'.*?'|\[.*\]|\(.*\)", "#", theirs or "accepted")] += 1
        same = our_notes is None or list(our_notes.items()) == sorted((their_notes or {}).items())
        if (ours is None) != (theirs is None) or not same:
            disagreements += 1
            print(f"FAILED: file {number} ({', '.join(names)}):\n    libcae: {ours or 'accepted'}\n"
                  f"    second reader: {theirs or 'accepted'}{'' if same else ', other notes'}")
            if options.keep:
                with open(os.path.join(options.keep, f"{number}.safetensors"), "wb") as file:
                    file.write(data)
    print(f"{options.count} files: {accepted} accepted, {notes} with notes, {options.count - accepted} refused for "
          f"{len(reasons)} reasons, {disagreements} disagreements")
    few = options.count >= 10000 and (
        accepted < options.count // 20 or notes < 50 or len(reasons) < 40)
    if few:
        print("FAILED: the mutations reach too little")
    return 1 if disagreements or few else 0


if __name__ == "__main__":
    sys.exit(main())
