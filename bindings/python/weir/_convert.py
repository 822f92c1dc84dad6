# SPDX-License-Identifier: MIT OR Apache-2.0
"""From the language's values to the library's, with their checks, and back."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, List, Optional, Tuple, Union

Bytes = Union[bytes, bytearray, memoryview]

_LONGEST = (1 << 63) - 1  # ns


def options(kind: Any, values: dict[str, Any]) -> Any:
    """A struct of options with `values`; None for all defaults."""
    if not values:
        return None
    made = kind(size=ctypes.sizeof(kind))
    names = {name for name, *_ in kind._fields_}
    for name, value in values.items():
        if name not in names or name == "size":
            raise TypeError(f"{kind.__name__} has no field {name!r}")
        setattr(made, name, text(value) if isinstance(value, str) else value)
        if isinstance(value, int) and getattr(made, name) != value:
            raise OverflowError(f"{kind.__name__}.{name} cannot be {value}")
    return made


def alloc_options(values: dict[str, Any], timeout_ns: int) -> Any:
    """AllocOptions with such a timeout."""
    from weir import _ffi

    given = {**values, "timeout_ns": timeout_ns} if timeout_ns else values
    return options(_ffi.AllocOptions, given)


def fits(kind: Any, value: int, what: str) -> None:
    """ctypes drops the upper bits of a number that is too large."""
    if isinstance(value, int) and kind(value).value != value:
        raise OverflowError(f"{what} cannot be {value}")


def info(kind: Any) -> Any:
    """A struct that a call fills."""
    return kind(size=ctypes.sizeof(kind))


def nanoseconds(timeout: Optional[float]) -> int:
    """Seconds as the library counts them; None is for ever."""
    if timeout is None:
        return -1
    if timeout < 0:
        raise ValueError("a timeout is not negative; None is for ever")
    return int(min(timeout * 1e9, _LONGEST))


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


def column(values: Any, count: int, what: str) -> Any:
    """A number of 64 bits for each of `count` messages, from any buffer; None stays None."""
    if values is None:
        return None
    view = memoryview(values)
    if view.itemsize != 8 or not view.contiguous or view.nbytes < 8 * count:
        raise ValueError(f"{what} must be a buffer of {count} numbers of 64 bits")
    view = view.cast("B") if view.format != "B" else view
    if view.readonly:
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
