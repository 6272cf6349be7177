#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the report of the quick start.

    report.py FOLDER SOURCE

FOLDER is what examples/quickstart.sh has filled; FOLDER/report.html is written. SOURCE is `synth`,
or the folder that the faces came from. The page needs no other file and no network. After writing
it, exits with 1 if restoring does not beat the mean face or a de-noiser does not beat its input.
"""

import base64
import json
import math
import os
import string
import sys
from concurrent.futures import ProcessPoolExecutor
from html import escape
from pathlib import Path

import curves
from pictures import Original, blur, encode_png, grid, mean_picture, read_png, squared_error

COLUMNS = 5  # of a grid
BLURS = [step / 10 for step in range(5, 16)]  # strengths tried
NOISE = 25 / 255  # on the scale [0,1], as in quickstart.sh
DENOISERS = {"CAE": "denoised_cae", "U-net": "denoised_unet"}

# ---- What was measured ---------------------------------------------------------------------------


class Network:
    """What the command `cae` says of one trained network."""

    def __init__(self, folder, name):
        about, unseen, train = (
            json.loads((folder / f"{name}.{part}.json").read_text(encoding="ascii"))
            for part in ("info", "unseen", "train")
        )
        self.parameters, self.steps, self.kernels = (
            about[key] for key in ("parameters", "step", "kernels")
        )
        self.code_len = math.prod(about["code"] or [])
        self.unseen, self.train = unseen, train
        self.log = curves.Log(folder / f"{name}.csv")
        self.seconds = self.log.seconds

    def curve(self, name, colour):
        """A series for curves.draw()."""
        training = curves.smooth(self.log.losses, self.log.epoch_steps)
        return {"name": name, "colour": colour, "training": training, "unseen": self.log.unseen}


def best_blur(pairs):
    """The strength with the least mean squared error over pairs of noisy and clean pictures."""
    return min(
        BLURS, key=lambda s: sum(squared_error(blur(noisy, s), clean) for noisy, clean in pairs)
    )


def measure_face(job):
    """What became of one unseen face: {kind: (mse, psnr, ssim)}, and its size as a PNG."""
    folder, name, mean, strength = job
    face = Original(read_png(folder / "faces/unseen" / name))
    noisy = read_png(folder / "noisy" / name)
    others = {
        "mean": mean,
        "file": read_png(folder / "restored-file" / name),
        "noisy": noisy,
        "blur": blur(noisy, strength),
        "denoised_cae": read_png(folder / "denoised-cae" / name),
        "denoised_unet": read_png(folder / "denoised-unet" / name),
    }
    return {kind: face.measure(rows) for kind, rows in others.items()}, len(encode_png(face.rows))


def measure(folder):
    """Means over the unseen faces: {kind: (mse, psnr, ssim)}, the blur's strength, and sizes."""
    names = sorted(path.name for path in (folder / "faces/unseen").glob("*.png"))
    mean = mean_picture([read_png(path) for path in (folder / "faces/train").glob("*.png")])
    tried = [
        [read_png(folder / kind / n) for kind in ("noisy", "faces/unseen")] for n in names[:20]
    ]
    strength = best_blur(tried)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        faces = list(pool.map(measure_face, [(folder, n, mean, strength) for n in names]))
    means = {
        kind: tuple(sum(face[kind][i] for face, _ in faces) / len(faces) for i in range(3))
        for kind in faces[0][0]
    }
    compressed = [path.stat().st_size for path in (folder / "compressed").glob("*.cae")]
    return {
        "kinds": means,
        "blur_sigma": strength,
        "png_bytes": sum(size for _, size in faces) / len(faces),
        "file_bytes": sum(compressed) / len(compressed),
        "raw_bytes": len(mean) * len(mean[0]),
    }


# ---- Words ---------------------------------------------------------------------------------------


def compare(gain, unit="dB"):
    """A difference in words."""
    if abs(gain) < 0.05:
        return "equally well"
    return f"{abs(gain):.1f} {unit} {'better' if gain > 0 else 'worse'}"


def find_checks(sae, cae, kinds):
    """What must hold for the quick start to have succeeded: (whether it does, the words)."""
    mean, noisy = kinds["mean"][1], kinds["noisy"][1]
    restored = (
        ("the SAE", sae.unseen["psnr"]),
        ("the CAE", cae.unseen["psnr"]),
        ("the CAE from its compressed file", kinds["file"][1]),
    )
    checks = [
        (value > mean, f"Restoring by {who}: {value:.2f} dB; the mean face: {mean:.2f} dB")
        for who, value in restored
    ]
    for who, kind in DENOISERS.items():
        value = kinds[kind][1]
        words = f"De-noising by the {who}: {value:.2f} dB; its noisy input: {noisy:.2f} dB"
        checks.append((value > noisy, words))
    return checks


def compress_verdict(sae, cae):
    gain = cae.unseen["psnr"] - sae.unseen["psnr"]
    return (
        f"The CAE restores unseen faces {compare(gain)} than the SAE".replace(
            "well than", "well as"
        )
        + f", with {sae.parameters / cae.parameters:.0f} times fewer parameters; training"
        f" took it {cae.seconds:.0f} s against {sae.seconds:.0f} s."
    )


def sae_caption(sae):
    words = []
    if sae.unseen["ssim"] < 0.6:
        words.append("Light and pose are there; the person is mostly lost.")
    if sae.train["psnr"] > sae.unseen["psnr"] + 0.5:
        words.append(f"On the faces it was trained on it reaches {sae.train['psnr']:.2f} dB.")
    return " ".join(words)


def denoise_verdict(kinds):
    """Which wins, and whether the winner beats what needs no training."""
    noisy, blurred = kinds["noisy"][1], kinds["blur"][1]
    (_, loser), (most, winner) = sorted((kinds[kind][1], who) for who, kind in DENOISERS.items())
    gain, lead = most - kinds[DENOISERS[loser]][1], most - blurred
    if most <= noisy:
        return f"Neither has learnt to: the noisy faces have {noisy:.2f} dB."
    first = f"The {winner} wins: it takes the faces from {noisy:.2f} to {most:.2f} dB"
    first += f", {gain:.1f} dB beyond the {loser}"
    if lead < 0:
        return first + f". A plain Gaussian blur does {-lead:.1f} dB better still in this measure."
    return first + f" and {lead:.1f} dB beyond the best plain Gaussian blur."


def against_blur(kinds, who):
    """What a caption says of a de-noiser."""
    (_, decibels, likeness), (_, blurred, blurred_likeness) = kinds[DENOISERS[who]], kinds["blur"]
    words = f"{compare(decibels - blurred)} than the blur".replace("well than", "well as")
    closer = "closer to" if likeness > blurred_likeness else "further from"
    return f"That is {words}; by SSIM it is {closer} the original."


# ---- The page ------------------------------------------------------------------------------------


def table(heads, rows):
    """An HTML table; the first cell of each row is its head. None is an empty cell."""
    top = "".join(f"<th scope=col>{head}</th>" for head in heads)
    lines = []
    for head, *cells in rows:
        done = "".join(f"<td>{'' if cell is None else cell}</td>" for cell in cells)
        lines.append(f"<tr><th scope=row>{head}</th>{done}</tr>")
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def compress_table(sae, cae, measured):
    mean, file = measured["kinds"]["mean"], measured["kinds"]["file"]
    networks, size = (sae, cae), f"{measured['file_bytes']:,.0f}"

    def row(head, kind, form):
        place = ("mse", "psnr", "ssim").index(kind)
        values = (mean[place], *(n.unseen[kind] for n in networks), file[place])
        return (head, *(form.format(value) for value in values))

    return table(
        ("", "mean face", "SAE", "CAE", "CAE, from file"),
        [
            ("Parameters", None, *(f"{n.parameters:,}" for n in networks), None),
            ("Steps", None, *(n.steps for n in networks), None),
            ("Training", None, *(f"{n.seconds:.0f} s" for n in networks), None),
            row("MSE", "mse", "{:.5f}"),
            row("PSNR, dB", "psnr", "{:.2f}"),
            row("SSIM", "ssim", "{:.3f}"),
            ("PSNR, training faces", None, *(f"{n.train['psnr']:.2f}" for n in networks), None),
            ("Code as floats, bytes", None, *(f"{4 * n.code_len:,}" for n in networks), None),
            ("Code as file, bytes", None, *(f"{n.unseen['bytes']:,.0f}" for n in networks), size),
        ],
    )


def denoise_table(networks, kinds):
    parts = [kinds[kind] for kind in ("noisy", "blur", *DENOISERS.values())]
    return table(
        ("", "noisy input", "Gaussian blur", *DENOISERS),
        [
            ("Parameters", None, None, *(f"{n.parameters:,}" for n in networks)),
            ("Steps", None, None, *(n.steps for n in networks)),
            ("Training", None, None, *(f"{n.seconds:.0f} s" for n in networks)),
            ("MSE", *(f"{part[0]:.5f}" for part in parts)),
            ("PSNR, dB", *(f"{part[1]:.2f}" for part in parts)),
            ("SSIM", *(f"{part[2]:.3f}" for part in parts)),
        ],
    )


def picture_grids(folder, strength):
    """An <img> for each kind of picture, every one a PNG of its own, as a data URI."""
    names = sorted(path.name for path in (folder / "restored-sae").glob("*.png"))
    kinds = {
        "original": ("faces/unseen", "original faces"),
        "sae": ("restored-sae", "faces restored by the SAE"),
        "cae": ("restored-cae", "faces restored by the CAE"),
        "file": ("restored-file", "faces restored from compressed files"),
        "clean": ("faces/unseen", "original faces"),
        "noisy": ("noisy", "noisy faces"),
        "denoised_cae": ("denoised-cae", "faces de-noised by the CAE"),
        "denoised_unet": ("denoised-unet", "faces de-noised by the U-net"),
    }
    pictures = {
        kind: ([read_png(folder / place / name) for name in names], words)
        for kind, (place, words) in kinds.items()
    }
    noisy = pictures["noisy"][0]
    pictures["blur"] = ([blur(rows, strength) for rows in noisy], "noisy faces, blurred")
    grids = {}
    for kind, (shown, words) in pictures.items():
        data = base64.b64encode(grid(shown, COLUMNS)).decode("ascii")
        grids["grid_" + kind] = f'<img alt="{words}" src="data:image/png;base64,{data}">'
    return {**grids, "shown_count": len(names)}


def curve_figures(sae, cae, denoiser):
    # Without the U-net: its loss is in other units, and for noise of many levels.
    both = [sae.curve("SAE", "--sae"), cae.curve("CAE", "--cae")]
    alone = [denoiser.curve("CAE", "--cae")]
    return {
        "compress_curves": curves.draw("loss curves of SAE and CAE for compression", both),
        "denoise_curves": curves.draw(
            "loss curve of the CAE for de-noising", alone, ("noisy input", NOISE**2)
        ),
    }


def figures(sae, cae, denoisers, measured):
    """The numbers of the page's sentences."""
    kinds = measured["kinds"]
    return {
        "sae_psnr": f"{sae.unseen['psnr']:.2f}",
        "cae_psnr": f"{cae.unseen['psnr']:.2f}",
        **{f"{kind}_psnr": f"{kinds[kind][1]:.2f}" for kind in kinds},
        **{
            f"eval_{kind}": f"{network.unseen['psnr']:.2f}"
            for kind, network in zip(DENOISERS.values(), denoisers)
        },
        "eval_noisy": f"{denoisers[0].unseen['input_psnr']:.2f}",
        "blur_sigma": f"{measured['blur_sigma']:.1f}",
        **{key: f"{measured[key]:,.0f}" for key in ("raw_bytes", "png_bytes", "file_bytes")},
        "code_len": f"{cae.code_len:,}",
        "code_bytes": f"{4 * cae.code_len:,}",
        "cae_model_bytes": f"{4 * cae.parameters:,}",
        "train_count": cae.train["count"],
        "unseen_count": cae.unseen["count"],
        **{
            key: "{}, {}, {} and {}".format(*(f"{value(n):.0f}" for n in (sae, cae, *denoisers)))
            for key, value in (
                ("epochs_list", lambda network: network.steps / network.log.epoch_steps),
                ("seconds_list", lambda network: network.seconds),
            )
        },
        "kernels": cae.kernels,
    }


def words_of_source(source):
    if source == "synth":
        return {
            "source": "drawn faces",
            "source_limit": "The faces are drawn, not photographed: photographs are harder.",
        }
    return {
        "source": f"faces from <code>{escape(source)}</code>",
        "source_limit": "More faces and more steps give better networks.",
    }


def main():
    folder, source = Path(sys.argv[1]), sys.argv[2]
    sae, cae, *denoisers = (
        Network(folder / "networks", name)
        for name in ("sae-compress", "cae-compress", "cae-denoise", "unet-denoise-fast")
    )
    measured = measure(folder)
    kinds = measured["kinds"]
    checks = find_checks(sae, cae, kinds)
    processors = len(os.sched_getaffinity(0))
    here = Path(__file__).parent
    fields = {
        "style": (here / "style.css").read_text(encoding="utf-8"),
        "checks": "".join(
            f'<li class="{"good" if held else "bad"}">{escape(words)}</li>\n'
            for held, words in checks
        ),
        "compress_verdict": compress_verdict(sae, cae),
        "compress_table": compress_table(sae, cae, measured),
        "sae_caption": sae_caption(sae),
        "denoise_verdict": denoise_verdict(kinds),
        "denoise_table": denoise_table(denoisers, kinds),
        "denoised_cae_caption": against_blur(kinds, "CAE"),
        "denoised_unet_caption": against_blur(kinds, "U-net"),
        "version": escape((folder / "version.txt").read_text(encoding="utf-8").strip()),
        "processors": f"{processors} processor{'s' if processors > 1 else ''}",
        "commands": escape((folder / "commands.txt").read_text(encoding="utf-8")),
        **figures(sae, cae, denoisers, measured),
        **words_of_source(source),
        **picture_grids(folder, measured["blur_sigma"]),
        **curve_figures(sae, cae, denoisers[0]),
    }
    page = string.Template((here / "page.html").read_text(encoding="utf-8")).substitute(fields)
    (folder / "report.html").write_text(page, encoding="utf-8")
    for held, words in checks:
        print(f"{'ok    ' if held else 'FAILED'}  {words}")
    return 0 if all(held for held, _ in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
