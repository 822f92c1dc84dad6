# SPDX-License-Identifier: MIT OR Apache-2.0
"""Errors are OSErrors; those that the language has a class for are of that class too."""
from __future__ import annotations

from typing import Any, Dict

from weir import _ffi


class Error(OSError):
    """What a function of the library returned; `errno` is the code, positive."""

    def __reduce__(self) -> Any:
        """A class that `class_of` made is not found by its name, as in another process."""
        return _again, self.args


known: Dict[int, type[Error]] = {}  # by code; weir.errors adds the library's own


def class_of(code: int) -> type[Error]:
    """TimeoutError for ETIMEDOUT, FileNotFoundError for ENOENT, and so on: as OSError knows them."""
    found = known.get(code)
    if found is None:
        builtin = type(OSError(code, ""))
        found = Error if builtin is OSError else type(builtin.__name__, (Error, builtin), {})
        known[code] = found
    return found


def _again(code: int, *rest: Any) -> Error:
    return class_of(code)(code, *rest)


def check(code: int) -> int:
    """The result of a call, or its exception."""
    if code >= 0:
        return code
    raise class_of(-code)(-code, _ffi.weir_strerror(code).decode())


def failure(name: str) -> Error:
    """The exception of one of the library's own codes."""
    code = int(_ffi.Error[name])
    return class_of(code)(code, _ffi.weir_strerror(-code).decode())
