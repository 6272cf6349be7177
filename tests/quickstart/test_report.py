# SPDX-License-Identifier: BSD-2-Clause
"""The parts of the quick start that need no long training: pictures, faces, curves, the page, and
what quickstart.sh says to wrong arguments. CAE_TOOL names the command.
"""

import base64
import html.parser
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "examples/report"
TOOL = os.environ["CAE_TOOL"]
sys.dont_write_bytecode = True  # leave the source tree alone
sys.path.insert(0, str(REPORT))

import curves  # noqa: E402
import pictures  # noqa: E402

LEVEL_NETWORK = "input 1 64 64 noise\nmark x\nconv 1 kernel 3 pad 1\nadd x\n"
NETWORK = "input 1 64 64\nmaxpool 8\ncode\ntconv 1 kernel 8 stride 8 sigmoid\n"


def pattern(width, height, seed=1):
    """A picture without symmetries."""
    values = (
        (seed * 7919 + x * x * 31 + y * y * y * 17 + x * y) % 251
        for y in range(height)
        for x in range(width)
    )
    line = bytes(values)
    return [line[place : place + width] for place in range(0, len(line), width)]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cae-report-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_command(self, *command, code=0, cwd=None):
        command = [str(word) for word in command]
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.assertEqual(done.returncode, code, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr


class Pictures(Case):
    def test_every_filter_comes_back(self):
        rows = pattern(13, 9)
        for kind in range(5):
            path = self.folder / f"{kind}.png"
            path.write_bytes(pictures.encode_png(rows, filters=(kind,)))
            self.assertEqual(pictures.read_png(path), rows, f"filter {kind}")

    def test_the_command_reads_what_is_written_and_back(self):
        rows = pattern(20, 11)
        (self.folder / "a.png").write_bytes(pictures.encode_png(rows))
        for name in ("b.png", "b.pgm"):
            self.run_command(TOOL, "noise", "--sigma", "0", "a.png", name)
        self.assertEqual(pictures.read_png(self.folder / "b.png"), rows)
        self.assertEqual(pictures.read_pnm(self.folder / "b.pgm"), rows)

    def test_grid_places_pictures_and_leaves_gaps_transparent(self):
        data = pictures.grid([pattern(4, 4, seed) for seed in range(3)], 2, gap=1)
        size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        self.assertEqual(size, (9, 9))
        (self.folder / "grid.png").write_bytes(data)
        self.run_command(TOOL, "noise", "--sigma", "0", "grid.png", "flat.pgm")  # alpha dropped
        flat = pictures.read_pnm(self.folder / "flat.pgm")
        self.assertEqual([row[5:] for row in flat[:4]], pattern(4, 4, 1))
        self.assertEqual([row[:4] for row in flat[5:]], pattern(4, 4, 2))
        self.assertEqual({row[4] for row in flat} | set(flat[4]), {0})

    def test_damage_is_named(self):
        good = pictures.encode_png(pattern(8, 8))
        path = self.folder / "bad.png"
        bad = [good[:size] for size in range(len(good) - 12)] + [b"GIF89a"]
        bad += [
            good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(8, len(good) - 12)
        ]
        for data in bad:
            path.write_bytes(data)
            with self.assertRaisesRegex(ValueError, "bad.png"):
                pictures.read_png(path)

    def test_colour_becomes_grey(self):
        path = self.folder / "a.ppm"
        path.write_bytes(b"P6 2 1 255\n" + bytes([255, 0, 0, 10, 20, 30]))
        self.assertEqual(pictures.read_pnm(path), [bytes([77, (770 + 3000 + 870 + 128) >> 8])])

    def test_square_cuts_the_middle_and_averages(self):
        rows = [bytes([99, 0, 100, 200, 100, 99]), bytes([99, 100, 200, 100, 0, 99])] * 2
        self.assertEqual(pictures.square(rows, 2), [bytes([100, 100])] * 2)
        self.assertEqual(pictures.square([b"\x10\x20"] * 2, 4), [b"\x10\x10\x20\x20"] * 4)

    def test_blur_keeps_flat_pictures_and_spreads_a_dot(self):
        flat = [bytes([77] * 9)] * 9
        self.assertEqual(pictures.blur(flat, 1.2), flat)
        dot = [bytes(9)] * 4 + [bytes([0] * 4 + [255] + [0] * 4)] + [bytes(9)] * 4
        spread = pictures.blur(dot, 1.0)
        self.assertEqual(spread[4][4], round(255 * (pictures.gaussian(1.0, 3)[3]) ** 2))
        self.assertEqual(spread, spread[::-1])

    def test_measures(self):
        face = pictures.Original(pattern(16, 16))
        mse, decibels, likeness = face.measure(face.rows)
        self.assertEqual((mse, decibels), (0, math.inf))
        self.assertAlmostEqual(likeness, 1)
        shifted = [bytes(value ^ 1 for value in row) for row in face.rows]  # every pixel off by one
        self.assertAlmostEqual(face.measure(shifted)[1], 20 * math.log10(255))


class Curves(Case):
    def test_log_and_smoothing(self):
        path = self.folder / "log.csv"
        rows = [
            f"{1 + i // 5},{i + 1},{1 / (i + 1)},{'0.5' if i % 5 == 4 else ''},{i / 10}"
            for i in range(20)
        ]
        path.write_text(
            "epoch,step,loss,val_mse,seconds\n" + "\n".join(rows) + "\n", encoding="ascii"
        )
        log = curves.Log(path)
        self.assertEqual((log.epoch_steps, log.seconds), (5, 1.9))
        self.assertEqual(log.unseen, [(5, 0.5), (10, 0.5), (15, 0.5), (20, 0.5)])
        smoothed = curves.smooth(log.losses, 5)
        self.assertEqual((smoothed[0][0], smoothed[-1][0], len(smoothed)), (5, 20, 16))
        self.assertAlmostEqual(smoothed[0][1], (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 5)

    def test_the_last_point_of_a_long_line_is_kept(self):
        smoothed = curves.smooth([(step, 1.0) for step in range(1, 1001)], 1)
        self.assertEqual(smoothed[-1][0], 1000)
        self.assertLess(len(smoothed), 2 * curves.POINTS)

    def test_better_is_lower_and_later_is_further_right(self):
        series = {
            "name": "<b>",
            "colour": "--cae",
            "training": [(1, 0.1), (20, 0.001)],
            "unseen": [],
        }
        drawn = curves.draw("title", [series])
        self.assertNotIn("<b>", drawn)
        line = re.search(
            r'class="line" style="[^"]*" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', drawn
        )
        x1, y1, x2, y2 = map(float, line.groups())
        self.assertTrue(x2 > x1 and y2 > y1)
        for tick in (">0.1<", ">0.01<", ">20<"):
            self.assertIn(tick, drawn)


class Faces(Case):
    def setUp(self):
        super().setUp()
        self.source = self.folder / "faces"
        self.source.mkdir()

    def take(self, code=0):
        return self.run_command(
            sys.executable, REPORT / "faces.py", TOOL, self.source, "out", code=code
        )

    def names(self, part):
        return sorted(path.name for path in (self.folder / "out" / part).iterdir())

    def test_split_by_name(self):
        for i in range(12):
            data = pictures.encode_png(pattern(70, 64, i))
            (self.source / f"{i:02}.png").write_bytes(data)
        self.assertIn("9 faces to train on, 3 unseen ones", self.take())
        self.assertEqual(self.names("unseen"), ["09.png", "10.png", "11.png"])
        taken = pictures.read_png(self.folder / "out/train/03.png")
        self.assertEqual(taken, [row[3:67] for row in pattern(70, 64, 3)])

    def test_train_and_val_and_a_damaged_file(self):
        for part in ("train", "val"):
            (self.source / part).mkdir()
            for i in range(5):
                (self.source / part / f"{i}.pgm").write_bytes(b"P5 1 1 255\n" + bytes([i]))
        (self.source / "val/2.pgm").write_bytes(b"P5 1 1")
        said = self.take()
        self.assertIn("2.pgm", said)
        self.assertIn("5 faces to train on, 4 unseen ones", said)
        self.assertEqual(self.names("unseen"), ["0.pgm.png", "1.pgm.png", "3.pgm.png", "4.pgm.png"])

    def test_too_few(self):
        (self.source / "a.png").write_bytes(pictures.encode_png(pattern(4, 4)))
        self.assertIn("too few", self.take(code=1))


class Outline(html.parser.HTMLParser):
    """Checks that tags close in order, and gathers what a browser would fetch."""

    EMPTY = ("meta", "img")

    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for key, value in attrs if key in ("src", "href", "data", "srcset")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes another tag, at {self.getpos()}")


class Page(Case):
    """The page of a quick start with four small networks, trained for three steps."""

    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory(prefix="cae-report-")
        folder = Path(cls.made.name)
        for name in (
            "faces",
            "networks",
            "noisy",
            "denoised-cae",
            "denoised-unet",
            "compressed",
            "restored-sae",
            "restored-cae",
            "restored-file",
        ):
            (folder / name).mkdir()
        (folder / "network.txt").write_text(NETWORK, encoding="ascii")
        (folder / "level.txt").write_text(LEVEL_NETWORK, encoding="ascii")
        for name in ("version.txt", "commands.txt"):
            (folder / name).write_text("cae <1> & 2\n", encoding="ascii")
        cls.cae("synth", "--count", 8, "--out", "faces/train")
        cls.cae("synth", "--count", 3, "--seed", 2, "--out", "faces/unseen")
        for name, sigma in (("sae-compress", 0), ("cae-compress", 0), ("cae-denoise", 25)):
            cls.train(f"networks/{name}", "network.txt", sigma)
        cls.train("networks/unet-denoise-fast", "level.txt", 25)
        for face in (folder / "faces/unseen").iterdir():
            cls.use(face.name)

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    @classmethod
    def cae(cls, *arguments, output=None):
        """Runs the command; what it prints may go to a file."""
        command = [TOOL, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=cls.made.name, capture_output=True, text=True, timeout=100, check=True
        )
        if output:
            Path(cls.made.name, output).write_text(done.stdout, encoding="ascii")
        return done.stdout

    @classmethod
    def train(cls, network, text, sigma):
        noise = ("--noise", sigma)
        cls.cae(
            "train",
            "--model",
            text,
            "--data",
            "faces/train",
            "--val",
            "faces/unseen",
            "--steps",
            3,
            "--batch",
            4,
            "--log",
            network + ".csv",
            "--out",
            network,
            *noise,
        )
        for part in ("train", "unseen"):
            cls.cae(
                "eval", network, f"faces/{part}", "--json", *noise, output=f"{network}.{part}.json"
            )
        cls.cae("info", network, "--json", output=network + ".info.json")

    @classmethod
    def use(cls, name):
        face, compressed = f"faces/unseen/{name}", f"compressed/{name[:-4]}.cae"
        cls.cae("compress", "networks/cae-compress", face, compressed)
        cls.cae("decompress", "networks/cae-compress", compressed, f"restored-file/{name}")
        cls.cae("noise", "--sigma", "25", face, f"noisy/{name}")
        cls.cae("denoise", "networks/cae-denoise", f"noisy/{name}", f"denoised-cae/{name}")
        unet = "networks/unet-denoise-fast"
        cls.cae("denoise", "--sigma", 25, unet, f"noisy/{name}", f"denoised-unet/{name}")
        for kind in ("sae", "cae"):
            cls.cae("denoise", f"networks/{kind}-compress", face, f"restored-{kind}/{name}")

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made.name, self.folder, dirs_exist_ok=True)

    def report(self, code):
        return self.run_command(sys.executable, REPORT / "report.py", ".", "my <faces>", code=code)

    def learn(self):
        """Makes the results those of networks that have learnt everything."""
        for name in ("sae-compress", "cae-compress"):
            path = self.folder / f"networks/{name}.unseen.json"
            path.write_text(
                json.dumps({**json.loads(path.read_text()), "psnr": 40.5}), encoding="ascii"
            )
        for kind in ("restored-file", "denoised-cae", "denoised-unet"):
            for face in (self.folder / "faces/unseen").iterdir():
                rows = pictures.read_png(face)
                rows[0] = bytes([rows[0][0] ^ 64]) + rows[0][1:]
                (self.folder / kind / face.name).write_bytes(pictures.encode_png(rows))

    def test_fails_when_nothing_was_learnt(self):
        said = self.report(code=1)
        self.assertRegex(said, "FAILED +Restoring by the CAE: .* the mean face: ")
        self.assertRegex(said, "FAILED +De-noising by the CAE: .* its noisy input: ")
        self.assertIn('class="bad"', (self.folder / "report.html").read_text(encoding="utf-8"))

    def test_each_check_decides_alone(self):
        self.learn()
        self.assertNotIn("FAILED", self.report(code=0))
        for kind in ("restored-file", "denoised-cae", "denoised-unet"):
            shutil.copytree(self.folder / kind, self.folder / "kept")
            for path in (self.folder / kind).iterdir():
                path.write_bytes(pictures.encode_png(pattern(64, 64)))
            self.assertEqual(self.report(code=1).count("FAILED"), 1, kind)
            shutil.rmtree(self.folder / kind)
            (self.folder / "kept").rename(self.folder / kind)

    def test_the_winner_is_named(self):
        self.learn()
        for kind, winner in (("denoised-cae", "U-net"), ("denoised-unet", "CAE")):
            for face in (self.folder / kind).iterdir():
                rows = pictures.read_png(self.folder / "faces/unseen" / face.name)
                worse = [bytes(value ^ 8 for value in row) for row in rows]
                face.write_bytes(pictures.encode_png(worse))
            self.report(code=0)
            page = (self.folder / "report.html").read_text(encoding="utf-8")
            self.assertIn(f"The {winner} wins: ", page)
            self.learn()

    def test_the_page_stands_alone(self):
        self.learn()
        self.report(code=0)
        page = (self.folder / "report.html").read_text(encoding="utf-8")
        outline = Outline()
        outline.feed(page)
        self.assertEqual(outline.open, [])
        self.assertEqual(len(outline.sources), 9)  # the grids
        for source in outline.sources:
            self.assertTrue(source.startswith("data:image/png;base64,"), source[:40])
            data = base64.b64decode(source.partition(",")[2])
            self.assertEqual(int.from_bytes(data[16:20], "big"), 5 * 64 + 4 * 4)
            self.assertEqual(zlib.crc32(data[-8:-4]), int.from_bytes(data[-4:], "big"))
        self.assertNotRegex(page, r"https?:|url\(|@import|<script|\$[a-z{]")
        self.assertIn("my &lt;faces&gt;", page)
        self.assertEqual(page.count("cae &lt;1&gt; &amp; 2"), 2)
        self.assertEqual(page.count('class="curves"'), 2)

    def test_measures_agree_with_the_command(self):
        """Two programs, one in C and one in Python, on what the network made of the same faces."""
        said = json.loads(self.cae("eval", "networks/cae-compress", "faces/unseen", "--json"))
        measured = [
            pictures.Original(pictures.read_png(face)).measure(
                pictures.read_png(self.folder / "restored-cae" / face.name)
            )
            for face in (self.folder / "faces/unseen").iterdir()
        ]
        for place, key in ((1, "psnr"), (2, "ssim")):
            mean = sum(values[place] for values in measured) / len(measured)
            self.assertAlmostEqual(mean, said[key], places=6)


class Text(Case):
    def test_the_network_is_the_preset_but_for_its_size(self):
        def layers(text):
            lines = [line for line in text.splitlines() if line and not line.startswith("#")]
            self.assertTrue(lines[0].startswith("input 1 "), lines[0])
            return lines[0].split()[4:], lines[1:]

        written = (REPORT / "unet-denoise-64.txt").read_text(encoding="ascii")
        (self.folder / "faces").mkdir()
        (self.folder / "faces/0.png").write_bytes(pictures.encode_png(pattern(96, 96)))
        arguments = "train --quiet --model unet-denoise-fast --data faces --val faces --out m"
        self.run_command(TOOL, *arguments.split(), "--steps", 1, "--batch", 1)
        preset = json.loads(self.run_command(TOOL, "info", "m", "--json"))
        self.assertEqual(preset["preset"], "unet-denoise-fast")
        self.assertEqual(layers(preset["architecture"]), layers(written))


class Script(Case):
    def script(self, *arguments, code):
        return self.run_command("sh", ROOT / "examples/quickstart.sh", *arguments, code=code)

    def test_arguments(self):
        self.assertIn("sh examples/quickstart.sh DIR", self.script("--help", code=0))
        self.assertIn("usage:", self.script("--frobnicate", code=2))
        self.assertIn("usage:", self.script("a", "b", code=2))
        self.assertIn("nowhere: no such folder", self.script("nowhere", code=1))
        (self.folder / "quickstart/faces").mkdir(parents=True)
        self.assertIn("move the faces elsewhere", self.script("quickstart/faces", code=1))
        self.assertTrue((self.folder / "quickstart/faces").is_dir())


if __name__ == "__main__":
    unittest.main()
