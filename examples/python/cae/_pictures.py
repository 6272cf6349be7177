# SPDX-License-Identifier: BSD-2-Clause
"""What a model does to pictures as applications have them: pixels of 8 or 16 bits or floats, rows
that may lie apart, alpha, in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Optional, TypeVar, cast

from ._arrays import Array, picture_output, picture_rows, real
from ._handle import Handle
from ._library import lib, progress_p
from .errors import CancelledError

AnyArray = TypeVar("AnyArray", bound=Array)


class Watch:
    """A function of Python's that the library calls while it works. What that raises must not pass
    through C: it stops the call and is raised behind it."""

    def __init__(self, progress: Optional[Callable[[float], object]]) -> None:
        if progress is not None and not callable(progress):
            raise TypeError(f"progress is a {type(progress).__name__}; pass a function")
        self._progress = progress
        self._raised: Optional[BaseException] = None

    def _tell(self, _user: Any, done: float) -> int:
        try:
            return 1 if self._progress is not None and self._progress(done) else 0
        except BaseException as error:  # KeyboardInterrupt too
            self._raised = error
            return 1

    def call(self, function: Callable[..., None]) -> None:
        """Calls it with the address of what tells, and nothing for that."""
        told = progress_p(0) if self._progress is None else progress_p(self._tell)
        try:
            function(told, None)
        except CancelledError:
            if self._raised is None:
                raise
        if self._raised is not None:
            raise self._raised


class Pictures:
    """The part of Model that works on pictures."""

    __slots__ = ()

    def _open(self) -> Handle:
        raise NotImplementedError

    def denoise_pixels(self, array: AnyArray, sigma: float = 0.0, gain: float = 0.0,
                       strength: float = 1.0, out: Optional[AnyArray] = None,
                       progress: Optional[Callable[[float], object]] = None) -> AnyArray:
        """A picture as applications have it -> the same without its noise, of the same dtype.

        array     (height, width) or (height, width, channels); uint8, uint16, or float32 of 0..1,
                  which is not clipped. Read in place as long as each row is contiguous. The
                  channels are the model's, or one more, alpha, which is copied. A grey model takes
                  any number and runs each by itself; of 2 and 4 the last one is alpha
        sigma     the noise's standard deviation on the scale 0..1; 0 beside gain 0: estimated.
                  Networks whose input line says `noise` use sigma and gain
        gain      of a sensor: the noise's variance at value x is sigma^2 + gain x
        strength  1: all of the noise; below: so much of the way to it, 0 gives the array back; up
                  to 10: more, and detail too
        out       of the array's shape and dtype, writable: filled and returned in place of a new
                  array. It may be `array` itself
        progress  called with what is done, 0 to 1. If it returns something true, the call ends with
                  CancelledError; what it raises comes out here. `out` is then half done

        Raises what the class says; TypeError for another dtype, ShapeError for other channels,
        ArgumentError for a number out of range.
        """
        handle = self._open()
        sigma, gain = real("sigma", sigma), real("gain", gain)
        strength = real("strength", strength)
        rows, stride, kind = picture_rows(array)
        result, filled, out_stride = picture_output(out, array, rows)
        watch = Watch(progress)
        watch.call(partial(handle.call, lib.cae_denoise_pixels, rows.ctypes.data, stride,
                           filled.ctypes.data, out_stride, kind, *rows.shape, sigma, gain,
                           strength))
        return cast("AnyArray", result)
