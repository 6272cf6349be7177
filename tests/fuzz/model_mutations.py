# SPDX-License-Identifier: BSD-2-Clause
"""Mutations of model files for model_reader_compare.py: of their bytes, of their bytes with the
checksum made right again, and of their parts (JSON tokens, metadata, tensors, architecture text).

Everything depends on the random numbers that are passed in. Nothing of libcae is used.
"""

import math
import re
import struct
import zlib

import architecture_reader
import safetensors_reader

# ---- A model file in parts -----------------------------------------------------------------------


class Tensor:
    """`fields` are raw JSON values by raw key, in order; None for offsets means the right ones.
    `value` replaces them all."""

    def __init__(self, name, dtype, shape, data):
        self.name, self.data, self.value = name, data, None
        self.fields = [[b"dtype", b'"%s"' % dtype], [b"shape", numbers(shape)],
                       [b"data_offsets", None]]

    def field(self, key):
        """The list [key, value], whatever mutations did before; the last one if it is gone."""
        return next((field for field in self.fields if field[0] == key), self.fields[-1])


def numbers(values):
    return b"[" + b",".join(b"%d" % value for value in values) + b"]"


class Parts:
    """A file that mutations take apart; bytes() puts it together, checksum and all."""

    def __init__(self, data):
        (length,) = struct.unpack_from("<Q", data)
        header, body = data[8 : 8 + length], data[8 + length :]
        tensors, _, _, architecture, _, _ = safetensors_reader.read_header(header)
        self.metadata = [[b"libcae.architecture", quoted(architecture)],
                         [b"libcae.crc32", b'"00000000"'], [b"libcae.version", b'"1"']]
        self.tensors, begin = [], 0
        for name, (dtype, shape) in tensors.items():
            size = safetensors_reader.ELEMENTS[dtype][0] * math.prod(shape)
            self.tensors.append(Tensor(name.encode(), dtype, shape, body[begin : begin + size]))
            begin += size
        self.metadata_place = 0  # among the tensors; None: there is no metadata
        self.space = lambda: b""  # between tokens
        self.tail, self.extra_padding, self.padding = b"", 0, b" "
        self.length_error = 0
        self.more_data = b""

    def object(self, pairs):
        gap = self.space
        members = [gap() + b'"%s"' % key + gap() + b":" + gap() + value + gap()
                   for key, value in pairs]
        return b"{" + (b",".join(members) or gap()) + b"}"

    def header(self):
        entries, begin = [], 0
        for tensor in self.tensors:
            end = begin + len(tensor.data)
            fields = [[key, numbers((begin, end)) if value is None else value]
                      for key, value in tensor.fields]
            entries.append([tensor.name, tensor.value or self.object(fields)])
            begin = end
        if self.metadata_place is not None:
            entries.insert(self.metadata_place, [b"__metadata__", self.object(self.metadata)])
        text = self.object(entries) + self.tail
        return text + self.padding * (-(8 + len(text)) % 64 + self.extra_padding)

    def bytes(self):
        header = self.header()
        length = (len(header) + self.length_error) % (1 << 64)
        data = struct.pack("<Q", length) + header
        return sealed(data + b"".join(tensor.data for tensor in self.tensors) + self.more_data)


def quoted(text):
    return b'"' + text.encode().replace(b"\\", b"\\\\").replace(b"\n", b"\\n") + b'"'


def sealed(data):
    """With the right checksum, if the place for it can still be found."""
    match = re.search(rb'libcae\.crc32"\s*:\s*"([0-9a-f]{8})"', data)
    if not match:
        return data
    begin, end = match.span(1)
    crc = zlib.crc32(data[:begin] + b"00000000" + data[end:])
    return data[:begin] + b"%08x" % crc + data[end:]


# ---- Mutations of bytes --------------------------------------------------------------------------
#
# Each takes the random numbers and a file and returns another; sealed() may follow.


def flip_bit(rng, data):
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def truncate(rng, data):
    return data[: rng.randrange(len(data))]


def append(rng, data):
    return data + rng.randbytes(rng.choice([1, 4, 64]))


def insert_bytes(rng, data):
    place = rng.randrange(len(data))
    return data[:place] + rng.choice([b" ", b"\0", b"0", b'"', b"\n", b"{", b"1"]) + data[place:]


def delete_bytes(rng, data):
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.choice([1, 2, 64]) :]


def swap_header_byte(rng, data):
    place = 8 + rng.randrange(max(1, len(data) // 2))
    byte = rng.choice(b'"\\{}[]:,0123456789 abcdefFI._-\n\t\x00\x1f\x7f\x80\xc0\xed\xff/#')
    return data[:place] + bytes([byte]) + data[place + 1 :]


def change_length(rng, data):
    length = rng.choice([0, 1, 2, 56, 64, 120, len(data), 1 << 20, (1 << 20) + 56, 1 << 63,
                         (1 << 64) - 8, rng.randrange(1 << 16)])
    return struct.pack("<Q", length) + data[8:]


BYTE_MUTATIONS = [flip_bit, truncate, append, insert_bytes, delete_bytes, swap_header_byte,
                  change_length]

# ---- Mutations of parts --------------------------------------------------------------------------


def any_tensor(rng, parts):
    return rng.choice(parts.tensors) if parts.tensors else Tensor(b"x", b"F32", (1,), b"\0" * 4)


def swap_tensors(rng, parts):
    rng.shuffle(parts.tensors)


def drop_tensor(rng, parts):
    if parts.tensors:
        parts.tensors.pop(rng.randrange(len(parts.tensors)))


def drop_training(rng, parts):
    parts.tensors = [tensor for tensor in parts.tensors if not tensor.name.startswith(b"train.")]


def repeat_tensor(rng, parts):
    tensor = any_tensor(rng, parts)
    parts.tensors.insert(parts.tensors.index(tensor) if tensor in parts.tensors else 0, tensor)


def add_tensor(rng, parts):
    name = rng.choice([
        b"0.b", b"99.weight", b"codec.mid", b"train.x", b"train.zz", b"z", b"~", b"a/b",
        b"a" * 128, b"z" * 128, b"z" * 129, b"", "é".encode(), b"z\\u0041"])
    shape = rng.choice([(1,), (2, 1), (1, 1, 1, 1), (1, 1, 1, 1, 1), ()])
    parts.tensors.append(Tensor(name, b"F32", shape, b"\0" * 4 * (2 if shape == (2, 1) else 1)))
    if rng.random() < 0.7:
        parts.tensors.sort(key=lambda tensor: tensor.name)


def rename_tensor(rng, parts):
    tensor = any_tensor(rng, parts)
    tensor.name = rng.choice([tensor.name + b" ", tensor.name.upper(), tensor.name[1:],
                              b"\\u0030" + tensor.name[1:], tensor.name + b"\0", b"0.weight"])


def change_shape(rng, parts):
    field = any_tensor(rng, parts).field(b"shape")
    field[1] = rng.choice([
        b"[]", b"[0]", b"[1]", b"[4]", b"[1,1,1,1,1]", b"[9007199254740991]",
        b"[9007199254740992]", b"[4294967296,4294967296]", b"[18446744073709551615]", b"[-1]",
        b"[1.0]", b"[1e0]", b"[01]", b"[+1]", b"[null]", b"[[1]]", b'["1"]', b"[1,]", b"[,1]",
        b"[1 1]", b"{}", b"1", b"[0x1]", b"[ 1 ]", b"[1\t]", field[1][:-1] + b",1]",
        b"[1," + field[1][1:], b"[" + b"1," * 999 + b"1]",
        b"[" + b",".join(reversed(field[1][1:-1].split(b","))) + b"]",
        b"[184467440737095516160000]", b"[2147483648,2147483648,4,1]"] if field[1] else [b"[0]"])


def change_offsets(rng, parts):
    field = any_tensor(rng, parts).field(b"data_offsets")
    a, b = rng.choice([0, 4, 8, 1 << 53]), rng.choice([0, 4, 8, 16, (1 << 53) - 1, 1 << 64])
    field[1] = rng.choice([numbers((a, b)), numbers((a,)), numbers((a, b, b)), b"[]", b"[0,-4]",
                           b"[0,4.0]", b"[0,4e0]", b"[00,4]", b"null", b'"0,4"'])


def change_dtype(rng, parts):
    field = any_tensor(rng, parts).field(b"dtype")
    field[1] = rng.choice([
        b'"F32"', b'"F64"', b'"I64"', b'"F16"', b'"BF16"', b'"I32"', b'"U8"', b'"BOOL"', b'"f32"',
        b'"F32 "', b'""', b"32", b"null", b'"\\u004632"', b'"F\\u00332"', b'["F32"]',
        b'"F3\\u0032"'])


def narrow_tensors(rng, parts):
    """Floats of 32 bits as those of 16: of all tensors, of the weights, or of one."""
    prefix = rng.choice([b"", b"train.", any_tensor(rng, parts).name])
    for tensor in parts.tensors:
        field = tensor.field(b"dtype")
        weight = not tensor.name.startswith((b"codec.", b"train."))
        if field[1] == b'"F32"' and (weight if prefix == b"train." else
                                     tensor.name.startswith(prefix)):
            values = struct.unpack(f"<{len(tensor.data) // 4}f", tensor.data)
            field[1] = b'"F16"'
            tensor.data = struct.pack(f"<{len(values)}e", *(
                value if abs(value) < 65504 else 65504 for value in values))


def change_fields(rng, parts):
    fields = any_tensor(rng, parts).fields
    action = rng.randrange(5)
    if action == 0:
        rng.shuffle(fields)
    elif action == 1:
        fields.pop(rng.randrange(len(fields)))
    elif action == 2:
        fields.append(list(rng.choice(fields)))
    elif action == 3:
        key = rng.choice([b"extra", b"", b"Shape", b"dtype "])
        fields.append([key, rng.choice([b'""', b"[]", b"1"])])
    else:
        field = rng.choice(fields)
        field[0] = b"\\u%04x" % field[0][0] + field[0][1:]
    parts.tensors = [tensor for tensor in parts.tensors if tensor.fields]


def change_tensor_value(rng, parts):
    any_tensor(rng, parts).value = rng.choice([
        b"true", b"false", b"null", b"NaN", b"{}", b"[]", b'"F32"', b"0", b'{"dtype":"F32"}'])


# 4-byte patterns: NaNs, infinities, huge, tiny, negative zero, ordinary
WORDS = [
    b"\0\0\xc0\x7f", b"\x01\0\x80\x7f", b"\0\0\x80\x7f", b"\0\0\x80\xff", b"\xff\xff\x7f\x7f",
    b"\x01\0\0\0", b"\0\0\0\x80", b"\0\0\x80\x3f", b"\0\0\x80\xbf", b"\xff\xff\xff\xff",
    b"\0\0\0\0", b"\0\0\xf0\x7f", b"\0\0\xf0\x3f", b"\0\0\x40\x43"]


def change_data(rng, parts):
    tensor = any_tensor(rng, parts)
    place = 4 * rng.randrange(max(1, len(tensor.data) // 4))
    tensor.data = tensor.data[:place] + rng.choice(WORDS) + tensor.data[place + 4 :]


def change_training(rng, parts):
    single = [tensor for tensor in parts.tensors
              if tensor.name.startswith(b"train.") and len(tensor.data) == 8]
    if single:
        tensor = rng.choice(single)
        whole = rng.choice([0, 1, -1, 1 << 53, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63), 12345])
        real = rng.choice([
            0.0, -0.0, 1.0, -1.0, 0.5, 0.9999999999999999, 1e6, 1000001.0, 1e-30, 9e-31, 1e-300,
            5e-324, float("inf"), float("nan")])
        is_whole = tensor.name in (b"train.step", b"train.epoch", b"train.seed")
        tensor.data = struct.pack("<q", whole) if is_whole else struct.pack("<d", real)


def change_data_size(rng, parts):
    tensor = any_tensor(rng, parts)
    tensor.data = rng.choice([tensor.data + b"\0" * 4, tensor.data[:-4], tensor.data + b"\0", b""])


def move_metadata(rng, parts):
    parts.metadata_place = rng.choice([None, 1, len(parts.tensors)])


def drop_metadata(rng, parts):
    if parts.metadata:
        parts.metadata.pop(rng.randrange(len(parts.metadata)))


def repeat_metadata(rng, parts):
    if parts.metadata:
        parts.metadata.append(list(rng.choice(parts.metadata)))


def more_metadata(rng, parts):
    values = [
        b'"x"', b'""', b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\ude00\\ud83d"', b'"\\u0000"',
        b'"\\/\\b"', b'"\\x"', b'"\\u12g4"', b'"\\u 123"', b'"\xff"', b'"\xc0\x80"',
        b'"\xed\xa0\x80"', b'"\xc3\xa9"', b'"\xf4\x90\x80\x80"', b'"\xf0\x9f\x98\x80"', b"1",
        b"null", b"true", b"[]", b"{}", b'"\x1f"', b'"\x7f"', b'"\t"', b'"a', b'"\\\\\\""',
        b'"\\u00e9"', b'"\\ud83d\\u0041"', b'"\\uD83D\\uDE00"', b'"' + b"v" * 4096 + b'"',
        b'"' + b"v" * 4097 + b'"', b'"' + b"\\u0061" * 4096 + b'"']
    keys = [
        b"format", b"", b"libcae.note", "schlüssel".encode(), b"a\\tb", b"libcae.version ",
        b"\xfe", b"a.note", b"Z_-9", b"libcae", b"k" * 64, b"k" * 65]
    entry = [rng.choice(keys), rng.choice(values)]
    parts.metadata.insert(rng.randrange(len(parts.metadata) + 1), entry)


def many_metadata(rng, parts):
    parts.metadata += [[b"k%d" % i, b'"v"'] for i in range(rng.choice([10, 60, 61, 62, 63]))]


def replace_value(parts, key, value):
    for entry in parts.metadata:
        if entry[0] == key:
            entry[1] = value


def change_version(rng, parts):
    replace_value(parts, b"libcae.version", rng.choice([
        b'"2"', b'"0"', b'"01"', b'""', b'"1 "', b'" 1"', b'"1.0"', b'"-1"', b'"+1"',
        b'"999999999"', b'"9999999999"', b'"\\u0031"', b"1", b'"one"', b'"\xd9\xa1"']))


def change_checksum(rng, parts):
    replace_value(parts, b"libcae.crc32", rng.choice([
        b'"0000000"', b'"000000000"', b'""', b'"0000000g"', b'"0000000A"', b'"\\u0030000000"', b"0",
        b'"\\u00300000000"', b'" 0000000"']))


def shuffle_metadata(rng, parts):
    rng.shuffle(parts.metadata)


ARCHITECTURE_WORDS = [
    b"conv", b"tconv", b"maxpool", b"dense", b"code", b"mark", b"add", b"concat", b"input",
    b"relu", b"leaky", b"tanh", b"sigmoid", b"none", b"kernel", b"stride", b"pad", b"skip", b"0",
    b"1", b"2", b"3", b"4", b"5", b"01", b"65536", b"65537", b"16777216", b"16777217",
    b"99999999999999999999", b"-1", b"1.5", b"#", b"\\t", b"\\r", b"\\n", b"", b" ", b"\xc3\xa9",
    b"\\u0000", b"\\u0041", b"Conv", b"\\u000a", b"\\u0020", b"sampled"]


def change_architecture(rng, parts):
    """One word or line of the text is replaced, dropped, inserted or repeated."""
    texts = [value for key, value in parts.metadata if key == b"libcae.architecture"]
    lines = texts[0][1:-1].split(b"\\n") if texts else [b""]
    place = rng.randrange(len(lines))
    words = lines[place].split(b" ")
    word = rng.randrange(len(words))
    action = rng.randrange(8)
    if action < 3:
        words[word] = rng.choice(ARCHITECTURE_WORDS)
    elif action == 3:
        words.insert(word, rng.choice(ARCHITECTURE_WORDS))
    elif action == 4:
        words.pop(word)
    lines[place] = b" ".join(words)
    if action == 5:
        lines.pop(place)
    elif action == 6:
        lines.insert(rng.randrange(len(lines)), lines[place])
    elif action == 7:
        lines = rng.choice([
            lines[:-1], lines + [b""], [b""] + lines, [lines[0] + b" # note"] + lines[1:],
            lines[:-1] + [b"conv 1 kernel 1", b""], lines[:2] + [b"maxpool 1"] + lines[2:]])
    replace_value(parts, b"libcae.architecture", b'"' + b"\\n".join(lines) + b'"')
    if rng.random() < 0.6:
        fit_tensors(parts, b"\n".join(lines).decode())


def fit_tensors(parts, text):
    """Gives the file the tensors of another text, so that the text is what decides."""
    training = any(tensor.name == b"train.step" for tensor in parts.tensors)
    try:
        recent = any(tensor.name == b"train.codec.max" for tensor in parts.tensors)
        expected = architecture_reader.expected_tensors(text, training, recent)
    except architecture_reader.Refused:
        return
    sizes = {name: safetensors_reader.ELEMENTS[dtype][0] * math.prod(shape)
             for name, (dtype, shape) in expected.items()}
    if sum(sizes.values()) < 1 << 20:
        epsilon = [tensor.data for tensor in parts.tensors if tensor.name == b"train.epsilon"]
        parts.tensors = [Tensor(name.encode(), *expected[name], bytes(sizes[name]))
                         for name in sorted(expected)]
        for tensor in parts.tensors:
            if tensor.name == b"train.epsilon":
                tensor.data = epsilon[0] if epsilon else struct.pack("<d", 1e-8)


def respell_architecture(rng, parts):
    """The same text, written in JSON's other ways."""
    for entry in parts.metadata:
        if entry[0] == b"libcae.architecture":
            entry[1] = rng.choice([
                entry[1].replace(b"\\n", b"\\u000a"), entry[1].replace(b"\\n", b"\\u000A"),
                entry[1].replace(b"i", b"\\u0069"), entry[1].replace(b"\\n", b"\n")])


def add_space(rng, parts):
    spaces = rng.choice([
        [b"", b" "], [b"", b"\n", b"\t", b"\r"], [b"", b"", b"", b"", b"", b"", b"\x0b", b"\0"],
        [b"", b"", b"", b"", b"", b"/**/"]])
    parts.space = lambda: rng.choice(spaces)


def change_tail(rng, parts):
    parts.tail = rng.choice([b" ", b"\n", b"\t", b"{}", b"}", b",", b"\0", b"x", b"   "])


def change_padding(rng, parts):
    parts.extra_padding = rng.choice([64, 128, 1, 8, 63, 4096])
    parts.padding = rng.choice([b" ", b" ", b"\0", b"\n", b"\t"])


def large_header(rng, parts):
    parts.extra_padding = rng.choice([1 << 14, 1 << 20, (1 << 20) + 64])


def change_length_by(rng, parts):
    parts.length_error = rng.choice([-64, 64, -1, 1, -8, 8, 1 << 32])


def trailing_data(rng, parts):
    parts.more_data = rng.choice([b"\0", b"\0" * 4, b"\0" * 64])


def replace_mark(rng, parts):
    """A token of another kind somewhere in the header, by way of a tensor's name or value."""
    field = rng.choice(any_tensor(rng, parts).fields)
    if field[1]:
        place = rng.randrange(len(field[1]))
        mark = rng.choice([b",", b":", b"]", b"}", b'"', b"", b"0"])
        field[1] = field[1][:place] + mark + field[1][place + 1 :]


PART_MUTATIONS = [
    swap_tensors, drop_tensor, drop_training, repeat_tensor, add_tensor, rename_tensor,
    change_shape, change_offsets, change_dtype, narrow_tensors, narrow_tensors, change_fields, change_tensor_value, change_data,
    change_data, change_training, change_training, change_data_size, move_metadata, drop_metadata,
    repeat_metadata, more_metadata, more_metadata, many_metadata, change_version, change_checksum,
    shuffle_metadata, change_architecture, change_architecture, change_architecture,
    respell_architecture, add_space, change_tail, change_padding, large_header, change_length_by,
    trailing_data, replace_mark]

def mutate(rng, data):
    """(names of the mutations, file): of bytes, of bytes with a new checksum, or of parts."""
    kind = rng.randrange(10)
    if kind < 2:
        names = rng.choices(BYTE_MUTATIONS, k=rng.choice([1, 1, 2]))
        for mutation in names:
            data = mutation(rng, data) if data else data
        if kind == 1:
            data = sealed(data)
    else:
        names, parts = rng.choices(PART_MUTATIONS, k=rng.choice([1, 1, 1, 2, 3])), Parts(data)
        for mutation in names:
            mutation(rng, parts)
        data = parts.bytes()
    return [mutation.__name__ for mutation in names], data
