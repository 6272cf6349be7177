# SPDX-License-Identifier: BSD-2-Clause
"""The notes of a model as a mapping; and what a training depended on, which is kept there, so that
one that goes on knows whether it is the same. The keys and how they are made are those of the
command `cae train` (docs/file-formats.md, section 1.8).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, MutableMapping, Sequence
from ctypes import byref, c_char_p
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np

from ._arrays import Floats, text
from ._library import lib

if TYPE_CHECKING:
    from .model import Model

# ---- The mapping ---------------------------------------------------------------------------------


class Notes(MutableMapping[str, str]):
    """Text that travels with a model, by key: saved with it every time, loaded, copied.

    Keys are 1 to 64 letters, digits and . _ -, not beginning with "libcae."; those that begin with
    "cae." say what a training depended on. Values are str of at most 4096 bytes in UTF-8. There may
    be 32 notes. ArgumentError for other keys or values, LimitError beyond.

    >>> model = Model("cae-denoise")
    >>> model.notes["made-by"] = "me"
    >>> dict(Model.from_bytes(model.to_bytes()).notes)
    {'made-by': 'me'}
    """

    __slots__ = ("_model",)

    def __init__(self, model: Model) -> None:
        self._model = model

    def __getitem__(self, key: str) -> str:
        name = text("key", key)
        found: list[Optional[bytes]] = self._model._open().read(
            lambda address: [lib.cae_model_note(address, name)])
        if found[0] is None:
            raise KeyError(key)
        return found[0].decode()

    def __setitem__(self, key: str, value: str) -> None:
        self._model._open().update(lib.cae_model_note_set, text("key", key), text("value", value))

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._model._open().update(lib.cae_model_note_set, text("key", key), None)

    def _keys(self, address: Any) -> list[str]:
        keys: list[str] = []
        key = c_char_p()
        while lib.cae_model_note_info(address, len(keys), byref(key), None) == 0:
            keys.append((key.value or b"").decode())
        return keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._model._open().read(self._keys))

    def __len__(self) -> int:
        return len(self._model._open().read(self._keys))

    def __repr__(self) -> str:
        return f"Notes({dict(self)})"


# ---- What a training depends on ------------------------------------------------------------------

# Key: what it is called where it differs.
RUN = {"cae.batch": "batch_size", "cae.data": "the images", "cae.noise": "noise (of 255)",
       "cae.parts": "parts", "cae.seed": "seed"}


def _noise_words(noise: float) -> str:
    """On the scale 0..255, in the fewest digits that give the number back."""
    for digits in range(6, 17):
        words = f"{noise * 255:.{digits}g}"
        if float(words) / 255 == noise:
            return words
    return f"{noise * 255:.17g}"


def _pixels(image: Floats) -> Optional[Any]:
    """The bytes that the image was made of, channels interleaved; None if it was not."""
    pixels = np.rint(np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8)
    if not np.array_equal(pixels / np.float32(255), image):
        return None
    return np.ascontiguousarray(np.moveaxis(pixels, 0, 2))


def _checksum(images: Union[Floats, Sequence[Floats]], as_pixels: bool) -> Optional[int]:
    crc = 0
    for image in images:
        data: Any = (_pixels(image) if as_pixels
                     else np.ascontiguousarray(image).astype("<f4", copy=False))
        if data is None:
            return None
        own = zlib.crc32(data, zlib.crc32(np.array(image.shape, "<u4").tobytes()))
        crc = zlib.crc32(own.to_bytes(4, "little"), crc)
    return crc


def run_notes(images: Union[Floats, Sequence[Floats]], batch: int, noise: float, seed: int
              ) -> dict[str, str]:
    """The notes of a training; "float32" where images are no pixels, as those of the command are.
    """
    kind, crc = "", _checksum(images, True)
    if crc is None:
        kind, crc = "float32 ", _checksum(images, False)
    return {"cae.batch": str(batch), "cae.data": f"{len(images)} images, {kind}crc32 {crc:08x}",
            "cae.noise": _noise_words(noise), "cae.seed": str(seed)}


def differences(before: MutableMapping[str, str], now: dict[str, str]) -> str:
    """What differs, in words; nothing where the model does not say what it was trained with."""
    if not any(key in before for key in RUN):
        return ""
    return "; ".join(f"{what}: {before.get(key, 'unknown')} before, {now.get(key, 'none')} now"
                     for key, what in RUN.items() if before.get(key) != now.get(key))
