# SPDX-License-Identifier: BSD-2-Clause
"""From Python's values to what C takes. C sees an address and trusts the sizes beside it: what an
array is must be checked here, and what ctypes would cut off or convert in silence is refused.
"""

from __future__ import annotations

import operator
import os
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union, cast

import numpy as np

from .errors import ArgumentError, NonFiniteError, OutOfMemoryError, ShapeError

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
    return encoded(name, value, str.encode)


def encoded(name: str, value: Any, encode: Callable[[Any], bytes]) -> bytes:
    try:
        return encode(value)
    except UnicodeEncodeError as error:  # half of a surrogate pair, or no such letter in the locale
        raise ArgumentError(f"{name} contains {error.object[error.start]!a}, which cannot be "
                            f"written in {error.encoding}") from None


def file_path(value: FilePath) -> bytes:
    try:
        path = encoded("path", value, os.fsencode)
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


class _Borrowed(Array):
    """A view of a caller's array. What the caller does to that meanwhile, in this thread or in
    another, changes neither its shape nor its address."""

    owners: list[Any]


def borrowed(array: Array) -> Array:
    # NumPy refuses to resize an array that has a weak reference, whatever its owner promises.
    owners: list[Any] = []
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owners.append(weakref.ref(owner))
        owner = owner.base
    view: Any = np.ndarray.view(array, _Borrowed)
    view.owners = owners
    return cast("Array", view)


def empty(shape: tuple[int, ...], dtype: type) -> Array:
    """numpy.empty(); its errors for too much memory, and for more than there can be, are ours."""
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError):
        raise OutOfMemoryError(f"no memory for a {np.dtype(dtype)} array of shape {shape}"
                               ) from None


def _check_type(name: str, array: Array, dtype: type, new: str, other: str, plain: str) -> Array:
    """What to pass instead of no array: `new`, of another dtype: `other`, of a masked one: `plain`.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}; pass a NumPy array ({new})")
    view = borrowed(array)
    if view.dtype != dtype:
        raise TypeError(f"{name} has dtype {view.dtype}, not {np.dtype(dtype)}; {other}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; pass {plain}")
    return view


def typed(name: str, array: Array, dtype: type, advice: str) -> Array:
    """Checks what is read, and borrows it; `advice` is for an array of another dtype."""
    new = (f"{name}.detach().cpu().numpy()" if hasattr(array, "detach")  # a PyTorch tensor
           else f"numpy.asarray({name}, numpy.{np.dtype(dtype)}) makes one of a list")
    return _check_type(name, array, dtype, new, advice, f"{name}.filled(value)")


def _check_output(out: Array, shape: tuple[int, ...], dtype: type) -> Array:
    """Checks what is written: no advice may lead to a copy, which would be filled in its place."""
    new = f"numpy.empty({shape}, numpy.{np.dtype(dtype)})"
    return _check_type("out", out, dtype, new, f"pass {new} or leave it out",
                       "out.data or leave it out")


def finite(name: str, array: Floats) -> None:
    if not np.isfinite(array).all():
        raise NonFiniteError(f"{name} contains NaN or infinity")


def in_place(array: Array) -> Array:
    """The array itself where C can read it, else the one copy."""
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    copy = empty(array.shape, array.dtype.type)
    np.copyto(copy, array)
    return copy


def floats(name: str, array: Floats, rank: int) -> Floats:
    """Checks dtype and rank; the array's memory where it is contiguous, else a contiguous copy."""
    advice = f"convert with {name}.astype(numpy.float32)"
    if rank == 4:
        advice += " scaled to 0..1, or pixels with cae.images_from_pixels()"
    array = typed(name, array, np.float32, advice)
    if array.ndim != rank:
        raise ShapeError(f"{name} has shape {array.shape}; it needs {rank} dimension"
                         + ("s (count, channels, height, width)" if rank == 4 else ""))
    return in_place(array)


def output(out: Floats | None, shape: tuple[int, ...], *inputs: Array) -> tuple[Floats, Floats]:
    """(out or a new array, the same borrowed)."""
    if out is None:
        out = empty(shape, np.float32)
    view = _check_output(out, shape, np.float32)
    if view.shape != shape:
        raise ShapeError(f"out has shape {view.shape}; it needs {shape}")
    _check_writable(view, *inputs)
    for good, what in ((view.flags.c_contiguous, "C-contiguous"), (view.flags.aligned, "aligned")):
        if not good:
            raise ArgumentError(f"out is not {what}; pass a whole array or leave it out")
    return out, view


def _check_writable(out: Array, *inputs: Array) -> None:
    if not out.flags.writeable:
        raise ArgumentError("out is read-only; pass a writable array or leave it out")
    if any(np.may_share_memory(out, other) for other in inputs):
        raise ArgumentError("out overlaps an input; pass an array of its own")


# ---- Pixels: their rows may lie apart ------------------------------------------------------------


def _as_rows(name: str, pixels: Pixels, channels: int) -> Pixels:
    """A view of (height, width, channels)."""
    if pixels.ndim == 2 and channels == 1:
        return pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] != channels:
        shapes = f"(height, width, {channels})" + (" or (height, width)" if channels == 1 else "")
        raise ShapeError(f"{name} has shape {pixels.shape}; it needs {shapes}")
    return pixels


def _row_size(rows: Array) -> int:
    return rows.shape[1] * rows.shape[2] * rows.itemsize


def _stride(rows: Array) -> int:
    """Bytes from row to row; of a single row, its size."""
    return rows.strides[0] if rows.shape[0] > 1 else _row_size(rows)


def _rows_fault(rows: Array) -> str:
    """Why C cannot go from row to row; nothing if it can."""
    if not rows[:1].flags.c_contiguous:
        return "rows that are not contiguous"
    if _stride(rows) < 0:
        return "its rows in reverse order"
    return "rows that overlap" if _stride(rows) < _row_size(rows) else ""


def input_rows(pixels: Pixels, channels: int) -> tuple[Pixels, int]:
    """(height x width x channels, bytes from row to row); a copy only where that must be."""
    pixels = typed("pixels", pixels, np.uint8,
                   "pixels are 0..255: cae.pixels_from_images() makes them")
    rows = _as_rows("pixels", pixels, channels)
    if _rows_fault(rows):
        rows = in_place(rows)
    return rows, _stride(rows)


def output_rows(out: Pixels | None, shape: tuple[int, int, int], *inputs: Array
                ) -> tuple[Pixels, Pixels, int]:
    """(out or a new array, the same two of it) for a picture of (height, width, channels)."""
    whole = shape[:2] if shape[2] == 1 else shape
    if out is None:
        out = empty(whole, np.uint8)
    view = _check_output(out, whole, np.uint8)
    rows = _as_rows("out", view, shape[2])
    if rows.shape != shape:
        raise ShapeError(f"out has shape {view.shape}; the image is {shape[0]} x {shape[1]}")
    _check_writable(view, *inputs)
    fault = _rows_fault(rows)
    if fault:
        raise ArgumentError(f"out has {fault}; pass a whole array, a crop of one, or leave it out")
    return out, rows, _stride(rows)


# The formats of cae_denoise_pixels: CAE_U8, CAE_U16, CAE_F32.
_FORMATS = {np.dtype(np.uint8): 1, np.dtype(np.uint16): 2, np.dtype(np.float32): 4}


def _any_rows(array: Array) -> Array:
    return array[:, :, np.newaxis] if array.ndim == 2 else array


def picture_rows(array: Array) -> tuple[Array, int, int]:
    """(height x width x channels of one of three dtypes, bytes from row to row, the format); a copy
    only where that must be."""
    advice = "pass uint8 (0..255), uint16 (0..65535) or float32 (0..1)"
    dtype = np.ndarray.dtype.__get__(array) if isinstance(array, np.ndarray) else None
    if dtype is not None and dtype not in _FORMATS:
        raise TypeError(f"array has dtype {dtype}; {advice}")
    array = typed("array", array, np.uint8 if dtype is None else dtype.type, advice)
    if array.ndim not in (2, 3):
        raise ShapeError(f"array has shape {array.shape}; it needs (height, width) or (height, "
                         "width, channels)")
    rows = _any_rows(array)
    if _rows_fault(rows):
        rows = in_place(rows)
    return rows, _stride(rows), _FORMATS[rows.dtype]


def picture_output(out: Array | None, array: Array, rows: Array) -> tuple[Array, Array, int]:
    """(out or a new array like `array`, the same as rows, bytes from row to row); `rows` is what
    is read, `array` what was given, which `out` may be."""
    in_place_of = out is array
    if out is None:
        out = empty(array.shape, rows.dtype.type)
    view = _check_output(out, array.shape, rows.dtype.type)
    if view.shape != array.shape:
        raise ShapeError(f"out has shape {view.shape}; it needs {array.shape}")
    _check_writable(view, *([] if in_place_of else [rows]))
    filled = _any_rows(view)
    fault = _rows_fault(filled)
    if fault:
        raise ArgumentError(f"out has {fault}; pass a whole array, a crop of one, or leave it out")
    return out, filled, _stride(filled)


def bytes_of(data: Bytes) -> Pixels:
    """A view of any bytes-like object; no copy, read-only or not."""
    try:
        held: Any = borrowed(data) if isinstance(data, np.ndarray) else data
        view = memoryview(held)
    except TypeError:
        raise TypeError(f"data is a {type(data).__name__}; pass bytes or another object with a "
                        "buffer of bytes") from None
    if not view.c_contiguous:
        raise ArgumentError("data is not contiguous; pass bytes(data)")
    return np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)
