# SPDX-License-Identifier: BSD-2-Clause
"""Grey pictures in plain Python: PNG and PNM files, PSNR, SSIM, Gaussian blur and grids.

A picture is a list of rows, a row a bytes object of 8-bit pixels. Nothing here calls libcae, so the
report's figures do not rest on the code that they judge. Errors are ValueErrors that name the file.
"""

import math
import re
import struct
import zlib
from operator import mul
from pathlib import Path

# ---- Files ---------------------------------------------------------------------------------------

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _chunks(data):
    """The chunks of a PNG as (type, content), their checksums checked."""
    place = len(SIGNATURE)
    while place < len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        content = data[place + 8 : place + 8 + size]
        (checksum,) = struct.unpack_from(">I", data, place + 8 + size)
        if zlib.crc32(kind + content) != checksum:
            raise ValueError(f"chunk {kind!r} is damaged")
        yield kind, content
        place += 12 + size


def _paeth(left, above, corner):
    guess = left + above - corner
    by_left, by_above, by_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if by_left <= by_above and by_left <= by_corner:
        return left
    return above if by_above <= by_corner else corner


# What each filter type expects of a byte from its neighbours (PNG specification, 9.2).
PREDICTIONS = (
    lambda left, above, corner: 0,
    lambda left, above, corner: left,
    lambda left, above, corner: above,
    lambda left, above, corner: (left + above) // 2,
    _paeth,
)


def _unfilter(kind, line, above):
    predict, row, left, corner = PREDICTIONS[kind], bytearray(), 0, 0
    for value, up in zip(line, above):
        left = (value + predict(left, up, corner)) & 255
        corner = up
        row.append(left)
    return bytes(row)


def _decode_png(data):
    parts = list(_chunks(data))
    width, height, *form = struct.unpack(">IIBBBBB", parts[0][1])
    if form != [8, 0, 0, 0, 0]:
        raise ValueError("not 8-bit grey without interlacing")
    lines = zlib.decompress(b"".join(content for kind, content in parts if kind == b"IDAT"))
    if len(lines) != height * (width + 1):
        raise ValueError("too few or too many rows")
    rows, above = [], bytes(width)
    for place in range(0, len(lines), width + 1):
        above = _unfilter(lines[place], lines[place + 1 : place + 1 + width], above)
        rows.append(above)
    return rows


def read_png(path):
    """Reads an 8-bit grey PNG without interlacing, which is what the command `cae` writes."""
    data = Path(path).read_bytes()
    try:
        if not data.startswith(SIGNATURE):
            raise ValueError("no PNG signature")
        return _decode_png(data)
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise ValueError(f"{path}: not a PNG that this reads: {error}") from error


def _filter(kind, line, above, step):
    predict, start = PREDICTIONS[kind], bytes(step)
    around = zip(line, start + line, above, start + above)
    return bytes([kind, *((value - predict(*others)) & 255 for value, *others in around)])


def encode_png(rows, alpha=False, filters=range(5)):
    """A small PNG: each of the filters used on all rows, the smallest result taken. With `alpha`,
    a row holds pairs of grey and opacity."""
    step = 2 if alpha else 1
    header = struct.pack(">IIBBBBB", len(rows[0]) // step, len(rows), 8, 4 if alpha else 0, 0, 0, 0)
    aboves = [bytes(len(rows[0])), *rows]
    packed = [
        zlib.compress(b"".join(_filter(kind, *pair, step) for pair in zip(rows, aboves)), 9)
        for kind in filters
    ]
    chunks = (b"IHDR" + header, b"IDAT" + min(packed, key=len), b"IEND")
    return SIGNATURE + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


def read_pnm(path):
    """Reads an 8-bit PGM or PPM; colour becomes grey as in the command `cae`."""
    data = Path(path).read_bytes()
    header = re.match(rb"(P[56])\s+(\d+)\s+(\d+)\s+255\s", data)
    if not header:
        raise ValueError(f"{path}: not an 8-bit PGM or PPM")
    width, pixels = int(header[2]), data[header.end() :]
    if header[1] == b"P6":
        colours = zip(pixels[0::3], pixels[1::3], pixels[2::3])
        pixels = bytes((77 * r + 150 * g + 29 * b + 128) >> 8 for r, g, b in colours)
    return [pixels[place : place + width] for place in range(0, len(pixels), width)]


# ---- Making pictures -----------------------------------------------------------------------------


def shrink_line(line, size):
    """Makes a line of numbers shorter, or longer, by averaging the stretch under each new one."""
    ratio = len(line) / size
    out = []
    for i in range(size):
        begin, end = i * ratio, (i + 1) * ratio
        first, last = int(begin), min(math.ceil(end), len(line))
        parts = [line[x] * (min(end, x + 1) - max(begin, x)) for x in range(first, last)]
        out.append(sum(parts) / ratio)
    return out


def square(rows, size):
    """The largest square in the middle, at another size."""
    height, width = len(rows), len(rows[0])
    side = min(height, width)
    if height == width == size:
        return rows
    top, left = (height - side) // 2, (width - side) // 2
    lines = [shrink_line(row[left : left + side], size) for row in rows[top : top + side]]
    columns = [shrink_line(column, size) for column in zip(*lines)]
    return [bytes(min(255, int(value + 0.5)) for value in line) for line in zip(*columns)]


def mean_picture(pictures):
    """The mean of pictures of one size, rounded."""
    totals = [[sum(column) for column in zip(*rows)] for rows in zip(*pictures)]
    return [bytes(int(total / len(pictures) + 0.5) for total in row) for row in totals]


def gaussian(sigma, radius):
    """2 radius + 1 weights that sum to 1."""
    weights = [math.exp(-0.5 * (x / sigma) ** 2) for x in range(-radius, radius + 1)]
    return [weight / sum(weights) for weight in weights]


def _weigh_rows(rows, weights):
    """Slides the weights along each row, inside of it only."""
    return [
        [sum(map(mul, weights, window)) for window in zip(*(row[i:] for i in range(len(weights))))]
        for row in rows
    ]


def _weigh(rows, weights):
    """The same along rows and columns."""
    columns = _weigh_rows(list(zip(*_weigh_rows(rows, weights))), weights)
    return list(zip(*columns))


def blur(rows, sigma):
    """A Gaussian blur; the border is continued outwards."""
    radius = math.ceil(3 * sigma)
    wide = [row[:1] * radius + row + row[-1:] * radius for row in rows]
    tall = wide[:1] * radius + wide + wide[-1:] * radius
    return [
        bytes(int(value + 0.5) for value in row) for row in _weigh(tall, gaussian(sigma, radius))
    ]


def grid(pictures, columns, gap=4):
    """One PNG of many pictures of one size; the gaps are transparent."""
    size = len(pictures[0][0])
    empty = bytes(2 * gap)
    lines = []
    for first in range(0, len(pictures), columns):
        some = pictures[first : first + columns]
        if first:
            lines += [bytes(2 * (columns * (size + gap) - gap))] * gap
        for rows in zip(*some):
            opaque = [bytes(v for grey in row for v in (grey, 255)) for row in rows]
            opaque += [bytes(2 * size)] * (columns - len(some))
            lines.append(empty.join(opaque))
    return encode_png(lines, alpha=True)


# ---- Measuring -----------------------------------------------------------------------------------


def squared_error(a, b):
    """Mean squared error of two pictures on the scale 0 to 255."""
    total = sum((x - y) ** 2 for p, q in zip(a, b) for x, y in zip(p, q))
    return total / (len(a) * len(a[0]))


def psnr(error):
    """Peak signal-to-noise ratio in dB for a squared error on the scale 0 to 255."""
    return 10 * math.log10(255**2 / error) if error else math.inf


def _products(a, b):
    return [list(map(mul, p, q)) for p, q in zip(a, b)]


def _local_means(rows):
    """Means in an 11 x 11 Gaussian window of sigma 1.5 that slides inside the picture, in a row."""
    return [value for row in _weigh(rows, gaussian(1.5, 5)) for value in row]


class Original:
    """A picture that others are measured against; keeps what SSIM needs of it."""

    def __init__(self, rows):
        self.rows = rows
        self.means = _local_means(rows)
        self.squares = _local_means(_products(rows, rows))

    def ssim(self, rows):
        """Structural similarity (Wang et al. 2004), K1 = 0.01, K2 = 0.03."""
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        maps = (rows, _products(rows, rows), _products(self.rows, rows))
        total = 0.0
        for a, aa, b, bb, ab in zip(self.means, self.squares, *map(_local_means, maps)):
            likeness = (2 * a * b + c1) * (2 * (ab - a * b) + c2)
            total += likeness / ((a * a + b * b + c1) * (aa - a * a + bb - b * b + c2))
        return total / len(self.means)

    def measure(self, rows):
        """Mean squared error on [0,1], PSNR in dB and SSIM of another picture."""
        error = squared_error(self.rows, rows)
        return error / 255**2, psnr(error), self.ssim(rows)
