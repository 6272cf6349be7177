# SPDX-License-Identifier: BSD-2-Clause
"""Folders of faces: one folder a person, --crop and --size against plain formulas, --split-by-person,
and files that cannot be read."""

import csv
import json
import os
import random
import re
import resource
import subprocess
import unittest
from fractions import Fraction

import tool

ENDING = "jpg" if tool.READS_JPEG else "png"


def grey(r, g, b):
    return (77 * r + 150 * g + 29 * b + 128) >> 8


def overlap(a, b, c, d):
    return max(0, min(b, d) - max(a, c))


def scaled(width, height, channels, pixels, to_width, to_height):
    """Every output pixel as the mean of what it covers, in fractions; .5 is rounded up."""
    def covers(size, to):
        step = Fraction(size, to)
        return [[(i, overlap(o * step, (o + 1) * step, i, i + 1)) for i in range(size)
                 if overlap(o * step, (o + 1) * step, i, i + 1) > 0] for o in range(to)]
    area = Fraction(width, to_width) * Fraction(height, to_height)
    out = []
    for rows in covers(height, to_height):
        for columns in covers(width, to_width):
            for c in range(channels):
                mean = sum(wy * wx * pixels[(y * width + x) * channels + c]
                           for y, wy in rows for x, wx in columns) / area
                out.append(int(mean + Fraction(1, 2)))
    return bytes(out)


class Prepare(tool.Case):
    def prepared(self, width, height, channels, pixels, crop="-", size="-", to=None):
        magic = b"P5" if channels == 1 else b"P6"
        to = to or channels
        tool.write("in.pnm", magic + b" %d %d 255\n" % (width, height) + pixels)
        subprocess.run([tool.PREPARE, "in.pnm", crop, size, str(to), "out.pnm"], check=True,
                       timeout=60)
        return tool.read_pnm(tool.read("out.pnm"))

    def test_scaling_is_the_mean_of_the_area(self):
        numbers = random.Random(1)
        for width, height, to_width, to_height, channels in (
                (84, 84, 64, 64, 1), (21, 21, 16, 16, 3), (5, 3, 5, 3, 1), (6, 4, 3, 2, 1),
                (7, 5, 3, 2, 3), (3, 2, 7, 5, 1), (1, 1, 4, 3, 3), (10, 1, 1, 1, 1),
                (13, 9, 20, 4, 1), (100, 2, 99, 1, 1)):
            pixels = bytes(numbers.randrange(256) for _ in range(width * height * channels))
            with self.subTest(f"{width}x{height} to {to_width}x{to_height}, {channels}"):
                self.assertEqual(
                    self.prepared(width, height, channels, pixels, size=f"{to_width}x{to_height}"),
                    (to_width, to_height, channels,
                     scaled(width, height, channels, pixels, to_width, to_height)))

    def test_halves_are_rounded_up(self):
        self.assertEqual(self.prepared(2, 1, 1, bytes([3, 4]), size="1x1")[3], bytes([4]))
        self.assertEqual(self.prepared(2, 1, 1, bytes([255, 255]), size="1x1")[3], bytes([255]))
        self.assertEqual(self.prepared(4, 1, 1, bytes([3, 3, 3, 4]), size="1x1")[3], bytes([3]))

    def test_a_box_is_cut_out(self):
        pixels = tool.face(1, 25, 20)
        for left, top, width, height in ((0, 0, 25, 20), (3, 4, 5, 6), (24, 19, 1, 1)):
            wanted = b"".join(pixels[((top + y) * 25 + left) * 3:((top + y) * 25 + left + width) * 3]
                              for y in range(height))
            self.assertEqual(self.prepared(25, 20, 3, pixels, f"{left},{top},{width}x{height}"),
                             (width, height, 3, wanted))

    def test_the_order_is_cut_scale_grey(self):
        pixels = tool.face(5, 30, 30)
        box = b"".join(pixels[((2 + y) * 30 + 4) * 3:((2 + y) * 30 + 4 + 21) * 3] for y in range(21))
        small = scaled(21, 21, 3, box, 16, 16)
        wanted = bytes(grey(*small[i:i + 3]) for i in range(0, len(small), 3))
        self.assertEqual(self.prepared(30, 30, 3, pixels, "4,2,21x21", "16x16", 1)[3], wanted)
        early = bytes(grey(*box[i:i + 3]) for i in range(0, len(box), 3))
        self.assertNotEqual(scaled(21, 21, 1, early, 16, 16), wanted)  # so the test can tell

    def test_wrong_arguments(self):
        tool.make_images("d", 1, 16, 16)
        model = self.model("m")
        for crop in ("", "1", "1,2", "1,2,3", "1,2,3x", "1,2,3x4x5", "1,2,3x4 ", " 1,2,3x4",
                     "-1,2,3x4", "1,2,0x4", "1,2,3x0", "1,2,3X4", "1,2,16385x4", "16777217,2,3x4",
                     "1,99999999999999999999999,3x4", "1.5,2,3x4", "1;2,3x4"):
            self.fails("eval", model, "d", "--crop", crop, code=2, naming="--crop")
        for size in ("64", "64x", "x64", "0x1", "1x0", "64x64x", "64,64", "16385x1", "+6x4", ""):
            self.fails("train", "--model", "m.txt", "--data", "d", "--steps", 1, "--out", "o",
                       "--size", size, code=2, naming="--size")
        self.fails("train", "--model", "m.txt", "--data", "d", "--steps", 1, "--out", "o", "--val",
                   "d", "--split-by-person", code=2, naming="--split-by-person")
        for fraction in ("0", "1", "x", "-0.1"):
            self.fails("train", "--model", "m.txt", "--data", "d", "--steps", 1, "--out", "o",
                       "--split-by-person", "--val-fraction", fraction, code=2,
                       naming="--val-fraction")
        self.fails("train", "--model", "m.txt", "--data", "d", "--steps", 1, "--out", "o",
                   "--val-fraction", 0.1, code=2, naming="--val-fraction")


class Folders(tool.Case):
    def score(self, *words, **options):
        return json.loads(self.ok("eval", *words, "--json", **options).stdout)

    def train(self, *words):
        return self.ok("train", "--model", "m.txt", "--steps", 2, "--out", "o", "--reproducible",
                       *words)

    def test_a_folder_for_each_person(self):
        model = self.model("m")
        names = tool.make_people("lfw", 5, 2, ENDING)
        os.mkdir("lfw/P99")  # nobody
        os.makedirs("lfw/P01/deeper")
        tool.write("lfw/P01/deeper/x.png", b"never read")
        os.makedirs("lfw/.hidden")
        tool.write("lfw/.hidden/x.png", b"never read")
        tool.write("lfw/P01/.x.png", b"never read")
        tool.write("lfw/readme.txt", b"never read")
        score = self.score(model, "lfw")
        self.assertEqual(score["count"], len(names))
        # A flat folder with the same files in the same order trains the same network.
        os.mkdir("flat")
        for name in names:
            tool.write("flat/" + os.path.basename(name), tool.read("lfw/" + name))
        self.assertEqual(self.score(model, "flat"), score)
        self.train("--data", "flat")
        flat = tool.read("o")
        self.train("--data", "lfw")
        self.assertEqual(tool.read("o"), flat)

    def test_names_are_in_byte_order_with_their_folders(self):
        model = self.model("m")
        for name in ("b/1.png", "a-b/9.png", "a/2.png", "a.b/1.png"):
            os.makedirs("d/" + os.path.dirname(name))
            tool.make_images("one", 1, 16, 16)
            os.rename("one/000.png", "d/" + name)
        for limit, bad in enumerate(sorted(os.listdir("d"), key=lambda n: (n + "/").encode()), 1):
            [name] = os.listdir("d/" + bad)
            data = tool.read(f"d/{bad}/{name}")
            tool.write(f"d/{bad}/{name}", b"junk")
            done = tool.run("eval", model, "d", "--limit", limit)
            self.assertIn(f"d/{bad}/{name}: not a PNG", done.stderr)
            if limit > 1:
                self.assertNotIn("not a PNG", self.ok("eval", model, "d", "--limit",
                                                      limit - 1).stderr)
            tool.write(f"d/{bad}/{name}", data)

    def test_links_are_followed(self):
        model = self.model("m")
        names = tool.make_people("lfw", 2, 2, "png")
        os.mkdir("links")
        os.symlink("../lfw/P00", "links/P00")
        os.mkdir("links/P01")
        os.symlink("../../lfw/" + names[2], "links/" + names[2])
        os.symlink(".", "links/self")
        self.assertEqual(self.score(model, "links")["count"], 3)
        os.symlink("nowhere.png", "links/P01/broken.png")
        done = self.ok("eval", model, "links")
        self.assertIn("links/P01/broken.png", done.stderr)

    def test_bad_files_are_left_out_with_a_count(self):
        model = self.model("m")
        names = tool.make_people("lfw", 4, 2, ENDING)
        score = self.score(model, "lfw")
        tool.write("lfw/P02/a.png", b"junk")
        tool.write("lfw/P03/empty.jpg", b"")
        tool.write("lfw/P03/half.ppm", b"P6 16 16 255\n123")
        done = self.ok("eval", model, "lfw", "--json")
        self.assertEqual(json.loads(done.stdout), score)
        for name in ("P02/a.png", "P03/half.ppm"):
            self.assertIn(f"cae: lfw/{name}: ", done.stderr)
        self.assertRegex(done.stderr, r"lfw: \d+ of \d+ images are left out")
        quiet = self.ok("eval", model, "lfw", "--quiet")
        self.assertIn("lfw/P02/a.png", quiet.stderr)
        self.assertNotIn("note", quiet.stderr)
        for name in names:
            tool.write("lfw/" + name, b"junk")
        done = self.fails("eval", model, "lfw", naming="lfw: not one of ")
        self.assertIn("can be taken", done.stderr)
        self.fails("train", "--model", "m.txt", "--data", "lfw", "--steps", 1, "--out", "o",
                   naming="lfw: not one of ")
        self.assertFalse(os.path.exists("o"))
        os.mkdir("none")
        self.fails("eval", model, "none", naming="none: no .png")
        os.mkdir("none/nobody")
        self.fails("eval", model, "none", naming="none: no .png")

    def test_crop_and_size_are_those_of_files_cut_before(self):
        names = tool.make_people("lfw", 4, 3, ENDING, 30, 28)
        os.mkdir("cut")
        for name in names:
            subprocess.run([tool.PREPARE, "lfw/" + name, "5,3,21x21", "16x16", "3",
                            "cut/" + os.path.basename(name)[:-3] + "ppm"], check=True, timeout=60)
        model = self.model("m")
        cut = ("--crop", "5,3,21x21", "--size", "16x16")
        self.assertEqual(self.score(model, "lfw", *cut), self.score(model, "cut"))
        self.train("--data", "cut")
        wanted = tool.read("o")
        self.train("--data", "lfw", *cut)
        self.assertEqual(tool.read("o"), wanted)
        self.train("--data", "lfw", *cut, "--val", "lfw")  # cut too: a network that is dense at ...
        tool.write("m.txt", tool.DENSE.encode())           # ... its end takes its own size alone
        self.train("--data", "lfw", *cut, "--val", "lfw")

    def test_what_does_not_hold_the_box_is_left_out(self):
        model = self.model("m")
        tool.make_images("d", 2, 16, 16)
        tool.write("d/small.pgm", b"P5 15 16 255\n" + bytes(240))
        for crop, count in (("0,0,16x16", 2), ("14,0,1x16", 3), ("0,15,15x1", 3)):
            done = self.ok("eval", model, "d", "--crop", crop, "--json")
            self.assertEqual(json.loads(done.stdout)["count"], count)
            self.assertEqual("d/small.pgm: 15 x 16 does not hold the box" in done.stderr, count == 2)
        for crop in ("0,0,17x1", "1,0,16x1", "0,16,1x1", "17,0,1x1", "16777216,16777216,1x1"):
            self.fails("eval", model, "d", "--crop", crop, naming="d: not one of 3")

    def test_many_large_images_are_not_in_memory_at_once(self):
        model = self.model("m")
        os.mkdir("d")
        for n in range(8):  # 128 MiB
            tool.write(f"d/{n}.pgm", b"P5 4096 4096 255\n" + bytes(1 << 24))
        score = self.score(model, "d", "--crop", "7,7,32x32", "--size", "16x16")
        self.assertEqual(score["count"], 8)
        if not os.environ.get("CAE_TEST_SANITIZED"):  # a sanitizer keeps what is freed
            most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # in KiB
            self.assertLess(most, 96 << 10)


class Split(tool.Case):
    def split(self, *words, data="lfw"):
        """(images, people) to train on and to measure on."""
        done = self.ok("train", "--model", "m.txt", "--data", data, "--steps", 1, "--out", "o",
                       "--split-by-person", "--log", "o.csv", *words)
        found = re.search(r"(\d+) images of (\d+) people to train on, (\d+) of (\d+) others",
                               done.stderr)
        return tuple(map(int, found.groups()))

    def test_people_are_counted_in_either_layout(self):
        tool.write("m.txt", tool.GREY.encode())
        tool.make_people("lfw", 20, 3, "png")
        self.assertEqual(self.split(), (54, 18, 6, 2))
        self.assertEqual(self.split("--val-fraction", 0.5), (30, 10, 30, 10))
        os.mkdir("flat")
        for folder in os.listdir("lfw"):
            for name in os.listdir("lfw/" + folder):
                os.rename(f"lfw/{folder}/{name}", "flat/" + name)
        self.assertEqual(self.split(data="flat"), (54, 18, 6, 2))
        with open("o.csv", newline="", encoding="ascii") as file:
            self.assertNotEqual(list(csv.DictReader(file))[-1]["val_mse"], "")

    def test_the_two_layouts_and_runs_split_alike(self):
        tool.write("m.txt", tool.GREY.encode())
        names = tool.make_people("lfw", 12, 2, "png", 16, 16)
        os.mkdir("flat")
        for name in names:
            tool.write("flat/" + os.path.basename(name), tool.read("lfw/" + name))
        models = {}
        for data in ("lfw", "flat"):
            for seed in (1, 2):
                for again in (0, 1):
                    self.split("--seed", seed, "--val-fraction", 0.5, "--reproducible", data=data)
                    models[data, seed, again] = tool.read("o")
        self.assertEqual(len(set(models.values())), 2)
        self.assertEqual({models[data, 1, again] for data in ("lfw", "flat") for again in (0, 1)},
                         {models["lfw", 1, 0]})

    def test_one_person_cannot_be_split(self):
        tool.write("m.txt", tool.GREY.encode())
        tool.make_people("lfw", 1, 5, "png")
        self.fails("train", "--model", "m.txt", "--data", "lfw", "--steps", 1, "--out", "o",
                   "--split-by-person", naming="lfw: cannot be split by person")
        self.assertFalse(os.path.exists("o"))

    def test_a_split_run_resumes(self):
        tool.write("m.txt", tool.GREY.encode())
        tool.make_people("lfw", 10, 2, "png", 16, 16)
        words = ["train", "--model", "m.txt", "--data", "lfw", "--split-by-person", "--batch", 4]
        self.ok(*words, "--steps", 12, "--out", "whole")
        self.ok(*words, "--steps", 7, "--out", "parts")
        self.ok(*words, "--steps", 12, "--out", "parts", "--resume")
        self.assertEqual(tool.read("parts"), tool.read("whole"))


if __name__ == "__main__":
    unittest.main()
