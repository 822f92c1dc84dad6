# SPDX-License-Identifier: MIT OR Apache-2.0
"""What all handles share: one owner, calls that are counted, an end that waits for none of them."""
from __future__ import annotations

import ctypes
import os
import threading
import weakref
from typing import Any, Callable, Optional, TypeVar

from weir._error import check

Self = TypeVar("Self", bound="Handle")

_generation = [0]  # of the process: a fork child must not free what is its parent's


def _forked() -> None:
    _generation[0] += 1


os.register_at_fork(after_in_child=_forked)


def generation() -> int:
    return _generation[0]


def options(kind: Any, values: dict[str, Any]) -> Any:
    """A struct of options with `values`; None for all defaults."""
    if not values:
        return None
    made = kind(size=ctypes.sizeof(kind))
    names = {name for name, *_ in kind._fields_}
    for name, value in values.items():
        if name not in names or name == "size":
            raise TypeError(f"{kind.__name__} has no field {name!r}")
        setattr(made, name, value.encode() if isinstance(value, str) else value)
    return made


def nanoseconds(timeout: Optional[float]) -> int:
    """Seconds as the library counts them; None is for ever."""
    if timeout is None:
        return -1
    if timeout < 0:
        raise ValueError("a timeout is not negative; None is for ever")
    return int(timeout * 1e9)


def text(value: Any) -> bytes:
    return os.fsencode(value)


class _Life:
    """The pointer, and who uses it at this moment. Has no way back to the handle."""

    def __init__(self, raw: int, end: Callable[[int], Any], keep: Any) -> None:
        self.raw: Optional[int] = raw
        self.users = 0
        self.closing = False
        self.lock = threading.Lock()
        self.end = end
        self.keep = keep  # the handle that this one needs

    def enter(self, what: str) -> int:
        with self.lock:
            if self.raw is None or self.closing:
                raise ValueError(f"the {what} is closed")
            self.users += 1
            return self.raw

    def leave(self, close: bool = False) -> None:
        with self.lock:
            self.users -= not close
            self.closing |= close
            raw = self.raw if self.closing and self.users == 0 else None
            if raw is not None:
                self.raw = None
        if raw is not None:
            self.end(raw)
            self.keep = None


class Handle:
    """Base of all classes that own something of the library. A context manager."""

    def __init__(self, raw: int, end: Callable[[int], Any], keep: Any = None) -> None:
        self._life = _Life(raw, end, keep)
        self._finalizer = weakref.finalize(self, self._life.leave, True)
        self._finalizer.atexit = False  # a process that ends is healed; its views may still be there

    def _call(self, function: Any, *arguments: Any) -> int:
        """Calls with the pointer in front. `close()` in another thread waits for its end."""
        raw = self._life.enter(type(self).__name__)
        try:
            return check(function(raw, *arguments))
        finally:
            self._life.leave()

    def _value(self, function: Any, *arguments: Any) -> Any:
        """The same for a function that cannot fail."""
        raw = self._life.enter(type(self).__name__)
        try:
            return function(raw, *arguments)
        finally:
            self._life.leave()

    def close(self) -> None:
        """Ends it. The second time nothing happens."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    def __enter__(self: Self) -> Self:
        if self.closed:
            raise ValueError(f"the {type(self).__name__} is closed")
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()
