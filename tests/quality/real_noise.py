# SPDX-License-Identifier: BSD-2-Clause
"""What a model for white noise does to photographs whose noise a camera has processed.

    LIBCAE=build/lib/libcae.so.0 CAE_TOOL=build/examples/tool/cae \\
        python3 tests/quality/real_noise.py MODEL FOLDER

FOLDER has pairs NAME_real.JPG, a photograph, and NAME_mean.JPG, the mean of many of the same scene,
as in PolyU's set (github.com/csjunxu/PolyU-Real-World-Noisy-Images-Dataset, CroppedImages). MODEL
has one channel; each channel is an image of its own. Prints for each size (whole; half, by the
mean of 2 x 2 pixels, against the half-size truth) the mean of: the estimate of sigma, the true
deviation from the mean photograph, and the PSNR in dB of what was taken, and of the results with the
estimate, 1.2 times it, fixed sigmas, and the true deviation, which no user has.
"""

import pathlib
import sys

sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

import pictures  # noqa: E402 (finds the package)
import cae  # noqa: E402

FLOOR = 0.5 / 255  # what cae_denoise uses at least where it estimates
FIXED = (3, 5, 7, 10)


def psnr(picture, clean):
    return -10 * np.log10(((np.clip(picture, 0, 1).astype(np.float64) - clean) ** 2).mean())


def half(planes):
    height, width = (size // 2 * 2 for size in planes.shape[1:])
    parts = planes[:, :height, :width].reshape(len(planes), height // 2, 2, width // 2, 2)
    return parts.mean((2, 4), dtype=np.float32)


def measure(model, noisy, clean):
    estimate = float(cae.estimate_noise(noisy[None])[0])
    true = float(np.sqrt(((noisy - clean).astype(np.float64) ** 2).mean()))
    levels = [max(estimate, FLOOR), max(1.2 * estimate, FLOOR), *(s / 255 for s in FIXED), true]
    planes = np.ascontiguousarray(noisy[:, None])
    return [255 * estimate, 255 * true, psnr(noisy, clean),
            *(psnr(model.denoise(planes, level)[:, 0], clean) for level in levels)]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pairs = [[pictures.read(str(path).replace("_real.", f"_{kind}.")).astype(np.float32) / 255
              for kind in ("real", "mean")]
             for path in sorted(pathlib.Path(sys.argv[2]).glob("*_real.*"))]
    with cae.Model.load(sys.argv[1]) as model:
        model.settings.threads = 1
        print(f"{len(pairs)} pairs: estimate, true deviation; dB: noisy, estimate, 1.2 x estimate, "
              f"{', '.join(map(str, FIXED))}, true deviation")
        for name, change in (("whole", np.ascontiguousarray), ("half", half)):
            rows = [measure(model, *map(change, pair)) for pair in pairs]
            print(name, " ".join(f"{value:.2f}" for value in np.mean(rows, 0)), flush=True)


if __name__ == "__main__":
    main()
