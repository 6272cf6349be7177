# SPDX-License-Identifier: BSD-2-Clause
"""What of a model is saved, and the bytes of its file."""

from __future__ import annotations

from ctypes import byref, c_size_t
from typing import Any

import numpy as np

from ._arrays import Pixels, empty
from ._handle import Handle
from ._library import SAVE_F16, SAVE_TRAINING, check, lib


def save_flags(training: bool, half: bool = False) -> int:
    return (SAVE_TRAINING if training else 0) | (SAVE_F16 if half else 0)


def file_bytes(handle: Handle, flags: int) -> bytes:
    size = c_size_t()

    def save(address: Any) -> Pixels:  # in one call of ours: the size stays what it is
        check(lib.cae_model_save_memory(address, None, 0, byref(size), flags))
        data = empty((size.value,), np.uint8)
        check(lib.cae_model_save_memory(address, data.ctypes.data, data.size, byref(size), flags))
        return data

    return handle.read(save)[:size.value].tobytes()
