# SPDX-License-Identifier: BSD-2-Clause
"""A model's weights by name, and from a state_dict, NumPy's or PyTorch's, to the arrays that a
model takes: everything is checked before the first weight is set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ctypes import byref, c_char_p, c_size_t
from typing import Any

import numpy as np

from ._arrays import Array, Floats, empty, finite, in_place, text, typed
from ._handle import Handle
from ._library import check, lib, size4
from .errors import WrongModelError


def _tensors(model: Any) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    name, shape, rank = c_char_p(), size4(), c_size_t()
    for index in range(lib.cae_tensor_count(model)):
        check(lib.cae_tensor_info(model, index, byref(name), shape, byref(rank)))
        yield index, (name.value or b"").decode(), tuple(shape[:rank.value])


def weights(handle: Handle) -> dict[str, Floats]:
    """Copies of all weights, of one moment."""

    def get(model: Any) -> dict[str, Floats]:
        state = {}
        for index, name, shape in _tensors(model):
            state[name] = array = empty(shape, np.float32)
            check(lib.cae_tensor_get(model, index, array.ctypes.data, array.size))
        return state

    return handle.read(get)


def set_weights(handle: Handle, state: Mapping[str, Any], prefix: str) -> None:
    tensors = handle.read(lambda model: list(_tensors(model)))
    # Not while others wait: reading `state` may run anybody's code.
    arrays = _matching(state, prefix, {name: shape for _, name, shape in tensors})

    def put(model: Any) -> None:
        for index, name, _ in tensors:
            check(lib.cae_tensor_set(model, index, arrays[name].ctypes.data, arrays[name].size))

    handle.change(put)


def _from_tensor(name: str, tensor: Any) -> Array:
    """A PyTorch tensor's own memory, without importing PyTorch."""
    if tensor.device.type != "cpu":
        raise TypeError(f"{name} is on the device {tensor.device}; pass it with .cpu()")
    if str(tensor.dtype) != "torch.float32":
        raise TypeError(f"{name} has dtype {tensor.dtype}; pass it with .float()")
    try:
        array: Array = tensor.detach().numpy()
    except (TypeError, RuntimeError) as error:  # a sparse tensor, for example
        raise TypeError(f"{name} has no array of numbers: {error}") from None
    return array


def _from_numbers(name: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except ValueError as error:  # lists of different lengths
        raise TypeError(f"{name} makes no array: {error}") from None


def _weight(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """One tensor of a state_dict for a model whose own has `shape`."""
    array = _from_tensor(name, value) if hasattr(value, "detach") else _from_numbers(name, value)
    if array.shape != shape:
        raise WrongModelError(f"{name} has shape {array.shape}; the model's has {shape}")
    array = typed(name, array, np.float32, "convert with numpy.asarray(array, numpy.float32)")
    finite(name, array)
    return in_place(array)


def _check_names(own: set[str], given: set[str]) -> None:
    if own == given:
        return
    prefixes = {name[:-len(end)] for name in given for end in own if name.endswith("." + end)}
    fitting = sorted(prefix for prefix in prefixes if own <= {
        name[len(prefix):] for name in given if name.startswith(prefix)})
    parts = [f"{who} {', '.join(sorted(names))}" for who, names in
             (("only the model has", own - given), ("only state has", given - own)) if names]
    hint = "; pass prefix=" + " or ".join(map(repr, fitting)) if fitting else ""
    raise WrongModelError(f"other weights than the model's: {'; '.join(parts)}{hint}")


def _matching(state: Mapping[str, Any], prefix: str,
             shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Floats]:
    """What of `state` begins with the prefix, as arrays for a model whose weights have `shapes`."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state is a {type(state).__name__}; pass a dict of arrays by name, as "
                        "state_dict() returns it")
    text("prefix", prefix)
    for name in state:
        if not isinstance(name, str):
            raise TypeError(f"state has the name {name!r}; names are str")
    given = {name[len(prefix):]: value for name, value in state.items() if name.startswith(prefix)}
    _check_names(set(shapes), set(given))
    return {name: _weight(name, given[name], shape) for name, shape in shapes.items()}
