# SPDX-License-Identifier: BSD-2-Clause
"""De-noisers side by side: mean PSNR of 8-bit results, by noise level.

    LIBCAE=build/lib/libcae.so.0 CAE_TOOL=build/examples/tool/cae \\
        python3 tests/quality/denoisers.py FOLDER MODEL... [--levels 15,25,50] [--seeds 1,2,3]
        [--estimate] [--baselines] [--json FILE]

Gaussian noise is added to pictures on [0,1] by cae_add_noise and is not clipped; a result is clipped
and rounded to 8 bits, and its PSNR is that of the whole picture; the table has means over pictures
and seeds. Colour pictures are taken as they are by models of three channels, and as their green
channel by those of one.

--estimate: each model once more, told nothing of the noise.
--baselines, with scikit-image (Debian: python3-skimage): a Gaussian blur and non-local means. Of each
the strength is chosen for every level by the clean pictures of the first seed, which no user has: the
most that they can do.
"""

import argparse
import json
import pathlib
import sys
import time

sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

import pictures  # noqa: E402 (finds the package)
import cae  # noqa: E402


def psnr(result, clean):
    pixels = np.rint(np.clip(result, 0, 1).astype(np.float64) * 255)
    return 10 * np.log10(255 ** 2 / ((pixels - clean) ** 2).mean())


def network(path, estimate):
    model = cae.Model.load(path)
    model.settings.threads = 1
    return lambda noisy, level: model.denoise(noisy[None], sigma=0 if estimate else level)[0]


def blur(strength):
    from skimage.filters import gaussian
    return lambda noisy, level: np.stack([gaussian(c, strength) for c in noisy])


def means(strength):
    from skimage.restoration import denoise_nl_means

    def run(noisy, level):
        picture = noisy[0] if len(noisy) == 1 else noisy.transpose(1, 2, 0)
        clean = denoise_nl_means(picture, h=strength * level, sigma=level, patch_size=5,
                                 patch_distance=10, fast_mode=True,
                                 channel_axis=None if len(noisy) == 1 else 2)
        return np.atleast_3d(clean).transpose(2, 0, 1)
    return run


BASELINES = {"Gaussian blur": (blur, (0.5, 0.7, 0.9, 1.2, 1.6)),
             "non-local means": (means, (0.6, 0.8, 1.0))}


def add_noise(picture, level, seed, number):
    noisy = (picture / np.float32(255)).astype(np.float32)
    return cae.add_noise(noisy, level, seed * 1000003 + number)


def measure(run, clean, level, seeds):
    """The mean PSNR, the lowest picture's, and the seconds for a megapixel."""
    scores = []
    spent = pixels = 0
    for seed in seeds:
        for number, picture in enumerate(clean):
            noisy = add_noise(picture, level, seed, number)
            start = time.process_time()
            result = run(noisy, level)
            spent += time.process_time() - start
            pixels += picture[0].size
            scores.append(psnr(result, picture))
    return float(np.mean(scores)), scores, spent / pixels * 1e6


def best_of(make, strengths, clean, level, seeds):
    found = {s: measure(make(s), clean, level, seeds[:1])[0] for s in strengths}
    return measure(make(max(found, key=found.get)), clean, level, seeds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--levels", default="15,25,50")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--grey", action="store_true", help="the green channel of colour pictures")
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    levels = [float(word) for word in options.levels.split(",")]
    seeds = [int(word) for word in options.seeds.split(",")]
    shown = [pictures.read(path) for path in pictures.files(options.folder)[:options.limit]]
    if options.grey:
        shown = [pictures.grey(picture) for picture in shown]
    rows = {"noisy": lambda level: measure(lambda noisy, _: noisy, shown, level, seeds)}
    if options.baselines:
        for name, (make, strengths) in BASELINES.items():
            rows[name] = (lambda level, make=make, strengths=strengths:
                          best_of(make, strengths, shown, level, seeds))
    for path in options.models:
        rows[path] = (lambda level, path=path:
                      measure(network(path, False), shown, level, seeds))
        if options.estimate:
            rows[path + ", estimated"] = (lambda level, path=path:
                                          measure(network(path, True), shown, level, seeds))
    print(f"{options.folder}: {len(shown)} pictures, seeds {options.seeds}; dB at "
          + ", ".join(f"{level:g}" for level in levels) + "; s per Mpx")
    table = {}
    for name, run in rows.items():
        found = [run(level / 255) for level in levels]
        table[name] = {f"{level:g}": {"psnr": f[0], "each": f[1], "seconds": f[2]}
                       for level, f in zip(levels, found)}
        print(f"{name:40} " + "  ".join(f"{f[0]:6.3f}" for f in found)
              + f"   {np.mean([f[2] for f in found]):.3f}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
