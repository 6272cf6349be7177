# SPDX-License-Identifier: BSD-2-Clause
"""The batches of a training: which images a step takes, where larger ones are cut, which noise is
added. All of it is a function of the seed and the step's number, computed as the command
`cae train` does (examples/tool/train_data.c); nothing that happened before plays a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import numpy as np

from ._arrays import Array, Floats, empty, finite, typed
from ._recipe import Noise
from .errors import ArgumentError, NonFiniteError, ShapeError
from .images import add_noise

# What random numbers are for; the values are part of the results.
_ORDER, _CROP, _NOISE, _LEVEL, _SYMMETRY = 1, 2, 3, 9, 10

ADVICE = "use cae.images_from_pixels(), or .astype(numpy.float32) scaled to 0..1"


def _mix(x: Array) -> Array:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _random_bits(seed: int, stream: int, epoch: int, index: Array) -> Array:
    """64 well-mixed bits for each index."""
    start = _mix(np.array([seed], np.uint64))  # an array, for those wrap around without a warning
    return _mix(_mix(_mix(start ^ np.uint64(stream)) ^ np.uint64(epoch)) ^ index.astype(np.uint64))


def _turned(image: Floats, way: int) -> Floats:
    """Bits 0 and 1 mirror it, bit 2 exchanges rows and columns, which only a square can take."""
    image = image[:, ::-1] if way & 1 else image
    image = image[:, :, ::-1] if way & 2 else image
    return image.transpose(0, 2, 1) if way & 4 and image.shape[1] == image.shape[2] else image


class Batches:
    """Shuffled batches of a model's training size from images of at least that size."""

    def __init__(self, images: Union[Floats, Sequence[Floats]], shape: tuple[int, int, int],
                 size: int, noise: Noise, symmetries: bool, seed: int) -> None:
        self.images, self.shape, self.size = images, shape, size
        self.noise, self.symmetries, self.seed = noise, symmetries, seed
        self._check_images()
        self.steps = (len(images) - 1) // size + 1  # in an epoch; the last batch may be short
        batch = (min(size, len(images)), *shape)
        self._target = empty(batch, np.float32)
        self._input = empty(batch, np.float32) if noise.high > 0 else self._target
        self._order: tuple[int, Array] = (-1, np.empty(0, np.intp))  # epoch, its order

    def _check_images(self) -> None:
        channels, height, width = self.shape
        if isinstance(self.images, np.ndarray):
            typed("images", self.images, np.float32, ADVICE)
            if self.images.ndim != 4:
                raise ShapeError(f"images has shape {self.images.shape}; it needs 4 dimensions "
                                 "(count, channels, height, width)")
        elif not isinstance(self.images, Sequence):
            raise TypeError(f"images is a {type(self.images).__name__}; pass a NumPy array (count, "
                            "channels, height, width) or a list of (channels, height, width)")
        if len(self.images) == 0:
            raise ArgumentError("images is empty; pass at least one image")
        for i, image in enumerate(self.images):
            typed(f"images[{i}]", image, np.float32, ADVICE)
            if (image.ndim != 3 or image.shape[0] != channels or image.shape[1] < height
                    or image.shape[2] < width):
                raise ShapeError(
                    f"images[{i}] has shape {image.shape}; training needs ({channels}, height, "
                    f"width) of at least {height} x {width}, the model's training size, to which "
                    "larger ones are cut at random")
            finite(f"images[{i}]", image)

    def _shuffled(self, epoch: int) -> Array:
        """Fisher and Yates' shuffle, with the epoch's own numbers."""
        if self._order[0] != epoch:
            places = np.arange(len(self.images))
            order = places.tolist()
            picks = _random_bits(self.seed, _ORDER, epoch, places) % (places + 1).astype(np.uint64)
            for i, j in zip(range(len(order) - 1, 0, -1), picks[:0:-1].tolist()):
                order[i], order[j] = order[j], order[i]
            self._order = epoch, np.array(order)
        return self._order[1]

    def _cut(self, epoch: int, indices: Array, out: Floats) -> None:
        """Takes the training size out of each image, at a place that belongs to the epoch, as does
        the way it is turned."""
        _, height, width = self.shape
        down = _random_bits(self.seed, _CROP, epoch, 2 * indices).tolist()
        along = _random_bits(self.seed, _CROP, epoch, 2 * indices + 1).tolist()
        ways = (_random_bits(self.seed, _SYMMETRY, epoch, indices).tolist() if self.symmetries
                else [0] * len(indices))
        for i, index in enumerate(indices.tolist()):
            image = self.images[index]
            top = down[i] % (image.shape[1] - height + 1)
            left = along[i] % (image.shape[2] - width + 1)
            out[i] = _turned(image[:, top:top + height, left:left + width], ways[i])

    @staticmethod
    def _check_unchanged(indices: Array, target: Floats) -> None:
        """The images are the caller's, who may have written to them; that is no divergence."""
        good = np.isfinite(target).all(axis=(1, 2, 3))
        if not good.all():
            raise NonFiniteError(f"images[{indices[~good][0]}] contains NaN or infinity, which it "
                                 "did not before the training: something changed it meanwhile")

    def of_step(self, step: int) -> tuple[Floats, Floats, Floats]:
        """(input, target, noise levels) of the step after `step` updates; overwritten by the next
        call."""
        epoch, batch = divmod(step, self.steps)
        indices = self._shuffled(epoch)[batch * self.size:(batch + 1) * self.size]
        target, noisy = self._target[:len(indices)], self._input[:len(indices)]
        self._cut(epoch, indices, target)
        self._check_unchanged(indices, target)
        levels = self._levels(epoch, indices)
        if self.noise.high > 0:
            noisy[...] = target
            self._add_noise(epoch, indices, levels, noisy)
        return noisy, target, levels

    def _levels(self, epoch: int, indices: Array) -> Floats:
        return self.noise.levels(_random_bits(self.seed, _LEVEL, epoch, indices))

    def _add_noise(self, epoch: int, indices: Array, levels: Floats, images: Floats) -> None:
        seeds = _random_bits(self.seed, _NOISE, epoch, indices).tolist()
        for image, level, seed in zip(images, levels.tolist(), seeds):
            add_noise(image, level, seed, out=image)

    def to_fit(self) -> Floats:
        """What the code's ranges are fitted to: the input of the first epoch, of all images or, if
        they have more than 2^24 values together, of as many as have that, at least 16, evenly
        spread."""
        count, channels, height, width = len(self.images), *self.shape
        wanted = min(count, max(16, 2**24 // (channels * height * width)))
        ends = np.arange(count + 1, dtype=np.uint64) * np.uint64(wanted) // np.uint64(count)
        indices = np.flatnonzero(ends[1:] > ends[:-1])
        images = empty((len(indices), *self.shape), np.float32)
        self._cut(0, indices, images)
        self._check_unchanged(indices, images)
        if self.noise.high > 0:
            self._add_noise(0, indices, self._levels(0, indices), images)
        return images
