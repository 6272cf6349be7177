# SPDX-License-Identifier: BSD-2-Clause
"""libcae from Python: train and run small autoencoders on NumPy arrays.

    import cae

    images = cae.images_from_pixels(pixels)        # uint8 (300, 64, 64) -> float32 (300, 1, 64, 64)
    with cae.Model("cae-denoise", seed=1, threads=0) as model:
        trainer = cae.Trainer(model, images, noise=25 / 255, checkpoint="faces.safetensors")
        for epoch in trainer.epochs(100):
            print(epoch.number, epoch.loss)
        clean = model.denoise(noisy)
    photograph = cae.denoise(photograph)           # with weights that came with the library

Model has everything on one network: saving and loading, weights, training by steps, encoding,
de-noising, compression. Trainer is the training loop, Settings what can be set, Notes
what text travels along. `help(cae.Model)`
and so on give shapes, ranges and errors; the C header cae/cae.h is the manual of the library below.

Installation. Debian: apt-get install python3-cae. Else build the library with the meson option
-Dpython=enabled; or, in a virtual environment, `pip install examples/python`; or copy this folder
beside your program, for there is nothing to compile. It needs Python 3.9 and NumPy 1.20 or newer
(tested: Debian 12 with 3.11 and 1.24), and the shared library: the one that the environment
variable LIBCAE names, by its path or its soname, else the system's libcae.so.0.

Arrays. Images and codes are float32 arrays of shape (count, channels, height, width); pixels are
uint8 arrays of shape (height, width, channels), or (height, width) for a model of one channel. The
library reads and writes the memory of C-contiguous arrays in place. Another memory layout costs one
copy of that argument; pixels need no copy as long as each row is contiguous, so a crop of a picture
passes as it is. Another dtype is a TypeError: whether 0..255 means 0..1 is not ours to guess, and
images_from_pixels() says it. Where a function takes `out`, it must have the exact shape, be
C-contiguous and writable; without `out` a new array is made. Type checkers know the two kinds of
arrays as cae.Floats and cae.Pixels.

Errors. What the library refuses raises a CaeError, a class of its own per status, with the
library's sentence (cae_last_error) as its text and the number in `status`. A wrong shape, a closed
model and what else cannot be passed on raise the same classes here, before the library is called;
a wrong dtype or type is Python's own TypeError. A library that is missing or too old is a
LibraryError, which is an ImportError.

Threads. Every call releases the interpreter lock. Any number of threads may use one model: what
does not change it runs at once; training, loading weights and changing settings wait until they
have it to themselves, and others wait for them. close() returns at once: calls under way end as
they would have, later ones raise ArgumentError. Processes may fork at any time (a model that
another thread was changing then is refused in the child); models can be pickled and so travel to
processes that were spawned. Arrays of a call cannot be resized while it runs.
"""

from __future__ import annotations

# Not in __all__, for help() would explain the whole of numpy.ndarray.
from ._arrays import Floats as Floats, Pixels as Pixels
from ._library import lib as _lib
from .denoising import denoise
from .errors import (ArchitectureError, ArgumentError, BufferTooSmallError, CaeError,
                     CancelledError, FileError, FormatError, LibraryError, LimitError,
                     NonFiniteError, OutOfMemoryError, ShapeError, UnsupportedError, VersionError,
                     WrongModelError)
from .images import (add_noise, compressed_info, estimate_noise, images_from_pixels,
                     pixels_from_images, presets)
from .model import Model
from .notes import Notes
from .settings import Settings, setting_ranges
from .trainer import Epoch, Trainer

__version__: str = _lib.cae_version_string().decode()  # of the library in use

__all__ = [
    "ArchitectureError", "ArgumentError", "BufferTooSmallError", "CaeError", "CancelledError",
    "Epoch", "FileError", "FormatError", "LibraryError", "LimitError", "Model",
    "NonFiniteError", "Notes", "OutOfMemoryError", "Settings", "ShapeError", "Trainer",
    "UnsupportedError", "VersionError", "WrongModelError", "add_noise", "compressed_info",
    "denoise", "estimate_noise", "images_from_pixels", "pixels_from_images", "presets",
    "setting_ranges",
]
