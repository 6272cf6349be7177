# SPDX-License-Identifier: BSD-2-Clause
"""A second reader of libcae's model files, written from docs/file-formats.md and in the standard
library alone. It accepts or refuses a file and says why; nothing of libcae is used.

    python3 tests/peers/safetensors_reader.py FILE...
"""

import math
import re
import struct
import sys
import zlib

from architecture_reader import Refused, check_tensors, check_training, require

ELEMENTS = {b"F32": (4, "f"), b"F64": (8, "d"), b"I64": (8, "q"), b"F16": (2, "e")}
LARGEST_NUMBER = (1 << 53) - 1

TOKEN = re.compile(
    rb'[ \t\n\r]*(?:([{}\[\]:,])'
    rb'|"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"'
    rb"|(0|[1-9][0-9]*))"
)
ESCAPE = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|(.))', re.S)
SHORT_ESCAPES = {b"b": "\b", b"f": "\f", b"n": "\n", b"r": "\r", b"t": "\t"}


class Tokens:
    """The header's tokens, one at a time."""

    def __init__(self, text):
        self.text, self.position = text, 0

    def _next(self):
        match = TOKEN.match(self.text, self.position)
        require(match, f"no JSON token at byte {self.position} of the header")
        self.position = match.end()
        return match

    def mark(self):
        return self._next()[1]

    def expect(self, mark):
        position = self.position
        require(self.mark() == mark, f"no {mark.decode()!r} after byte {position} of the header")

    def string(self):
        """(the raw bytes between the quotes, their place in the header)"""
        match = self._next()
        require(match[2] is not None, f"no string at byte {match.start()} of the header")
        try:
            match[2].decode()
        except UnicodeDecodeError:
            raise Refused(f"no UTF-8 at byte {match.start(2)} of the header") from None
        return match[2], match.start(2)

    def number(self):
        match = self._next()
        require(match[3] is not None, f"no whole number at byte {match.start()} of the header")
        require(len(match[3]) <= 16 and int(match[3]) <= LARGEST_NUMBER, "a number over 2^53 - 1")
        return int(match[3])

    def members(self):
        """The keys of an object; the caller reads each value before it asks for the next key."""
        seen = set()
        self.expect(b"{")
        if self._peek() == b"}":
            self.mark()
            return
        while True:
            key, _ = self.string()
            require(b"\\" not in key, "a key with a backslash")
            require(key not in seen, f"the key {key!r} twice")
            seen.add(key)
            self.expect(b":")
            yield key
            mark = self.mark()
            require(mark in (b",", b"}"), "neither comma nor brace after a value")
            if mark == b"}":
                return

    def numbers(self):
        values = []
        self.expect(b"[")
        if self._peek() == b"]":
            self.mark()
            return values
        while True:
            values.append(self.number())
            mark = self.mark()
            require(mark in (b",", b"]"), "neither comma nor bracket after a number")
            if mark == b"]":
                return values

    def _peek(self):
        match = TOKEN.match(self.text, self.position)
        return match[1] if match else None


def unescape(raw):
    """The text of a JSON string. A \\u escape is a whole character or half of a surrogate pair."""
    units = []
    position = 0
    for match in ESCAPE.finditer(raw):
        units.append(raw[position : match.start()].decode())
        position = match.end()
        if match[1]:
            units.append(chr(int(match[1], 16)))
        else:
            units.append(SHORT_ESCAPES.get(match[2], match[2].decode()))
    units.append(raw[position:].decode())
    try:
        text = "".join(units).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise Refused("half of a surrogate pair") from None
    require("\0" not in text, "a NUL character")
    return text


def find_notes(values):
    """The metadata that travels with a model: {key: text}, of what can be a note the first 32."""
    found = {}
    for key, (raw, _) in values.items():
        text = unescape(raw)
        name = re.fullmatch(rb"(?!libcae\.)[A-Za-z0-9._-]{1,64}", key)
        if name and len(text.encode()) <= 4096 and len(found) < 32:
            found[key.decode()] = text
    return found


def read_metadata(tokens):
    """(notes, architecture, checksum, its place in the header)"""
    values = {}
    for key in tokens.members():
        values[key] = tokens.string()
        unescape(values[key][0])
    require(len(values) <= 64, "more than 64 metadata entries")
    for key in (b"libcae.version", b"libcae.architecture", b"libcae.crc32"):
        require(key in values, f"no {key.decode()} in the metadata")
    require(values[b"libcae.version"][0] == b"1", "another version")
    architecture = unescape(values[b"libcae.architecture"][0])
    require(0 < len(architecture.encode()) <= 65536, "an architecture text of no or too many bytes")
    checksum, place = values[b"libcae.crc32"]
    require(re.fullmatch(rb"[0-9a-f]{8}", checksum), "libcae.crc32 is not 8 digits 0-9 a-f")
    return find_notes(values), architecture, int(checksum, 16), place


def read_tensor(tokens):
    entry = {}
    for key in tokens.members():
        require(key in (b"dtype", b"shape", b"data_offsets"), f"an unknown key {key!r} in a tensor")
        entry[key] = tokens.string()[0] if key == b"dtype" else tokens.numbers()
    require(len(entry) == 3, "a tensor without dtype, shape or data_offsets")
    return entry[b"dtype"], tuple(entry[b"shape"]), entry[b"data_offsets"]


def check_tensor(name, entry, end):
    """Returns the end of the tensor's data."""
    dtype, shape, offsets = entry
    require(re.fullmatch(rb"[A-Za-z0-9._-]{1,128}", name), f"the name {name!r}")
    require(dtype in ELEMENTS, f"the dtype {dtype!r}")
    require(1 <= len(shape) <= 4 and 0 not in shape, f"the shape {shape}")
    size = math.prod(shape) * ELEMENTS[dtype][0]
    require(offsets == [end, end + size], f"{name.decode()} has data_offsets {offsets}")
    return end + size


def read_header(header):
    """({name: (dtype, shape)}, the data's size, notes, architecture, checksum, its place)"""
    require(header[:1] == b"{", "the header does not begin with a brace")
    tokens, tensors, end, before, metadata = Tokens(header), {}, 0, b"", None
    for key in tokens.members():
        if metadata is None:
            require(key == b"__metadata__", "__metadata__ is not first")
            metadata = read_metadata(tokens)
            continue
        entry = read_tensor(tokens)
        end = check_tensor(key, entry, end)
        require(before < key, f"{key.decode()} is not in order")
        before, tensors[key.decode()] = key, entry[:2]
        require(len(tensors) <= 8192, "more than 8192 tensors")
    require(metadata, "no __metadata__")
    require(not header[tokens.position :].strip(b" "), "something after the header's last brace")
    return tensors, end, *metadata


def read_values(tensors, body):
    """The single numbers of the training state; every value is checked to be finite."""
    begin, single = 0, {}
    for name, (dtype, shape) in tensors.items():
        count, (size, kind) = math.prod(shape), ELEMENTS[dtype]
        values = struct.unpack_from(f"<{count}{kind}", body, begin)
        require(kind == "q" or all(map(math.isfinite, values)), f"{name} has NaN or infinity")
        if count == 1 and name.startswith("train."):
            single[name[6:]] = values[0]
        begin += count * size
    return single


def check_file(data):
    """The notes of a model file. Raises Refused unless it is one that libcae must load."""
    require(len(data) >= 8, "shorter than its first field")
    (length,) = struct.unpack_from("<Q", data)
    require(length <= len(data) - 8, "the header is longer than the file")
    require(length <= 1 << 20, "the header is over 1 MiB")
    require((8 + length) % 64 == 0, "the data does not start at a multiple of 64")
    tensors, size, notes, architecture, checksum, place = read_header(data[8 : 8 + length])
    require(size == len(data) - 8 - length, "the tensors do not cover the data")
    blank = data[: 8 + place] + b"00000000" + data[16 + place :]
    require(zlib.crc32(blank) == checksum, "the checksum does not fit")
    single = read_values(tensors, data[8 + length :])
    check_tensors(architecture, tensors)
    if "step" in single:
        check_training(single)
    return notes


def validate(data):
    """None if the file is accepted, else the reason."""
    try:
        check_file(data)
    except Refused as error:
        return str(error)
    return None


if __name__ == "__main__":
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            print(f"{path}: {validate(file.read()) or 'accepted'}")
