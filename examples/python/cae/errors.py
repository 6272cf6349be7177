# SPDX-License-Identifier: BSD-2-Clause
"""What libcae refuses, as exceptions: a class for each status of cae/cae.h. Each is also the
exception of Python's own that says the same, so that `except OSError` catches a missing file.
"""

from __future__ import annotations


class CaeError(Exception):
    """What libcae refused. `status` is the C status, the text is the library's own sentence."""

    status: int = 0


class ArgumentError(CaeError, ValueError):
    """A value out of range, an unknown name, a closed model, an output that cannot be used."""

    status = -1


class OutOfMemoryError(CaeError, MemoryError):
    """The system has no memory left. What needs more than a model may take is a LimitError."""

    status = -2


class FileError(CaeError, OSError):
    """A file could not be read or written; the message has its name and the system's reason.

    An OSError without errno and filename, for the library reports a sentence and no number: a
    missing file is no FileNotFoundError.
    """

    status = -3


class FormatError(CaeError, ValueError):
    """A file or buffer is damaged or is not libcae's."""

    status = -4


class VersionError(CaeError):
    """Made by a newer format than this library reads."""

    status = -5


class WrongModelError(CaeError, ValueError):
    """A compressed image made with another model, or weights of another network."""

    status = -6


class ShapeError(CaeError, ValueError):
    """An array of another shape than was needed, or a size that the network cannot take."""

    status = -7


class NonFiniteError(CaeError, ValueError):
    """NaN or infinity."""

    status = -8


class LimitError(CaeError):
    """Over the setting memory_limit or a cap of the format."""

    status = -9


class BufferTooSmallError(CaeError):
    """Never raised by this package, which asks the library for sizes first."""

    status = -10


class UnsupportedError(CaeError):
    """Not possible for this model or on this machine."""

    status = -11


class CancelledError(CaeError):
    """The caller's own progress function asked to stop."""

    status = -12


class ArchitectureError(CaeError, ValueError):
    """An architecture text is wrong; the message names line and column."""

    status = -13


class LibraryError(ImportError):
    """The shared library is missing, too old or not libcae; raised by `import cae`."""


BY_STATUS: dict[int, type[CaeError]] = {kind.status: kind for kind in CaeError.__subclasses__()}
