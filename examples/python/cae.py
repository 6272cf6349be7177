# SPDX-License-Identifier: BSD-2-Clause
"""libcae from Python: train and run small autoencoders on NumPy arrays.

One file on ctypes and NumPy, nothing to compile: copy it beside your program.

    import cae

    with cae.Model("cae-denoise", seed=1) as model:       # a preset, or an architecture text
        for step in range(600):
            batch = ...                                   # float32, (32, 1, 64, 64), in [0, 1]
            noisy = cae.add_noise(batch, 25 / 255, seed=step)
            loss = model.train_step(noisy, batch)
        model.save("faces.safetensors", training=True)
        clean = model.denoise(noisy)

The shared library is the one that the environment variable LIBCAE names, else the system's
libcae.so.0. Names follow the C header cae/cae.h, which is the manual.

Arrays. Images and codes are float32 arrays of shape (count, channels, height, width); pixels are
uint8 arrays of shape (height, width, channels), or (height, width) for a model of one channel. The
library reads and writes the memory of C-contiguous arrays in place. Another memory layout costs one
copy of that argument; pixels need no copy as long as each row is contiguous, so a crop of a picture
passes as it is. Another dtype is a TypeError: whether 0..255 means 0..1 is not ours to guess.
Where a function takes `out`, it must have the exact shape, be C-contiguous and writable; without
`out` a new array is made.

Errors. What the library refuses raises a CaeError, a class of its own per status, with the
library's sentence (cae_last_error) as its text and the number in `status`. What cannot be passed on
at all (a wrong dtype or shape, a closed model) raises here, before the library is called.

Threads. Every call releases the interpreter lock. Any number of threads may use one model for what
does not change it; training, loading weights, changing settings and close() need it to themselves.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import operator
import os
from collections.abc import Iterator, Mapping, MutableMapping
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p
from typing import Callable, Optional, Union

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Path = Union[str, bytes, "os.PathLike[str]"]
Bytes = Union[bytes, bytearray, memoryview, npt.NDArray[np.uint8]]

OLDEST_VERSION = 0x000100  # of the library, 0xMMmmpp: 0.1.0 has everything that is called here

_SAVE_TRAINING = 1  # CAE_SAVE_TRAINING

# ---- Errors --------------------------------------------------------------------------------------


class CaeError(Exception):
    """What libcae refused. `status` is the C status, the text is cae_last_error()."""

    status: int = 0


class ArgumentError(CaeError, ValueError):
    status = -1


class OutOfMemoryError(CaeError, MemoryError):
    status = -2


class FileError(CaeError, OSError):
    status = -3


class FormatError(CaeError, ValueError):
    """A file or buffer is damaged or is not libcae's."""

    status = -4


class VersionError(CaeError):
    """Made by a newer format than this library reads."""

    status = -5


class WrongModelError(CaeError, ValueError):
    """A compressed image made with another model, or weights of another network."""

    status = -6


class ShapeError(CaeError, ValueError):
    status = -7


class NonFiniteError(CaeError, ValueError):
    """NaN or infinity."""

    status = -8


class LimitError(CaeError):
    """Over the setting memory_limit or a cap of the format."""

    status = -9


class BufferTooSmallError(CaeError):
    status = -10


class UnsupportedError(CaeError):
    """Not possible for this model or on this machine."""

    status = -11


class CancelledError(CaeError):
    status = -12


class ArchitectureError(CaeError, ValueError):
    """An architecture text is wrong; the message names line and column."""

    status = -13


class LibraryError(ImportError):
    """The shared library is missing, too old or not libcae; raised by `import cae`."""


_ERRORS: dict[int, type[CaeError]] = {kind.status: kind for kind in CaeError.__subclasses__()}

# ---- The shared library --------------------------------------------------------------------------

_size3 = c_size_t * 3
_size4 = c_size_t * 4
_pointer = c_void_p  # to floats or bytes, given as an address: array.ctypes.data
_model = c_void_p

# name: (result, arguments), as in cae/cae.h
_FUNCTIONS = {
    "cae_version_string": (c_char_p, []),
    "cae_version": (c_uint32, []),
    "cae_strerror": (c_char_p, [c_int]),
    "cae_last_error": (c_char_p, []),
    "cae_preset_name": (c_char_p, [c_size_t]),
    "cae_preset_text": (c_char_p, [c_char_p]),
    "cae_model_new": (c_int, [POINTER(_model), c_char_p, c_uint64]),
    "cae_model_load": (c_int, [POINTER(_model), c_char_p]),
    "cae_model_load_memory": (c_int, [POINTER(_model), _pointer, c_size_t]),
    "cae_model_load_weights": (c_int, [_model, c_char_p]),
    "cae_model_save": (c_int, [_model, c_char_p, c_uint32]),
    "cae_model_save_memory": (c_int, [_model, _pointer, c_size_t, POINTER(c_size_t), c_uint32]),
    "cae_model_copy": (c_int, [POINTER(_model), _model, c_uint32]),
    "cae_model_free": (None, [_model]),
    "cae_model_architecture": (c_char_p, [_model]),
    "cae_model_shape": (c_int, [_model, _size3]),
    "cae_code_shape": (c_int, [_model, c_size_t, c_size_t, _size3]),
    "cae_model_set": (c_int, [_model, c_char_p, c_double]),
    "cae_model_get": (c_int, [_model, c_char_p, POINTER(c_double)]),
    "cae_setting_info": (c_int, [c_size_t, POINTER(c_char_p)] + 3 * [POINTER(c_double)]),
    "cae_model_kernels": (c_char_p, [_model]),
    "cae_tensor_count": (c_size_t, [_model]),
    "cae_tensor_info": (c_int, [_model, c_size_t, POINTER(c_char_p), _size4, POINTER(c_size_t)]),
    "cae_tensor_get": (c_int, [_model, c_size_t, _pointer, c_size_t]),
    "cae_tensor_set": (c_int, [_model, c_size_t, _pointer, c_size_t]),
    "cae_train_step": (c_int, [_model, _pointer, _pointer] + 3 * [c_size_t] + [POINTER(c_float)]),
    "cae_train_gradient": (
        c_int, [_model, _pointer, _pointer] + 3 * [c_size_t] + [POINTER(c_float)]),
    "cae_gradient_get": (c_int, [_model, _pointer, c_size_t]),
    "cae_gradient_set": (c_int, [_model, _pointer, c_size_t]),
    "cae_train_apply": (c_int, [_model]),
    "cae_evaluate": (c_int, [_model, _pointer, _pointer] + 3 * [c_size_t] + [POINTER(c_float)]),
    "cae_encode": (c_int, [_model, _pointer] + 3 * [c_size_t] + [_pointer]),
    "cae_decode": (c_int, [_model, _pointer] + 3 * [c_size_t] + [_pointer]),
    "cae_denoise": (c_int, [_model, _pointer] + 3 * [c_size_t] + [c_float, _pointer]),
    "cae_add_noise": (c_int, [_pointer, c_size_t, c_float, c_uint64]),
    "cae_compress_bound": (c_size_t, [_model, c_size_t, c_size_t]),
    "cae_compress": (c_int, [_model, _pointer] + 3 * [c_size_t]
                     + [c_uint32, _pointer, c_size_t, POINTER(c_size_t)]),
    "cae_decompress": (c_int, [_model, _pointer, c_size_t, _pointer] + 3 * [c_size_t]),
    "cae_compressed_info": (c_int, [_pointer, c_size_t, _size3]),
}


def _library_names() -> Iterator[str]:
    named = os.environ.get("LIBCAE")
    if named:
        yield named
        return
    yield "libcae.so.0"
    found = ctypes.util.find_library("cae")
    if found:
        yield found


def _open_library() -> ctypes.CDLL:
    failures = []
    for name in _library_names():
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            failures.append(str(error))
    raise LibraryError(
        f"libcae was not found ({'; '.join(failures)}). Install libcae0 (and run ldconfig after an "
        "installation by hand), or set the environment variable LIBCAE to the path of libcae.so.0.")


def _bind() -> ctypes.CDLL:
    lib = _open_library()
    for name, (result, arguments) in _FUNCTIONS.items():
        try:
            function = getattr(lib, name)
        except AttributeError:
            raise LibraryError(
                f"{lib._name} has no function {name}: it is not libcae, or it is too old. "
                "Install libcae 0.1.0 or newer, or correct the environment variable LIBCAE."
            ) from None
        function.restype, function.argtypes = result, arguments
    if lib.cae_version() < OLDEST_VERSION:
        raise LibraryError(f"{lib._name} is libcae {lib.cae_version_string().decode()}; "
                           "this cae.py needs 0.1.0 or newer")
    return lib


_lib = _bind()
__version__: str = _lib.cae_version_string().decode()  # of the library in use


def _check(status: int) -> None:
    """Raises what the library refused; on the thread that called it, whose message it is."""
    if status != 0:
        error = _ERRORS.get(status, CaeError)(_lib.cae_last_error().decode("utf-8", "replace"))
        error.status = status
        raise error


# ---- From Python to C ----------------------------------------------------------------------------
#
# C sees an address and trusts the sizes beside it: what the array is must be checked here.


def _text(name: str, value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a {type(value).__name__}; pass a str")
    if "\0" in value:
        raise ArgumentError(f"{name} contains a NUL character")
    return value.encode()


def _path(value: Path) -> bytes:
    path = os.fsencode(value)
    if b"\0" in path:
        raise ArgumentError("path contains a NUL character")
    return path


def _whole(name: str, value: int, bits: int = 64) -> int:
    """ctypes would cut off what does not fit."""
    number = operator.index(value)
    if not 0 <= number < 1 << bits:
        raise ArgumentError(f"{name} is {number}; pass 0 .. 2^{bits} - 1")
    return number


def _typed(name: str, array: npt.NDArray, dtype: type, advice: str) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}; pass a NumPy array ({advice})")
    if array.dtype != dtype:
        raise TypeError(f"{name} has dtype {array.dtype}, not {np.dtype(dtype)}; {advice}")


def _floats(name: str, array: Floats, rank: int) -> Floats:
    """The array itself where it is contiguous, else a contiguous copy."""
    _typed(name, array, np.float32, f"convert with {name}.astype(numpy.float32), scaled to 0..1")
    if array.ndim != rank:
        raise ShapeError(f"{name} has shape {array.shape}; it needs {rank} dimensions"
                         + (" (count, channels, height, width)" if rank == 4 else ""))
    return np.require(array, requirements=["C_CONTIGUOUS", "ALIGNED"])


def _output(out: Optional[Floats], shape: tuple[int, ...], *inputs: npt.NDArray) -> Floats:
    if out is None:
        return np.empty(shape, np.float32)
    _typed("out", out, np.float32, "make it with numpy.empty(shape, numpy.float32)")
    if out.shape != shape:
        raise ShapeError(f"out has shape {out.shape}; it needs {shape}")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ArgumentError("out is not C-contiguous; pass a whole array or leave it out")
    _check_writable(out, *inputs)
    return out


def _check_writable(out: npt.NDArray, *inputs: npt.NDArray) -> None:
    if not out.flags.writeable:
        raise ArgumentError("out is read-only; pass a writable array or leave it out")
    if any(np.may_share_memory(out, other) for other in inputs):
        raise ArgumentError("out overlaps an input; pass an array of its own")


def _rows(name: str, pixels: Pixels, channels: int) -> tuple[Pixels, int]:
    """(height x width x channels view, bytes from row to row: 0 where a row is not contiguous)."""
    _typed(name, pixels, np.uint8, "pixels are 0..255")
    grey = pixels.ndim == 2 and channels == 1
    if not grey and (pixels.ndim != 3 or pixels.shape[2] != channels):
        shapes = f"(height, width, {channels})" + (" or (height, width)" if channels == 1 else "")
        raise ShapeError(f"{name} has shape {pixels.shape}; it needs {shapes}")
    rows = pixels[:, :, np.newaxis] if grey else pixels
    row_size = rows.shape[1] * channels
    stride = rows.strides[0] if rows.shape[0] > 1 else row_size
    plain = rows[:1].flags.c_contiguous and stride >= row_size
    return rows, stride if plain else 0


def _bytes(data: Bytes) -> npt.NDArray[np.uint8]:
    """A view of any bytes-like object; no copy, read-only or not."""
    view = memoryview(data)
    if not view.c_contiguous:
        raise ArgumentError("data is not contiguous; pass bytes(data)")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)


# ---- Functions without a model -------------------------------------------------------------------


def presets() -> dict[str, str]:
    """The presets' names and architecture texts."""
    texts: dict[str, str] = {}
    while True:
        name = _lib.cae_preset_name(len(texts))
        if name is None:
            return texts
        texts[name.decode()] = _lib.cae_preset_text(name).decode()


def setting_ranges() -> dict[str, tuple[float, float, float]]:
    """Every setting's (min, max, initial value), both ends allowed."""
    ranges: dict[str, tuple[float, float, float]] = {}
    key, low, high, initial = c_char_p(b""), c_double(), c_double(), c_double()
    while _lib.cae_setting_info(len(ranges), byref(key), byref(low), byref(high),
                                byref(initial)) == 0:
        ranges[key.value.decode()] = (low.value, high.value, initial.value)
    return ranges


def add_noise(images: Floats, sigma: float, seed: int = 0, out: Optional[Floats] = None) -> Floats:
    """images plus Gaussian noise of standard deviation sigma, not clipped; any shape.

    The noise depends on seed and position alone and is the same on every machine. Returns `out`,
    which may be `images` itself to add in place, else a new array.
    """
    _typed("images", images, np.float32, "convert with images.astype(numpy.float32)")
    if out is None:
        out = np.array(images, order="C")
    elif out is images:
        out = _output(out, images.shape)
    else:
        out = _output(out, images.shape, images)
        np.copyto(out, images)
    _check(_lib.cae_add_noise(out.ctypes.data, out.size, float(sigma), _whole("seed", seed)))
    return out


def compressed_info(data: Bytes) -> tuple[int, int, int]:
    """(channels, height, width) of a compressed image, from its header alone."""
    view, shape = _bytes(data), _size3()
    _check(_lib.cae_compressed_info(view.ctypes.data, view.size, shape))
    return shape[0], shape[1], shape[2]


# ---- Models --------------------------------------------------------------------------------------


class Settings(MutableMapping):
    """A model's settings: model.settings["threads"] = 2. Keys and ranges: setting_ranges()."""

    def __init__(self, model: "Model") -> None:
        self._model = model

    def __getitem__(self, key: str) -> float:
        self._check_key(key)
        return self._model._get(key)

    def __setitem__(self, key: str, value: float) -> None:
        self._check_key(key)
        _check(_lib.cae_model_set(self._model._open(), key.encode(), float(value)))

    def __delitem__(self, key: str) -> None:
        raise TypeError("settings cannot be deleted; setting_ranges() tells the initial values")

    def __iter__(self) -> Iterator[str]:
        return iter(setting_ranges())

    def __len__(self) -> int:
        return len(setting_ranges())

    def __repr__(self) -> str:
        return f"Settings({dict(self)})"

    @staticmethod
    def _check_key(key: str) -> None:
        if key not in setting_ranges():
            raise KeyError(f"no setting is called {key!r}; there are {', '.join(setting_ranges())}")


class Model:
    """A network, its weights, its settings and the state of its training.

    Close it, or use it in a `with` statement, to free its memory at a known time; otherwise that
    happens when the last reference goes. Models can be pickled and deep-copied, training state and
    all.
    """

    __slots__ = ("_handle", "__weakref__")

    def __init__(self, architecture: str, seed: int = 0) -> None:
        """A model with fresh weights; architecture is a preset's name or an architecture text."""
        handle = _model()
        _check(_lib.cae_model_new(byref(handle), _text("architecture", architecture),
                                  _whole("seed", seed)))
        self._handle = handle.value

    @classmethod
    def _adopt(cls, handle: c_void_p) -> "Model":
        model = cls.__new__(cls)
        model._handle = handle.value
        return model

    @classmethod
    def load(cls, path: Path) -> "Model":
        """Loads a model file, with its training state if it has one."""
        handle = _model()
        _check(_lib.cae_model_load(byref(handle), _path(path)))
        return cls._adopt(handle)

    @classmethod
    def load_memory(cls, data: Bytes) -> "Model":
        """The same from bytes."""
        view, handle = _bytes(data), _model()
        _check(_lib.cae_model_load_memory(byref(handle), view.ctypes.data, view.size))
        return cls._adopt(handle)

    def load_weights(self, path: Path) -> None:
        """Takes the weights of a plain safetensors file, as PyTorch's state_dict is saved.

        Names and shapes must be this model's; the optimizer starts anew.
        """
        _check(_lib.cae_model_load_weights(self._open(), _path(path)))

    def save(self, path: Path, training: bool = False) -> None:
        """Saves to a file, atomically; with `training` the optimizer's state and settings too."""
        _check(_lib.cae_model_save(self._open(), _path(path), _SAVE_TRAINING if training else 0))

    def save_memory(self, training: bool = False) -> bytes:
        """The same as bytes."""
        flags, size = _SAVE_TRAINING if training else 0, c_size_t()
        _check(_lib.cae_model_save_memory(self._open(), None, 0, byref(size), flags))
        data = np.empty(size.value, np.uint8)
        _check(_lib.cae_model_save_memory(self._open(), data.ctypes.data, data.size, byref(size),
                                          flags))
        return data[:size.value].tobytes()

    def copy(self, training: bool = False) -> "Model":
        """A copy, to serve one while the other trains; `training`: the optimizer's state too."""
        handle = _model()
        _check(_lib.cae_model_copy(byref(handle), self._open(), _SAVE_TRAINING if training else 0))
        return self._adopt(handle)

    def close(self) -> None:
        """Frees the model's memory. Closing twice is fine; no other thread may be using it."""
        handle, self._handle = self._handle, None
        _lib.cae_model_free(handle)

    def __enter__(self) -> "Model":
        self._open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None and _lib is not None:  # None as Python exits
            self.close()

    def __reduce__(self):
        return type(self).load_memory, (self.save_memory(training=True),)

    def __repr__(self) -> str:
        if self._handle is None:
            return "<cae.Model, closed>"
        channels, height, width = self.shape
        return (f"<cae.Model {channels} x {height} x {width}, {self.parameters} parameters, "
                f"step {self.step}>")

    def _open(self) -> int:
        if self._handle is None:
            raise ArgumentError("the model is closed; make or load a new one")
        return self._handle

    def _get(self, key: str) -> float:
        value = c_double()
        _check(_lib.cae_model_get(self._open(), key.encode(), byref(value)))
        return value.value

    # -- What it is

    @property
    def architecture(self) -> str:
        """The canonical architecture text."""
        return _lib.cae_model_architecture(self._open()).decode()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the training size."""
        shape = _size3()
        _check(_lib.cae_model_shape(self._open(), shape))
        return shape[0], shape[1], shape[2]

    @property
    def kernels(self) -> str:
        """The instruction set in use: "c", "sse2", "avx2" or "fma"."""
        return _lib.cae_model_kernels(self._open()).decode()

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return int(self._get("parameters"))

    @property
    def step(self) -> int:
        """How many updates the weights have had."""
        return int(self._get("step"))

    @property
    def settings(self) -> Settings:
        """The settings, as a mapping that can be assigned to."""
        self._open()
        return Settings(self)

    def code_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, height, width) of the code of one image of that size."""
        shape = _size3()
        _check(_lib.cae_code_shape(self._open(), _whole("height", height),
                                   _whole("width", width), shape))
        return shape[0], shape[1], shape[2]

    # -- Weights

    def _tensors(self) -> Iterator[tuple[int, str, tuple[int, ...]]]:
        name, shape, rank = c_char_p(), _size4(), c_size_t()
        for index in range(_lib.cae_tensor_count(self._open())):
            _check(_lib.cae_tensor_info(self._open(), index, byref(name), shape, byref(rank)))
            yield index, name.value.decode(), tuple(shape[:rank.value])

    def state_dict(self) -> dict[str, Floats]:
        """Copies of all weights by name, with PyTorch's names, shapes and layouts."""
        state = {}
        for index, name, shape in self._tensors():
            state[name] = np.empty(shape, np.float32)
            _check(_lib.cae_tensor_get(self._open(), index, state[name].ctypes.data,
                                       state[name].size))
        return state

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Sets all weights from anything that numpy.asarray makes float32 arrays of.

        Names and shapes must be this model's, values finite; otherwise nothing changes. The
        optimizer's state stays.
        """
        tensors = list(self._tensors())
        wrong = set(state).symmetric_difference(name for _, name, _ in tensors)
        if wrong:
            raise WrongModelError(f"names that only the model or only `state` has: {sorted(wrong)}")
        arrays = [self._weights(name, state[name], shape) for _, name, shape in tensors]
        for (index, _, _), array in zip(tensors, arrays):
            _check(_lib.cae_tensor_set(self._open(), index, array.ctypes.data, array.size))

    @staticmethod
    def _weights(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> Floats:
        array = np.asarray(value)
        if array.shape != shape:
            raise WrongModelError(f"{name} has shape {array.shape}; the model's has {shape}")
        array = _floats(name, array, len(shape))
        if not np.isfinite(array).all():
            raise NonFiniteError(f"{name} contains NaN or infinity")
        return array

    # -- Training

    def _images(self, name: str, images: Floats) -> Floats:
        images = _floats(name, images, 4)
        if images.shape[1] != self.shape[0]:
            raise ShapeError(f"{name} has shape {images.shape}; the model takes "
                             f"(count, {self.shape[0]}, height, width)")
        return images

    def _loss(
        self, function: Callable[..., int], images: Floats, target: Optional[Floats]
    ) -> float:
        images, loss = self._images("input", images), c_float()
        target = images if target is None else self._images("target", target)
        if target.shape != images.shape:
            raise ShapeError(f"target has shape {target.shape}, input {images.shape}; "
                             "they must be equal")
        count, _, height, width = images.shape
        _check(function(self._open(), images.ctypes.data, target.ctypes.data, count, height, width,
                        byref(loss)))
        return loss.value

    def train_step(self, input: Floats, target: Optional[Floats] = None) -> float:
        """One step of Adam on (count, channels, height, width) images; target None means input.

        Returns the mean squared error before the update.
        """
        return self._loss(_lib.cae_train_step, input, target)

    def train_gradient(self, input: Floats, target: Optional[Floats] = None) -> float:
        """The first half of train_step: computes the gradient and keeps it. Returns the loss."""
        return self._loss(_lib.cae_train_gradient, input, target)

    def get_gradient(self, out: Optional[Floats] = None) -> Floats:
        """The pending gradient, shape (parameters,): all tensors in the order of state_dict()."""
        out = _output(out, (self.parameters,))
        _check(_lib.cae_gradient_get(self._open(), out.ctypes.data, out.size))
        return out

    def set_gradient(self, values: Floats) -> None:
        """Replaces the pending gradient, for example by its mean over several machines."""
        values = _floats("values", values, 1)
        _check(_lib.cae_gradient_set(self._open(), values.ctypes.data, values.size))

    def train_apply(self) -> None:
        """The second half of train_step: updates the weights, which uses up the gradient."""
        _check(_lib.cae_train_apply(self._open()))

    def evaluate(self, input: Floats, target: Optional[Floats] = None) -> float:
        """The mean squared error of the whole network, without training."""
        return self._loss(_lib.cae_evaluate, input, target)

    # -- Using it

    def encode(self, images: Floats, out: Optional[Floats] = None) -> Floats:
        """(count, channels, height, width) images -> (count, *code_shape(height, width)) codes."""
        images = self._images("images", images)
        count, _, height, width = images.shape
        out = _output(out, (count, *self.code_shape(height, width)), images)
        _check(_lib.cae_encode(self._open(), images.ctypes.data, count, height, width,
                               out.ctypes.data))
        return out

    def decode(self, codes: Floats, height: int, width: int,
               out: Optional[Floats] = None) -> Floats:
        """(count, *code_shape(height, width)) codes -> (count, channels, height, width) images."""
        codes, shape = _floats("codes", codes, 4), self.code_shape(height, width)
        if codes.shape[1:] != shape:
            raise ShapeError(f"codes have shape {codes.shape}; images of {height} x {width} need "
                             f"(count, {', '.join(map(str, shape))})")
        out = _output(out, (codes.shape[0], self.shape[0], height, width), codes)
        _check(_lib.cae_decode(self._open(), codes.ctypes.data, codes.shape[0], height, width,
                               out.ctypes.data))
        return out

    def denoise(self, noisy: Floats, sigma: float = 0.0, out: Optional[Floats] = None) -> Floats:
        """The whole network of any model, images to images of the same shape.

        sigma is the noise's standard deviation on the scale 0..1; 0 means not known.
        """
        noisy = self._images("noisy", noisy)
        count, _, height, width = noisy.shape
        out = _output(out, noisy.shape, noisy)
        _check(_lib.cae_denoise(self._open(), noisy.ctypes.data, count, height, width,
                                float(sigma), out.ctypes.data))
        return out

    def compress(self, pixels: Pixels, quality: int = 0) -> bytes:
        """uint8 pixels (height, width, channels), or (height, width) of a grey model, -> bytes.

        quality is 1 (smallest) .. 100 (best); 0 is the default.
        """
        rows, stride = _rows("pixels", pixels, self.shape[0])
        if stride == 0:
            rows = np.ascontiguousarray(rows)
            stride = rows.shape[1] * rows.shape[2]
        height, width, _ = rows.shape
        size = c_size_t(_lib.cae_compress_bound(self._open(), height, width))
        data = np.empty(size.value, np.uint8)
        _check(_lib.cae_compress(self._open(), rows.ctypes.data, height, width, stride,
                                 _whole("quality", quality, 32), data.ctypes.data, data.size,
                                 byref(size)))
        return data[:size.value].tobytes()

    def decompress(self, data: Bytes, out: Optional[Pixels] = None) -> Pixels:
        """Bytes of compress() -> uint8 pixels (height, width, channels); (height, width) if grey.

        `out` may be a crop of a larger picture: its rows must be contiguous, no more.
        """
        view = _bytes(data)
        channels, height, width = compressed_info(view)
        if out is None:
            shape = (height, width) if channels == 1 else (height, width, channels)
            out = np.empty(shape, np.uint8)
        rows, stride = _rows("out", out, channels)
        if rows.shape[:2] != (height, width):
            raise ShapeError(f"out has shape {out.shape}; the image is {height} x {width}")
        if stride == 0:
            raise ArgumentError("out has rows that are not contiguous; leave it out")
        _check_writable(out, view)
        _check(_lib.cae_decompress(self._open(), view.ctypes.data, view.size, rows.ctypes.data,
                                   height, width, stride))
        return out
