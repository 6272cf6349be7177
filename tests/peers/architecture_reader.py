# SPDX-License-Identifier: BSD-2-Clause
"""Which tensors a model file must hold: the part of the second reader that understands the
canonical architecture text (docs/architecture-text.md) and docs/file-formats.md, section 1.5.

Canonical means one spelling: what equals its default is left out, and so are blank lines, comments
and superfluous spaces. So a line either matches its pattern or is refused.
"""

import math
import re

MAX_LINES = 1024
MAX_CHANNELS = 65536  # and sides of a kernel
MAX_SIDE = 1 << 24
MAX_PARAMETERS = 1 << 28

NUMBER = "([1-9][0-9]{0,8})"
NAME = "([A-Za-z][A-Za-z0-9_-]{0,62})"
ACTIVATION = "(?: (relu|leaky|tanh|sigmoid))?"
STEPS = f"(?: stride {NUMBER})?(?: pad {NUMBER})?"
PATTERNS = {
    "input": re.compile(f"input {NUMBER} {NUMBER} {NUMBER}"),
    "conv": re.compile(f"conv {NUMBER} kernel {NUMBER}{STEPS}{ACTIVATION}"),
    "tconv": re.compile(f"tconv {NUMBER} kernel {NUMBER}{STEPS}{ACTIVATION}"),
    "maxpool": re.compile(f"maxpool {NUMBER}{STEPS}"),
    "dense": re.compile(f"dense {NUMBER}(?: {NUMBER} {NUMBER})?{ACTIVATION}"),
    "code": re.compile("code( sampled)?"),
    "mark": re.compile(f"mark {NAME}"),
    "add": re.compile(f"add {NAME}{ACTIVATION}"),
    "concat": re.compile(f"concat {NAME}{ACTIVATION}"),
}

SETTINGS = {  # closed ranges; the betas must lie below 1; kl_weight goes with a sampled code
    "learning_rate": (0.0, 1e6),
    "beta1": (0.0, 1.0),
    "beta2": (0.0, 1.0),
    "epsilon": (1e-30, 1.0),
    "weight_decay": (0.0, 1e6),
    "reproducible": (0.0, 1.0),
    "kl_weight": (0.0, 1e6),
}


class Refused(Exception):
    """A file that the format does not allow; the text is the reason."""


def require(condition, reason):
    if not condition:
        raise Refused(reason)


class Network:
    """Follows the text layer by layer; `shape` is (channels, height, width) of the last output."""

    def __init__(self, text):
        self.tensors = {}
        self.modules = 0  # of the matching nn.Sequential, so far
        self.parameters = 0
        self.flat = False  # a dense layer was seen: its Flatten is a module
        self.marks = {}
        self.code = None
        self.sampled = False
        lines = [self.read(number, line) for number, line in enumerate(text_lines(text), 1)]
        (word, self.shape), *layers = lines
        require(word == "input", "line 1 is not `input`")
        self.shape = padded = self.pad(layers)
        for self.line, (word, values) in enumerate(layers, 2):
            require(word != "input", f"line {self.line}: `input` again")
            getattr(self, "add_" + word)(*values)
            self.check_shape()
        require(self.code, "no line `code`")
        require(self.layers_behind, "no layer behind `code`")
        require(self.shape == padded, f"{padded} goes in, {self.shape} comes out")

    @staticmethod
    def read(number, line):
        word = line.split(" ")[0]
        match = PATTERNS[word].fullmatch(line) if word in PATTERNS else None
        require(match, f"line {number} is not canonical: {line!r}")
        values = [int(value) if value and value[0].isdigit() else value for value in match.groups()]
        return word, values

    def pad(self, layers):
        """The input's shape as it is run: made a multiple of the strides before `code`, unless
        there is a dense layer."""
        words = [word for word, _ in layers]
        require(words.count("code") == 1, "not one line `code`")
        place = words.index("code")
        self.layers_behind = set(words[place + 1 :]) - {"mark"}
        require(set(words[:place]) - {"mark"}, "no layer before `code`")
        unit = math.prod(stride_of(*layer) for layer in layers[:place])
        require(unit <= MAX_SIDE, f"the strides before `code` make {unit}")
        if "dense" in words:
            unit = 1
        channels, height, width = self.shape
        require(channels <= MAX_CHANNELS and max(height, width) <= MAX_SIDE, "the input's size")
        return channels, -(-height // unit) * unit, -(-width // unit) * unit

    def check_shape(self):
        channels, *sides = self.shape
        require(0 < channels <= MAX_CHANNELS and 0 < min(sides) and max(sides) <= MAX_SIDE,
                f"line {self.line}: the shape {self.shape}")

    def add_code(self, sampled):
        if sampled:
            require(self.shape[0] % 2 == 0, f"line {self.line}: {self.shape[0]} channels")
            self.shape = (self.shape[0] // 2, *self.shape[1:])
        self.sampled = bool(sampled)
        self.code = self.shape

    def add_mark(self, name):
        require(name not in self.marks, f"line {self.line}: the mark {name} twice")
        self.marks[name] = self.shape

    def add_add(self, name, activation):
        require(self.marks.get(name) == self.shape, f"line {self.line}: cannot add {name}")
        self.modules += activation is not None

    def add_concat(self, name, activation):
        shape = self.marks.get(name)
        require(shape and shape[1:] == self.shape[1:], f"line {self.line}: cannot concat {name}")
        self.shape = (self.shape[0] + shape[0], *shape[1:])
        self.modules += activation is not None

    def window(self, size, stride, pad):
        """Heights and widths that a window of `size` makes, moved over the padded map."""
        require(max(size, stride, pad) <= MAX_CHANNELS, f"line {self.line}: over 65536")
        sides = [side + 2 * pad - size for side in self.shape[1:]]
        require(min(sides) >= 0, f"line {self.line}: the kernel is too large")
        return [side // stride + 1 for side in sides]

    def add_maxpool(self, size, stride, pad):
        require(stride != size, f"line {self.line} is not canonical")
        require(2 * (pad or 0) <= size, f"line {self.line}: pad {pad}")
        self.shape = (self.shape[0], *self.window(size, stride or size, pad or 0))
        self.modules += 1

    def add_conv(self, channels, size, stride, pad, activation):
        require(stride != 1, f"line {self.line} is not canonical")
        sides = self.window(size, stride or 1, pad or 0)
        self.add_layer((channels, self.shape[0], size, size), channels, activation)
        self.shape = (channels, *sides)

    def add_tconv(self, channels, size, stride, pad, activation):
        require(stride != 1, f"line {self.line} is not canonical")
        stride, pad = stride or 1, pad or 0
        require(max(size, stride, pad) <= MAX_CHANNELS, f"line {self.line}: over 65536")
        self.add_layer((self.shape[0], channels, size, size), channels, activation)
        sides = [(side - 1) * stride + size - 2 * pad for side in self.shape[1:]]
        self.shape = (channels, *sides)

    def add_dense(self, channels, height, width, activation):
        require((height, width) != (1, 1), f"line {self.line} is not canonical")
        after = (channels, height or 1, width or 1)
        self.modules += not self.flat
        self.flat = True
        self.add_layer((math.prod(after), math.prod(self.shape)), math.prod(after), activation)
        self.shape = after

    def add_layer(self, weight, bias, activation):
        self.parameters += math.prod(weight) + bias
        require(self.parameters <= MAX_PARAMETERS, f"line {self.line}: too many parameters")
        self.tensors[f"{self.modules}.weight"] = (b"F32", weight)
        self.tensors[f"{self.modules}.bias"] = (b"F32", (bias,))
        self.modules += 1 + (activation is not None)


def text_lines(text):
    require(text.endswith("\n"), "the architecture's last line has no end")
    lines = text[:-1].split("\n")
    require(len(lines) <= MAX_LINES, "more than 1024 lines")
    return lines


def stride_of(word, values):
    if word == "maxpool":
        return values[1] or values[0]
    return (values[2] or 1) if word in ("conv", "tconv") else 1


def expected_tensors(text, training, recent=False):
    """`recent`: with the ranges that a training state may have and may lack."""
    network = Network(text)
    expected = dict(network.tensors)
    for name in ("codec.max", "codec.min"):
        expected[name] = (b"F32", (network.code[0],))
    if training and recent:
        for name in ("train.codec.max", "train.codec.min"):
            expected[name] = (b"F32", (network.code[0],))
    if training:
        for name in ("step", "epoch", "seed"):
            expected["train." + name] = (b"I64", (1,))
        for name in SETTINGS:
            if name != "kl_weight" or network.sampled:
                expected["train." + name] = (b"F64", (1,))
        for name, entry in network.tensors.items():
            expected["train.m." + name] = expected["train.v." + name] = entry
    return expected


def check_tensors(text, tensors):
    """`tensors` maps names to (dtype, shape)."""
    training = any(name.startswith("train.") for name in tensors)
    expected = expected_tensors(text, training, "train.codec.max" in tensors)
    optional = {"train." + name for name in SETTINGS}  # files that are older than a setting lack it
    missing = expected.keys() - optional - tensors.keys()
    wrong = sorted(missing | (tensors.keys() - expected.keys()))
    require(not wrong, f"missing or too many: {wrong}")
    weights = () if training else Network(text).tensors  # which may be F16
    for name, (dtype, shape) in tensors.items():
        dtype = b"F32" if dtype == b"F16" and name in weights else dtype
        require((dtype, shape) == expected[name], f"{name} is {dtype} {shape}, not {expected[name]}")


def check_training(values):
    """`values` maps the names of single numbers, without `train.`, to their values."""
    for name in ("step", "epoch"):
        require(0 <= values[name] <= 1 << 53, f"train.{name} is {values[name]}")
    for name, (low, high) in SETTINGS.items():
        if name not in values:  # it has its initial value
            continue
        value = values[name]
        below = value < high if name.startswith("beta") else value <= high
        require(low <= value and below, f"train.{name} is {value}")
    require(values.get("reproducible", 0) in (0, 1), "train.reproducible is no whole number")
