# SPDX-License-Identifier: BSD-2-Clause
"""Where a training is saved: tried before the first step, as the save will do it, and somewhere
else if the last save fails all the same, for a result of hours must not be lost.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from ._arrays import file_path
from ._library import SAVE_TRAINING, SAVE_TRY, lib
from .errors import CaeError, FileError

if TYPE_CHECKING:
    from .model import Model


def try_save(model: Model, path: str) -> None:
    """Raises what a save would raise; replaces nothing and leaves nothing."""
    try:
        model._open().call(lib.cae_model_save, file_path(path), SAVE_TRAINING | SAVE_TRY)
    except CaeError as error:
        raise type(error)(f"checkpoint {path}: {error}") from None


def _keep_in(model: Model, folder: str, name: str) -> str:
    """The path of the first of NAME.1 to .99 that is not there yet; "" if that cannot be saved."""
    for number in range(1, 100):
        path = os.path.join(folder, f"{name}.{number}")
        if not os.path.lexists(path):
            try:
                model.save(path, training=True)
            except CaeError:
                break
            return path
    return ""


def save_last(model: Model, path: str) -> None:
    """The save that no other follows."""
    try:
        model.save(path, training=True)
    except CaeError as error:
        name = os.fsdecode(os.fsencode(os.path.basename(path))[:200])
        for folder in (os.path.dirname(path), "", tempfile.gettempdir()):
            kept = _keep_in(model, folder, name)
            if kept:
                raise FileError(f"{error}; the model is kept in {os.path.abspath(kept)}") from None
        raise FileError(f"{error}; nor could it be kept elsewhere: model.save() to a place that "
                        "can be written saves it still") from None
