# SPDX-License-Identifier: BSD-2-Clause
"""A strip of pictures for docs/denoise.md: noisy, blurred, non-local means, the model, clean.

    LIBCAE=build/lib/libcae.so.0 CAE_TOOL=build/examples/tool/cae \\
        python3 tests/quality/strip.py MODEL PHOTO OUT.png [--scale 4] [--crop X,Y] [--side 256]
        [--sigma 25]

The photograph's green channel is made smaller by a whole number (the mean of its pixels), and of
that a square is cut out. It needs scikit-image; blur and non-local means have the strength that is
best for this very picture. Prints the PSNR of each. OUT.png has the five side by side, 8-bit grey.
"""

import argparse
import os
import subprocess
import sys

sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

import denoisers  # noqa: E402
import pictures  # noqa: E402

GAP = 6  # white pixels between pictures


def smaller(picture, scale):
    """Means of squares of pixels; what is left over at the right and below is left out."""
    height, width = (size // scale * scale for size in picture.shape)
    parts = picture[:height, :width].reshape(height // scale, scale, width // scale, scale)
    return np.rint(parts.astype(np.float64).mean((1, 3)))


def best(make, strengths, noisy, clean, level):
    results = [make(strength)(noisy, level) for strength in strengths]
    return max(results, key=lambda result: denoisers.psnr(result, clean))


def write(path, picture):
    """A PNG, made by the command `cae`."""
    data = b"P5 %d %d 255\n" % picture.shape[::-1] + picture.tobytes()
    tool = os.environ.get("CAE_TOOL", "cae")
    subprocess.run([tool, "noise", "--quiet", "--sigma", "0", "-", path], input=data, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photo")
    parser.add_argument("out")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--crop", default="0,0")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--sigma", type=float, default=25)
    options = parser.parse_args()
    left, top = map(int, options.crop.split(","))
    level = options.sigma / 255
    photo = smaller(pictures.grey(pictures.read(options.photo))[0], options.scale)
    clean = photo[top:top + options.side, left:left + options.side][None]
    noisy = denoisers.add_noise(clean, level, 1, 0)
    strip = {"noisy": noisy}
    for name, (make, strengths) in denoisers.BASELINES.items():
        strip[name] = best(make, strengths, noisy, clean, level)
    strip["model"] = denoisers.network(options.model, False)(noisy, level)
    strip["clean"] = clean / 255
    parts = []
    for name, result in strip.items():
        if name != "clean":
            print(f"{name}: {denoisers.psnr(result, clean):.2f} dB")
        parts += [np.rint(np.clip(result[0], 0, 1) * 255).astype(np.uint8),
                  np.full((options.side, GAP), 255, np.uint8)]
    write(options.out, np.hstack(parts[:-1]))


if __name__ == "__main__":
    main()
