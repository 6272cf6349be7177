# SPDX-License-Identifier: BSD-2-Clause
"""What the methods of Model have in common: sizes and the arrays that fit them."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref, c_float
from typing import Any, Optional

from ._arrays import Floats, floats, whole
from ._handle import Handle
from ._library import lib, size3
from ._targets import warn_far
from .errors import ShapeError


def code_shape(handle: Handle, height: int, width: int) -> tuple[int, int, int]:
    shape = size3()
    handle.call(lib.cae_code_shape, whole("height", height), whole("width", width), shape)
    return shape[0], shape[1], shape[2]


def images_for(handle: Handle, name: str, images: Floats) -> Floats:
    """Checks images (count, channels, height, width) for this model's channels."""
    channels = handle.shape[0]
    images = floats(name, images, 4)
    if images.shape[1] != channels:
        raise ShapeError(f"{name} has shape {images.shape}; the model takes "
                         f"(count, {channels}, height, width)")
    return images


def loss(handle: Handle, call: Callable[..., None], function: Any, images: Floats,
         target: Optional[Floats]) -> float:
    """What the library's functions of images and targets give; `call` is one of handle's."""
    images, value = images_for(handle, "input", images), c_float()
    target = images if target is None else images_for(handle, "target", target)
    if target.shape != images.shape:
        raise ShapeError(f"target has shape {target.shape}, input {images.shape}; "
                         "they must be equal")
    if call == handle.update:
        warn_far("the targets", target, handle.architecture, 3)
    count, _, height, width = images.shape
    call(function, images.ctypes.data, target.ctypes.data, count, height, width, byref(value))
    return value.value
