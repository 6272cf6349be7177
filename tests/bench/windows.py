"""Windows and the judgement of them. A window is a piece of work with what the probes saw before and
behind it. Which windows count is decided when all are known: those in which both probes, on both
sides, came near the best that they reached in the whole run.

SPDX-License-Identifier: BSD-2-Clause
"""
from typing import List, NamedTuple

NEAR = 0.95     # of the best
STEP = 0.05     # by which that is lowered when too few windows are left
ENOUGH = 5      # windows, or a tenth of all if that is more


class Window(NamedTuple):
    cores: int
    probes: tuple      # multiply-adds and loads before, the same behind; GFLOP/s
    cpu: float         # seconds
    wall: float
    detail: tuple = ()

    @property
    def seconds(self):
        return self.wall if self.cores > 1 else self.cpu


class Kept(NamedTuple):
    windows: List[Window]
    near: float        # the share of the best that their probes reached
    all: int


class Figure(NamedTuple):
    median: float
    low: float         # quartiles
    high: float
    kept: int
    all: int
    near: float

    def scaled(self, factor):
        return self._replace(median=self.median * factor, low=self.low * factor,
                             high=self.high * factor)


def quantile(values, share):
    values = sorted(values)
    at = share * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


class Judge:
    """Knows the best that each probe has reached on one core and on two."""

    def __init__(self):
        self.best = {1: [0.0, 0.0], 2: [0.0, 0.0]}
        self.lowest = NEAR  # that any windows were kept at

    def window(self, cores, raw, detail=()):
        """From the six numbers that the worker prints."""
        found = Window(cores, tuple(raw[:4]), raw[4], raw[5], tuple(detail))
        self.best[cores] = [max(best, *found.probes[i::2])
                            for i, best in enumerate(self.best[cores])]
        return found

    @property
    def peak(self):
        """GFLOP/s of one core; 0 where there are no probes."""
        return self.best[1][0]

    def quality(self, window):
        best = self.best[window.cores]
        return min([p / best[i % 2] for i, p in enumerate(window.probes) if best[i % 2] > 0] or [1])

    def keep(self, windows):
        near = NEAR
        wanted = min(len(windows), max(ENOUGH, len(windows) // 10))
        good = [(self.quality(w), w) for w in windows]
        while sum(q >= near for q, _ in good) < wanted:
            near -= STEP
        near = max(near, 0)
        kept = [w for q, w in good if q >= near]
        self.lowest = min(self.lowest, near)
        return Kept(kept, near, len(windows))

    def figure(self, windows, value=lambda w: w.seconds):
        """Median and quartiles over the windows that count; None without any."""
        if not windows:
            return None
        kept = self.keep(windows)
        values = [value(w) for w in kept.windows]
        return Figure(quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75),
                      len(values), kept.all, kept.near)
