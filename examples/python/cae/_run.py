# SPDX-License-Identifier: BSD-2-Clause
"""What a training depends on, kept in the notes of its model, so that one that goes on knows
whether it is the same. The keys and how they are made are those of the command `cae train`
(docs/file-formats.md, section 1.8).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np

from ._arrays import Floats
from ._recipe import Noise

# Key: what it is called where it differs.
RUN = {"cae.batch": "batch_size", "cae.data": "the images", "cae.noise": "noise (of 255)",
       "cae.parts": "parts", "cae.schedule": "schedule", "cae.seed": "seed",
       "cae.self": "self or pairs, which only the command has",
       "cae.symmetries": "symmetries", "cae.texture": "texture, which only the command has"}
_OPTIONAL = {"cae.parts", "cae.schedule", "cae.self", "cae.symmetries", "cae.texture"}


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


def data_words(images: Union[Floats, Sequence[Floats]]) -> str:
    """"float32" where images are no pixels, as those of the command are."""
    kind, crc = "", _checksum(images, True)
    if crc is None:
        kind, crc = "float32 ", _checksum(images, False)
    return f"{len(images)} images, {kind}crc32 {crc:08x}"


def run_notes(images: Union[Floats, Sequence[Floats]], batch: int, noise: Noise, symmetries: bool,
              seed: int) -> dict[str, str]:
    """The notes of a training, but for its schedule's."""
    notes = {"cae.batch": str(batch), "cae.data": data_words(images), "cae.noise": noise.words,
             "cae.seed": str(seed)}
    if symmetries:
        notes["cae.symmetries"] = "8"
    return notes


def differences(before: Mapping[str, str], now: dict[str, str]) -> str:
    """What differs, in words; nothing where the model does not say what it was trained with."""
    if not any(key in before for key in RUN):
        return ""
    return "; ".join(
        f"{what}: {before.get(key, 'none' if key in _OPTIONAL else 'unknown')} before, "
        f"{now.get(key, 'none')} now"
        for key, what in RUN.items() if before.get(key) != now.get(key))
