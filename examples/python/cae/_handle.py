# SPDX-License-Identifier: BSD-2-Clause
"""What stands between Python's threads and a model of the library, which frees memory when it is
told to and lets one caller at a time change a model. Calls that read run at once, one that changes
runs alone, and whoever is the last to use a closed model frees it.

An exception may come between any two steps of Python's: KeyboardInterrupt does. So nothing is
counted. A call holds a lock of its own, its ticket, in a `with` statement, which cannot leave it
locked; the model's memory belongs to an object that lives as long as a call has a reference to it.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from ctypes import c_void_p
from threading import Lock, RLock, get_ident
from typing import Any, TypeVar

from ._library import check, lib, size3
from .errors import ArgumentError

Result = TypeVar("Result")

CLOSED = "the model is closed; make or load a new one"
_TORN = ("another thread was changing the model when this process forked, so that half of it may "
         "be new here; load it again, or fork between two calls")


class Handle:
    """A model's address, who may use it, and what of it never changes: a subclass of Model may say
    otherwise, and C would read beyond an array."""

    __slots__ = ("__weakref__", "_address", "_calls", "_changing", "_gate", "_refused",
                 "_suspended", "architecture", "shape")

    def __init__(self, address: c_void_p) -> None:
        self._address = [address.value]  # empty once it is freed
        self._refused = ""  # why there are no more calls
        self._renew()
        _handles.add(self)
        shape = size3()
        check(lib.cae_model_shape(address, shape))
        self.shape: tuple[int, int, int] = (shape[0], shape[1], shape[2])
        self.architecture: str = lib.cae_model_architecture(address).decode()

    def _renew(self) -> None:
        # Who holds the gate adds tickets or changes the model. A handler of a signal, or a
        # finalizer, may call a model that its own thread is about to call: hence no plain Lock.
        self._gate = RLock()
        self._calls: dict[int, Any] = {}  # thread: ticket of its call, locked until that ends
        self._suspended: list[Any] = []  # tickets of calls that their own thread interrupts
        self._changing = False

    # ---- Calls: work(address) computes -----------------------------------------------------------

    def call(self, function: Callable[..., int], *arguments: Any) -> None:
        """A function of the library that takes a const cae_model."""
        self.read(lambda address: check(function(address, *arguments)))

    def update(self, function: Callable[..., int], *arguments: Any) -> None:
        """One that takes a cae_model."""
        self.change(lambda address: check(function(address, *arguments)))

    def read(self, work: Callable[[Any], Result]) -> Result:
        """Work that does not change the model, beside other such work."""
        if self._own() is not None:  # called from within a call, which keeps changes away
            return self._run(work)
        ticket = Lock()
        with ticket:
            with self._gate:
                self._calls[get_ident()] = ticket
            return self._run(work)

    def change(self, work: Callable[[Any], Result]) -> Result:
        """Work that needs the model to itself."""
        outer = self._own()
        if outer is None:
            return self._change(work)
        # Called from within a call, this thread is not in the library now: others need not wait
        # for it, while it waits for them.
        self._suspended.append(outer)  # nor may the memory go
        outer.release()
        try:
            return self._change(work)
        finally:
            with self._gate:
                outer.acquire()
                self._calls[get_ident()] = outer
            self._suspended.remove(outer)

    def _own(self) -> Any:
        """The ticket of the call that this thread is in."""
        ticket = self._calls.get(get_ident())
        return ticket if ticket is not None and ticket.locked() else None

    def _change(self, work: Callable[[Any], Result]) -> Result:
        ticket = Lock()
        with ticket, self._gate:
            own = get_ident()
            for thread, other in list(self._calls.items()):
                if thread != own:
                    with other:  # until that call ends; new ones wait at the gate
                        pass
                    self._calls.pop(thread, None)  # a call from within may have done it
            self._calls[own] = ticket
            self._changing = True
            try:
                return self._run(work)
            finally:
                self._changing = False

    def _run(self, work: Callable[[Any], Result]) -> Result:
        if self._refused:
            raise ArgumentError(self._refused)
        return work(self._address[0])

    # ---- The end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Returns at once. Frees the memory, if no call is under way; else the last one does."""
        self._refused = self._refused or CLOSED
        # A call that is not among these yet will see that it is refused. One that is suspended or goes
        # on between the two questions is seen by the third.
        if (not self._suspended and
                not any(ticket.locked() for ticket in list(self._calls.values())) and
                not self._suspended):
            self._free()

    def _free(self) -> None:
        try:
            address = self._address.pop()
        except IndexError:  # another thread was faster
            return
        lib.cae_model_free(address)

    def __del__(self) -> None:
        if lib is not None:  # None as Python exits
            self._free()

    def _forked(self) -> None:
        """In the child, which has none of the other threads: nobody would open their locks."""
        if self._changing and not self._gate.acquire(blocking=False):
            self._refused = self._refused or _TORN
        self._renew()


_handles: weakref.WeakSet[Handle] = weakref.WeakSet()


def _after_fork() -> None:
    for handle in list(_handles):
        handle._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
