# SPDX-License-Identifier: MIT OR Apache-2.0
"""What all handles share: one owner, calls that are counted, an end that waits for none of them."""
from __future__ import annotations

import ctypes
import os
import time
import weakref
from typing import Any, Callable, List, Set, Tuple, TypeVar

from weir._error import check

Self = TypeVar("Self", bound="Handle")
T = TypeVar("T")

_SLICE = 100_000_000  # ns that C waits before the interpreter looks at signals and the handle


class _Life:
    """The pointer, and who uses it at this moment. Has no way back to the handle.

    Lists count instead of locks: `append` and `pop` are atomic, also beside a fork. Who enters
    appends and then looks at `closing`; who closes sets that and then looks at both lists. So one
    of them sees the other, and whoever takes the pointer out of `raw` ends it.
    """

    def __init__(self, raw: int, end: Callable[[int], Any], keep: Any) -> None:
        self.raw: List[int] = [raw]
        self.users: List[None] = []  # calls
        self.views: List[None] = []  # of its memory, which must not go from under them
        self.closing = False
        self.end = end
        self.keep = keep  # the handle that this one needs
        _lives.add(self)

    def leave(self) -> None:
        if self.users:  # else a fork within the call: what is behind it is the child's
            self.users.pop()
        if self.closing:
            self.release()

    def pin(self) -> None:
        """For a view: from here to `unpin` the memory stays, even if another thread closes."""
        self.views.append(None)
        if self.closing:
            self.unpin()
            raise ValueError("the memory is gone: its handle is closed")

    def unpin(self) -> None:
        self.views.pop()
        if self.closing:
            self.release()

    def close(self) -> None:
        self.closing = True
        self.release()

    def release(self) -> None:
        """The end, if nobody is in a call and nobody looks."""
        if self.users or self.views:
            return
        try:
            raw = self.raw.pop()
        except IndexError:
            return
        self.end(raw)
        self.keep = None


_lives: weakref.WeakSet[_Life] = weakref.WeakSet()
_generation = [0]  # of the process: a fork child must not free what is its parent's


def _forked() -> None:
    _generation[0] += 1
    for life in list(_lives):
        life.users.clear()  # the other threads are the parent's


os.register_at_fork(after_in_child=_forked)


def _settle(future: Any) -> None:
    if not future.done():
        future.set_result(None)


def members(of: weakref.WeakSet[T]) -> List[T]:
    """Those of this moment: what other threads add or drop meanwhile ends an iteration."""
    while True:
        try:
            return list(of)
        except RuntimeError:
            pass


def generation() -> int:
    return _generation[0]


class Handle:
    """Base of all classes that own something of the library. A context manager."""

    def __init__(self, raw: int, end: Callable[[int], Any], keep: Any = None) -> None:
        self._life = _Life(raw, end, keep)
        self._finalizer = weakref.finalize(self, self._life.close)
        self._finalizer.atexit = False  # a process that ends is healed; its views may still be there
        self._waiters: Set[Tuple[Any, Any]] = set()  # loops and futures that the end wakes

    def _call(self, function: Any, *arguments: Any) -> int:
        """Calls with the pointer in front. `close()` in another thread waits for its end."""
        life = self._life  # as in `_value`, which would be one more call of Python's in each of C
        life.users.append(None)
        try:
            if life.closing:
                raise ValueError(f"the {type(self).__name__} is closed")
            code: int = function(life.raw[0], *arguments)
        except ctypes.ArgumentError as error:  # what is no pointer; numbers are looked at before
            raise TypeError(str(error)) from None
        finally:
            life.leave()
        return code if code >= 0 else check(code)

    def _value(self, function: Any, *arguments: Any) -> Any:
        """The same for a function that cannot fail."""
        life = self._life
        life.users.append(None)
        try:
            if life.closing:
                raise ValueError(f"the {type(self).__name__} is closed")
            return function(life.raw[0], *arguments)
        finally:
            life.leave()

    def _timed(self, wait: int, call: Callable[[int], int]) -> int:
        """`call(ns)` in slices: a signal's handler may raise between them, as for Ctrl-C, and a
        handle that another thread has closed is seen."""
        short = 0 <= wait <= _SLICE
        try:
            return call(wait if short else _SLICE)
        except TimeoutError:
            if short:
                raise
        end = None if wait < 0 else time.monotonic_ns() + wait - _SLICE
        while True:
            left = _SLICE if end is None else end - time.monotonic_ns()
            try:
                return call(min(max(left, 1), _SLICE))  # 0 would be another error
            except TimeoutError:
                if left <= _SLICE and end is not None:
                    raise

    def close(self) -> None:
        """Ends it. The second time nothing happens."""
        self._finalizer()
        self._wake()

    def _wake(self) -> None:
        """Lets coroutines look again, whatever thread and loop they are in."""
        for loop, future in list(self._waiters):
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, future)

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    def __enter__(self: Self) -> Self:
        if self.closed:
            raise ValueError(f"the {type(self).__name__} is closed")
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: make one in the other process")
