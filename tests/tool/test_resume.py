# SPDX-License-Identifier: BSD-2-Clause
"""What a model keeps of its training, and who asks for it: `--resume` goes on with the same run alone,
`cae eval` measures with the noise of the training, a network that can only learn to copy is noted."""

import json
import os
import shutil
import struct
import unittest
import zlib

import tool

BOTTLENECK = tool.GREY.replace("conv 4", "conv 2")


class Resume(tool.Case):
    def setUp(self):
        super().setUp()
        tool.write("net.txt", BOTTLENECK.encode())
        tool.make_images("data", 6, 19, 17)
        self.ok(*self.command("--steps", 3))

    def command(self, *more):
        return ["train", "--model", "net.txt", "--data", "data", "--batch", "4", "--noise", "20",
                "--seed", "9", "--out", "m", *more]

    def notes(self, path="m"):
        return json.loads(self.ok("info", path, "--json").stdout)["notes"]

    def refuses(self, *more, naming):
        before = tool.read("m")
        said = self.fails(*self.command("--steps", 5, "--resume", *more), naming="m: cannot resume")
        self.assertEqual(tool.read("m"), before)
        for word in naming:
            self.assertIn(word, said.stderr)
        self.assertEqual(said.stderr.count(" before, "), len(naming), said.stderr)

    def test_another_run_is_refused_and_told_what_it_was(self):
        self.refuses("--seed", 10, naming=["--seed: 9 before, 10 now"])
        self.refuses("--noise", 0, naming=["--noise: 20 before, 0 now"])
        self.refuses("--noise", 20.25, naming=["--noise: 20 before, 20.25 now"])
        self.refuses("--batch", 3, naming=["--batch: 4 before, 3 now"])
        self.refuses("--reproducible", naming=["--reproducible: not given before, given now"])
        self.refuses("--limit", 5, naming=["images: 6 images, crc32"])
        self.refuses("--size", "16x16", naming=["images: 6 images, crc32"])
        self.refuses("--seed", 1, "--noise", 1, naming=["--seed: 9 before, 1 now", "--noise: 20 be"])

    def test_other_pictures_are_refused_and_the_same_elsewhere_are_not(self):
        os.rename("data", "elsewhere")
        self.ok(*self.command("--data", "elsewhere", "--steps", 4, "--resume"))
        names = sorted(os.listdir("elsewhere"))
        os.mkdir("data")
        for number, name in enumerate(names):  # renamed, in the same order
            os.rename(f"elsewhere/{name}", f"data/{number:05}.png")
        self.ok(*self.command("--steps", 5, "--resume"))
        os.rename("data/00000.png", "data/9.png")
        self.refuses(naming=["images: 6 images, crc32"])
        os.rename("data/9.png", "data/00000.png")
        self.ok("noise", "--sigma", "3", "data/00003.png", "data/00003.png")
        self.refuses(naming=["images: 6 images, crc32"])

    def test_what_may_change(self):
        tool.make_images("val", 2, 16, 16)
        said = self.ok(*self.command("--steps", 4, "--resume", "--lr", 0.002, "--threads", 1, "--log",
                                     "l.csv", "--val", "val"))
        self.assertIn("--lr: 0.001 before, 0.002 now", said.stderr)
        said = self.ok(*self.command("--epochs", 9, "--resume", "--lr", 0.002))
        self.assertNotIn("before", said.stderr)

    def test_force_goes_on(self):
        said = self.ok(*self.command("--steps", 5, "--resume", "--force", "--seed", 10, "--batch", 2))
        self.assertIn("--seed: 9 before, 10 now", said.stderr)
        self.assertEqual(self.notes()["cae.seed"], "10")
        self.ok(*self.command("--steps", 6, "--resume", "--seed", 10, "--batch", 2))
        self.fails(*self.command("--steps", 9, "--force"), code=2, naming="--force")

    def test_a_file_that_does_not_say_goes_on_with_a_note(self):
        golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
        shutil.copy(os.path.join(golden, "trained-0.1.safetensors"), "old")
        tool.write("old.txt", b"input 1 4 4\nconv 2 kernel 3 pad 1 relu\nmaxpool 2\ncode\n"
                              b"tconv 1 kernel 2 stride 2 sigmoid\n")
        words = ["train", "--model", "old.txt", "--data", "data", "--batch", 6, "--out", "old",
                 "--resume"]
        self.fails(*words, "--steps", 4, naming="--reproducible: given before")
        said = self.ok(*words, "--steps", 4, "--reproducible")
        self.assertIn("cannot be checked", said.stderr)
        self.assertNotIn("cannot be checked",
                         self.ok(*words, "--steps", 5, "--reproducible").stderr)

    def test_the_notes_are_as_documented(self):
        each = b""
        for name in sorted(os.listdir("data")):
            width, height, channels, pixels = tool.read_png(tool.read(f"data/{name}"))
            head = struct.pack("<3I", channels, height, width)
            each += struct.pack("<I", zlib.crc32(head + pixels))
        self.assertEqual(self.notes(), {
            "cae.batch": "4", "cae.data": f"6 images, crc32 {zlib.crc32(each):08x}",
            "cae.noise": "20", "cae.seed": "9"})
        self.assertIn("\nnotes\n  cae.batch      4\n", self.ok("info", "m").stdout)
        self.ok(*self.command("--steps", 1, "--noise", 0.1, "--seed", 2**64 - 1))
        self.assertEqual(self.notes()["cae.noise"], "0.1")
        self.assertEqual(self.notes()["cae.seed"], str(2**64 - 1))


class Noise(tool.Case):
    def setUp(self):
        super().setUp()
        tool.make_images("data", 4, 16, 16)

    def train(self, text, *more, name="net.txt"):
        tool.write(name, text.encode())
        return self.ok("train", "--model", name, "--data", "data", "--steps", 1, "--out", "m", *more)

    def test_eval_measures_with_the_noise_of_the_training(self):
        self.train(BOTTLENECK, "--noise", 12.5)
        said = self.ok("eval", "m", "data", "--json")
        self.assertEqual(json.loads(said.stdout)["noise"], 12.5)
        self.assertIn("noise of 12.5", said.stderr)
        self.assertEqual(self.ok("eval", "m", "data", "--quiet").stderr, "")
        said = self.ok("eval", "m", "data", "--json", "--noise", 3)
        self.assertEqual((json.loads(said.stdout)["noise"], said.stderr), (3, ""))
        self.train(BOTTLENECK)
        said = self.ok("eval", "m", "data", "--json")
        self.assertEqual((json.loads(said.stdout)["noise"], said.stderr), (0, ""))

    def test_a_network_that_can_only_copy_is_told(self):
        for text in (tool.GREY, tool.SKIP):
            self.assertIn("learns to copy", self.train(text).stderr)
            self.assertNotIn("copy", self.train(text, "--noise", 5).stderr)
        self.assertNotIn("copy", self.train(BOTTLENECK).stderr)
        self.assertNotIn("copy", self.train(tool.SAMPLED).stderr)
        self.assertIn("trained without noise", self.train(BOTTLENECK, name="denoiser.txt").stderr)
        said = self.train(BOTTLENECK, "--noise", 0, name="denoiser.txt")
        self.assertNotIn("without noise", said.stderr)


if __name__ == "__main__":
    unittest.main()
