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


def differences(before: Mapping[str, str], now: dict[str, str]) -> str:
    """What differs, in words; nothing where the model does not say what it was trained with."""
    if not any(key in before for key in RUN):
        return ""
    return "; ".join(f"{what}: {before.get(key, 'unknown')} before, {now.get(key, 'none')} now"
                     for key, what in RUN.items() if before.get(key) != now.get(key))
