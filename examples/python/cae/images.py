# SPDX-License-Identifier: BSD-2-Clause
"""What needs no model: noise, the presets, the header of a compressed image, and the way from
8-bit pixels to images and back.
"""

from __future__ import annotations

import warnings
from typing import Optional

import numpy as np

from ._arrays import Bytes, Floats, Pixels, bytes_of, empty, finite, output, real, typed, whole
from ._library import check, lib, size3
from .errors import ArgumentError, ShapeError


def presets() -> dict[str, str]:
    """The presets' names and architecture texts, which docs/architecture-text.md explains.

    >>> list(presets())[:5]
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


def estimate_noise(images: Floats) -> Floats:
    """The standard deviation of the noise in each image, on the scale of the values.

    images  float32 (count, channels, height, width), finite; white noise, alike in all channels
    Returns float32 (count,), each >= 0; times 255 for the usual scale.

    Raises TypeError for another dtype, ShapeError for another number of axes, ArgumentError for
    an array without values, NonFiniteError.

    >>> noisy = add_noise(numpy.full((2, 1, 64, 64), 0.5, numpy.float32), 25 / 255, seed=7)
    >>> bool((abs(estimate_noise(noisy) * 255 - 25) < 3).all())
    True
    """
    view = typed("images", images, np.float32, "convert with images.astype(numpy.float32)")
    if view.ndim != 4:
        raise ShapeError(f"images has shape {view.shape}; "
                         "it must be (count, channels, height, width)")
    view = np.ascontiguousarray(view)
    sigma = np.zeros(view.shape[0], np.float32)
    check(lib.cae_estimate_noise(view.ctypes.data, *view.shape, sigma.ctypes.data))
    return sigma


def compressed_info(data: Bytes) -> tuple[int, int, int]:
    """(channels, height, width) of a compressed image, from its header alone.

    data is what Model.compress() returned, or the contents of a .cae file; the payload may be
    missing. Raises FormatError if it is no compressed image, VersionError if it is a newer one.
    """
    view, shape = bytes_of(data), size3()
    check(lib.cae_compressed_info(view.ctypes.data, view.size, shape))
    return shape[0], shape[1], shape[2]


_LAYOUTS = ("HW", "NHW", "HWC", "CHW", "NHWC", "NCHW")
_FEW = 4  # channels that pixels have: grey, with alpha, colour, with alpha


def _layout_of(shape: tuple[int, ...]) -> str:
    """What the axes of pixels are, where that is beyond doubt."""
    if len(shape) == 2:
        return "HW"
    if len(shape) == 4 and not shape[3] > _FEW >= shape[1]:
        return "NHWC"
    if len(shape) == 3 and shape[2] > _FEW:
        if shape[0] == 3:
            warnings.warn(f"pixels of shape {shape} are taken for 3 grey pictures: say so with "
                          'layout="NHW"; one picture of 3 planes is layout="CHW"', stacklevel=3)
        return "NHW"
    if len(shape) == 3 and min(shape[:2]) > _FEW:
        return "HWC"
    kinds = {3: '"NHW" (grey pictures), "HWC" or "CHW" (one picture)',
             4: '"NCHW", or "NHWC" if there are so many channels'}.get(len(shape))
    raise ShapeError(f"pixels has shape {shape}; " + (
        f"say what the axes are, with layout={kinds}" if kinds is not None else
        "it needs (count, height, width, channels), (count, height, width), (height, width, "
        "channels) or (height, width)"))


def images_from_pixels(pixels: Pixels, layout: Optional[str] = None) -> Floats:
    """uint8 pixels -> new float32 images (count, channels, height, width); v becomes v / 255.

    pixels  uint8, of one picture or of several of one size
    layout  what the axes are: "NHWC", (count, height, width, channels); "NHW", grey pictures; "HWC"
            and "HW", one picture; "NCHW" and "CHW", planes one after another, as PyTorch has them.
            None takes it from the shape:
            (300, 64, 64)      "NHW": 300 grey pictures; a first axis of 3 is a warning
            (512, 768, 3)      "HWC": one picture; so with 1, 2 and 4 channels, none of which is
                               dropped: pass picture[:, :, :3] for a network without alpha
            (512, 768)         "HW": one grey picture
            (300, 64, 64, 3)   "NHWC"
            and asks where it could be another: (300, 64, 3) is one picture, but (300, 4, 4) and
            (300, 3, 64, 64) are refused

    Raises TypeError for another dtype, ShapeError for a shape that is no pixels' or not beyond
    doubt, ArgumentError for another layout.

    >>> images_from_pixels(numpy.zeros((300, 64, 64), numpy.uint8)).shape
    (300, 1, 64, 64)
    >>> images_from_pixels(numpy.zeros((512, 768, 3), numpy.uint8)).shape
    (1, 3, 512, 768)
    """
    pixels = typed("pixels", pixels, np.uint8, "pixels are 0..255")
    if layout is None:
        layout = _layout_of(pixels.shape)
    elif layout not in _LAYOUTS:
        raise ArgumentError(f"layout is {layout!r}; pass one of {', '.join(_LAYOUTS)}")
    elif len(layout) != pixels.ndim:
        raise ShapeError(f"pixels has shape {pixels.shape}, which is not {layout}")
    planes = np.asarray(pixels)
    if "C" not in layout:
        planes = planes[..., np.newaxis, :, :]
    elif layout.endswith("C"):
        planes = np.moveaxis(planes, -1, -3)
    if "N" not in layout:
        planes = planes[np.newaxis]
    return np.divide(planes, np.float32(255), out=empty(planes.shape, np.float32))


def pixels_from_images(images: Floats) -> Pixels:
    """float32 images (count, channels, height, width) -> new uint8 pixels.

    The shape is (count, height, width, channels), or (count, height, width) for one channel. v
    becomes the whole number nearest to 255 v, halves upwards, at least 0 and at most 255: what was
    made by images_from_pixels() comes back unchanged. Values far outside 0..1, such as pixels that
    were not divided by 255, are a warning.

    Raises TypeError for another dtype, ShapeError for another number of dimensions, NonFiniteError
    for NaN or infinity.
    """
    images = typed("images", images, np.float32, "convert with images.astype(numpy.float32)")
    if images.ndim != 4:
        raise ShapeError(f"images has shape {images.shape}; it needs 4 dimensions (count, "
                         "channels, height, width)")
    finite("images", images)
    images = np.asarray(images)
    if images.size and float(images.max()) > 16:  # noise does not reach so far
        warnings.warn(f"images reach to {float(images.max()):g}, and all above 1 becomes white; if "
                      "they are pixels of 0..255, divide by 255", stacklevel=2)
    # Clipped first: 255 times a large number would overflow.
    values = np.clip(images, 0, 1) * np.float32(255) + np.float32(0.5)
    if images.shape[1] == 1:
        return values[:, 0].astype(np.uint8, order="C")
    return np.moveaxis(values, 1, 3).astype(np.uint8, order="C")
