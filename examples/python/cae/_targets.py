# SPDX-License-Identifier: BSD-2-Clause
"""Whether a network can give what it is to learn. One that ends in a sigmoid gives 0..1; trained on
0..255 it loses its units within a few steps, and no number that the library looks at is wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from math import isfinite

from ._arrays import Array
from .errors import ArgumentError

_LOWEST, _HIGHEST = -1.0, 2.0  # beyond, nobody means images on the scale 0..1
_SLACK = 0.05


def ends_in_sigmoid(architecture: str) -> bool:
    return "sigmoid" in architecture.rstrip().rsplit("\n", 1)[-1].split()


def _cause(low: float, high: float) -> str:
    if high > 300 and low >= 0:
        return "they look like pixels of 16 bits: divide by 65535"
    if high > _HIGHEST and low >= 0:
        return "they look like pixels of 0..255: divide by 255, or cae.images_from_pixels() does"
    if -1 - _SLACK <= low < 0 and high <= 1 + _SLACK:
        return "they look like -1..1: pass (images + 1) / 2"
    return "if they are standardised, or on another scale, bring them to 0..1"


def range_words(name: str, low: float, high: float) -> str:
    return (f"{name} reach from {low:g} to {high:g}, but the network ends in a sigmoid, which "
            f"gives 0..1; {_cause(low, high)}")


def is_far(low: float, high: float) -> bool:
    return isfinite(high - low) and (low < _LOWEST or high > _HIGHEST)


def check_range(name: str, images: Iterable[Array], architecture: str, stacklevel: int) -> None:
    """Refuses targets far outside of what the network can give, and warns of others."""
    if not ends_in_sigmoid(architecture):
        return
    low, high = 0.0, 1.0
    for image in images:
        low, high = min(low, float(image.min())), max(high, float(image.max()))
    if is_far(low, high):
        raise ArgumentError(range_words(name, low, high))
    if low < -_SLACK or high > 1 + _SLACK:
        warnings.warn(range_words(name, low, high), stacklevel=stacklevel + 1)


def warn_far(name: str, images: Array, architecture: str, stacklevel: int) -> None:
    """The same of one step, which costs less than a thousandth of it: a warning, once a place."""
    if images.size and ends_in_sigmoid(architecture):
        low, high = float(images.min()), float(images.max())
        if is_far(low, high):
            warnings.warn(range_words(name, low, high), stacklevel=stacklevel + 1)
