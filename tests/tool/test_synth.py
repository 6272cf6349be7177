# SPDX-License-Identifier: BSD-2-Clause
"""Parametric faces: the same files on every machine, and faces enough apart to learn from."""

import hashlib
import os
import unittest

import tool

# SHA-256 over the files of `cae synth --count 12`, one after the other. Changes with the faces only.
GOLDEN = "aa53e24b8fe8d23bb8335a62460a18a69925c62a78ba29b8efc53bf838c27a03"


def digest(folder):
    total = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        total.update(tool.read(os.path.join(folder, name)))
    return total.hexdigest()


class Synth(tool.Case):
    def test_files_are_the_same_everywhere(self):
        self.ok("synth", "--count", 12, "--out", "a")
        self.assertEqual(sorted(os.listdir("a")), [f"face-{n:06}.png" for n in range(1, 13)])
        self.assertEqual(digest("a"), GOLDEN)

    def test_a_longer_series_begins_like_a_shorter_one(self):
        self.ok("synth", "--count", 3, "--seed", 7, "--out", "a")
        self.ok("synth", "--count", 5, "--seed", 7, "--out", "b")
        for name in os.listdir("a"):
            self.assertEqual(tool.read(f"a/{name}"), tool.read(f"b/{name}"))
        self.ok("synth", "--count", 3, "--seed", 8, "--out", "b")
        for name in os.listdir("a"):
            self.assertNotEqual(tool.read(f"a/{name}"), tool.read(f"b/{name}"))

    def test_faces_differ_and_are_no_flat_fields(self):
        self.ok("synth", "--count", 40, "--out", "a")
        images = [tool.read_png(tool.read(f"a/{name}")) for name in sorted(os.listdir("a"))]
        self.assertEqual(len(set(images)), 40)
        for width, height, channels, pixels in images:
            self.assertEqual((width, height, channels), (64, 64, 1))
            mean = sum(pixels) / len(pixels)
            self.assertGreater(sum((p - mean) ** 2 for p in pixels) / len(pixels), 200)
        means = [sum(column) / 40 for column in zip(*(image[3] for image in images))]
        far = [sum((p - m) ** 2 for p, m in zip(image[3], means)) / 4096 for image in images]
        self.assertGreater(min(far), 200)

    def test_sizes(self):
        for size in (16, 100, 1024):
            self.ok("synth", "--count", 1, "--size", size, "--out", str(size))
            self.assertEqual(tool.read_png(tool.read(f"{size}/face-000001.png"))[:3],
                             (size, size, 1))


if __name__ == "__main__":
    unittest.main()
