# SPDX-License-Identifier: MIT OR Apache-2.0
"""Views of the library's memory: they keep what they show, and nothing is taken from under them."""
from __future__ import annotations

import ctypes
import weakref
from typing import Any, Callable, Optional, TypeVar

from weir._error import Error, failure
from weir._handle import Handle, generation, members

Self = TypeVar("Self", bound="Owned")


class _Pin:
    """Keeps the memory of a handle where it is, even if another thread closes that meanwhile."""

    __slots__ = ("_life", "__weakref__")

    def __init__(self, life: Any) -> None:
        self._life = life

    def __del__(self) -> None:
        self._life.unpin()


def _array(owner: Handle, address: int, size: int) -> Any:
    """What memoryviews share."""
    life = owner._life
    life.pin()
    array: Any = (ctypes.c_ubyte * size).from_address(address)
    array.pin = _Pin(life)
    return array


class Shown:
    """The views that do not own what they show.

    They are counted by looking which are there: what a signal's handler raises may come anywhere,
    and would leave a number wrong for ever.
    """

    def __init__(self) -> None:
        self._pins: weakref.WeakSet[_Pin] = weakref.WeakSet()  # one each, as long as that

    @property
    def alive(self) -> bool:
        return bool(self._pins) and any(True for _ in members(self._pins))

    def show(self, owner: Handle, address: int, size: int, keep: Any) -> memoryview:
        """A view of memory of `owner`, which keeps `keep` until its last slice is gone."""
        array = _array(owner, address, size)
        array.keep = keep
        self._pins.add(array.pin)
        return memoryview(array).cast("B")


class Owner(Handle):
    """A handle that gives memory out: it is not closed while somebody looks at that."""

    def __init__(self, raw: int, end: Callable[[int], Any], keep: Any = None) -> None:
        super().__init__(raw, end, keep)
        self._owned: weakref.WeakSet[Owned] = weakref.WeakSet()
        self._shown = Shown()

    def _watched(self) -> bool:
        """Whether there are views besides those of single blocks and slots."""
        return self._shown.alive

    def _give_all_back(self) -> None:
        """What is left; BufferError, and nothing is done, if views are alive."""
        bare: list[Owned] = []
        watched = self._watched()
        for each in [] if watched else members(self._owned):
            if each.owned and not each._undress():
                watched = True
                break
            bare.append(each)
        if watched:
            for each in bare:
                each._dress()
            raise BufferError(f"the {type(self).__name__} cannot be closed: "
                              "a view of its memory is alive")
        for each in bare:
            if each._born == generation():
                self._value(each._release, each._name)

    def close(self) -> None:
        """Ends it; what is left is given back. BufferError, and it stays, if views are alive."""
        if not self.closed:
            self._give_all_back()
        super().close()


def _give_back(owner: Owner, release: Any, name: int, born: int) -> None:
    """The end of the last view. A fork child leaves alone what is its parent's."""
    try:
        if born == generation() and not owner.closed:
            owner._value(release, name)
    except ValueError:
        pass  # closed by another thread at this moment, which gave all back


class Owned:
    """Memory that this process owns, given back when the last view of it is gone."""

    _release: Any = None  # the library's function

    def __init__(self, owner: Owner, name: int, address: int, size: int) -> None:
        self._owner = owner
        self._name = name
        self.size = size
        self._address = address
        self._born = generation()
        self._array: Any = None  # a weak reference
        self._finalizer: Any = None
        self._view: Optional[memoryview] = None
        self._dress()

    def _dress(self) -> None:
        """Makes the memory that views share, and with it the duty to give it back."""
        self._show(_array(self._owner, self._address, self.size))
        self._owner._owned.add(self)

    def _show(self, array: Any) -> None:
        self._array = weakref.ref(array)
        self._finalizer = weakref.finalize(array, _give_back, self._owner, self._release,
                                           self._name, self._born)
        self._finalizer.atexit = False  # when Python ends, views may be used to the very end
        self._view = memoryview(array).cast("B")

    def _undress(self) -> bool:
        """Takes duty and view away; false, and all as before, if somebody has a view of his own."""
        if self._view is None:
            raise ValueError(f"the {type(self).__name__} is gone")
        finalizer, array = self._finalizer, self._array
        array_now = finalizer.detach()
        del array_now
        self._view = None
        held = array()
        if held is None:
            self._owner._owned.discard(self)
            return True
        self._show(held)
        return False

    def _pass_on(self, what: str, call: Callable[[], Any]) -> Any:
        """Does what ends the ownership; a failure leaves it where it was. What a signal's handler
        raises may come behind the success.
        """
        if self._view is not None and self._born != generation():
            raise failure("E_FORKED")
        if not self._undress():
            raise BufferError(f"the {type(self).__name__} cannot be {what}: a view of it is alive")
        try:
            return call()
        except BaseException as error:
            if isinstance(error, Error) or self._is_ours():
                self._dress()
            raise

    def _is_ours(self) -> bool:
        """What the library says about it."""
        raise NotImplementedError

    @property
    def view(self) -> memoryview:
        """Its bytes. Slices of it, and what wraps it, keep them."""
        if self._view is None:
            raise ValueError(f"the {type(self).__name__} is gone")
        return self._view

    @property
    def owned(self) -> bool:
        return self._view is not None

    def _end(self, what: str) -> None:
        self._pass_on(what, lambda: self._owner._call(self._release, self._name))

    def __len__(self) -> int:
        return self.size

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *unused: Any) -> None:
        if self.owned and self._born == generation():
            self._end("given back")

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: pass its number on")
