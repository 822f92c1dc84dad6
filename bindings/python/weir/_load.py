# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finds the library and refuses one that these declarations do not fit."""
import ctypes
import os
from typing import Any, Dict, Tuple


def load(soname: str, version: str, number: int, abi_hash: int) -> Tuple[ctypes.CDLL, ctypes.PyDLL]:
    """The library twice: calls of the first release the interpreter's lock, of the second keep it."""
    name = os.environ.get("WEIR_LIBRARY") or soname
    try:
        free, held = ctypes.CDLL(name), ctypes.PyDLL(name)
        known = bind(free, "weir_abi_hash", ctypes.c_uint64, ctypes.c_uint32)(number)
        older = bind(free, "weir_version_number", ctypes.c_uint32)() < number
        found = bind(free, "weir_version_string", ctypes.c_char_p)().decode()
    except (OSError, ImportError) as error:
        raise ImportError(f"weir {version} cannot use the library {name}: {error}") from error
    if known != abi_hash:
        fault = "which is older" if older else "which has left it behind"
        raise ImportError(f"weir {version} cannot use the library {name}: it is weir {found}, "
                          + ("of another build" if known else fault))
    return free, held


def bind(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    try:
        function = library[name]  # an object of its own at each call
    except AttributeError as error:
        raise ImportError(f"the library lacks a function: {error}") from error
    function.restype = result
    function.argtypes = arguments
    return function


def check_sizes(sizes: Dict[Any, int]) -> None:
    for structure, size in sizes.items():
        if ctypes.sizeof(structure) != size:
            raise ImportError(f"weir: {structure.__name__} has {ctypes.sizeof(structure)} bytes on "
                              f"this machine, not {size}")
