# SPDX-License-Identifier: BSD-2-Clause
"""The shared library: where it is found, that it is one this package can use, and its functions
with their C types. Whoever calls them passes every status to check().
"""

from __future__ import annotations

import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_float, c_int, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p
from typing import Any

from .errors import BY_STATUS, CaeError, LibraryError

SONAME = "libcae.so.0"
OLDEST_VERSION = 0x000100  # of the library, 0xMMmmpp: 0.1.0 has everything that is called here
SAVE_TRAINING, SAVE_TRY, SAVE_F16 = 1, 2, 4  # CAE_SAVE_TRAINING, CAE_SAVE_TRY, CAE_SAVE_F16
IMPORT_STRIP, IMPORT_SKIP = 1, 2  # CAE_IMPORT_STRIP, CAE_IMPORT_SKIP

model_p = c_void_p
size3 = c_size_t * 3
size4 = c_size_t * 4
progress_p = CFUNCTYPE(c_int, c_void_p, c_double)  # the address of a function, or nothing
_pointer = c_void_p  # to floats or bytes, given as an address: array.ctypes.data
_images = 3 * [c_size_t]  # count, height, width; of pixels height, width, stride or channels
_loss = [model_p, _pointer, _pointer, *_images, POINTER(c_float)]
_loss_sigma = [model_p, _pointer, _pointer, _pointer, *_images, POINTER(c_float)]

# name: (result, arguments), as in cae/cae.h
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "cae_version_string": (c_char_p, []),
    "cae_version": (c_uint32, []),
    "cae_strerror": (c_char_p, [c_int]),
    "cae_last_error": (c_char_p, []),
    "cae_preset_name": (c_char_p, [c_size_t]),
    "cae_preset_text": (c_char_p, [c_char_p]),
    "cae_model_new": (c_int, [POINTER(model_p), c_char_p, c_uint64]),
    "cae_model_load": (c_int, [POINTER(model_p), c_char_p]),
    "cae_model_load_memory": (c_int, [POINTER(model_p), _pointer, c_size_t]),
    "cae_model_load_shipped": (c_int, [POINTER(model_p), c_char_p]),
    "cae_model_load_weights": (c_int, [model_p, c_char_p]),
    "cae_model_import_weights": (c_int, [model_p, c_char_p, c_uint32]),
    "cae_model_save": (c_int, [model_p, c_char_p, c_uint32]),
    "cae_model_save_memory": (c_int, [model_p, _pointer, c_size_t, POINTER(c_size_t), c_uint32]),
    "cae_model_copy": (c_int, [POINTER(model_p), model_p, c_uint32]),
    "cae_model_free": (None, [model_p]),
    "cae_model_architecture": (c_char_p, [model_p]),
    "cae_model_shape": (c_int, [model_p, size3]),
    "cae_code_shape": (c_int, [model_p, c_size_t, c_size_t, size3]),
    "cae_model_set": (c_int, [model_p, c_char_p, c_double]),
    "cae_model_get": (c_int, [model_p, c_char_p, POINTER(c_double)]),
    "cae_setting_info": (c_int, [c_size_t, POINTER(c_char_p), *3 * [POINTER(c_double)]]),
    "cae_model_kernels": (c_char_p, [model_p]),
    "cae_model_note_set": (c_int, [model_p, c_char_p, c_char_p]),
    "cae_model_note": (c_char_p, [model_p, c_char_p]),
    "cae_model_note_info": (c_int, [model_p, c_size_t, POINTER(c_char_p), POINTER(c_char_p)]),
    "cae_tensor_count": (c_size_t, [model_p]),
    "cae_tensor_info": (c_int, [model_p, c_size_t, POINTER(c_char_p), size4, POINTER(c_size_t)]),
    "cae_tensor_get": (c_int, [model_p, c_size_t, _pointer, c_size_t]),
    "cae_tensor_set": (c_int, [model_p, c_size_t, _pointer, c_size_t]),
    "cae_train_step": (c_int, _loss),
    "cae_train_gradient": (c_int, _loss),
    "cae_gradient_get": (c_int, [model_p, _pointer, c_size_t]),
    "cae_gradient_set": (c_int, [model_p, _pointer, c_size_t]),
    "cae_train_apply": (c_int, [model_p]),
    "cae_evaluate": (c_int, _loss),
    "cae_train_step_sigma": (c_int, _loss_sigma),
    "cae_train_gradient_sigma": (c_int, _loss_sigma),
    "cae_evaluate_sigma": (c_int, _loss_sigma),
    "cae_encode": (c_int, [model_p, _pointer, *_images, _pointer]),
    "cae_decode": (c_int, [model_p, _pointer, *_images, _pointer]),
    "cae_denoise": (c_int, [model_p, _pointer, *_images, c_float, _pointer]),
    "cae_denoise_pixels": (c_int, [model_p, *2 * [_pointer, c_size_t], c_uint32, *_images,
                                   *3 * [c_float], progress_p, c_void_p]),
    "cae_add_noise": (c_int, [_pointer, c_size_t, c_float, c_uint64]),
    "cae_estimate_noise": (c_int, [_pointer, c_size_t, c_size_t, c_size_t, c_size_t, _pointer]),
    "cae_fit_code": (c_int, [model_p, _pointer, *_images]),
    "cae_compress_bound": (c_size_t, [model_p, c_size_t, c_size_t]),
    "cae_compress": (c_int, [model_p, _pointer, *_images, c_uint32, _pointer, c_size_t,
                             POINTER(c_size_t)]),
    "cae_decompress": (c_int, [model_p, _pointer, c_size_t, _pointer, *_images]),
    "cae_compressed_info": (c_int, [_pointer, c_size_t, size3]),
}


def _advice(name: str) -> str:
    if not os.environ.get("LIBCAE"):
        return ("Install it (Debian: apt-get install libcae0; after an installation by hand run "
                "ldconfig), or set the environment variable LIBCAE to the path of libcae.so.0.")
    # The loader looks for a name without a slash among the system's libraries only.
    here = os.sep not in name and os.path.exists(name)
    mend = f"Write LIBCAE=./{name} for the one in this folder" if here else "Correct it"
    return f"{mend}, or unset LIBCAE to use the system's {SONAME}."


def _open() -> ctypes.CDLL:
    named = os.environ.get("LIBCAE")
    name = named or SONAME
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        what = f"the environment variable LIBCAE names {name!r}, which" if named else "libcae"
        raise LibraryError(f"{what} cannot be loaded: {error}. {_advice(name)}") from None


def _declare(lib: ctypes.CDLL, name: str) -> None:
    function = getattr(lib, name)
    function.restype, function.argtypes = FUNCTIONS[name]


def bind() -> ctypes.CDLL:
    """Loads libcae and declares its functions; a LibraryError says how to mend what is wrong."""
    lib = _open()
    try:
        for name in ("cae_version", "cae_version_string"):
            _declare(lib, name)
    except AttributeError:
        raise LibraryError(f"{lib._name} is not libcae: it has no function {name}. "
                           + _advice(lib._name)) from None
    version = lib.cae_version_string().decode()
    oldest = ".".join(str(OLDEST_VERSION >> shift & 255) for shift in (16, 8, 0))
    if lib.cae_version() < OLDEST_VERSION:
        raise LibraryError(
            f"{lib._name} is libcae {version}; this Python package needs {oldest} or newer. "
            "Upgrade the library (Debian: apt-get install libcae0), or set the environment "
            "variable LIBCAE to the path of a newer libcae.so.0.")
    try:
        for name in FUNCTIONS:
            _declare(lib, name)
    except AttributeError:
        raise LibraryError(
            f"{lib._name} has no function {name}, though it says that it is libcae {version}: it "
            "is another build than this Python package was made for. Install both from one "
            "release, or set the environment variable LIBCAE to the path of its libcae.so.0."
        ) from None
    return lib


lib = bind()


# What the library's messages advise, in the names that it has here.
_HERE = (("CAE_IMPORT_STRIP", "strip=True"), ("CAE_IMPORT_SKIP", "skip=True"),
         ("cae_fit_code", "Model.fit_code"), ("cae_model_load_weights", "Model.load_weights"),
         (" (the command: cae train --from)", ""), ("CAE_SAVE_F16", "half=True"),
         ("CAE_SAVE_TRAINING", "training=True"), ("for cae_model_load", "for Model.load"),
         ("call the function whose name ends in _sigma", "pass sigma"))


def _message() -> str:
    text: str = lib.cae_last_error().decode("utf-8", "replace")
    for name, here in _HERE:
        text = text.replace(name, here)
    return text


def check(status: int) -> None:
    """Raises what the library refused; on the thread that called it, whose message it is."""
    if status != 0:
        error = BY_STATUS.get(status, CaeError)(_message())
        error.status = status
        raise error
