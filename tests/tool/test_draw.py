# SPDX-License-Identifier: BSD-2-Clause
"""Drawing images from codes: sample and interpolate, and training with a sampled code."""

import json
import os
import unittest

import tool

COLOUR_SAMPLED = """input 3 16 12
conv 6 kernel 3 pad 1 relu
maxpool 2
conv 8 kernel 3 pad 1
code sampled
tconv 3 kernel 2 stride 2 sigmoid
"""


def tiles(path, width, height):
    """The picture's tiles row by row, each as its bytes."""
    across, down, channels, pixels = tool.read_png(tool.read(path))
    assert across % width == 0 and down % height == 0, (across, down)
    size = across * channels
    rows = [pixels[y * size:(y + 1) * size] for y in range(down)]
    return [b"".join(row[x * width * channels:(x + 1) * width * channels]
                     for row in rows[y * height:(y + 1) * height])
            for y in range(down // height) for x in range(across // width)]


class Sample(tool.Case):
    def test_a_grid_of_near_square_shape(self):
        model = self.model("m", tool.SAMPLED)
        for count, across, down in ((1, 1, 1), (2, 2, 1), (3, 2, 2), (7, 3, 3), (12, 4, 3),
                                    (16, 4, 4)):
            self.ok("sample", model, "-n", count, "--out", "grid.png")
            self.assertEqual(tool.read_png(tool.read("grid.png"))[:3], (16 * across, 16 * down, 1))
            drawn = tiles("grid.png", 16, 16)
            self.assertEqual(len(set(drawn[:count])), count, "no two alike")
            self.assertTrue(all(tile == bytes(256) for tile in drawn[count:]), "the rest is black")

    def test_the_first_images_do_not_depend_on_the_number(self):
        model = self.model("m", tool.SAMPLED)
        self.ok("sample", model, "--seed", 5, "--out", "sixteen.png")
        self.ok("sample", model, "--seed=5", "-n=70", "--out", "seventy.png")
        few, many = tiles("sixteen.png", 16, 16), tiles("seventy.png", 16, 16)
        self.assertEqual((len(few), len(many)), (16, 72))
        self.assertEqual(few, many[:16])
        self.ok("sample", model, "--seed", 6, "--out", "other.png")
        self.assertEqual(set(few) & set(tiles("other.png", 16, 16)), set())

    def test_colour_and_other_formats(self):
        tool.make_images("data", 3, 12, 16, 3)
        model = self.model("m", COLOUR_SAMPLED)
        self.ok("sample", model, "-n", 5, "--out", "grid.ppm")
        self.ok("sample", model, "-n", 5, "--out", "grid.png")
        self.assertEqual(tool.read_pnm(tool.read("grid.ppm")),
                         tool.read_png(tool.read("grid.png")))
        self.assertEqual(tool.read_pnm(tool.read("grid.ppm"))[:3], (36, 32, 3))

    def test_other_models_are_refused(self):
        for name, text in (("grey", tool.GREY), ("dense", tool.DENSE), ("skip", tool.SKIP)):
            model = self.model(name, text)
            done = self.fails("sample", model, "--out", "grid.png", naming=name)
            self.assertIn("code sampled", done.stderr)
        self.fails("sample", "data/000.png", "--out", "grid.png", naming="data/000.png")
        self.fails("sample", "nowhere", "--out", "grid.png", naming="nowhere")
        self.assertNotIn("grid.png", os.listdir("."))

    def test_what_cannot_be_written_is_named(self):
        model = self.model("m", tool.SAMPLED)
        self.fails("sample", model, "--out", "nowhere/grid.png", naming="nowhere/grid.png")
        self.fails("sample", model, "--out", "data", naming="data")
        if os.path.exists("/dev/full"):
            self.fails("sample", model, "--out", "/dev/full", naming="/dev/full")
        self.fails("sample", self.model("c", COLOUR_SAMPLED, count=1), "-n", 2, "--out", "o.pgm",
                   naming="o.pgm")

    def test_a_skip_across_the_code_is_refused(self):
        text = ("input 1 16 16\nmark all\nconv 4 kernel 1\ncode sampled\nconv 1 kernel 1\n"
                "add all sigmoid\n")
        self.fails("sample", self.model("m", text), "--out", "grid.png", naming="skip")


class Interpolate(tool.Case):
    def check_ends(self, model, names, width, height):
        drawn = tiles("strip.png", width, height)
        for name, tile in zip(names, (drawn[0], drawn[-1])):
            self.ok("denoise", model, name, "restored.png")
            self.assertEqual(tool.read_png(tool.read("restored.png"))[3], tile)
        return drawn

    def test_the_ends_are_the_reconstructions(self):
        for text in (tool.SAMPLED, tool.GREY, tool.DENSE):
            model = self.model("m", text, steps=30, lr=0.01)
            names = ("data/000.png", "data/001.png")
            self.ok("interpolate", model, *names, "--out", "strip.png")
            drawn = self.check_ends(model, names, 16, 16)
            self.assertEqual(len(drawn), 8)
            self.ok("interpolate", model, *names, "--steps", 2, "--out", "strip.png")
            self.assertEqual(self.check_ends(model, names, 16, 16), [drawn[0], drawn[-1]])
            self.ok("interpolate", model, *reversed(names), "--steps", 9, "--out", "strip.png")
            self.assertEqual(len(self.check_ends(model, names[::-1], 16, 16)), 9)

    def test_the_way_between_is_even(self):
        # A network that is a linear map: what it makes of the codes lies on a line too.
        model = self.model("m", "input 1 16 16\nconv 2 kernel 1\ncode\nconv 1 kernel 1\n", steps=300,
                           lr=0.01)
        self.ok("interpolate", model, "data/000.png", "data/003.png", "--steps", 5, "--out",
                "strip.png")
        drawn = tiles("strip.png", 16, 16)
        for i, tile in enumerate(drawn):
            for first, value, last in zip(drawn[0], tile, drawn[4]):
                self.assertLess(abs(first + (last - first) * i / 4 - value), 1.01)

    def test_images_of_any_one_size(self):
        tool.make_images("large", 2, 21, 34, 3)
        model = self.model("m", tool.GREY)
        done = self.ok("interpolate", model, "large/000.png", "large/001.png", "--out", "strip.png")
        self.assertIn("grey", done.stderr)
        self.assertEqual(tool.read_png(tool.read("strip.png"))[:3], (8 * 21, 34, 1))

    def test_sizes_that_differ_are_named(self):
        tool.make_images("large", 1, 21, 34)
        tool.make_images("data", 1, 16, 16)
        model = self.model("m", tool.GREY)
        done = self.fails("interpolate", model, "data/000.png", "large/000.png", "--out", "s.png",
                          naming="data/000.png is 16 x 16")
        self.assertIn("large/000.png 21 x 34", done.stderr)
        dense = self.model("d", tool.DENSE)
        self.fails("interpolate", dense, "large/000.png", "large/000.png", "--out", "s.png",
                   naming="16 x 16 only")

    def test_bad_files_are_named(self):
        model = self.model("m", tool.GREY)
        tool.write("junk", b"nothing")
        for bad in ("nowhere", "junk", "data"):
            self.fails("interpolate", model, bad, "data/000.png", "--out", "s.png", naming=bad)
            self.fails("interpolate", model, "data/000.png", bad, "--out", "s.png", naming=bad)
            self.fails("interpolate", bad, "data/000.png", "data/001.png", "--out", "s.png",
                       naming=bad)
        self.fails("interpolate", model, "data/000.png", "data/001.png", "--out", "nowhere/s.png",
                   naming="nowhere/s.png")
        self.fails("interpolate", self.model("s", tool.SKIP), "data/000.png", "data/001.png",
                   "--out", "s.png", naming="skip")


class Train(tool.Case):
    def test_the_weight_of_the_divergence(self):
        light = self.model("light", tool.SAMPLED, steps=40, kl_weight=0)
        default = self.model("default", tool.SAMPLED, steps=40)
        same = self.model("same", tool.SAMPLED, steps=40, kl_weight=DEFAULT)
        self.assertEqual(tool.read(default), tool.read(same))
        self.assertNotEqual(tool.read(default), tool.read(light))
        self.assertEqual(json.loads(self.ok("info", light, "--json").stdout)["architecture"],
                         tool.SAMPLED)
        self.fails("train", "--model", "cae-compress", "--data", "data", "--steps", 1, "--out", "o",
                   "--kl-weight", 1, naming="--kl-weight")
        self.assertNotIn("o", os.listdir("."))

    def test_a_resumed_run_ends_the_same(self):
        whole = self.model("whole", tool.SAMPLED, steps=12, kl_weight=0.3)
        part = self.model("part", tool.SAMPLED, steps=5, kl_weight=0.3)
        self.ok("train", "--model", "part.txt", "--data", "data", "--steps", 12, "--out", part,
                "--resume")
        self.assertEqual(tool.read(whole), tool.read(part))


DEFAULT = 0.3  # the setting's initial value

if __name__ == "__main__":
    unittest.main()
