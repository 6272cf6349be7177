# SPDX-License-Identifier: BSD-2-Clause
"""Keeping the best: the weights of the lowest validation loss, in a file of their own. A note of
the model says what was measured on what, so that a training that goes on knows what to surpass.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from ._arrays import Floats
from ._checkpoint import try_save
from ._recipe import Noise
from ._run import data_words
from .errors import CaeError

if TYPE_CHECKING:
    from .model import Model

_KEY = "cae.best"


class Best:
    """The lowest loss so far, and the file of its weights."""

    def __init__(self, model: Model, path: str, validation: Floats, noise: Noise) -> None:
        self.model, self.path = model, os.path.join(os.getcwd(), path)
        try_save(model, self.path)
        # The command measures with other noise: its numbers are not compared with these.
        self.what = f"; loss, noise {noise.words}, {data_words(validation)}"
        self.loss = self._before(model.notes.get(_KEY, "")) if model.step > 0 else inf

    def _before(self, note: str) -> float:
        """What the training that goes on had reached on the same images."""
        try:
            return float(note.partition(" at step ")[0]) if note.endswith(self.what) else inf
        except ValueError:  # another program's
            return inf

    def offer(self, loss: float, step: int, prepare: Callable[[], None]) -> None:
        """Saves the model if its loss is lower; `prepare` does before what a save needs."""
        if not loss < self.loss:
            return
        self.loss = loss
        self.model.notes[_KEY] = f"{loss!r} at step {step}{self.what}"
        prepare()
        try:
            self.model.save(self.path)
        except CaeError as error:
            warnings.warn(f"keep_best: {error}; the training goes on", RuntimeWarning, stacklevel=6)
