# SPDX-License-Identifier: BSD-2-Clause
"""How well cae_estimate_noise does: its error, and what it costs a de-noiser.

    LIBCAE=build/lib/libcae.so.0 CAE_TOOL=build/examples/tool/cae \\
        python3 tests/quality/noise_levels.py DATA [MODEL] [--every N]

DATA has the folders set12, bsd68 (grey) and kodak24 (colour) of the CAE_TEST_DATA; MODEL is a grey
network whose input line says `noise`. Prints a table in Markdown. The noise is that of
cae.add_noise, not clipped, with the image's number as the seed.
"""
import argparse
import math
import pathlib
import sys

sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

import pictures  # noqa: E402 (finds the package)
import cae  # noqa: E402

LEVELS = (5, 10, 15, 25, 50, 75)


def images(folder):
    for path in pictures.files(folder):
        yield np.ascontiguousarray(pictures.read(path).astype(np.float32) / 255)[None]


def psnr(a, b):
    return -10 * math.log10(float(((a - b).astype(np.float64) ** 2).mean()))


def lost(model, clean, noisy, level, estimate):
    """Decibels that the estimate costs, of each channel as an image."""
    planes = noisy.transpose(1, 0, 2, 3)
    known, guessed = (model.denoise(np.ascontiguousarray(planes), sigma)
                      for sigma in (level / 255, max(float(estimate), 0.5 / 255)))
    clean = clean.transpose(1, 0, 2, 3)
    return psnr(known, clean) - psnr(guessed, clean)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--every", type=int, default=1, help="one image of N for the decibels")
    options = parser.parse_args()
    model = cae.Model.load(options.model) if options.model else None
    print("| set | sigma | mean error | worst error | mean dB lost | worst dB lost |")
    print("|---|---|---|---|---|---|")
    for name in ("set12", "bsd68", "kodak24"):
        for level in LEVELS:
            errors, losses = [], []
            for number, clean in enumerate(images(options.data / name)):
                noisy = cae.add_noise(clean, level / 255, seed=number)
                estimate = cae.estimate_noise(noisy)[0]
                errors.append(float(estimate) * 255 / level - 1)
                if model is not None and number % options.every == 0:
                    losses.append(lost(model, clean, noisy, level, estimate))
            worst = max(errors, key=abs)
            decibels = f"{np.mean(losses):.3f} | {max(losses):.3f}" if losses else "- | -"
            print(f"| {name} | {level} | {100 * np.mean(np.abs(errors)):.1f} % | "
                  f"{100 * worst:+.1f} % | {decibels} |", flush=True)


if __name__ == "__main__":
    main()
