# SPDX-License-Identifier: BSD-2-Clause
"""Learning from noisy images alone: `cae train --self` and `--pairs`. What goes together, which
images are taken, noise that is not white, and the same bytes after a stop, with threads, by seed."""

import json
import os
import random
import struct
import unittest

import tool

TOLD = """input 1 16 16 noise
mark noisy
conv 4 kernel 3 pad 1 relu
conv 1 kernel 3 pad 1
add noisy
"""
PLAIN = TOLD.replace(" noise\n", "\n", 1).replace("add", "code\nadd")
COLOUR = TOLD.replace("input 1", "input 3").replace("conv 1 kernel", "conv 3 kernel")


def noise(seed, width, height, sigma=20, channels=1):
    """Rows of white noise around a slope."""
    draw = random.Random(seed)
    return [[min(255, max(0, round(90 + 40 * y / height + draw.gauss(0, sigma))))
             for _ in range(width * channels)] for y in range(height)]


def save(path, rows, channels=1, deep=False):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    packed = [struct.pack(f">{len(row)}{'H' if deep else 'B'}", *(v * 257 if deep else v for v in row))
              for row in rows]
    tool.write(path, tool.png(len(rows[0]) // channels, len(rows), 16 if deep else 8,
                              0 if channels == 1 else 2, packed))


def smoothed(rows):
    """The mean of 2 x 2 pixels at each: neighbours have half their noise in common."""
    down = [a for a in zip(rows, rows[1:] + rows[-1:])]
    return [[(a[x] + a[min(x + 1, len(a) - 1)] + b[x] + b[min(x + 1, len(b) - 1)]) // 4
             for x in range(len(a))] for a, b in down]


def weights(path):
    """Of the network alone: files differ by their notes, such as the seed, in any case."""
    data = tool.read(path)
    size, = struct.unpack_from("<Q", data)
    return {name: data[8 + size:][slice(*entry["data_offsets"])]
            for name, entry in json.loads(data[8:8 + size]).items() if name[0].isdigit()}


class Self(tool.Case):
    def setUp(self):
        super().setUp()
        tool.write("told.txt", TOLD.encode())
        tool.write("plain.txt", PLAIN.encode())
        tool.write("colour.txt", COLOUR.encode())
        save("one.png", noise(1, 70, 66))

    def command(self, out, *more, model="told.txt", data="one.png"):
        return ["train", "--model", model, *(["--self", "--data", data] if data else []), "--steps",
                "6", "--out", out, *map(str, more)]

    def train(self, out, *more, **options):
        said = self.ok(*self.command(out, *more, **options)).stderr
        return tool.read(out), said

    def weights(self, *more, **options):
        self.train("w", *more, **options)
        return weights("w")

    def losses(self, *more, **options):
        self.train("w", *more, "--log", "log.csv", **options)
        return [float(line.split(b",")[2]) for line in tool.read("log.csv").split()[1:]]

    def notes(self, path):
        return json.loads(self.ok("info", path, "--json").stdout)["notes"]

    def estimate(self, path):
        return json.loads(self.ok("noise", "--estimate", path, "--json").stdout)[0]["sigma"]

    def burst(self, folder, frames=3, width=40, height=38, channels=1):
        for n in range(frames):
            save(f"{folder}/{n}.png", noise(folder + str(n), width, height, channels=channels),
                 channels)

    def test_what_does_not_go_together(self):
        for words, said in (
                (["--noise", 25], "--noise does not go with --self"),
                (["--val", "v"], "--val does not go with --self"),
                (["--split-by-person"], "--split-by-person does not go with --self"),
                (["--val", "v", "--keep-best"], "does not go with --self"),
                (["--size", "32x32"], "--size does not go with --self"),
                (["--texture", 2], "--texture does not go with --self"),
                (["--pairs", "d"], "--self and --pairs"),
                (["--sigma", "x"], '--sigma: "x"'), (["--sigma", "256"], '--sigma: "256"'),
                (["--sigma", "-1"], '--sigma: "-1"'), (["--sigma", "nan"], '--sigma: "nan"'),
                (["--sigma", "0"], "--sigma must be"), (["--sigma", "0.001"], "--sigma must be"),
                (["--gain", "0.1", "--sigma", "auto"], "--gain needs a --sigma"),
                (["--gain", "2"], "--gain"), (["--gain", "inf"], "--gain"),
                (["--gain", "1e-200"], "--gain must be 0 or from 1e-06 on")):
            with self.subTest(words):
                self.fails(*self.command("m", *words), naming=said, code=2)
        for words, said in ((["--sigma", 5], "--sigma goes with --self or --pairs"),
                            (["--gain", "0.1"], "--gain goes with --self or --pairs"),
                            (["--force"], "--force goes with"),
                            (["--pairs", "d"], "--pairs DIR and --data")):
            self.fails("train", "--model", "told.txt", "--data", "d", "--steps", 1, "--out", "m",
                       *words, naming=said, code=2)
        self.fails("train", "--model", "told.txt", "--self", "--out", "m", naming="--data", code=2)
        self.burst("d")
        self.fails(*self.command("m", "--pairs", "d", "--force", data=None),
                   naming="--force goes with", code=2)
        self.fails(*self.command("m", "--pairs", "d", "--limit", 1, data=None), naming="--limit")
        # What `cae denoise` could not do is not learnt.
        self.fails(*self.command("m", "--gain", "0.01", model="plain.txt"),
                   naming="plain.txt: the network takes no noise level: --gain")
        self.train("fine", "--gain", "0.01", "--sigma", "0.005")
        self.fails("train", "--from", "m", "--self", "--data", "d", "--steps", 0, "--out", "n",
                   naming="--steps 0", code=2)
        self.assertFalse(os.path.exists("m"))

    def test_which_images(self):
        save("d/a.png", noise(2, 40, 44))
        save("d/b.png", noise(3, 33, 35))      # odd sides
        save("d/small.png", noise(4, 31, 64))  # less than a part, 32 x 32
        tool.write("d/broken.png", b"\x89PNG\r\n\x1a\n")
        _, said = self.train("m", data="d")
        self.assertIn("small.png: 31 x 64 is smaller than the parts that are trained on, 32 x 32", said)
        self.assertIn("d: 1 of 4 images are left out", said)
        self.assertTrue(self.notes("m")["cae.data"].startswith("2 images"))
        for width, height in ((17, 19), (16, 16), (21, 300)):  # less than a part: it becomes less
            save("s.png", noise(5, width, height))
            self.train("m", data="s.png")
        for width, height in ((1, 1), (15, 64), (64, 15)):
            save("s.png", noise(6, width, height))
            self.fails(*self.command("m", data="s.png"), naming="is too small to learn from")
        self.fails(*self.command("m", data="none.png"), naming="none.png")
        tool.write("text.png", b"no image")
        self.fails(*self.command("m", data="text.png"), naming="text.png")
        os.mkdir("empty")
        self.fails(*self.command("m", data="empty"), naming="empty")
        self.train("m", "--crop", "3,2,40x39")
        self.fails(*self.command("m", "--crop", "3,2,70x39"), naming="does not hold the box")
        tool.write("dense.txt", tool.DENSE.encode())
        self.fails(*self.command("m", model="dense.txt"), naming="dense.txt: the network must take")

    def test_depth_and_channels(self):
        rows = noise(7, 64, 64)
        save("a.png", rows)
        save("b.png", rows, deep=True)
        flat = {name: self.train(name + ".m", data=name + ".png")[0] for name in "ab"}
        self.assertEqual(flat["a"], flat["b"])
        fine = [[v * 257 + 60 for v in row] for row in rows]
        tool.write("c.png", tool.png(64, 64, 16, 0, [struct.pack(">64H", *row) for row in fine]))
        self.assertNotEqual(self.weights(data="c.png"), weights("a.m"))  # 16 bits are kept
        save("rgb.png", noise(8, 64, 64, channels=3), channels=3)
        self.train("m", data="rgb.png", model="colour.txt")
        self.train("m", data="rgb.png")
        self.assertTrue(self.notes("m")["cae.data"].startswith("3 images"))  # one for each channel
        self.train("m", data="a.png", model="colour.txt")  # three equal channels

    def test_the_level(self):
        estimate = self.estimate("one.png")
        self.train("m")
        self.assertAlmostEqual(float(self.notes("m")["cae.noise"]), estimate, delta=0.06)
        self.train("m", "--sigma", "auto")
        self.assertAlmostEqual(float(self.notes("m")["cae.noise"]), estimate, delta=0.06)
        self.train("m", "--sigma", 12)
        self.assertAlmostEqual(float(self.notes("m")["cae.noise"]), 12, delta=1e-4)
        self.assertEqual(self.notes("m")["cae.self"], "neighbours, 6 steps")
        self.train("m", "--sigma", 12, "--gain", 0.01)
        self.assertEqual(self.notes("m")["cae.self"], "neighbours, 6 steps, gain 0.01")
        self.train("m", "--gain", 0.01)
        found = [self.weights(*more) for more in (
            [], ["--sigma", 12], ["--sigma", 24], ["--sigma", 12, "--gain", 0.01],
            ["--gain", 0.01])]
        for n, one in enumerate(found):
            self.assertNotIn(one, found[:n])
        # A network that is not told the level does not depend on it.
        self.assertEqual(self.weights("--sigma", 12, model="plain.txt"),
                         self.weights(model="plain.txt"))
        # The level belongs to the image, not to the run.
        save("two/a.png", noise(17, 64, 64, 5))
        save("two/b.png", noise(18, 64, 64, 40))
        self.assertNotEqual(self.weights(data="two"), self.weights("--sigma", 20, data="two"))

    def test_the_second_term(self):
        """Its weight rises with the part of the steps that is done: of a longer run the first steps
        are others, all but the very first. Bursts have none."""
        self.burst("d")
        same = ["--schedule", "constant", "--warmup", 0]
        for model in ("told.txt", "plain.txt"):
            with self.subTest(model):
                short = self.losses(*same, "--stop-after", 3, model=model)
                long = self.losses(*same, "--steps", 12, "--stop-after", 3, model=model)
                self.assertEqual(short[0], long[0])
                self.assertNotEqual(short[1], long[1])
        more = [*same, "--pairs", "d", "--stop-after", 3]
        self.assertEqual(self.weights(*more, data=None),
                         self.weights(*more, "--steps", 12, data=None))

    def test_dependent_noise_is_refused(self):
        for number, change in enumerate((smoothed, lambda rows: [
                [v for v in row for _ in (0, 1)] for row in rows for _ in (0, 1)])):
            save("bad.png", change(noise(9, 128, 128)))
            self.fails(*self.command("m", data="bad.png"),
                       naming="bad.png: the noise is not independent from pixel to pixel")
            self.assertFalse(os.path.exists("m"))
            _, said = self.train("m" + str(number), "--force", data="bad.png")
            self.assertIn("--force: the network may learn to keep it", said)
            os.remove("m" + str(number))
        for sigma in (2, 5, 20, 60):
            save("good.png", noise(10, 128, 128, sigma))
            self.train("m", data="good.png")
        os.remove("m")
        # What a file has clipped is left aside: half of the picture black, or white.
        for end in (0, 255):
            save("clipped.png", [[end] * 128] * 64 + noise(10, 128, 64))
            self.train("m", data="clipped.png")
            os.remove("m")
        save("flat.png", [[100] * 128] * 128)
        self.fails(*self.command("m", data="flat.png"), naming="no noise beyond rounding")
        # One image in three is no reason.
        for n in range(2):
            save(f"three/{n}.png", noise(n, 128, 128))
        save("three/bad.png", smoothed(noise(9, 128, 128)))
        self.train("m", data="three")
        # Inside the frames of a burst it may be as it likes.
        for n in range(2):
            save(f"b/{n}.png", smoothed(noise(11 + n, 128, 128)))
        self.train("m", "--pairs", "b", data=None)

    @unittest.skipUnless(tool.READS_JPEG, "no JPEG")
    def test_a_jpeg_is_refused(self):
        pixels = bytes(v for row in noise(12, 128, 128, 8, channels=3) for v in row)
        tool.write("a.jpg", tool.jpeg(128, 128, "sub", pixels, 60))
        self.fails(*self.command("m", data="a.jpg"), naming="a.jpg: there is no noise beyond rounding")

    def test_bursts(self):
        self.burst("d/a")
        self.burst("d/b", 2, 33, 50)
        self.train("m", "--pairs", "d", data=None)
        self.assertEqual(self.notes("m")["cae.self"], "pairs")
        self.assertTrue(self.notes("m")["cae.data"].startswith("5 images"))
        self.burst("alone")
        self.train("m", "--pairs", "alone", data=None)
        self.burst("rgb", channels=3)
        self.train("m", "--pairs", "rgb", data=None)
        self.assertTrue(self.notes("m")["cae.data"].startswith("9 images"))
        self.burst("d/c", 1)
        self.fails(*self.command("m", "--pairs", "d", data=None), naming="d/c: a burst of one frame")
        self.burst("d/c", 2)
        save("d/c/2.png", noise(1, 41, 38))
        self.fails(*self.command("m", "--pairs", "d", data=None),
                   naming="d/c/2.png: 41 x 38, but c/0.png of the same burst has 40 x 38")
        self.fails(*self.command("m", "--pairs", "one.png", data=None), naming="one.png: a file")
        self.fails(*self.command("m", "--pairs", "none", data=None), naming="none")
        # A frame learns another: with two that are alike, to copy.
        for n in range(2):
            save(f"same/{n}.png", noise(13, 32, 32))
        self.ok("train", "--model", "plain.txt", "--pairs", "same", "--steps", 200, "--lr", 0.01,
                "--out", "m", "--log", "log.csv")
        losses = [float(line.split(b",")[2]) for line in tool.read("log.csv").split()[1:]]
        self.assertLess(losses[-1], losses[0] / 4)
        # And never itself: a new network adds little to a frame, and the other is far away.
        for n in range(2):
            save(f"far/{n}.png", [[v // 4 + 120 * n for v in row] for row in noise(n, 32, 32)])
        losses = self.losses("--pairs", "far", "--sigma", 5, "--lr", 1e-6, model="plain.txt",
                             data=None)
        self.assertGreater(min(losses), 0.1)
        self.assertNotEqual(self.weights("--pairs", "far", data=None), self.weights(data="far"))

    def test_the_same_bytes(self):
        save("d/b.png", noise(14, 50, 40))
        save("d/a.png", noise(15, 64, 64))
        self.burst("bursts/a", 3)
        for data, more in (("one.png", []), ("d", ["--batch", 2]), (None, ["--pairs", "bursts"])):
            with self.subTest(data):
                whole, _ = self.train("a", *more, data=data)
                self.assertEqual(self.train("b", *more, data=data)[0], whole)
                for threads in (1, 2, 3):
                    self.assertEqual(self.train("b", *more, "--threads", threads, data=data)[0], whole)
                for stop in (1, 4):
                    os.remove("b")
                    self.train("b", *more, "--stop-after", stop, data=data)
                    self.assertEqual(self.train("b", *more, "--resume", data=data)[0], whole)
        # The seed is more than that of the first weights.
        for data, more in (("one.png", []), ("d", []), (None, ["--pairs", "bursts"])):
            self.train("b", *more, data=data)
            found = []
            for seed in (1, 2):
                self.ok("train", "--from", "b", "--steps", 6, "--out", "w", "--seed", seed, *more,
                        *(["--self", "--data", data] if data else []))
                found.append(weights("w"))
            self.assertNotEqual(*found)
        if hasattr(os, "sched_setaffinity"):
            mine = os.sched_getaffinity(0)
            self.addCleanup(os.sched_setaffinity, 0, mine)
            os.sched_setaffinity(0, {min(mine)})  # no second thread there
            self.assertEqual(self.train("b", *more, data=data)[0], whole)

    def test_the_same_on_every_processor(self):
        found = set()
        for tier in ("c", "sse2", "avx2", "avx512"):
            environment = {**os.environ, "CAE_CPU": tier}
            done = tool.run(*self.command("m", "--reproducible"), env=environment)
            if "CAE_CPU" not in done.stderr:
                self.assertEqual(done.returncode, 0, done.stderr)
                found.add(tool.read("m"))
        self.assertEqual(len(found), 1)

    def test_another_run_is_refused(self):
        self.train("m", "--stop-after", 3)
        for more, said in ((["--sigma", 9], "--sigma: 19."), (["--seed", 2], "--seed"),
                           (["--steps", 7], "neighbours, 7 steps now")):
            self.fails(*self.command("m", "--resume", *more), naming=said)
        self.fails("train", "--resume", "--data", "three", "--steps", 6, "--out", "m",
                   naming="three")
        save("d/a.png", noise(1, 70, 66))
        self.fails("train", "--resume", "--data", "d", "--steps", 6, "--out", "m",
                   naming="--self or --pairs: neighbours, 6 steps before, none now")

    def test_from_weights_and_defaults(self):
        self.train("m")
        self.ok("train", "--from", "m", "--self", "--data", "one.png", "--epochs", 1, "--out", "n")
        settings = json.loads(self.ok("info", "n", "--json").stdout)["settings"]
        self.assertEqual(settings["learning_rate"], 0.00003)
        self.burst("d")
        self.ok("train", "--from", "m", "--pairs", "d", "--epochs", 1, "--out", "p")
        settings = json.loads(self.ok("info", "p", "--json").stdout)["settings"]
        self.assertEqual(settings["learning_rate"], 0.001)
        self.assertEqual(self.notes("n")["cae.batch"], "4")
        self.assertEqual(self.notes("n")["cae.symmetries"], "8")
        self.assertTrue(self.notes("n")["cae.schedule"].startswith("linear, warm-up 0.05"))

    def test_it_removes_noise(self):
        save("big.png", noise(16, 192, 192))
        self.ok("train", "--model", "told.txt", "--self", "--data", "big.png", "--steps", 300,
                "--batch", 16, "--lr", 0.01, "--out", "m")
        self.ok("denoise", "m", "big.png", "clean.png")
        before, after = self.estimate("big.png"), self.estimate("clean.png")
        self.assertLess(after, before / 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
