# SPDX-License-Identifier: BSD-2-Clause
"""How a training is done beyond its images: noise levels, and the learning rate from step to step.
The arithmetic is that of the command `cae train` (examples/tool/noise.c, schedule.c), operation by
operation, so that both make the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple, Union

import numpy as np

from ._arrays import Array, Floats, real
from .errors import ArgumentError

LEAST = 0.01  # of 255: of a range, and of a network that is told the level and divides by it
SCHEDULES = ("constant", "linear", "cosine")


def _words(level: float) -> str:
    """A level of the scale 0..1 on the scale 0..255, in the fewest digits that give it back."""
    for digits in range(6, 17):
        words = f"{level * 255:.{digits}g}"
        if float(words) / 255 == level:
            return words
    return f"{level * 255:.17g}"


class Noise(NamedTuple):
    """One level, or a range from which each image draws its own; on the scale 0..1."""

    low: float
    high: float

    @property
    def is_range(self) -> bool:
        return self.high > self.low

    @property
    def words(self) -> str:
        """As the notes of a training have it, on the scale 0..255."""
        return _words(self.low) + (f"-{_words(self.high)}" if self.is_range else "")

    @property
    def is_enough(self) -> bool:
        """For a range, and for a network that is told the level."""
        return float(_words(self.low)) >= LEAST

    def levels(self, bits: Array) -> Floats:
        """A level for each of these random bits; of a range the logarithm is uniform."""
        if not self.is_range:
            return np.full(bits.shape, self.low, np.float32)
        low, high = float(_words(self.low)), float(_words(self.high))
        levels, factor = np.full(bits.shape, low), high / low
        for bit in range(63, 39, -1):
            factor = sqrt(factor)
            levels = np.where(bits >> np.uint64(bit) & np.uint64(1), levels * factor, levels)
        return (levels / 255).astype(np.float32)

    def measured(self) -> list[float]:
        """The levels that stand for all: of a range the middles, by the logarithm, of its four
        quarters."""
        if not self.is_range:
            return [self.low]
        quarter = sqrt(sqrt(self.high / self.low))
        first = self.low * sqrt(quarter)
        return [first, first * quarter, first * quarter**2, first * quarter**3]


def noise_of(value: Union[float, Sequence[float]]) -> Noise:
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ArgumentError(f"noise is {value!r}; pass a level or two, (low, high)")
        noise = Noise(real("noise", value[0]), real("noise", value[1]))
        if not (noise.is_enough and noise.is_range and noise.high <= 1):
            raise ArgumentError(f"noise is {value!r}; of (low, high) low must be at least 0.01 / "
                                "255, high larger than low and at most 1")
        return noise
    level = real("noise", value)  # type: ignore[arg-type]
    if not 0 <= level < float("inf"):
        raise ArgumentError(f"noise is {level}; pass a finite number >= 0, on the scale 0..1")
    return Noise(level, level)


def _sin_quarter(x: float) -> float:
    """sin(pi/2 x) for 0 <= x <= 1 by its series; a libm's differs from one system to the next."""
    angle = 1.57079632679489661923 * x
    square = angle * angle
    term = total = angle
    for i in range(1, 11):
        term *= -square / float(2 * i * (2 * i + 1))
        total += term
    return min(total, 1.0)


class Schedule(NamedTuple):
    """The learning rate over a training."""

    kind: str
    warmup: float  # the part of the steps in which it rises

    def factor(self, step: int, steps: int) -> float:
        """Of the learning rate, in step number `step` from 0 of `steps`."""
        warm = float(int(self.warmup * float(steps)))
        if step < warm:
            return (float(step) + 1) / warm
        left = float(steps - step) / (float(steps) - warm)
        if self.kind == "cosine":
            return _sin_quarter(left) * _sin_quarter(left)
        return left if self.kind == "linear" else 1.0

    def words(self, steps: int) -> str:
        """As the notes of a training have it; nothing where the rate is always the same."""
        if self.kind == "constant" and self.warmup == 0:
            return ""
        digits = next(digits for digits in range(6, 18)
                      if float(f"{self.warmup:.{digits}g}") == self.warmup)
        return f"{self.kind}, warm-up {self.warmup:.{digits}g}, {steps} steps"


def schedule_of(kind: str, warmup: float) -> Schedule:
    if kind not in SCHEDULES:
        raise ArgumentError(f"schedule is {kind!r}; pass one of {', '.join(SCHEDULES)}")
    warmup = real("warmup", warmup)
    if not 0 <= warmup <= 1:
        raise ArgumentError(f"warmup is {warmup}; pass a part of the steps, 0 .. 1")
    return Schedule(kind, warmup)
