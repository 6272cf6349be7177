# SPDX-License-Identifier: BSD-2-Clause
"""How well the noise of a sensor is removed: the variance is sigma^2 + gain x at value x.

    LIBCAE=build/lib/libcae.so.0 CAE_TOOL=build/examples/tool/cae \\
        python3 tests/quality/sensor_noise.py MODEL FOLDER [--limit N]

MODEL takes a noise level and one channel; FOLDER has clean pictures, taken as linear in the light.
Each gets Poisson noise and Gaussian noise on top, and is cleaned in four ways:

    noisy       not at all
    one level   the network, told one level for the whole picture: the best of a list for this
                picture, by the clean one; what can be had without `gain`, and no program knows
    gain        Model.denoise_pixels(picture, sigma, gain)
    local       the network, told the true level of each pixel: it runs for every level of the list,
                and each pixel is taken between the two that its own lies between

and, as the ceiling for a noise that is the same everywhere,

    white       the network on Gaussian noise of the same mean square, told that

The table has the mean PSNR in dB of results clipped to [0,1], for each noise, and the bias: the mean
of the result minus the clean picture, in thousandths, of the third way.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

import pictures  # noqa: E402 (finds the package)
import cae  # noqa: E402

NOISES = [(0.0, 0.002), (0.01, 0.005), (0.02, 0.01), (0.0, 0.03), (0.05, 0.03), (0.02, 0.1)]
LEVELS = np.geomspace(4, 110, 16) / 255


def read(path):
    """A picture as floats; of colour its green channel."""
    return pictures.grey(pictures.read(path))[0].astype(np.float32) / np.float32(255)


def psnr(picture, clean):
    error = np.clip(picture.astype(np.float64), 0, 1) - clean
    return -10 * np.log10((error ** 2).mean())


def local(results, level):
    """Between the results for the levels of the list, at each pixel's own."""
    at = np.interp(np.log(np.maximum(level, LEVELS[0])), np.log(LEVELS), np.arange(len(LEVELS)))
    low = np.minimum(at.astype(int), len(LEVELS) - 2)
    rows, columns = np.indices(level.shape)
    part = at - low
    return (1 - part) * results[low, rows, columns] + part * results[low + 1, rows, columns]


def measure(model, clean, sigma, gain, rng):
    level = np.sqrt(sigma ** 2 + gain * clean.astype(np.float64))
    noisy = gain * rng.poisson(clean / gain) + sigma * rng.standard_normal(clean.shape)
    noisy = noisy.astype(np.float32)
    results = np.stack([model.denoise_pixels(noisy, float(one)) for one in LEVELS])
    ours = model.denoise_pixels(noisy, sigma, gain)
    same = float(np.sqrt((level ** 2).mean()))
    white = (clean + same * rng.standard_normal(clean.shape)).astype(np.float32)
    return [psnr(noisy, clean), max(psnr(one, clean) for one in results), psnr(ours, clean),
            psnr(local(results, level), clean), psnr(model.denoise_pixels(white, same), clean),
            1000 * float((ours - clean).mean())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limit", type=int, help="pictures, at most")
    args = parser.parse_args()
    paths = sorted(path for path in args.folder.iterdir()
                   if path.suffix in (".png", ".pgm", ".ppm", ".jpg"))[:args.limit]
    with cae.Model.load(args.model, threads=0) as model:
        print("sigma   gain   noisy  one level  gain   local  white  bias")
        for sigma, gain in NOISES:
            rows = [measure(model, read(path), sigma, gain, np.random.default_rng(number))
                    for number, path in enumerate(paths)]
            means = np.mean(rows, axis=0)
            print(f"{sigma:.3f}  {gain:.3f}  {means[0]:6.2f}  {means[1]:9.2f}  {means[2]:5.2f}  "
                  f"{means[3]:5.2f}  {means[4]:5.2f}  {means[5]:+.2f}", flush=True)


if __name__ == "__main__":
    main()
