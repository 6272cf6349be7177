# SPDX-License-Identifier: BSD-2-Clause
"""What the methods of Model have in common: sizes and the arrays that fit them."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref, c_float
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from ._arrays import Floats, floats, real, whole
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


Levels = Union[None, float, Floats]  # of the images of a call


def takes_noise(architecture: str) -> bool:
    """Whether the network is told each image's noise level."""
    return architecture.split("\n", 1)[0].endswith(" noise")


def _levels(sigma: Union[float, Floats], count: int) -> Floats:
    """A level for each image, from one for all or an array (count,)."""
    if not isinstance(sigma, np.ndarray):
        return np.full(count, real("sigma", sigma), np.float32)
    sigma = floats("sigma", sigma, 1)
    if len(sigma) != count:
        raise ShapeError(f"sigma has shape {sigma.shape}; input has {count} images")
    return sigma


class Function(NamedTuple):
    """Of images and targets."""

    forms: Callable[[], tuple[Any, Any]]  # without noise levels, with one for each image
    changes: bool  # the model


STEP = Function(lambda: (lib.cae_train_step, lib.cae_train_step_sigma), True)
GRADIENT = Function(lambda: (lib.cae_train_gradient, lib.cae_train_gradient_sigma), True)
EVALUATE = Function(lambda: (lib.cae_evaluate, lib.cae_evaluate_sigma), False)


def loss(handle: Handle, function: Function, images: Floats, target: Optional[Floats],
         sigma: Levels) -> float:
    """What such a function gives; the form with levels if there are any."""
    images, value = images_for(handle, "input", images), c_float()
    target = images if target is None else images_for(handle, "target", target)
    if target.shape != images.shape:
        raise ShapeError(f"target has shape {target.shape}, input {images.shape}; "
                         "they must be equal")
    if function.changes:
        warn_far("the targets", target, handle.architecture, 3)
    count, _, height, width = images.shape
    call = handle.update if function.changes else handle.call
    arrays = [images, target] if sigma is None else [images, target, _levels(sigma, count)]
    call(function.forms()[sigma is not None], *(array.ctypes.data for array in arrays), count,
         height, width, byref(value))
    return value.value
