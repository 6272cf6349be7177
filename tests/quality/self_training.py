# SPDX-License-Identifier: BSD-2-Clause
"""What is learned from one noisy picture alone, `cae train --self`, and from a burst, `--pairs`.

    LIBCAE=build/lib/libcae.so.0 CAE_TOOL=build/examples/tool/cae \\
        python3 tests/quality/self_training.py MODEL PICTURE... [--preset NAME]... [--steps N]

The middle 512 x 512 of each clean picture (of colour, the green channel) gets noise, and is clipped
and rounded to 8 bits, as files are. MODEL is the shipped one. Two noises: Gaussian of sigma 25, told
to nobody, and Poisson with the variance 0.01 x, whose gain is told to all. The columns:

    noisy     the picture as it is
    blur      a Gaussian blur, the best of a list by the clean picture
    MODEL     as it ships: told the level or gain
    from      trained further on this picture: cae train --from MODEL --self --data PICTURE
    PRESET    trained on this picture from the beginning: cae train --model PRESET --self

with PSNR in dB of 8-bit results and, behind it, the seconds of one processor.

--burst instead: noise of sigma 25 that neighbours have in common (the mean of 2 x 2 pixels of white
noise of sigma 50). MODEL learns from two such frames of each picture, cae train --pairs --sigma 25,
and cleans a third:

    noisy     the third frame
    mean      the mean of the two
    MODEL     as it ships: told nothing; told 25; and the best of 25, 30, ... 60 by the clean picture
    pairs     trained
"""

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

import pictures  # noqa: E402 (finds the package)
import cae  # noqa: E402

SIDE, SIGMA, GAIN = 512, 25, 0.01


def psnr(pixels, clean):
    return 10 * np.log10(255 ** 2 / ((pixels.astype(np.float64) - clean) ** 2).mean())


def middle(path):
    picture = pictures.grey(pictures.read(path))[0]
    top, left = ((side - SIDE) // 2 for side in picture.shape)
    return np.ascontiguousarray(picture[top:top + SIDE, left:left + SIDE])


def to_pixels(values):
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def add_noise(clean, kind, number):
    values = (clean / 255).astype(np.float32)
    if kind == "gauss":
        return to_pixels(cae.add_noise(values, SIGMA / 255, 1 + number))
    return to_pixels(GAIN * np.random.default_rng(number).poisson(values / GAIN))


def blur(noisy, clean):
    """The best of a list."""
    best = 0
    for strength in (0.6, 0.8, 1.0, 1.3, 1.7, 2.2):
        taps = np.exp(-np.arange(-8, 9) ** 2 / (2 * strength ** 2))
        wide = np.pad(noisy.astype(np.float64), 8, mode="reflect")
        for axis in (0, 1):
            wide = np.apply_along_axis(np.convolve, axis, wide, taps / taps.sum(), "valid")
        best = max(best, psnr(np.rint(wide), clean))
    return best


def denoised(path, noisy, kind):
    sigma, gain = (SIGMA / 255, 0) if kind == "gauss" else (0, GAIN)
    with cae.Model.load(path, threads=1) as model:
        return model.denoise_pixels(noisy, sigma, gain)


def trained(folder, noisy, kind, arguments):
    """The path of what `cae train --self` makes, and its seconds."""
    source, out = folder / "noisy.pgm", folder / "out.safetensors"
    source.write_bytes(b"P5 %d %d 255\n" % noisy.shape[::-1] + noisy.tobytes())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([os.environ.get("CAE_TOOL", "cae"), "train", "-q", "--self", "--data", source,
                    "--threads", "1", "--out", out, *arguments,
                    *([] if kind == "gauss" else ["--gain", str(GAIN)])], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return out, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def burst_frame(clean, number):
    wide = cae.add_noise(np.zeros((SIDE + 1, SIDE + 1), np.float32), 2 * SIGMA / 255, number)
    noise = (wide[:-1, :-1] + wide[1:, :-1] + wide[:-1, 1:] + wide[1:, 1:]) / 4
    return to_pixels(clean / 255 + noise)


def bursts(args, steps):
    print(f"picture  noisy  mean  {args.model}, estimated, 25, best  pairs", flush=True)
    for path in args.pictures:
        clean = middle(path)
        frames = [burst_frame(clean, 100 + number) for number in range(2)]
        noisy = burst_frame(clean, 109)
        with cae.Model.load(args.model, threads=1) as model:
            told = [psnr(model.denoise_pixels(noisy, sigma / 255), clean)
                    for sigma in (0, SIGMA, *range(30, 61, 5))]
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "out.safetensors"
            for number, frame in enumerate(frames):
                (pathlib.Path(folder) / f"{number}.pgm").write_bytes(
                    b"P5 %d %d 255\n" % frame.shape[::-1] + frame.tobytes())
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            subprocess.run([os.environ.get("CAE_TOOL", "cae"), "train", "-q", "--pairs", folder,
                            "--from", args.model, "--sigma", str(SIGMA), "--threads", "1", "--out",
                            out, *steps], check=True)
            seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
            with cae.Model.load(out, threads=1) as model:
                after = psnr(model.denoise_pixels(noisy, SIGMA / 255), clean)
        mean = np.rint((frames[0] / 2 + frames[1] / 2))
        print(f"{path.stem}  {psnr(noisy, clean):.2f}  {psnr(mean, clean):.2f}  {told[0]:.2f}  "
              f"{told[1]:.2f}  {max(told[1:]):.2f}  {after:.2f} {seconds:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model")
    parser.add_argument("pictures", nargs="+", type=pathlib.Path)
    parser.add_argument("--preset", action="append")
    parser.add_argument("--steps")
    parser.add_argument("--burst", action="store_true")
    args = parser.parse_args()
    steps = ["--steps", args.steps] if args.steps else []
    if args.burst:
        bursts(args, steps)
        return
    ways = {"from": ["--from", args.model, *steps]}
    for preset in args.preset or ["unet-denoise-fast"]:
        ways[preset] = ["--model", preset, *steps]
    print("noise  picture  noisy  blur  " + args.model + "  " + "  ".join(ways), flush=True)
    for kind in ("gauss", "poisson"):
        for number, path in enumerate(args.pictures):
            clean = middle(path)
            noisy = add_noise(clean, kind, number)
            cells = [f"{psnr(noisy, clean):.2f}", f"{blur(noisy, clean):.2f}",
                     f"{psnr(denoised(args.model, noisy, kind), clean):.2f}"]
            with tempfile.TemporaryDirectory() as folder:
                for arguments in ways.values():
                    model, seconds = trained(pathlib.Path(folder), noisy, kind, arguments)
                    cells.append(f"{psnr(denoised(model, noisy, kind), clean):.2f} {seconds:.0f} s")
            print("  ".join([kind, path.stem, *cells]), flush=True)


if __name__ == "__main__":
    main()
