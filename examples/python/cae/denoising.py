# SPDX-License-Identifier: BSD-2-Clause
"""De-noising with the models that came with the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from ._pictures import AnyArray
from .errors import FileError
from .model import Model


def _model(channels: int) -> Model:
    """For pictures of so many channels; without a model for colours, each is grey by itself."""
    if channels in (3, 4):
        try:
            return Model.shipped("denoise-rgb", threads=0)
        except FileError:
            pass
    return Model.shipped("denoise", threads=0)


def denoise(array: AnyArray, sigma: float = 0.0, gain: float = 0.0, strength: float = 1.0,
            out: Optional[AnyArray] = None,
            progress: Optional[Callable[[float], object]] = None) -> AnyArray:
    """A picture -> the same without its noise, by weights that came with the library, on all
    processors.

    array     (height, width) or (height, width, channels) of uint8, uint16 or float32 in 0..1. The
              last of 2 or 4 channels is alpha, which is copied
    sigma     the noise's standard deviation on the scale 0..1; 0 beside gain 0: estimated
    gain      of a sensor: the noise's variance at value x is sigma^2 + gain x
    strength  1: all of the noise; below: so much of the way to it; up to 10: more, and detail too
    out       of the array's shape and dtype: filled and returned; it may be `array` itself
    progress  called with what is done, 0 to 1; something true, or what it raises, ends the call

    The model is loaded in each call, which takes some milliseconds; for many small pictures keep
    Model.shipped("denoise") and call its denoise_pixels. Raises what that raises, and FileError
    where no model is installed.
    """
    with _model(array.shape[2] if getattr(array, "ndim", 0) == 3 else 1) as model:
        return model.denoise_pixels(array, sigma, gain, strength, out, progress)
