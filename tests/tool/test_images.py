# SPDX-License-Identifier: BSD-2-Clause
"""Reading and writing images: `noise --sigma 0` copies one, so what comes out shows what was read."""

import json
import os
import struct
import unittest
import zlib

import tool


class Images(tool.Case):
    def copied(self, data, out="out.pgm"):
        """The image that the command reads from `data`, and what it said."""
        tool.write("in", data)
        done = self.ok("noise", "--sigma", 0, "in", out)
        return tool.read_pnm(tool.read(out)), done.stderr

    def test_png_of_every_kind(self):
        grey = bytes([0, 1, 128, 254, 255, 7])
        self.assertEqual(self.copied(tool.png(3, 2, 8, 0, [grey[:3], grey[3:]])),
                         ((3, 2, 1, grey), ""))
        rgb = bytes(range(0, 240, 20))
        self.assertEqual(self.copied(tool.png(2, 2, 8, 2, [rgb[:6], rgb[6:]]), "o.ppm"),
                         ((2, 2, 3, rgb), ""))
        for depth, packed, wanted in ((1, b"\xa0", [255, 0, 255]), (2, b"\x1b", [0, 85, 170, 255]),
                                      (4, b"\x0f\x80", [0, 255, 136])):
            image, said = self.copied(tool.png(len(wanted), 1, depth, 0, [packed]))
            self.assertEqual((image, said), ((len(wanted), 1, 1, bytes(wanted)), ""))
        palette = tool.chunk(b"PLTE", bytes([1, 2, 3, 250, 251, 252]))
        self.assertEqual(self.copied(tool.png(2, 1, 8, 3, [b"\1\0"], palette), "o.ppm"),
                         ((2, 1, 3, bytes([250, 251, 252, 1, 2, 3])), ""))

    def test_alpha_is_dropped_with_a_note(self):
        image, said = self.copied(tool.png(2, 1, 8, 4, [bytes([9, 0, 200, 255])]))
        self.assertEqual(image, (2, 1, 1, bytes([9, 200])))
        self.assertIn("in: transparency is dropped", said)
        image, said = self.copied(tool.png(1, 1, 8, 6, [bytes([9, 8, 7, 0])]), "o.ppm")
        self.assertEqual(image, (1, 1, 3, bytes([9, 8, 7])))
        self.assertIn("transparency", said)
        key = tool.chunk(b"tRNS", struct.pack(">H", 5))
        image, said = self.copied(tool.png(2, 1, 8, 0, [bytes([5, 6])], key))
        self.assertEqual(image, (2, 1, 1, bytes([5, 6])))
        self.assertIn("transparency", said)
        palette = tool.chunk(b"PLTE", bytes([1, 2, 3])) + tool.chunk(b"tRNS", b"\0")
        image, said = self.copied(tool.png(1, 1, 8, 3, [b"\0"], palette), "o.ppm")
        self.assertEqual(image, (1, 1, 3, bytes([1, 2, 3])))
        self.assertIn("transparency", said)
        self.assertEqual(self.ok("noise", "--sigma", 0, "--quiet", "in", "o.ppm").stderr, "")

    def test_16_bits_are_rounded(self):
        values = list(range(0, 65536, 97)) + [127, 128, 129, 65407, 65535]
        row = struct.pack(f">{len(values)}H", *values)
        wanted = bytes(int(v * 255 / 65535 + 0.5) for v in values)
        image, said = self.copied(tool.png(len(values), 1, 16, 0, [row]))
        self.assertEqual(image[3], wanted)
        self.assertIn("16 bits", said)
        image, said = self.copied(b"P5 %d 1 65535\n" % len(values) + row)
        self.assertEqual(image[3], wanted)
        self.assertIn("16 bits", said)

    def test_pgm_and_ppm(self):
        for data in (b"P2\n# a comment\n3 1 # another\n15\n0 7\n15\n", b"P2 3 1 15 0 7 15",
                     b"P5 3 1\t15\n\x00\x07\x0f", b"P5#c\n3\n1\n15 \x00\x07\x0fmore"):
            with self.subTest(data):
                self.assertEqual(self.copied(data)[0], (3, 1, 1, bytes([0, 119, 255])))
        # netpbm's comments: they may follow a number at once, end with CR too, and are one white space.
        for data in (b"P2 3#c\n1 15\n0 7 15", b"P5 3 1 15#c\n\x00\x07\x0f", b"P2#c\r3 1#\r15#c\r0 7#\r15",
                     b"P5#a\r#b\r3#c\r1#d 99\r15#e\r\x00\x07\x0f", b"P5\r3\r1\r15\r\x00\x07\x0f",
                     b"P5 3 1 015\n\x00\x07\x0f", b"P2 3 1 15 0 7#7\r15#", b"P5 3#\n\n#\n1 15#\n\x00\x07\x0f",
                     b"P5\r\n# by hand\r\n3 1\r\n15\t\x00\x07\x0f"):
            with self.subTest(data):
                self.assertEqual(self.copied(data)[0], (3, 1, 1, bytes([0, 119, 255])))
        self.assertEqual(self.copied(b"P5 3 1 255#c\n#\n#")[0], (3, 1, 1, b"#\n#"))
        rgb = (1, 2, 3, 1, bytes([1, 2, 3, 250, 0, 9]))
        for data in (b"P3 1 2 255 1 2 3 250 0 9", b"P6 1 2 255\n" + rgb[4]):
            self.assertEqual(self.copied(data, "o.ppm")[0], (1, 2, 3, rgb[4]))
            self.assertEqual(self.copied(data, "o.pnm")[0], (1, 2, 3, rgb[4]))

    def test_damaged_images_are_refused(self):
        whole = tool.png(3, 2, 8, 0, [b"abc", b"def"])
        bomb = struct.pack(">IIBBBBB", 1 << 23, 1 << 23, 8, 0, 0, 0, 0)
        bad = [b"", b"P", b"P5", b"P5 ", b"P5 3", b"P5 3 1", b"P5 3 1 255", b"P5 3 1 255\nab",
               b"P5 0 1 255\n", b"P5 -3 1 255\nabc", b"P5 3 1 0\nabc", b"P5 3 1 65536\nabcdef",
               b"P5 3 1 100\n\x00\x01\x65", b"P5 99999999999999999999 1 255\n", b"P2 2 1 9 1",
               b"P2 2 1 9 1 10", b"P2 2 1 9 1 x", b"P4 8 1\n\xff", b"P6 1 1 255\nab",
               b"P5 3 1 255#", b"P5 3 1 255#no end", b"P5 3 1 255#c\nab", b"P5 3x1 255\nabc",
               b"P5 3 1# 255\nabc", b"P5 3 1 255abc", b"P5 3 1 -255\nabc", b"P5 3 1 65535\nabcde",
               b"P5 16777216 16777216 255\n", b"GIF89a", b"\x89PNG", b"\x89PNG\r\n\x1a\n",
               whole.replace(b"IDAT", b"IDAX"), whole[:8] + tool.chunk(b"IHDR", bomb) + whole[33:],
               tool.png(3, 2, 8, 0, [b"abc"]), tool.png(0, 2, 8, 0, [b"", b""])]
        bad += [whole[:size] for size in range(8, len(whole) - 12)]
        bad += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:] for at in range(8, 33)]
        for data in bad:
            with self.subTest(data):
                tool.write("bad.png", data)
                self.fails("noise", "--sigma", 0, "bad.png", "out.png", naming="bad.png")

    def test_pngs_with_flaws_that_cost_no_pixel(self):
        whole = tool.png(3, 2, 8, 0, [b"abc", b"def"])
        at = whole.index(b"IDAT") - 4
        pixels = zlib.compress(b"\0abc\0def")

        def with_data(data):
            return whole[:at] + tool.chunk(b"IDAT", data) + whole[-12:]

        for name, data in (("too much", with_data(zlib.compress(b"\0abc\0def and more"))),
                           ("behind the data", with_data(pixels + b"words"))):
            with self.subTest(name):
                image, said = self.copied(data)
                self.assertEqual(image, (3, 2, 1, b"abcdef"))
                self.assertRegex(said, "\\Acae: note: in: read in spite of a flaw[^\n]*\n\\Z")
        for data in (*(whole[:size] for size in range(len(whole) - 12, len(whole))),
                     whole[:-1] + bytes([whole[-1] ^ 1])):  # the end, or its checksum
            image, said = self.copied(data)
            self.assertEqual(image, (3, 2, 1, b"abcdef"))
            self.assertRegex(said, "\\Acae: note: in: read in spite of a flaw[^\n]*\n\\Z")
        tool.write("in", with_data(pixels[:-1] + bytes([pixels[-1] ^ 1])))  # their checksum
        self.fails("noise", "--sigma", 0, "in", "o.png", naming="in: damaged PNG")
        for name, data in (("film", whole + b"a film behind the end"),
                           ("chunk", whole[:33] + tool.chunk(b"prVt", b"words") + whole[33:]),
                           ("text", whole[:33] + tool.chunk(b"tEXt", b"no key") + whole[33:])):
            with self.subTest(name):
                self.assertEqual(self.copied(data), ((3, 2, 1, b"abcdef"), ""))

    def test_only_images_that_can_be_written_are_named(self):
        """An ending that is no PNG's, PGM's or PPM's must not get a PNG, nor cost the time to make it."""
        model = self.model("m")
        sampled = self.model("sampled", tool.SAMPLED)
        self.ok("compress", model, "data/000.png", "c.cae")
        commands = (["decompress", model, "c.cae"], ["denoise", model, "data/000.png"],
                    ["noise", "--sigma", 0, "data/000.png"], ["sample", sampled, "--out"],
                    ["interpolate", model, "data/000.png", "data/001.png", "--out"])
        for out in ("o.jpg", "o.JPEG", "o.webp", "o.gif", "o.bmp", "o.tif", "o.pbm", "o.cae", "o.png.x",
                    "d.png/o.jfif", "o.1"):
            for command in commands:
                done = self.fails(*command, out, naming=f"cae: {out}: cannot write images")
                self.assertIn("name it .png, .pgm, .ppm or .pnm", done.stderr)
                self.assertFalse(os.path.exists(out))
        self.fails("decompress", "nowhere", "nothing", "o.jpg", naming="o.jpg: cannot write")
        os.mkdir("dir.jpg")
        for command in commands:
            for out in ("o.png", "O.PNG", "o.pgm", "o.pnm", "no-ending", "dir.jpg/o", ".hidden", "dot."):
                self.ok(*command, out)
                magic = b"P5" if out.endswith(("pgm", "pnm")) else b"\x89PNG"
                self.assertEqual(tool.read(out)[:len(magic)], magic)
                os.remove(out)

    def test_png_is_written_as_it_was(self):
        for channels in (1, 3):
            tool.make_images("d", 1, 37, 23, channels)
            self.ok("noise", "--sigma", 0, "d/000.png", "o.png")
            self.assertEqual(tool.read_png(tool.read("o.png")),
                             tool.read_png(tool.read("d/000.png")))

    def test_noise_has_its_size_and_seed(self):
        tool.write("grey.pgm", b"P5 200 200 255\n" + b"\x80" * 40000)
        for seed in (1, 2):
            self.ok("noise", "--sigma", 25, "--seed", seed, "grey.pgm", f"{seed}.pgm")
        self.ok("noise", "--sigma", 25, "grey.pgm", "again.pgm")
        self.assertEqual(tool.read("1.pgm"), tool.read("again.pgm"))
        self.assertNotEqual(tool.read("1.pgm"), tool.read("2.pgm"))
        values = tool.read_pnm(tool.read("1.pgm"))[3]
        mean = sum(values) / len(values)
        deviation = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        self.assertAlmostEqual(mean, 128, delta=1)
        self.assertAlmostEqual(deviation, 25, delta=0.5)

    def test_noise_is_estimated(self):
        tool.write("grey.pgm", b"P5 200 200 255\n" + b"\x80" * 40000)
        self.ok("noise", "--sigma", 25, "grey.pgm", "25.pgm")
        lines = self.ok("noise", "--estimate", "grey.pgm", "25.pgm").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["grey.pgm", "25.pgm"])
        self.assertEqual(lines[0], "grey.pgm 0.00")
        self.assertAlmostEqual(float(lines[1].split()[1]), 25, delta=1.5)
        listed = json.loads(self.ok("noise", "--json", "25.pgm", "--estimate", "--",
                                    "grey.pgm").stdout)
        self.assertEqual([row["name"] for row in listed], ["25.pgm", "grey.pgm"])
        self.assertAlmostEqual(listed[0]["sigma"], float(lines[1].split()[1]), delta=0.006)
        self.fails("noise", "--estimate", "absent.png", naming="absent.png")
        self.fails("noise", "--estimate", code=2, naming="IN.png")

    def test_a_large_compressed_gap_is_read_in_little_time(self):
        rows = zlib.compress(bytes(4001) * 4000, 9)
        header = struct.pack(">IIBBBBB", 4000, 4000, 8, 0, 0, 0, 0)
        tool.write("flat.png", b"\x89PNG\r\n\x1a\n" + tool.chunk(b"IHDR", header) +
                   tool.chunk(b"IDAT", rows) + tool.chunk(b"IEND", b""))
        self.ok("noise", "--sigma", 0, "flat.png", "out.png")


if __name__ == "__main__":
    unittest.main()
