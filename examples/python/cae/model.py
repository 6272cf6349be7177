# SPDX-License-Identifier: BSD-2-Clause
"""Models: every call on one checks its arguments here, passes addresses to the library and raises
what that refuses. State lives in the library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ctypes import byref, c_double, c_size_t, c_void_p
from functools import partial
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import numpy as np

from ._arrays import (Bytes, FilePath, Floats, Pixels, bytes_of, empty, file_path, floats,
                      input_rows, output, output_rows, real, text, whole)
from ._calls import EVALUATE, GRADIENT, STEP, Levels, code_shape, images_for, loss
from ._handle import CLOSED, Handle
from ._library import IMPORT_SKIP, IMPORT_STRIP, check, lib, model_p
from ._pictures import Pictures
from ._saving import file_bytes, save_flags
from ._weights import set_weights, weights
from .errors import ArgumentError, ShapeError, WrongModelError
from .images import compressed_info
from .notes import Notes
from .settings import Settings, advice, unknown

AnyModel = TypeVar("AnyModel", bound="Model")


class Model(Pictures):
    """A network, its weights, its settings and the state of its training.

    Close it, or use it in a `with` statement, to free its memory at a known time; otherwise that
    happens when the last reference goes. A closed model raises ArgumentError. Models can be pickled
    and copied by the module `copy`, training state and all settings included; what a subclass adds
    stays behind, and so does a pending gradient.

    images below are float32 arrays of shape (count, channels, height, width), nominally 0..1 (noise
    may reach beyond): contiguous ones are read in place, others are copied once. Any height and
    width that the network takes will do, not only its training size; a network with a dense layer
    takes its own size alone. Every method that computes raises TypeError for another dtype,
    ShapeError for another shape or a size that the network cannot take, NonFiniteError for NaN and
    infinity, LimitError over the setting memory_limit, OutOfMemoryError.
    """

    __slots__ = ("_handle", "__weakref__")
    _handle: Optional[Handle]

    def __init__(self, architecture: str, seed: int = 0, **settings: float) -> None:
        """A model with fresh weights.

        architecture  a preset's name (presets() lists them) or an architecture text
        seed          0 .. 2^64 - 1, of the weights; the same on every machine
        settings      as Model.settings has them: Model("cae-denoise", threads=0)

        Raises ArchitectureError with line and column, ShapeError for sizes that do not fit,
        TypeError for a setting that there is not, ArgumentError for one out of its range.

        >>> Model("cae-denoise", seed=1, learning_rate=2e-3)
        <cae.Model 1 x 64 x 64, 178881 parameters, step 0>
        """
        self.close()  # a second call begins anew
        handle = model_p()
        check(lib.cae_model_new(byref(handle), text("architecture", architecture),
                                whole("seed", seed)))
        self._take(handle, settings)

    def _take(self, handle: c_void_p, settings: Mapping[str, float]) -> None:
        self._handle = Handle(handle)
        try:
            for key, value in settings.items():
                self.settings[key] = value
        except KeyError:
            self.close()
            raise TypeError(unknown(key)) from None
        except BaseException:
            self.close()
            raise

    @classmethod
    def _adopt(cls: type[AnyModel], handle: c_void_p, settings: Mapping[str, float]) -> AnyModel:
        model = cls.__new__(cls)
        model._take(handle, settings)
        return model

    @classmethod
    def load(cls: type[AnyModel], path: FilePath, **settings: float) -> AnyModel:
        """Loads a model file, with its training state if it has one.

        path      str, bytes or pathlib.Path of a file that save() or the command `cae` wrote
        settings  set after loading, over those in the file

        The file is untrusted input. Raises FileError, FormatError for a file that is damaged
        or of another kind, VersionError for a newer format.
        """
        handle = model_p()
        check(lib.cae_model_load(byref(handle), file_path(path)))
        return cls._adopt(handle, settings)

    @classmethod
    def shipped(cls: type[AnyModel], name: str, **settings: float) -> AnyModel:
        """A model that came with the library; its licence is model.notes["license"].

        name      "denoise", "denoise-rgb", ...: of NAME.safetensors in a folder of the environment
                  variable CAE_MODEL_PATH or, else, where such models are installed
        settings  set after loading

        Raises ArgumentError for what cannot be a name, FileError where no folder has the file.
        """
        handle = model_p()
        check(lib.cae_model_load_shipped(byref(handle), text("name", name)))
        return cls._adopt(handle, settings)

    @classmethod
    def from_bytes(cls: type[AnyModel], data: Bytes, **settings: float) -> AnyModel:
        """The same from bytes, or anything with a buffer: what to_bytes() returned, a file's
        contents, a numpy.memmap. They are not copied and may be freed afterwards."""
        view, handle = bytes_of(data), model_p()
        check(lib.cae_model_load_memory(byref(handle), view.ctypes.data, view.size))
        return cls._adopt(handle, settings)

    def save(self, path: FilePath, training: bool = False, half: bool = False) -> None:
        """Saves to a file, atomically: whatever fails, an old file at path survives whole.

        training  True: the optimizer's state and the settings too, so that training can go on where
                  it stopped
        half      True: weights as float16, in half the bytes, each rounded to the nearest; not with
                  training

        The file is a safetensors file, which other programs open too. Raises FileError,
        NonFiniteError for a weight that float16 cannot hold.
        """
        self._open().call(lib.cae_model_save, file_path(path), save_flags(training, half))

    def to_bytes(self, training: bool = False, half: bool = False) -> bytes:
        """The bytes of the file that save() would write; training and half as there."""
        return file_bytes(self._open(), save_flags(training, half))

    def copy(self: AnyModel, training: bool = False) -> AnyModel:
        """A copy, to serve one while the other trains; settings are copied.

        training  True: the optimizer's state too; False: the copy's optimizer begins at step 0
        """
        handle = model_p()
        flags = save_flags(training)
        self._open().read(lambda address: check(lib.cae_model_copy(byref(handle), address, flags)))
        return self._adopt(handle, {})

    def close(self) -> None:
        """Frees the model's memory. Closing twice is fine. Calls that other threads are in end as
        they would have; the last of them frees it."""
        handle, self._handle = getattr(self, "_handle", None), None
        if handle is not None:
            handle.close()

    def __enter__(self: AnyModel) -> AnyModel:
        self._open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[bytes]]:
        """A model comes back with all its settings: those that files leave to the machine, too."""
        again = partial(type(self).from_bytes, **self.settings)
        return again, (self.to_bytes(training=True),)

    def __copy__(self: AnyModel) -> AnyModel:
        return self.copy(training=True)

    def __deepcopy__(self: AnyModel, memo: object) -> AnyModel:
        return self.copy(training=True)

    def __repr__(self) -> str:
        if self._handle is None:
            return "<cae.Model, closed>"
        channels, height, width = self.shape
        return (f"<cae.Model {channels} x {height} x {width}, {self.parameters} parameters, "
                f"step {self.step}>")

    if not TYPE_CHECKING:  # a checker takes these for a promise that any name will do

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(advice(type(self), name))

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                object.__setattr__(self, name, value)
            except AttributeError:
                raise AttributeError(advice(type(self), name)) from None

    def _open(self) -> Handle:
        handle: Optional[Handle] = getattr(self, "_handle", None)
        if handle is None:
            raise ArgumentError(CLOSED)
        return handle

    def _get(self, key: str) -> float:
        value = c_double()
        self._open().call(lib.cae_model_get, key.encode(), byref(value))
        return value.value

    # ---- What it is ------------------------------------------------------------------------------

    @property
    def architecture(self) -> str:
        """The canonical architecture text: one layer a line, defaults left out."""
        return self._open().architecture

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the training size."""
        return self._open().shape

    @property
    def kernels(self) -> str:
        """The instruction set in use, one of those that CAE_CPU names."""
        found: bytes = self._open().read(lib.cae_model_kernels)
        return found.decode()

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
        """The settings: model.settings.threads = 2, model.settings["threads"]; see Settings."""
        self._open()
        return Settings(self)

    @property
    def notes(self) -> Notes:
        """The notes: text under keys that travels with the model, in files too; see Notes."""
        self._open()
        return Notes(self)

    def code_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, height, width) of the code of one image of height x width.

        Raises ShapeError for a size that the network cannot take, UnsupportedError for a network
        with a skip over its code.

        >>> Model("cae-compress").code_shape(480, 640)
        (32, 60, 80)
        """
        return code_shape(self._open(), height, width)

    # ---- Weights ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Floats]:
        """Copies of all weights by name, with PyTorch's names, shapes and layouts.

        Convolutions are (out, in, height, width), transposed ones (in, out, height, width), dense
        layers (out, in), biases (out,). For the nn.Sequential of the same layers:
        net.load_state_dict({name: torch.from_numpy(w) for name, w in model.state_dict().items()}).
        """
        return weights(self._open())

    def load_state_dict(self, state: Mapping[str, Any], prefix: str = "") -> None:
        """Sets all weights from float32 arrays, or from the state_dict of a PyTorch network.

        state   names, and NumPy arrays or PyTorch tensors on the CPU; neither need be contiguous
        prefix  takes only what begins with it: "encoder." where the nn.Sequential is the member
                `encoder` of a larger module

        Names and shapes must be this model's, values finite; otherwise nothing changes. The
        optimizer's state stays: load into a fresh model, or use copy(), to begin with a new one.
        compress() needs fit_code() afterwards.
        Raises WrongModelError for other names or shapes, TypeError for another dtype or device,
        NonFiniteError.
        """
        set_weights(self._open(), state, prefix)

    def load_weights(self, path: FilePath, *, strip: bool = False, skip: bool = False) -> None:
        """Takes the weights of a safetensors file, as safetensors.torch.save_file() has it.

        strip  True: take "module." and "_orig_mod." off the file's names, which PyTorch's
               DataParallel and torch.compile put before them
        skip   True: leave out what has no dimension and the model does not have, such as the
               num_batches_tracked of other layers

        float32, and float16, bfloat16 and float64, which become it. The optimizer starts anew;
        compress() needs fit_code() afterwards. Raises FileError, FormatError, NonFiniteError,
        UnsupportedError for another dtype and, for names or shapes that are not this model's,
        WrongModelError; the model is then as before.
        """
        flags = IMPORT_STRIP * bool(strip) | IMPORT_SKIP * bool(skip)
        self._open().update(lib.cae_model_import_weights, file_path(path), flags)

    # ---- Training --------------------------------------------------------------------------------

    def train_step(self, input: Floats, target: Optional[Floats] = None, *,
                   sigma: Levels = None) -> float:
        """One step of Adam. Returns the loss before the update.

        input   images, with noise to train a de-noiser
        target  images of the same shape, what the network should make of them; None: input itself
        sigma   for a network whose input line says `noise`, and for no other: the noise level of
                each image on the scale 0..1, float32 (count,), or one for all; above 0

        The loss is the mean squared error; a sampled code adds its divergence. A step that would
        make a weight infinite raises NonFiniteError and changes nothing.
        """
        return loss(self._open(), STEP, input, target, sigma)

    def train_gradient(self, input: Floats, target: Optional[Floats] = None, *,
                       sigma: Levels = None) -> float:
        """The first half of train_step(), sigma and all: keeps the gradient, returns the loss."""
        return loss(self._open(), GRADIENT, input, target, sigma)

    def get_gradient(self, out: Optional[Floats] = None) -> Floats:
        """The pending gradient, float32 of shape (parameters,): all tensors in the order of
        state_dict(), the mean over the batch. ArgumentError when there is none."""
        handle = self._open()
        out, filled = output(out, (self.parameters,))
        handle.call(lib.cae_gradient_get, filled.ctypes.data, filled.size)
        return out

    def set_gradient(self, values: Floats) -> None:
        """Replaces the pending gradient, for example by its mean over several machines.

        values  float32 of shape (parameters,)
        """
        handle = self._open()
        values = floats("values", values, 1)
        handle.update(lib.cae_gradient_set, values.ctypes.data, values.size)

    def train_apply(self) -> None:
        """The second half of train_step(): uses up the gradient. ArgumentError without one."""
        self._open().update(lib.cae_train_apply)

    def evaluate(self, input: Floats, target: Optional[Floats] = None, *,
                 sigma: Levels = None) -> float:
        """The loss of the whole network, without training; sigma and all as in train_step()."""
        return loss(self._open(), EVALUATE, input, target, sigma)

    def fit_code(self, images: Floats) -> None:
        """Gathers what compress() needs from these images, with the weights as they are.

        images  float32 (count, channels, height, width), those of the training or some hundreds
                like the ones to be compressed

        Call it when training ends (Trainer does), and after weights were set from outside. No
        weight, moment or step changes; what was compressed before needs the model as it was.
        UnsupportedError for a network with a skip over its code.
        """
        handle = self._open()
        images = images_for(handle, "images", images)
        count, _, height, width = images.shape
        handle.update(lib.cae_fit_code, images.ctypes.data, count, height, width)

    # ---- Using it --------------------------------------------------------------------------------

    def encode(self, images: Floats, out: Optional[Floats] = None) -> Floats:
        """images -> codes, float32 of shape (count, *code_shape(height, width)).

        out  of that shape, C-contiguous: filled and returned in place of a new array

        UnsupportedError for a network with a skip over its code.
        """
        handle = self._open()
        images = images_for(handle, "images", images)
        count, _, height, width = images.shape
        out, filled = output(out, (count, *code_shape(handle, height, width)), images)
        handle.call(lib.cae_encode, images.ctypes.data, count, height, width, filled.ctypes.data)
        return out

    def decode(self, codes: Floats, height: int, width: int,
               out: Optional[Floats] = None) -> Floats:
        """codes -> images of shape (count, channels, height, width).

        codes          float32 of shape (count, *code_shape(height, width)), as of encode()
        height, width  of the images
        out            of the images' shape, C-contiguous: filled and returned

        decode(encode(x), height, width) equals denoise(x) bit for bit. UnsupportedError for a
        network with a skip over its code.
        """
        handle, height, width = self._open(), whole("height", height), whole("width", width)
        shape = code_shape(handle, height, width)
        codes = floats("codes", codes, 4)
        if codes.shape[1:] != shape:
            raise ShapeError(f"codes have shape {codes.shape}; images of {height} x {width} need "
                             f"(count, {', '.join(map(str, shape))})")
        out, filled = output(out, (codes.shape[0], handle.shape[0], height, width), codes)
        handle.call(lib.cae_decode, codes.ctypes.data, codes.shape[0], height, width,
                    filled.ctypes.data)
        return out

    def denoise(self, noisy: Floats, sigma: float = 0.0, out: Optional[Floats] = None) -> Floats:
        """The whole network of any model: images -> images of the same shape.

        noisy  float32 (count, channels, height, width)
        sigma  the noise on the scale 0..1, for networks with `noise`; 0: as estimate_noise() finds
        out    float32 of the same shape, C-contiguous, writable, not overlapping noisy: filled and
               returned in place of a new array

        Raises what the class says, and ArgumentError for an out that cannot be used.
        """
        handle = self._open()
        noisy, sigma = images_for(handle, "noisy", noisy), real("sigma", sigma)
        count, _, height, width = noisy.shape
        out, filled = output(out, noisy.shape, noisy)
        handle.call(lib.cae_denoise, noisy.ctypes.data, count, height, width, sigma,
                    filled.ctypes.data)
        return out

    def compress(self, pixels: Pixels, quality: int = 0) -> bytes:
        """One picture -> bytes, which decompress() of the same model restores.
        pixels   uint8 (height, width, channels), or (height, width) for a grey model, of any size
                 that the network takes; read in place as long as each row is contiguous
        quality  1 (smallest) .. 100 (best); 0 means the default, 50

        Raises TypeError, ShapeError, UnsupportedError for a network with a skip over its code.
        """
        handle = self._open()
        rows, stride = input_rows(pixels, handle.shape[0])
        height, width, _ = rows.shape
        bound = handle.read(lambda address: int(lib.cae_compress_bound(address, height, width)))
        size, data = c_size_t(), empty((bound,), np.uint8)
        handle.call(lib.cae_compress, rows.ctypes.data, height, width, stride,
                    whole("quality", quality, 32), data.ctypes.data, data.size, byref(size))
        return data[:size.value].tobytes()

    def decompress(self, data: Bytes, out: Optional[Pixels] = None) -> Pixels:
        """Bytes of compress() -> uint8 pixels (height, width, channels); (height, width) if grey.

        data  bytes or anything with a buffer; untrusted input
        out   uint8 of the picture's shape, writable: filled and returned. It may be a crop of a
              larger picture: its rows must be contiguous, no more

        Raises FormatError for damaged data, WrongModelError for a picture of another model,
        VersionError, ShapeError.
        """
        handle, view = self._open(), bytes_of(data)
        channels, height, width = compressed_info(view)
        if channels != handle.shape[0]:
            raise WrongModelError("the image was compressed with another model: channels are "
                                  f"{channels} in it, {handle.shape[0]} in this one")
        out, rows, stride = output_rows(out, (height, width, channels), view)
        handle.call(lib.cae_decompress, view.ctypes.data, view.size, rows.ctypes.data, height,
                    width, stride)
        return out
