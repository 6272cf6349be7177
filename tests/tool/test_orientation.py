# SPDX-License-Identifier: BSD-2-Clause
"""Pictures that were held sideways or upside down: EXIF's orientation, in JPEGs and PNGs, is followed
wherever pictures are read, and EXIF data that are damaged crash nothing and turn nothing."""

import json
import os
import random
import struct
import unittest

import tool

WIDTH, HEIGHT = 11, 7
PIXELS = bytes(range(3, 3 + 3 * WIDTH * HEIGHT))


def tiff(value, order="<", kind=3, count=1, tag=0x0112, before=0, place=8):
    """EXIF data with some other entries before the orientation."""
    packed = struct.pack(order + {1: "B3x", 3: "H2x", 4: "I"}.get(kind, "I"), value)
    entries = [struct.pack(order + "HHII", 0x0100 + n, 4, 1, 99) for n in range(before)]
    entries.append(struct.pack(order + "HHI", tag, kind, count) + packed)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", place)
    return (head.ljust(place, b"\7") + struct.pack(order + "H", len(entries)) +
            b"".join(entries) + bytes(4))


def in_png(exif, behind=False):
    rows = [PIXELS[3 * WIDTH * y:3 * WIDTH * (y + 1)] for y in range(HEIGHT)]
    chunk = tool.chunk(b"eXIf", exif) if exif is not None else b""
    if not behind:
        return tool.png(WIDTH, HEIGHT, 8, 2, rows, chunk)
    whole = tool.png(WIDTH, HEIGHT, 8, 2, rows)
    return whole[:-12] + chunk + whole[-12:]


def in_jpeg(exif, whole, name=b"Exif\0\0"):
    body = name + exif
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + whole[2:]


def turned(image, orientation):
    """The picture upright: the words of TIFF 6.0, that row 0 and column 0 are at the ... and the ...,
    and this says where each stored pixel goes."""
    width, height, channels, pixels = image
    places = {1: lambda y, x: (y, x), 2: lambda y, x: (y, width - 1 - x),
              3: lambda y, x: (height - 1 - y, width - 1 - x), 4: lambda y, x: (height - 1 - y, x),
              5: lambda y, x: (x, y), 6: lambda y, x: (x, height - 1 - y),
              7: lambda y, x: (width - 1 - x, height - 1 - y), 8: lambda y, x: (width - 1 - x, y)}
    to_width, to_height = (height, width) if orientation >= 5 else (width, height)
    out = bytearray(len(pixels))
    for y in range(height):
        for x in range(width):
            row, column = places[orientation](y, x)
            at, to = (y * width + x) * channels, (row * to_width + column) * channels
            out[to:to + channels] = pixels[at:at + channels]
    return to_width, to_height, channels, bytes(out)


class Orientation(tool.Case):
    def copied(self, data, name="in"):
        tool.write(name, data)
        done = self.ok("noise", "--sigma", 0, name, "o.ppm")
        return tool.read_pnm(tool.read("o.ppm")), done.stderr

    def check_all(self, make):
        plain, said = self.copied(make(None))
        self.assertEqual(said, "")
        for order in "<>":
            for orientation in range(1, 9):
                with self.subTest(f"{order}{orientation}"):
                    image, said = self.copied(make(tiff(orientation, order)))
                    self.assertEqual(image, turned(plain, orientation))
                    self.assertEqual(said, "" if orientation == 1 else
                                     "cae: note: in: turned upright, as its EXIF data say\n")
        for good in (tiff(6, before=5), tiff(6, ">", kind=1), tiff(6, kind=4), tiff(6, place=20),
                     tiff(6) + b"more"):
            self.assertEqual(self.copied(make(good))[0], turned(plain, 6))
        for bad in self.hostile():
            with self.subTest(bad):
                self.assertEqual(self.copied(make(bad))[0], plain)
        whole = tiff(6, ">", before=2)  # cut and damaged: any answer that is a picture
        numbers = random.Random(1)
        for size in range(0, len(whole), 1 if tool.LONG else 3):
            self.assertIn(self.copied(make(whole[:size]))[0], (plain, turned(plain, 6)))
        pictures = [turned(plain, orientation) for orientation in range(1, 9)]
        for _ in range(300 if tool.LONG else 40):
            data = bytearray(whole)
            for _ in range(3):
                data[numbers.randrange(len(data))] = numbers.choice((0, 1, 255, 0x12, 8))
            self.assertIn(self.copied(make(bytes(data)))[0], pictures)

    @staticmethod
    def hostile():
        for value in (0, 9, 255, 65535):
            yield tiff(value)
            yield tiff(value, ">")
        yield tiff(1 << 31, kind=4)
        yield from (tiff(6, count=count) for count in (0, 2, 1 << 31, (1 << 32) - 1))
        yield from (tiff(6, kind=kind) for kind in (0, 2, 5, 7, 12, 65535))
        yield from (b"", b"E", b"II", b"II*\0", b"Exif\0\0", b"II\0*\x08\0\0\0", b"MM*\0\0\0\0\x08",
                    tiff(6)[:21], tiff(6, tag=0x0113))
        for place in (0, 4, 9, 27, 1 << 31, (1 << 32) - 1, (1 << 32) - 2):
            yield tiff(6)[:4] + struct.pack("<I", place) + tiff(6)[8:]
        many = struct.pack("<HHII", 0x0100, 4, 1, 99)
        yield b"II*\0\x08\0\0\0\xff\xff" + many * 3  # more entries than there are

    def test_pngs(self):
        self.check_all(in_png)

    def test_pngs_with_the_chunk_behind_the_pixels(self):
        plain = self.copied(in_png(None))[0]
        self.assertEqual(self.copied(in_png(tiff(8), True))[0], turned(plain, 8))
        self.assertEqual(self.copied(in_png(b"Exif\0\0" + tiff(6)))[0], turned(plain, 6))
        damaged = bytearray(in_png(tiff(8)))
        damaged[33 + 12] ^= 1  # its checksum is wrong
        image, said = self.copied(bytes(damaged))
        self.assertEqual(image, plain)
        self.assertIn("flaw", said)
        self.assertIn("CRC error", said)
        self.copied(in_png(tiff(8, before=5000)))
        whole = in_png(None)  # with very many
        tool.write("in", whole[:33] + tool.chunk(b"eXIf", bytes(1000)) * 2000 + whole[33:])
        self.assertIn(tool.run("noise", "--sigma", 0, "in", "o.ppm").returncode, (0, 1))

    @unittest.skipUnless(tool.READS_JPEG, "this build reads no JPEG")
    def test_jpegs(self):
        whole = tool.jpeg(WIDTH, HEIGHT, "rgb", PIXELS, 95)
        self.check_all(lambda exif: whole if exif is None else in_jpeg(exif, whole))
        plain = self.copied(whole)[0]
        # Other segments before it, and bytes that are none.
        for data in (in_jpeg(b"http://ns.adobe.com/xap/1.0/\0", in_jpeg(tiff(7), whole), b""),
                     whole[:20] + b"\0\0" + in_jpeg(tiff(7), whole)[2:]):
            self.assertEqual(self.copied(data)[0], turned(plain, 7))
        # The first counts; behind the picture there is no more of it.
        self.assertEqual(self.copied(in_jpeg(tiff(3), in_jpeg(tiff(6), whole)))[0],
                         turned(plain, 3))
        self.assertEqual(self.copied(whole + in_jpeg(tiff(3), whole))[0], plain)
        slow = tool.jpeg(WIDTH, HEIGHT, "sub", PIXELS, 95, "progressive")
        self.assertEqual(self.copied(in_jpeg(tiff(5), slow))[0], turned(self.copied(slow)[0], 5))

    def test_wherever_pictures_are_read(self):
        model = self.model("m", tool.COLOUR)
        upright, _ = self.copied(in_png(None))
        os.mkdir("held")
        os.mkdir("upright")
        for orientation in range(1, 9):
            tool.write(f"held/{orientation}.png", in_png(tiff(orientation)))
            width, height, _, pixels = turned(upright, orientation)
            tool.write(f"upright/{orientation}.png", tool.png(
                width, height, 8, 2,
                [pixels[3 * width * y:3 * width * (y + 1)] for y in range(height)]))
        results = {}
        for folder in ("held", "upright"):
            name = folder + "/6.png"
            self.ok("compress", model, name, "c.cae")
            self.ok("decompress", model, "c.cae", "d.png")
            self.ok("denoise", model, name, "n.png")
            self.ok("interpolate", model, name, folder + "/8.png", "--out", "i.png")
            cut = ("--crop", "1,2,5x4", "--size", "16x16")
            self.ok("train", "--model", "m.txt", "--data", folder, "--steps", 2, "--out", "o",
                    "--reproducible", *cut)
            score = [json.loads(self.ok("eval", model, folder, "--json", *more).stdout)
                     for more in ((), cut)]
            results[folder] = [tool.read(n) for n in ("c.cae", "d.png", "n.png", "i.png", "o")], score
            self.assertEqual(tool.read_png(tool.read("n.png"))[:2], (HEIGHT, WIDTH))
        self.assertEqual(results["held"], results["upright"])
        said = self.ok("eval", model, "held").stderr
        self.assertEqual(said, "".join(
            f"cae: note: held/{n}.png: turned upright, as its EXIF data say\n" for n in range(2, 9)) +
            "cae: note: held: 7 of 8 images are turned upright\n")
        for n in range(11):
            tool.write(f"held/{n + 10}.png", in_png(tiff(6)))
        said = self.ok("eval", model, "held").stderr
        self.assertEqual(said.count("EXIF"), 10)
        self.assertIn("held: 18 of 19 images are turned upright", said)


if __name__ == "__main__":
    unittest.main()
