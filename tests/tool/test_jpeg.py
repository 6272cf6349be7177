# SPDX-License-Identifier: BSD-2-Clause
"""JPEG: every kind is read, every damage is refused in words, and a build without libjpeg says what is
missing. `noise --sigma 0` copies an image, so what comes out shows what was read."""

import struct
import unittest

import tool
from tool import jpeg


def waves(width, height, channels):
    """A smooth picture, which JPEG keeps well."""
    return bytes(128 + (x * (c + 2) + y * 3) % 97 // 2 + c for y in range(height)
                 for x in range(width) for c in range(channels))


class WithoutLibrary(tool.Case):
    def setUp(self):
        super().setUp()
        if tool.READS_JPEG:
            self.skipTest("this build reads JPEG")

    def test_it_says_what_is_missing(self):
        tool.write("face.jpg", b"\xff\xd8\xff\xe0 and so on")
        done = self.fails("noise", "--sigma", 0, "face.jpg", "o.png", naming="face.jpg: a JPEG")
        self.assertIn("libjpeg62-turbo-dev", done.stderr)
        model = self.model("m")
        tool.make_people("lfw", 3, ending="jpg")
        done = self.fails("eval", model, "lfw", naming="lfw: ")
        self.assertIn("JPEG files: this build reads no JPEG", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)
        tool.make_people("lfw", 2, ending="png")
        done = self.ok("eval", model, "lfw")
        self.assertIn("JPEG files are left out: this build reads no JPEG", done.stderr)


@unittest.skipUnless(tool.READS_JPEG, "this build reads no JPEG")
class Jpeg(tool.Case):
    def copied(self, data, out="out.pgm"):
        tool.write("in", data)
        done = self.ok("noise", "--sigma", 0, "in", out)
        return tool.read_pnm(tool.read(out)), done.stderr

    def test_every_kind_is_read(self):
        for kind, channels in (("grey", 1), ("rgb", 3), ("sub", 3)):
            for progressive in (None, "progressive"):
                for width, height in ((1, 1), (8, 8), (37, 23), (250, 250)):
                    with self.subTest(f"{kind} {progressive} {width} {height}"):
                        pixels = waves(width, height, channels)
                        data = jpeg(width, height, kind, pixels, 100, progressive)
                        image, said = self.copied(data, "o.pgm" if channels == 1 else "o.ppm")
                        self.assertEqual((image[:3], said), ((width, height, channels), ""))
                        worst = max(abs(a - b) for a, b in zip(image[3], pixels))
                        self.assertLessEqual(worst, 60 if kind == "sub" else 4)

    def test_flat_pictures_are_exact(self):
        """Their blocks have a mean alone, which quality 100 does not round."""
        for value in (0, 1, 77, 128, 255):
            self.assertEqual(self.copied(jpeg(20, 9, "grey", bytes([value]) * 180, 100))[0],
                             (20, 9, 1, bytes([value]) * 180))

    def test_orientation_is_ignored(self):
        data = jpeg(16, 8, "grey", waves(16, 8, 1), 90)
        exif = (b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
        turned = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
        self.assertEqual(self.copied(turned), self.copied(data))

    def test_other_colours_are_refused(self):
        tool.write("c.jpg", jpeg(8, 8, "cmyk", bytes(256), 90))
        done = self.fails("noise", "--sigma", 0, "c.jpg", "o.png", naming="c.jpg")
        self.assertIn("CMYK", done.stderr)

    def refuses(self, data):
        tool.write("bad.jpg", data)
        self.fails("noise", "--sigma", 0, "bad.jpg", "out.png", naming="bad.jpg")

    def test_every_truncation_is_refused(self):
        for kind, channels, progressive in (("grey", 1, None), ("sub", 3, "progressive")):
            whole = jpeg(20, 17, kind, waves(20, 17, channels), 30, progressive)
            for size in range(3, len(whole), 1 if tool.LONG else 7):
                with self.subTest(f"{kind} {size}"):
                    self.refuses(whole[:size])
            for size in (len(whole) - 2, len(whole) - 1):
                self.refuses(whole[:size])

    def test_sizes_are_checked_before_memory_is_taken(self):
        whole = jpeg(8, 8, "grey", bytes(64), 90)
        at = whole.index(b"\xff\xc0") + 5
        large = whole[:at] + struct.pack(">HH", 65500, 65500) + whole[at + 4:]
        tool.write("bad.jpg", large)
        done = self.fails("noise", "--sigma", 0, "bad.jpg", "out.png", naming="bad.jpg")
        self.assertIn("too large", done.stderr)
        self.refuses(whole[:at] + struct.pack(">HH", 0, 8) + whole[at + 4:])

    def test_scans_are_limited(self):
        """A file of many scans takes long and is small; none in earnest has a hundred."""
        tool.write("bad.jpg", jpeg(16, 16, "grey", waves(16, 16, 1), 90, "scans"))
        done = self.fails("noise", "--sigma", 0, "bad.jpg", "out.png", naming="bad.jpg")
        self.assertIn("too many scans", done.stderr)

    def test_bit_flips_crash_nothing(self):
        whole = jpeg(20, 17, "sub", waves(20, 17, 3), 30, "progressive")
        read = 0
        for at in range(2, len(whole), 1 if tool.LONG else 5):
            tool.write("bad.jpg", whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:])
            done = tool.run("noise", "--sigma", 0, "bad.jpg", "out.png")
            self.assertIn(done.returncode, (0, 1), at)
            self.assertTrue(done.returncode == 0 or "bad.jpg" in done.stderr, done.stderr)
            read += done.returncode == 0
        self.assertGreater(read, 0)


if __name__ == "__main__":
    unittest.main()
