# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the command share: running it, and images written and read by plain Python, so
that the command's own reader and writer are not tested by themselves.

CAE_TOOL names the command under test; CAE_TEST_JPEG the program write_jpeg, if the command reads
JPEG; CAE_TEST_PREPARE the program prepare_image.
"""

import json
import os
import struct
import subprocess
import tempfile
import unittest
import zlib

TOOL = os.environ.get("CAE_TOOL", "cae")
WRITE_JPEG = os.environ.get("CAE_TEST_JPEG", "")
READS_JPEG = WRITE_JPEG != ""
PREPARE = os.environ.get("CAE_TEST_PREPARE", "prepare_image")
LONG = os.environ.get("CAE_TEST_LONG", "") != ""

# Small networks: a step on a batch of 16 x 16 takes a millisecond or so.
GREY = """input 1 16 16
conv 4 kernel 3 pad 1 relu
maxpool 2
code
tconv 1 kernel 2 stride 2 sigmoid
"""
COLOUR = GREY.replace("input 1", "input 3").replace("tconv 1", "tconv 3")
DENSE = "input 1 16 16\ndense 20 relu\ncode\ndense 1 16 16 sigmoid\n"
SAMPLED = "input 1 16 16\ndense 12\ncode sampled\ndense 1 16 16 sigmoid\n"
SKIP = """input 1 16 16
conv 4 kernel 3 pad 1 relu
mark early
maxpool 2
code
tconv 4 kernel 2 stride 2
add early relu
conv 1 kernel 3 pad 1 sigmoid
"""


def run(*arguments, **options):
    """Runs the command; the words of its standard error are in .stderr."""
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True,
                          check=False, **{"timeout": 100, **options})


class Case(unittest.TestCase):
    """A test in an empty folder of its own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="cae-tool-")
        self.addCleanup(self.folder.cleanup)
        before = os.getcwd()
        os.chdir(self.folder.name)
        self.addCleanup(os.chdir, before)

    def ok(self, *arguments, **options):
        done = run(*arguments, **options)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done

    def fails(self, *arguments, naming, code=1, **options):
        """The command must fail with a message that names `naming`."""
        done = run(*arguments, **options)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertRegex(done.stderr, r"\Acae[: ]")
        self.assertIn(naming, done.stderr)
        return done

    def model(self, path, text=GREY, count=4, steps=3, **options):
        """Trains a small model for a few steps on a few drawn faces."""
        write(path + ".txt", text.encode())
        if not os.path.exists("data"):
            channels = int(text.split()[1])
            make_images("data", count, 16, 16, channels)
        extra = [word for key, value in options.items()
                 for word in ("--" + key.replace("_", "-"), value)]
        self.ok("train", "--model", path + ".txt", "--data", "data", "--steps", steps, "--out",
                path, *extra)
        return path


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


# ---- PNG -----------------------------------------------------------------------------------------

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour, rows, extra=b""):
    """A PNG of packed rows; extra: chunks between the header and the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) +
            chunk(b"IEND", b""))


def unfilter(kind, row, above, step):
    out = bytearray(row)
    for i, value in enumerate(row):
        left = out[i - step] if i >= step else 0
        up = above[i]
        corner = above[i - step] if i >= step else 0
        if kind == 4:
            estimate = left + up - corner
            guess = min((left, up, corner), key=lambda v: abs(estimate - v))
        else:
            guess = (0, left, up, (left + up) // 2)[kind]
        out[i] = (value + guess) & 255
    return bytes(out)


def read_png(data):
    """(width, height, channels, pixels) of an 8-bit grey or RGB PNG without interlacing."""
    width, height, depth, colour, pixels = read_whole_png(data)
    assert depth == 8 and colour in (0, 2)
    return width, height, 1 if colour == 0 else 3, pixels


def read_whole_png(data):
    """(width, height, depth, colour, pixels) of a PNG of 8 or 16 bits, perhaps with alpha."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "signature"
    at, pixels, width, height, depth, colour = 8, b"", 0, 0, 0, 0
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        name, body = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(name + body), name
        at += size + 12
        if name == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert depth in (8, 16) and colour in (0, 2, 4, 6) and interlace == 0
        elif name == b"IDAT":
            pixels += body
    step = {0: 1, 2: 3, 4: 2, 6: 4}[colour] * depth // 8
    raw, size = zlib.decompress(pixels), width * step
    assert len(raw) == height * (size + 1), "size of the pixels"
    rows, above = [], bytes(size)
    for y in range(height):
        start = y * (size + 1)
        above = unfilter(raw[start], raw[start + 1:start + 1 + size], above, step)
        rows.append(above)
    return width, height, depth, colour, b"".join(rows)


def read_pnm(data):
    """(width, height, channels, pixels) of the raw PGM and PPM that the command writes."""
    magic, size, most, pixels = data.split(b"\n", 3)
    width, height = map(int, size.split())
    assert magic in (b"P5", b"P6") and most == b"255"
    channels = 1 if magic == b"P5" else 3
    assert len(pixels) == width * height * channels
    return width, height, channels, pixels


def make_images(folder, count, width, height, channels=1):
    """Smooth images, each of its own: waves of integers."""
    os.makedirs(folder, exist_ok=True)
    for n in range(count):
        pixels = bytes(128 + ((x * (n + 3) + y * (5 - n % 4) + 40 * c) % 61) - 30 + (x * y) % 7
                       for y in range(height) for x in range(width) for c in range(channels))
        size = width * channels
        rows = [pixels[y * size:(y + 1) * size] for y in range(height)]
        write(f"{folder}/{n:03}.png", png(width, height, 8, 0 if channels == 1 else 2, rows))


# ---- JPEG, and faces as LFW comes ----------------------------------------------------------------

def jpeg(width, height, kind, pixels, quality, how=None):
    """A JPEG by libjpeg; kind and how: see write_jpeg.c."""
    words = [WRITE_JPEG, str(width), str(height), kind, str(quality)] + ([how] if how else [])
    return subprocess.run(words, input=pixels, capture_output=True, check=True, timeout=60).stdout


def face(number, width, height):
    """Colour pixels, different for each number."""
    return bytes((number * 37 + x * (3 + number % 5) + y * (c + 1)) % 200 + 20
                 for y in range(height) for x in range(width) for c in range(3))


def make_people(folder, people, images=2, ending="jpg", width=25, height=25):
    """One folder a person, PERSON/PERSON_0001.ENDING and on, all in colour; the names in order. In a
    build that reads no JPEG, these are no more than their first bytes."""
    names = []
    for person in range(people):
        os.makedirs(f"{folder}/P{person:02}", exist_ok=True)
        for image in range(images):
            name = f"P{person:02}/P{person:02}_{image + 1:04}.{ending}"
            pixels = face(person * 100 + image, width, height)
            size = 3 * width
            if ending == "png":
                data = png(width, height, 8, 2,
                           [pixels[y * size:(y + 1) * size] for y in range(height)])
            elif READS_JPEG:
                data = jpeg(width, height, "sub", pixels, 90)
            else:
                data = b"\xff\xd8\xff\xe0"
            write(f"{folder}/{name}", data)
            names.append(name)
    return names
