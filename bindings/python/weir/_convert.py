# SPDX-License-Identifier: MIT OR Apache-2.0
"""From the language's values to the library's, with their checks, and back."""
from __future__ import annotations

import ctypes
import functools
import operator
import os
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

Bytes = Union[bytes, bytearray, memoryview]

INT64 = (-(1 << 63), (1 << 63) - 1)


def integer(what: str, value: Any, low: int, high: int) -> int:
    """A number that C sees as it is, from all that is one."""
    try:
        found = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be an integer, not {type(value).__name__}") from None
    if not low <= found <= high:
        raise OverflowError(f"{what} cannot be {found}")
    return found


@functools.lru_cache(None)
def limits(kind: Any) -> Optional[Tuple[int, int]]:
    """The least and the greatest number of such a type of ctypes; None if it is for text."""
    if not issubclass(kind, ctypes._SimpleCData) or kind is ctypes.c_char_p:
        return None
    greatest = (1 << 8 * ctypes.sizeof(kind)) - 1
    return (0, greatest) if kind(-1).value > 0 else (-(greatest // 2) - 1, greatest // 2)


@functools.lru_cache(None)
def _fields(kind: Any) -> Dict[str, Optional[Tuple[int, int]]]:
    """What a caller may set in a struct of options."""
    return {name: limits(field) for name, field in kind._fields_ if name != "size"}


def options(kind: Any, values: Dict[str, Any]) -> Any:
    """A struct of options with `values`; None for all defaults."""
    if not values:
        return None
    made, fields = kind(size=ctypes.sizeof(kind)), _fields(kind)
    for name, value in values.items():
        if name not in fields:
            raise TypeError(f"{kind.__name__} has no field {name!r}")
        range_ = fields[name]
        if range_ is not None:
            value = integer(f"{kind.__name__}.{name}", value, *range_)
        elif value is not None:  # ctypes would take a number for an address
            value = text(value)
        setattr(made, name, value)
    return made


def info(kind: Any) -> Any:
    """A struct that a call fills."""
    return kind(size=ctypes.sizeof(kind))


def nanoseconds(timeout: Optional[float]) -> int:
    """Seconds as the library counts them; None is for ever."""
    if timeout is None:
        return -1
    if timeout < 0:
        raise ValueError("a timeout is not negative; None is for ever")
    return int(min(timeout * 1e9, INT64[1]))


def text(value: Any) -> bytes:
    found = os.fsencode(value)
    if 0 in found:
        raise ValueError("embedded null character")  # C would see the part before it
    return found


def pointer(found: Any) -> int:
    if found.value is None:
        raise RuntimeError("the library returned no pointer")
    return int(found.value)


def buffer(data: Any) -> Tuple[Any, int]:
    """What ctypes takes for the address of bytes, which it also keeps alive; and their number."""
    if isinstance(data, bytes):
        return data, len(data)
    view = memoryview(data)
    view = view if view.format == "B" and view.ndim == 1 else view.cast("B")
    size = len(view)
    if view.readonly or size == 0:
        return bytes(view), size
    return ctypes.byref(ctypes.c_char.from_buffer(view)), size


_WORDS = {"Q", "@Q", "=Q", "<Q", "L", "@L", "<L"}  # "<L": what ctypes says of its c_uint64


def column(values: Any, count: int, what: str) -> Any:
    """A number of 64 bits for each of `count` messages, from any buffer; None stays None."""
    if values is None:
        return None
    view = memoryview(values)
    if view.format not in _WORDS or view.itemsize != 8 or view.ndim != 1 or not view.c_contiguous:
        raise ValueError(f"{what} must be a row of unsigned numbers of 64 bits, without gaps")
    if len(view) < count:
        raise ValueError(f"{what} has {len(view)} numbers for {count} messages")
    if view.readonly or count == 0:
        return (ctypes.c_uint64 * count).from_buffer_copy(view)
    return (ctypes.c_uint64 * count).from_buffer(view)


def collect(call: Callable[..., int], function: Any, callback: Any, kind: Any) -> List[Any]:
    """Copies of what a walk shows. An exception must not pass through C: it comes out here."""
    found: List[Any] = []

    def visit(shown: Any) -> None:
        found.append(kind.from_buffer_copy(shown.contents))

    with_callback(call, function, (), callback, visit)
    return found


def with_callback(call: Callable[..., int], function: Any, arguments: Tuple[Any, ...],
                  callback: Any, visit: Callable[..., Any]) -> None:
    """Calls what calls back. What `visit` raises ends the call, and comes out behind it."""
    raised: List[BaseException] = []

    def guarded(*values: Any) -> int:
        try:
            visit(*values[:-1])  # without the userdata
            return 0
        except BaseException as error:
            raised.append(error)
            return 1

    call(function, *arguments, callback(guarded), None)
    if raised:
        raise raised[0]
