# SPDX-License-Identifier: BSD-2-Clause
"""The notes of a model as a mapping: text that travels with it, in its files and copies."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from ctypes import byref, c_char_p
from typing import TYPE_CHECKING, Any, Optional

from ._arrays import text
from ._library import lib

if TYPE_CHECKING:
    from .model import Model


def _all(address: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    key, value = c_char_p(b""), c_char_p(b"")
    while lib.cae_model_note_info(address, len(found), byref(key), byref(value)) == 0:
        found[(key.value or b"").decode()] = (value.value or b"").decode()
    return found


class Notes(MutableMapping[str, str]):
    """A model's notes, sorted by key; they change the model at once, and every save keeps them.

    A key is 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with "libcae."; a value has at most
    4096 bytes of UTF-8: anything else is an ArgumentError, or a LimitError if it is too long or a
    model would have more than 32. `cae train` keeps in notes what a training depended on, and
    `cae info` prints them.

    >>> model = Model("cae-denoise")
    >>> model.notes["author"] = "Ann"
    >>> dict(model.notes)
    {'author': 'Ann'}
    """

    __slots__ = ("_model",)

    def __init__(self, model: Model) -> None:
        self._model = model

    def __getitem__(self, key: str) -> str:
        name = text("key", key)

        def find(address: Any) -> Optional[bytes]:
            found: Optional[bytes] = lib.cae_model_note(address, name)
            return found

        value = self._model._open().read(find)
        if value is None:
            raise KeyError(key)
        return value.decode()

    def __setitem__(self, key: str, value: str) -> None:
        self._model._open().update(lib.cae_model_note_set, text("key", key), text("value", value))

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._model._open().update(lib.cae_model_note_set, text("key", key), None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._model._open().read(_all))

    def __len__(self) -> int:
        return len(self._model._open().read(_all))

    def __repr__(self) -> str:
        return f"Notes({self._model._open().read(_all)})"
