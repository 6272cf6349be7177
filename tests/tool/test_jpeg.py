# SPDX-License-Identifier: BSD-2-Clause
"""JPEG: every kind is read, every damage is refused with a message, and a build without libjpeg says what is
missing. `noise --sigma 0` copies an image, so what comes out shows what was read."""

import random
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
                    if size < len(whole) - 2 or progressive:
                        self.refuses(whole[:size])
            if progressive:
                self.refuses(whole[:-2])
                self.refuses(whole[:-1])

    def test_an_end_marker_that_is_missing_costs_no_pixel(self):
        """In a sequential file of one scan; wherever it is cut, what is read is the whole."""
        for kind, channels, how in (("grey", 1, None), ("sub", 3, None), ("sub", 3, "restarts")):
            whole = jpeg(40, 33, kind, waves(40, 33, channels), 75, how)
            wanted = self.copied(whole, "o.pnm")[0]
            for size in range(len(whole) - 40, len(whole)):
                tool.write("cut.jpg", whole[:size])
                done = tool.run("noise", "--sigma", 0, "cut.jpg", "o.pnm")
                self.assertTrue(done.returncode == 1 or size >= len(whole) - 3, size)
                if size >= len(whole) - 2:
                    self.assertIn("flaw that costs no pixel: Premature end of JPEG", done.stderr)
                if done.returncode == 0:
                    self.assertEqual(tool.read_pnm(tool.read("o.pnm")), wanted)

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


def segment(marker, body):
    return bytes([0xff, marker]) + struct.pack(">H", len(body) + 2) + body


@unittest.skipUnless(tool.READS_JPEG, "this build reads no JPEG")
class Flaws(tool.Case):
    """What costs no pixel is read, with libjpeg's words in a note; what does is refused."""

    def setUp(self):
        super().setUp()
        self.pixels = {"grey": waves(80, 64, 1), "sub": waves(80, 64, 3)}
        self.whole = {kind: jpeg(80, 64, kind, pixels, 75) for kind, pixels in self.pixels.items()}
        self.whole["restarts"] = jpeg(80, 64, "sub", self.pixels["sub"], 75, "restarts")
        self.slow = jpeg(80, 64, "sub", self.pixels["sub"], 75, "progressive")

    def read(self, data, name="in.jpg"):
        tool.write(name, data)
        done = tool.run("noise", "--sigma", 0, name, "o.pnm")
        return (tool.read_pnm(tool.read("o.pnm")) if done.returncode == 0 else None), done.stderr

    def test_flaws_that_cost_no_pixel(self):
        for kind, whole in [*self.whole.items(), ("progressive", self.slow)]:
            scan = whole.index(b"\xff\xda")
            head = scan + 2 + whole[scan + 3]  # behind its header
            baseline = kind != "progressive"
            jfif = whole.index(b"JFIF\0") + 5
            flaws = [
                ("revision", whole[:jfif] + b"\2" + whole[jfif + 1:]),
                ("Adobe", whole[:2] + segment(0xee, b"Adobe\0d\0\0\0\0\x09") + whole[20:])
                if kind == "sub" else None,
                ("extraneous bytes before marker", whole[:20] + b"some words" + whole[20:]),
                ("extraneous bytes before marker", whole[:2] + b"words" + whole[2:]),
                ("extraneous bytes before marker", whole[:scan] + b"\0" * 5 + whole[scan:]),
                ("extraneous bytes before marker", whole[:-2] + b"\0" * 300 + whole[-2:]),
                ("extraneous bytes before marker", whole[:-2] + b"\x2a" * 30 + whole[-2:]),
                ("Invalid SOS", whole[:head - 2] + b"\0" + whole[head - 1:]) if baseline else None,
                ("Invalid SOS", whole[:head - 3] + b"\7\7\x12" + whole[head:]) if baseline else None,
                ("extraneous bytes before marker",
                 whole[:-2] + b"what a camera's maker had to say" + whole[-2:]) if baseline else None,
            ]
            wanted = self.read(whole)
            self.assertEqual(wanted[1], "")
            for words, data in filter(None, flaws):
                with self.subTest(f"{kind} {words} {len(data)}"):
                    image, said = self.read(data)
                    self.assertIn("cae: note: in.jpg: read in spite of a flaw", said)
                    self.assertIn(words, said)
                    self.assertEqual(said.count("\n"), 1)
                    self.assertEqual(image, wanted[0])
            # Not even a flaw: what is behind the end, segments that nobody knows, filling.
            for data in (whole + b"and a film", whole[:2] + segment(0xe7, b"maker") + whole[2:],
                         whole[:-2] + b"\xff" * 9 + whole[-2:]):
                self.assertEqual(self.read(data), wanted)

    def scans(self):
        """The progressive file in pieces: its head, its scans with their tables, its end."""
        data, at, pieces = self.slow, 2, []
        start = None
        while data[at + 1] != 0xd9:
            start = at if start is None and data[at + 1] in (0xc4, 0xda) else start
            over = data[at + 1] == 0xda
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
            if over:
                while data[at] != 0xff or data[at + 1] == 0:
                    at += 1
                pieces.append(data[start:at])
                start = None
        return data[:data.index(pieces[0])], pieces, data[at:]

    def test_scans_in_disorder(self):
        head, scans, end = self.scans()
        self.assertGreater(len(scans), 5)
        self.assertEqual(head + b"".join(scans) + end, self.slow)
        wanted = self.read(self.slow)[0]
        # Coefficients before their mean, and all there in the end.
        image, said = self.read(head + scans[1] + scans[0] + b"".join(scans[2:]) + end)
        self.assertEqual(image, wanted)
        self.assertIn("Inconsistent progression", said)
        # No mean at all, and bits that are added to what is not there.
        for parts in (scans[1:2], [*scans[:2], *scans[3:]], [*scans[:1], scans[-1]]):
            image, said = self.read(head + b"".join(parts) + end)
            if "Inconsistent progression" in said or "no mean" in said:
                self.assertIsNone(image)
        self.assertIsNone(self.read(head + scans[1] + end)[0])

    def test_what_costs_pixels_is_refused(self):
        for whole in self.whole.values():
            scan = whole.index(b"\xff\xda")
            middle = (scan + len(whole)) // 2
            restart = whole.find(b"\xff\xd1")
            if restart > 0:  # bytes that a restart takes from the blocks before it
                image, said = self.read(whole[:restart] + b"\0" * 20 + whole[restart:])
                self.assertIsNone(image)
                self.assertIn("marker 0xd1", said)
            for data in (whole[:middle] + whole[-2:], whole[:middle],
                         whole[:middle] + b"\xff\xd0" + whole[middle:]):
                image, said = self.read(data)
                self.assertIsNone(image)
                self.assertIn("in.jpg: cannot read this JPEG", said)
        data = self.whole["grey"]
        at = data.index(b"\xff\xc0") + 5
        image, said = self.read(data[:at] + b"\0\x20" + data[at + 2:])  # half the height
        self.assertIsNone(image)  # the rest of the blocks are left over

    def test_no_bit_of_the_data_flips_into_a_flaw(self):
        """A flipped bit makes blocks of other blocks and often leaves some over: that is damage, though
        libjpeg has the same word for it as for padding."""
        for kind, channels, how in (("grey", 1, None), ("sub", 3, None), ("sub", 3, "restarts")):
            pixels = bytes((n * n * 7 + n // 80 * 13) % 251 for n in range(80 * 64 * channels))
            whole = jpeg(80, 64, kind, pixels, 75, how)
            start, over = whole.index(b"\xff\xda") + 14, 0
            for at in range(start, len(whole) - 2, 1 if tool.LONG else 37):
                data = whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:]
                image, said = self.read(data)
                self.assertEqual(said == "", image is not None, f"{kind} {at}: {said}")
                over += "extraneous" in said
            self.assertGreater(over, 0)

    def test_damage_is_no_flaw(self):
        """Bytes zeroed, cut out, doubled or random: what is read with a note is the picture."""
        numbers = random.Random(2)
        for kind, channels in (("grey", 1), ("sub", 3)):
            pixels = bytes(80 + (x * 5 + y * 3 * (c + 1)) % 97 + numbers.randrange(17)
                           for y in range(64) for x in range(64) for c in range(channels))
            whole = jpeg(64, 64, kind, pixels, 75)
            wanted = self.read(whole)[0]
            start = whole.index(b"\xff\xda") + 14
            for n in range(1000 if tool.LONG else 100):
                size = numbers.randrange(2, 101)
                at = numbers.randrange(start, len(whole) - 1 - size)
                middle = (bytes(size), b"", 2 * whole[at:at + size], numbers.randbytes(size))[n % 4]
                image, said = self.read(whole[:at] + middle + whole[at + size:])
                if image is not None and said != "":
                    self.assertEqual(image, wanted, f"{kind} {n}: {said}")

    def test_a_folder_of_flaws_is_not_a_flood(self):
        model = self.model("m")
        tool.os.mkdir("phone")
        whole = jpeg(16, 16, "grey", waves(16, 16, 1), 90)
        se = whole.index(b"\xff\xda") + 8
        for n in range(25):
            tool.write(f"phone/{n:02}.jpg", whole[:se] + b"\0" + whole[se + 1:])
        for command in (["eval", model, "phone"],
                        ["train", "--model", "m.txt", "--data", "phone", "--steps", 1, "--out", "o"]):
            said = self.ok(*command).stderr
            self.assertEqual(said.count("phone/"), 10)
            self.assertIn("note: phone/00.jpg: read in spite of a flaw", said)
            self.assertIn("note: phone: 25 of 25 images have flaws that cost no pixel", said)
            self.assertNotIn("flaw", self.ok(*command, "--quiet").stderr)


if __name__ == "__main__":
    unittest.main()
