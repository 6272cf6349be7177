#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the golden files of this folder that have no release in their name from docs/file-formats.md
alone, without libcae. All are kept for ever: every later libcae must read them, with the values that
are written here. (Another zlib may pack the images' payload otherwise; then the committed files stay
as they are.)

    python3 tests/golden/make_golden.py tests/golden
"""

import json
import struct
import sys
import zlib
from pathlib import Path

ARCHITECTURE = """input 1 8 8
conv 2 kernel 3 pad 1 relu
maxpool 2
code
tconv 1 kernel 2 stride 2 sigmoid
"""


def ramp(count, first, step):
    return [first + step * i for i in range(count)]


WEIGHTS = {
    "0.bias": ("F32", [2], [0.5, -0.25]),
    "0.weight": ("F32", [2, 1, 3, 3], ramp(18, -0.5, 0.0625)),
    "3.bias": ("F32", [1], [0.125]),
    "3.weight": ("F32", [2, 1, 2, 2], ramp(8, 1.0, -0.25)),
}
CODEC = {"codec.max": ("F32", [2], [2.0, 1.5]), "codec.min": ("F32", [2], [0.0, 0.0])}
TRAINING = {
    "train.beta1": ("F64", [1], [0.9]),
    "train.beta2": ("F64", [1], [0.999]),
    "train.epoch": ("I64", [1], [3]),
    "train.epsilon": ("F64", [1], [1e-8]),
    "train.learning_rate": ("F64", [1], [1e-3]),
    "train.reproducible": ("F64", [1], [1.0]),
    "train.seed": ("I64", [1], [-1]),
    "train.step": ("I64", [1], [7]),
    "train.weight_decay": ("F64", [1], [0.0]),
}
for _name, (_, _shape, _values) in WEIGHTS.items():
    TRAINING["train.m." + _name] = ("F32", _shape, ramp(len(_values), 0.0, 2.0**-10))
    TRAINING["train.v." + _name] = ("F32", _shape, ramp(len(_values), 0.0, 2.0**-20))

# The same numbers, which F16 holds exactly: the same model, with the same id.
HALVES = {name: ("F16", shape, values) for name, (_, shape, values) in WEIGHTS.items()}

LETTERS = {"F32": "f", "F64": "d", "I64": "q", "F16": "e"}


def pack(dtype, values):
    return struct.pack(f"<{len(values)}{LETTERS[dtype]}", *values)


def model(tensors):
    crc_key = "libcae.crc32"
    header = {
        "__metadata__": {
            "libcae.architecture": ARCHITECTURE,
            crc_key: "00000000",
            "libcae.version": "1",
        }
    }
    data = b""
    for name in sorted(tensors):
        dtype, shape, values = tensors[name]
        part = pack(dtype, values)
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(part)],
        }
        data += part
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    file = struct.pack("<Q", len(text)) + text + data
    at = file.index(f'"{crc_key}":"'.encode()) + len(crc_key) + 4
    return file[:at] + b"%08x" % zlib.crc32(file) + file[at + 8 :]


def plain(tensors):
    """As another program might write it: data by size, keys in another order, no alignment."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(tensors, key=lambda name: (-len(tensors[name][2]), name)):
        dtype, shape, values = tensors[name]
        part = pack(dtype, values)
        header[name] = {
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(part)],
            "dtype": dtype,
        }
        data += part
    text = json.dumps(dict(reversed(header.items()))).encode()
    return struct.pack("<Q", len(text)) + text + data


def model_id():
    crc = zlib.crc32(ARCHITECTURE.encode() + b"\0")
    tensors = {**WEIGHTS, **CODEC}
    for name in sorted(tensors):
        dtype, _, values = tensors[name]
        crc = zlib.crc32(pack(dtype, values), crc)
    return struct.pack("<I", crc)


def image(fields=b""):
    # Quality 50 has top = 16; 2 x 4 x 4 symbols for an image of 8 x 7.
    symbols = bytes(i * i % 17 for i in range(32))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = packer.compress(symbols) + packer.flush()
    file = b"\xca\xe0\x0a\x01\x00" + bytes([50, 1, 8, 7]) + model_id()
    file += bytes([len(fields)]) + fields + bytes([len(payload)]) + payload
    return file + struct.pack("<I", zlib.crc32(file))


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_bytes(model({**WEIGHTS, **CODEC}))
    (folder / "halves.safetensors").write_bytes(model({**HALVES, **CODEC}))
    (folder / "training.safetensors").write_bytes(model({**WEIGHTS, **CODEC, **TRAINING}))
    (folder / "plain.safetensors").write_bytes(plain(WEIGHTS))
    (folder / "image.cae").write_bytes(image())
    # Tags 2 and 300 are not critical: a reader of version 1 skips them.
    (folder / "fields.cae").write_bytes(image(b"\x02\x03abc" + b"\xac\x02\x00"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
