# SPDX-License-Identifier: BSD-2-Clause
"""Using models: eval, compress, decompress, denoise, info."""

import json
import math
import os
import unittest

import tool


def psnr(a, b):
    total = sum((x - y) ** 2 for x, y in zip(a, b))
    return math.inf if total == 0 else 10 * math.log10(255 * 255 * len(a) / total)


class Use(tool.Case):
    def json(self, *command):
        return json.loads(self.ok(*command, "--json").stdout)

    def test_eval_agrees_with_denoise_and_compress(self):
        model = self.model("m", count=5, steps=30, lr=0.01)
        score = self.json("eval", model, "data")
        self.assertEqual((score["count"], score["noise"]), (5, 0))
        self.assertIsNone(score["input_psnr"])
        ratios, sizes = [], []
        for name in sorted(os.listdir("data")):
            self.ok("denoise", model, f"data/{name}", "out.png")
            self.ok("compress", model, f"data/{name}", "out.cae")
            ratios.append(psnr(tool.read_png(tool.read(f"data/{name}"))[3],
                               tool.read_png(tool.read("out.png"))[3]))
            sizes.append(len(tool.read("out.cae")))
        self.assertAlmostEqual(score["psnr"], sum(ratios) / 5, places=9)
        self.assertEqual(score["bytes"], sum(sizes) / 5)
        self.assertAlmostEqual(10 * math.log10(1 / score["mse"]), score["psnr"], delta=0.2)
        self.assertTrue(0 < score["ssim"] < 1)
        text = self.ok("eval", model, "data").stdout
        self.assertRegex(text, r"count +5\nmse +0\.\d+\npsnr +\d+\.\d+ dB\nssim +0\.\d+\nbytes +\d")
        self.assertEqual(self.json("eval", model, "data", "--limit", 2)["count"], 2)

    def test_noise_of_eval_belongs_to_the_file(self):
        model = self.model("m")
        score = self.json("eval", model, "data", "--noise", 25)
        self.assertEqual(score, self.json("eval", model, "data", "--noise", 25))
        other = self.json("eval", model, "data", "--noise", 25, "--seed", 2)
        self.assertNotEqual(score["mse"], other["mse"])
        self.assertAlmostEqual(score["input_psnr"], 20.2, delta=0.6)
        self.assertTrue(0 < score["input_ssim"] < 1)
        # An image's scores do not depend on which others there are, nor on its place among them.
        alone = []
        os.mkdir("one")
        for name in sorted(os.listdir("data")):
            os.rename(f"data/{name}", f"one/{name}")
            alone.append(self.json("eval", model, "one", "--noise", 25))
            os.remove(f"one/{name}")
        for key in ("mse", "psnr", "ssim", "input_psnr", "input_ssim", "bytes"):
            self.assertAlmostEqual(sum(one[key] for one in alone) / len(alone), score[key],
                                   delta=1e-9 * score[key])

    def test_default_noise_is_the_models(self):
        self.ok("synth", "--count", 2, "--out", "faces")
        for name, sigma in (("cae-denoise", 25), ("cae-compress", 0)):
            self.ok("train", "--model", name, "--data", "faces", "--steps", 1, "--out", name)
            self.assertEqual(self.json("eval", name, "faces")["noise"], sigma)
            self.assertEqual(self.json("info", name)["preset"], name)
        tool.write("own.txt", b"# the same network\n" +
                   json.loads(self.ok("info", "cae-denoise", "--json").stdout)["architecture"]
                   .encode())
        self.ok("train", "--model", "own.txt", "--data", "faces", "--steps", 1, "--out", "own")
        self.assertEqual(tool.read("own"), tool.read("cae-denoise"))

    def test_identical_images_have_no_psnr(self):
        # A network that gives 0 whatever it sees (a ReLU far below), and black images.
        tool.write("net.txt", b"input 1 12 12\nconv 1 kernel 1\ncode\nconv 1 kernel 1 relu\n")
        os.mkdir("black")
        tool.write("black/a.pgm", b"P5 12 12 255\n" + bytes(144))
        for seed in range(1, 60):
            self.ok("train", "--model", "net.txt", "--data", "black", "--steps", 1, "--lr", 0,
                    "--seed", seed, "--out", "m")
            score = self.json("eval", "m", "black")
            if score["mse"] == 0:
                break
        self.assertIsNone(score["psnr"])
        self.assertEqual((score["mse"], score["ssim"]), (0, 1))
        self.assertIn("identical", self.ok("eval", "m", "black").stdout)

    def test_any_size(self):
        model = self.model("m")
        os.mkdir("sizes")
        for width, height in ((1, 1), (7, 9), (33, 1), (40, 30)):
            tool.make_images("one", 1, width, height)
            os.rename("one/000.png", f"sizes/{width}.png")
            self.ok("compress", model, f"sizes/{width}.png", "c.cae")
            self.ok("decompress", model, "c.cae", "out.pgm")
            self.assertEqual(tool.read_pnm(tool.read("out.pgm"))[:3], (width, height, 1))
            self.ok("denoise", model, f"sizes/{width}.png", "out.pgm")
            self.assertEqual(tool.read_pnm(tool.read("out.pgm"))[:3], (width, height, 1))
        self.assertEqual(self.json("eval", model, "sizes")["count"], 4)
        dense = self.model("dense", tool.DENSE)
        self.fails("eval", dense, "sizes", naming="sizes/1.png")
        self.fails("compress", dense, "sizes/7.png", "c.cae", naming="sizes/7.png")
        self.fails("denoise", dense, "sizes/7.png", "o.png", naming="sizes/7.png")

    def test_quality(self):
        model = self.model("m", steps=30)
        sizes = {}
        for quality in (1, 50, 100):
            self.ok("compress", model, "data/000.png", f"{quality}.cae", "--quality", quality)
            sizes[quality] = len(tool.read(f"{quality}.cae"))
        self.ok("compress", model, "data/000.png", "default.cae")
        self.assertEqual(tool.read("default.cae"), tool.read("50.cae"))
        self.assertLess(sizes[1], sizes[100])

    def test_decompress_refuses_what_is_not_its_own(self):
        model = self.model("m")
        other = self.model("other", steps=4)
        self.ok("compress", model, "data/000.png", "c.cae")
        data = tool.read("c.cae")
        self.fails("decompress", other, "c.cae", "o.png", naming="c.cae")
        for at in (3, 5, len(data) // 2, len(data) - 1):
            tool.write("bad.cae", data[:at])
            self.fails("decompress", model, "bad.cae", "o.png", naming="bad.cae")
            tool.write("bad.cae", data[:at] + bytes([data[at] ^ 4]) + data[at + 1:])
            self.fails("decompress", model, "bad.cae", "o.png", naming="bad.cae")
        self.ok("decompress", model, "c.cae", "o.png")

    def test_channels(self):
        grey = self.model("grey")
        os.rename("data", "data-grey")
        rgb = self.model("rgb", tool.COLOUR)
        # A model of one channel: each channel of a colour image alone.
        self.ok("denoise", grey, "data/000.png", "o.ppm")
        width, height, channels, pixels = tool.read_pnm(tool.read("o.ppm"))
        self.assertEqual(channels, 3)
        source = tool.read_png(tool.read("data/000.png"))[3]
        for channel in range(3):
            tool.write("one.pgm", b"P5 %d %d 255\n" % (width, height) + source[channel::3])
            self.ok("denoise", grey, "one.pgm", "one-out.pgm")
            self.assertEqual(tool.read_pnm(tool.read("one-out.pgm"))[3], pixels[channel::3])
        # Compressing turns colour into grey, and says so.
        said = self.ok("compress", grey, "data/000.png", "c.cae").stderr
        self.assertIn("grey", said)
        formula = bytes((77 * r + 150 * g + 29 * b + 128) >> 8
                        for r, g, b in zip(source[::3], source[1::3], source[2::3]))
        tool.write("formula.pgm", b"P5 %d %d 255\n" % (width, height) + formula)
        self.ok("compress", grey, "formula.pgm", "f.cae")
        self.assertEqual(tool.read("c.cae"), tool.read("f.cae"))
        # A model of three: grey three times.
        self.ok("denoise", rgb, "data-grey/000.png", "o.ppm")
        self.assertEqual(tool.read_pnm(tool.read("o.ppm"))[2], 3)
        self.ok("compress", rgb, "data/000.png", "c.cae")
        self.assertEqual(self.json("info", "c.cae")["channels"], 3)
        self.fails("decompress", grey, "c.cae", "o.png", naming="c.cae")
        self.ok("decompress", rgb, "c.cae", "o.png")

    def test_skips_cross_the_code(self):
        model = self.model("m", tool.SKIP)
        score = self.json("eval", model, "data")
        self.assertIsNone(score["bytes"])
        self.assertGreater(score["psnr"], 0)
        self.fails("compress", model, "data/000.png", "c.cae", naming="data/000.png")
        self.ok("denoise", model, "data/000.png", "o.png")
        self.assertIsNone(self.json("info", model)["code"])

    def test_info(self):
        model = self.model("m", steps=7)
        facts = self.json("info", model)
        self.assertEqual(facts["type"], "model")
        self.assertIsNone(facts["preset"])
        self.assertEqual(facts["architecture"], tool.GREY)
        self.assertEqual((facts["input"], facts["code"]), ([1, 16, 16], [4, 8, 8]))
        self.assertEqual((facts["parameters"], facts["step"]), (4 * 9 + 4 + 4 * 4 + 1, 7))
        self.assertRegex(facts["kernels"], "^[a-z0-9]+$")
        self.assertEqual(facts["settings"]["learning_rate"], 1e-3)
        self.assertEqual({t["name"]: t["shape"] for t in facts["tensors"]},
                         {"0.bias": [4], "0.weight": [4, 1, 3, 3], "3.bias": [1],
                          "3.weight": [4, 1, 2, 2]})
        for word in ("1 x 16 x 16", "57", "maxpool 2", "3.weight"):
            self.assertIn(word, self.ok("info", model).stdout)
        tool.make_images("odd", 1, 19, 11)
        self.ok("compress", model, "odd/000.png", "c.cae")
        size = len(tool.read("c.cae"))
        self.assertEqual(self.json("info", "c.cae"),
                         {"type": "image", "channels": 1, "height": 11, "width": 19,
                          "file_size": size, "bits_per_pixel": 8 * size / (11 * 19)})
        self.assertIn("19 x 11, grey", self.ok("info", "c.cae").stdout)
        data = tool.read(model)
        tool.write("cut", data[:-1])
        self.fails("info", "cut", naming="cut")


if __name__ == "__main__":
    unittest.main()
