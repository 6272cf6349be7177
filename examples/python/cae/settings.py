# SPDX-License-Identifier: BSD-2-Clause
"""A model's settings as attributes and as a mapping. The library has the table of settings
(cae_setting_info); here stand only the types that checkers need, which a test compares with it.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from ctypes import byref, c_char_p, c_double
from typing import TYPE_CHECKING

from ._arrays import real
from ._library import lib

if TYPE_CHECKING:
    from .model import Model


def setting_ranges() -> dict[str, tuple[float, float, float]]:
    """Every setting's name and (smallest, largest, initial value); both ends are allowed.

    >>> setting_ranges()["threads"]
    (0.0, 1024.0, 1.0)
    """
    ranges: dict[str, tuple[float, float, float]] = {}
    key, low, high, initial = c_char_p(b""), c_double(), c_double(), c_double()
    while lib.cae_setting_info(len(ranges), byref(key), byref(low), byref(high),
                               byref(initial)) == 0:
        name = (key.value or b"").decode()
        ranges[name] = (low.value, high.value, initial.value)
    return ranges


def advice(model: type, name: str) -> str:
    """What to say of an attribute that a class of models does not have or that cannot be set."""
    if name in setting_ranges():
        return f"{name} is a setting: use model.settings.{name}"
    return (f"a model's {name} cannot be set" if hasattr(model, name)
            else f"a model has no attribute {name!r}; dir(model) lists them")


def unknown(key: object) -> str:
    return f"no setting is called {key!r}; there are {', '.join(setting_ranges())}"


class Settings(MutableMapping[str, float]):
    """A model's settings, as attributes and as a mapping; they change the model at once.

    learning_rate  Adam's step size, initially 1e-3
    beta1, beta2   decay of Adam's moments, 0.9 and 0.999
    epsilon        added to the root of the second moment, 1e-8
    weight_decay   decoupled: each step takes learning_rate * weight_decay * w off a weight w; 0
    threads        of one call, 1; 0 means as many as this process may use processors
    reproducible   1: the same seed and data give the same weights, to the last bit, on every
                   processor; 0
    memory_limit   bytes of scratch memory for one call, 2^30. What needs more is done in tiles
                   where that is possible, else it is a LimitError
    epoch          epochs trained, counted by Trainer
    kl_weight      of a sampled code's divergence in the loss of a variational autoencoder, 0.3

    setting_ranges() lists them with their ranges, as the library in use has them. A value out of
    range is an ArgumentError, a name that is none an AttributeError or KeyError. save() keeps all
    but threads and memory_limit, which belong to the machine, if asked for the training state;
    copies and pickles keep all.

    >>> model = Model("cae-denoise", threads=2)
    >>> model.settings.learning_rate = 5e-4
    >>> model.settings["learning_rate"], model.settings.threads
    (0.0005, 2)
    >>> model.settings.update(beta1=0.5, threads=0)
    """

    __slots__ = ("_model",)

    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    threads: int
    reproducible: int
    memory_limit: int
    epoch: int
    kl_weight: float

    def __init__(self, model: Model) -> None:
        object.__setattr__(self, "_model", model)

    if TYPE_CHECKING:
        _model: Model
    else:  # a checker takes these for a promise that any name will do

        def __getattr__(self, name: str) -> float:
            try:
                return self[name]
            except KeyError:
                raise AttributeError(unknown(name)) from None

        def __setattr__(self, name: str, value: float) -> None:
            try:
                self[name] = value
            except KeyError:
                raise AttributeError(unknown(name)) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *setting_ranges()]

    def __getitem__(self, key: str) -> float:
        self._check_key(key)
        value = self._model._get(key)
        return int(value) if Settings.__annotations__.get(key) == "int" else value

    def __setitem__(self, key: str, value: float) -> None:
        self._check_key(key)
        self._model._open().update(lib.cae_model_set, key.encode(), real(key, value))

    def __delitem__(self, key: str) -> None:
        raise TypeError("settings cannot be deleted; setting_ranges() tells the initial values")

    def __iter__(self) -> Iterator[str]:
        return iter(setting_ranges())

    def __len__(self) -> int:
        return len(setting_ranges())

    def __repr__(self) -> str:
        return f"Settings({dict(self)})"

    @staticmethod
    def _check_key(key: str) -> None:
        if key not in setting_ranges():
            raise KeyError(unknown(key))
