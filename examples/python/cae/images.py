# SPDX-License-Identifier: BSD-2-Clause
"""What needs no model: noise, the presets, the header of a compressed image, and the way from
8-bit pixels to images and back.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from ._arrays import Bytes, Floats, Pixels, bytes_of, empty, finite, output, real, typed, whole
from ._library import check, lib, size3
from .errors import ShapeError


def presets() -> dict[str, str]:
    """The presets' names and architecture texts, which docs/architecture-text.md explains.

    >>> list(presets())
    ['sae-compress', 'sae-denoise', 'cae-compress', 'cae-denoise', 'vae']
    """
    texts: dict[str, str] = {}
    while True:
        name = lib.cae_preset_name(len(texts))
        if name is None:
            return texts
        texts[name.decode()] = lib.cae_preset_text(name).decode()


def add_noise(images: Floats, sigma: float, seed: int = 0, out: Optional[Floats] = None) -> Floats:
    """Returns images plus Gaussian noise; the result is not clipped to 0..1.

    images  float32, any shape
    sigma   standard deviation on the scale of the images, >= 0: 25 / 255 is the usual 25
    seed    0 .. 2^64 - 1; the noise depends on it and on the position alone, and is the same on
            every machine
    out     float32 of the same shape, C-contiguous: filled and returned in place of a new array;
            may be `images` itself, to add in place

    Raises TypeError for another dtype, ShapeError and ArgumentError for an `out` that does not fit,
    ArgumentError for a negative or infinite sigma.

    >>> noisy = add_noise(numpy.full((8, 1, 64, 64), 0.5, numpy.float32), 25 / 255, seed=7)
    >>> round(float(noisy.std()) * 255)
    25
    """
    view = typed("images", images, np.float32, "convert with images.astype(numpy.float32)")
    sigma, seed = real("sigma", sigma), whole("seed", seed)
    if out is images:
        out, filled = output(out, view.shape)
    else:
        out, filled = output(out, view.shape, view)
        np.copyto(filled, view)
    check(lib.cae_add_noise(filled.ctypes.data, filled.size, sigma, seed))
    return out


def compressed_info(data: Bytes) -> tuple[int, int, int]:
    """(channels, height, width) of a compressed image, from its header alone.

    data is what Model.compress() returned, or the contents of a .cae file; the payload may be
    missing. Raises FormatError if it is no compressed image, VersionError if it is a newer one.
    """
    view, shape = bytes_of(data), size3()
    check(lib.cae_compressed_info(view.ctypes.data, view.size, shape))
    return shape[0], shape[1], shape[2]


def images_from_pixels(pixels: Pixels) -> Floats:
    """uint8 pixels -> new float32 images (count, channels, height, width); v becomes v / 255.

    pixels  uint8 of shape (count, height, width, channels), or (count, height, width) for grey. Of
            a single picture pass picture[numpy.newaxis].

    Raises TypeError for another dtype, ShapeError for another number of dimensions.

    >>> images_from_pixels(numpy.zeros((300, 64, 64), numpy.uint8)).shape
    (300, 1, 64, 64)
    """
    typed("pixels", pixels, np.uint8, "pixels are 0..255")
    if pixels.ndim not in (3, 4):
        raise ShapeError(f"pixels has shape {pixels.shape}; it needs (count, height, width, "
                         "channels) or (count, height, width): pass one picture as "
                         "picture[numpy.newaxis]")
    planes = pixels[:, np.newaxis] if pixels.ndim == 3 else np.moveaxis(pixels, 3, 1)
    return np.divide(planes, np.float32(255), out=empty(planes.shape, np.float32))


def pixels_from_images(images: Floats) -> Pixels:
    """float32 images (count, channels, height, width) -> new uint8 pixels.

    The shape is (count, height, width, channels), or (count, height, width) for one channel. v
    becomes the whole number nearest to 255 v, halves upwards, at least 0 and at most 255: what was
    made by images_from_pixels() comes back unchanged.

    Raises TypeError for another dtype, ShapeError for another number of dimensions, NonFiniteError
    for NaN or infinity.
    """
    typed("images", images, np.float32, "convert with images.astype(numpy.float32)")
    if images.ndim != 4:
        raise ShapeError(f"images has shape {images.shape}; it needs 4 dimensions (count, "
                         "channels, height, width)")
    finite("images", images)
    # Clipped first: 255 times a large number would overflow.
    values = np.clip(images, 0, 1) * np.float32(255) + np.float32(0.5)
    if images.shape[1] == 1:
        return values[:, 0].astype(np.uint8, order="C")
    return np.moveaxis(values, 1, 3).astype(np.uint8, order="C")
