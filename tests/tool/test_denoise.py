# SPDX-License-Identifier: BSD-2-Clause
"""cae denoise: the noise level, what stays of an image, and what is refused."""

import os
import struct
import unittest

import tool

LEVELS = """input 1 16 16 noise
mark noisy
conv 4 kernel 2 stride 2 relu
tconv 1 kernel 2 stride 2
add noisy
"""
LEVELS_RGB = LEVELS.replace("input 1", "input 3").replace("tconv 1", "tconv 3")
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def values(count, most):
    return [(i * 7919 + i * i * 31) % (most + 1) for i in range(count)]


def picture(width, height, depth, colour):
    """A PNG and its values."""
    per_row = width * CHANNELS[colour]
    all_of_it = values(per_row * height, 65535 if depth == 16 else 255)
    pack = f">{per_row}{'H' if depth == 16 else 'B'}"
    rows = [struct.pack(pack, *all_of_it[y * per_row:(y + 1) * per_row]) for y in range(height)]
    return tool.png(width, height, depth, colour, rows), all_of_it


def unpacked(data, depth):
    return list(struct.unpack(f">{len(data) * 8 // depth}{'H' if depth == 16 else 'B'}", data))


class Denoise(tool.Case):
    def test_16_bits_and_alpha_stay(self):
        models = [self.model("m", LEVELS)]
        os.rename("data", "grey-data")
        models.append(self.model("rgb", LEVELS_RGB))
        for model, depth, colour in ((m, d, c) for m in models for d in (8, 16) for c in CHANNELS):
            with self.subTest(model=model, depth=depth, colour=colour):
                data, before = picture(13, 7, depth, colour)
                tool.write("in.png", data)
                done = self.ok("denoise", "--sigma", 25, model, "in.png", "out.png")
                self.assertEqual(done.stderr, "")
                # A grey picture becomes a colour picture for a network of colour, as ever.
                wanted = colour | (2 if model == "rgb" else 0)
                width, height, got_depth, got_colour, pixels = tool.read_whole_png(
                    tool.read("out.png"))
                self.assertEqual((width, height, got_depth, got_colour), (13, 7, depth, wanted))
                after = unpacked(pixels, depth)
                if colour >= 4:
                    n, m = CHANNELS[colour], CHANNELS[wanted]
                    self.assertEqual(before[n - 1::n], after[m - 1::m])
                self.ok("denoise", "--sigma", 25, "--strength", 0, model, "in.png", "same.png")
                pixels = tool.read_whole_png(tool.read("same.png"))[4]
                if wanted == colour:
                    self.assertNotEqual(before, after)
                    self.assertEqual(unpacked(pixels, depth), before)

    def test_pgm_of_16_bits(self):
        model = self.model("m", LEVELS)
        tool.write("in.pgm", b"P5 2 2 1000\n" + struct.pack(">4H", 0, 1000, 500, 1))
        self.ok("denoise", "--sigma", 5, "--strength", 0, model, "in.pgm", "out.pgm")
        self.assertEqual(tool.read("out.pgm"),
                         b"P5\n2 2\n65535\n" + struct.pack(">4H", 0, 65535, 32768, 66))
        self.ok("denoise", "--sigma", 5, "--strength", 0, model, "out.pgm", "out.png")
        self.assertEqual(tool.read_whole_png(tool.read("out.png"))[2:],
                         (16, 0, struct.pack(">4H", 0, 65535, 32768, 66)))
        data, before = picture(3, 2, 16, 6)
        tool.write("in.png", data)
        done = self.ok("denoise", "--sigma", 5, "--strength", 0, model, "in.png", "out.ppm")
        self.assertIn("transparency", done.stderr)
        wanted = [v for i, v in enumerate(before) if i % 4 != 3]
        self.assertEqual(tool.read("out.ppm"),
                         b"P6\n3 2\n65535\n" + struct.pack(f">{len(wanted)}H", *wanted))
        self.fails("denoise", "--sigma", 5, model, "in.png", "out.pgm", naming="out.pgm")

    def test_transparent_colours_and_palettes(self):
        model = self.model("m", LEVELS)
        key = tool.chunk(b"tRNS", struct.pack(">H", 5))
        tool.write("in.png", tool.png(2, 1, 8, 0, [bytes([5, 6])], key))
        self.ok("denoise", "--sigma", 25, model, "in.png", "out.png")
        _, _, depth, colour, pixels = tool.read_whole_png(tool.read("out.png"))
        self.assertEqual((depth, colour, pixels[1], pixels[3]), (8, 4, 0, 255))
        palette = tool.chunk(b"PLTE", bytes([1, 2, 3])) + tool.chunk(b"tRNS", b"\x4d")
        tool.write("in.png", tool.png(1, 1, 8, 3, [b"\0"], palette))
        self.ok("denoise", "--sigma", 25, model, "in.png", "out.png")
        _, _, depth, colour, pixels = tool.read_whole_png(tool.read("out.png"))
        self.assertEqual((depth, colour, pixels[3]), (8, 6, 0x4d))

    def test_levels(self):
        model = self.model("m", LEVELS)
        outs = {}
        for words in ((), ("--strength", 2), ("--strength", "0.5"), ("--gain", "0.01")):
            self.ok("denoise", model, "data/000.png", "o.png", "--sigma", 25, *words)
            outs[words] = tool.read("o.png")
        self.assertEqual(len(set(outs.values())), 4)
        self.ok("denoise", model, "data/000.png", "o.png", "--sigma", 50)
        self.assertEqual(tool.read("o.png"), outs["--strength", 2])
        self.ok("denoise", model, "data/000.png", "o.png", "--gain", "0.02")
        self.ok("denoise", model, "data/000.png", "o.png", "--gain", "0.02", "--sigma", 0)
        for words, naming in ((("--sigma", 0), "auto"), (("--sigma", "5-75"), "5-75"),
                              (("--sigma", "-1"), "-1"), (("--sigma", "256"), "256"),
                              (("--sigma", "nan"), "nan"), (("--sigma", "atuo"), "atuo"),
                              (("--sigma", "auto", "--gain", "0.1"), "--sigma"),
                              (("--gain", "-1"), "gain"), (("--gain", "2"), "gain"),
                              (("--strength", "11"), "strength"), (("--strength", "x"), "x")):
            self.fails("denoise", model, "data/000.png", "o.png", *words, naming=naming, code=2)

    def test_what_the_estimate_does_not_see_is_told(self):
        """A camera's smeared noise has an estimate near 0: whoever sees it hears of --sigma."""
        model = self.model("m", LEVELS)
        for depth, colour in ((8, 0), (16, 0), (8, 2), (16, 6)):
            with self.subTest(depth=depth, colour=colour):
                size = 64 * 64 * CHANNELS[colour]
                flat = struct.pack(f">{size}{'H' if depth == 16 else 'B'}",
                                   *[100 << (depth - 8)] * size)
                rows = [flat[i * len(flat) // 64:(i + 1) * len(flat) // 64] for i in range(64)]
                tool.write("flat.png", tool.png(64, 64, depth, colour, rows))
                done = self.ok("denoise", model, "flat.png", "o.png")
                self.assertIn("flat.png: the noise is estimated at 0.00 of 255", done.stderr)
                self.assertIn("--sigma 5", done.stderr)
                self.assertNotIn("estimated", self.ok("denoise", model, "flat.png", "o.png",
                                                      "--sigma", 5).stderr)
                self.assertNotIn("estimated", self.ok("denoise", model, "flat.png", "o.png",
                                                      "--gain", "0.01").stderr)
        tool.write("noisy.png", picture(64, 64, 8, 0)[0])
        self.assertEqual(self.ok("denoise", model, "noisy.png", "o.png").stderr, "")

    def test_networks_without_levels(self):
        model = self.model("m", tool.GREY)
        self.assertEqual(self.ok("denoise", model, "data/000.png", "a.png").stderr, "")
        for words in (("--sigma", 25), ("--gain", "0.1"), ("--sigma", "auto")):
            done = self.ok("denoise", model, "data/000.png", "b.png", *words)
            self.assertIn("takes no noise level", done.stderr)
            self.assertEqual(tool.read("a.png"), tool.read("b.png"))

    def test_in_place_and_without_a_model(self):
        model = self.model("m", LEVELS)
        self.ok("denoise", "--sigma", 25, model, "data/000.png", "o.png")
        self.ok("denoise", "--sigma", 25, model, "data/000.png", "data/000.png")
        self.assertEqual(tool.read("o.png"), tool.read("data/000.png"))
        # Two words are an image and a target; the model is not taken for one of them.
        self.fails("denoise", model, "data/000.png", naming="m: this is a model")
        self.assertEqual(tool.read("o.png"), tool.read("data/000.png"))
        self.fails("denoise", "nowhere.png", "x.png", naming="nowhere.png")
        self.fails("denoise", "x.png", naming="missing", code=2)


if __name__ == "__main__":
    unittest.main()
