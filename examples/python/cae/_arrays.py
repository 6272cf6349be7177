# SPDX-License-Identifier: BSD-2-Clause
"""From Python's values to what C takes. C sees an address and trusts the sizes beside it: what an
array is must be checked here, and what ctypes would cut off or convert in silence is refused.
"""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from .errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Floats = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]
else:  # NumPy 1.20 has no NDArray
    Array = Floats = Pixels = np.ndarray

FilePath = Union[str, bytes, os.PathLike[str], os.PathLike[bytes]]
Bytes = Union[bytes, bytearray, memoryview, Pixels]

# ---- Words and numbers ---------------------------------------------------------------------------


def text(name: str, value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a {type(value).__name__}; pass a str")
    if "\0" in value:
        raise ArgumentError(f"{name} contains a NUL character")
    return value.encode()


def file_path(value: FilePath) -> bytes:
    try:
        path = os.fsencode(value)
    except TypeError:
        raise TypeError(f"path is a {type(value).__name__}; pass a str, bytes or pathlib.Path"
                        ) from None
    if b"\0" in path:
        raise ArgumentError("path contains a NUL character")
    return path


def whole(name: str, value: int, bits: int = 64) -> int:
    """ctypes would cut off what does not fit."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a {type(value).__name__}; pass a whole number") from None
    if not 0 <= number < 1 << bits:
        raise ArgumentError(f"{name} is {number}; pass 0 .. 2^{bits} - 1")
    return number


def real(name: str, value: float) -> float:
    """float() would take words too."""
    if not isinstance(value, (str, bytes, bytearray)):
        try:
            return float(value)
        except (TypeError, OverflowError):
            pass
    raise TypeError(f"{name} is {value!r}; pass a number")


# ---- Arrays --------------------------------------------------------------------------------------


def typed(name: str, array: Array, dtype: type, advice: str) -> None:
    if not isinstance(array, np.ndarray):
        if hasattr(array, "detach"):  # a PyTorch tensor
            advice = f"{name}.detach().cpu().numpy()"
        raise TypeError(f"{name} is a {type(array).__name__}; pass a NumPy array ({advice})")
    if array.dtype != dtype:
        raise TypeError(f"{name} has dtype {array.dtype}, not {np.dtype(dtype)}; {advice}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; pass {name}.filled(value)")


def in_place(array: Floats) -> Floats:
    """The array itself where C can read it, else the one copy."""
    return np.require(array, requirements=["C_CONTIGUOUS", "ALIGNED"])


def floats(name: str, array: Floats, rank: int) -> Floats:
    """Checks dtype and rank; the array itself where it is contiguous, else a contiguous copy."""
    advice = f"convert with {name}.astype(numpy.float32)"
    if rank == 4:
        advice += " scaled to 0..1, or pixels with cae.images_from_pixels()"
    typed(name, array, np.float32, advice)
    if array.ndim != rank:
        raise ShapeError(f"{name} has shape {array.shape}; it needs {rank} dimension"
                         + ("s (count, channels, height, width)" if rank == 4 else ""))
    return in_place(array)


def output(out: Floats | None, shape: tuple[int, ...], *inputs: Array) -> Floats:
    if out is None:
        return np.empty(shape, np.float32)
    typed("out", out, np.float32, "make it with numpy.empty(shape, numpy.float32)")
    if out.shape != shape:
        raise ShapeError(f"out has shape {out.shape}; it needs {shape}")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ArgumentError("out is not C-contiguous; pass a whole array or leave it out")
    check_writable(out, *inputs)
    return out


def check_writable(out: Array, *inputs: Array) -> None:
    if not out.flags.writeable:
        raise ArgumentError("out is read-only; pass a writable array or leave it out")
    if any(np.may_share_memory(out, other) for other in inputs):
        raise ArgumentError("out overlaps an input; pass an array of its own")


def rows_of(name: str, pixels: Pixels, channels: int) -> tuple[Pixels, int]:
    """(height x width x channels view, bytes from row to row: 0 where a row is not contiguous)."""
    typed(name, pixels, np.uint8, "pixels are 0..255: cae.pixels_from_images() makes them")
    grey = pixels.ndim == 2 and channels == 1
    if not grey and (pixels.ndim != 3 or pixels.shape[2] != channels):
        shapes = f"(height, width, {channels})" + (" or (height, width)" if channels == 1 else "")
        raise ShapeError(f"{name} has shape {pixels.shape}; it needs {shapes}")
    rows = pixels[:, :, np.newaxis] if grey else pixels
    row_size = rows.shape[1] * channels
    stride = rows.strides[0] if rows.shape[0] > 1 else row_size
    plain = rows[:1].flags.c_contiguous and stride >= row_size
    return rows, stride if plain else 0


def bytes_of(data: Bytes) -> Pixels:
    """A view of any bytes-like object; no copy, read-only or not."""
    try:
        view = memoryview(data)  # type: ignore[arg-type]  # mypy 1.0: arrays have buffers too
    except TypeError:
        raise TypeError(f"data is a {type(data).__name__}; pass bytes or another object with a "
                        "buffer of bytes") from None
    if not view.c_contiguous:
        raise ArgumentError("data is not contiguous; pass bytes(data)")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)
