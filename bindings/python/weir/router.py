# SPDX-License-Identifier: MIT OR Apache-2.0
"""Routers: rules that say to which channels a message goes."""
from __future__ import annotations

import ctypes
import os
import typing
from collections import abc
from ctypes import byref
from typing import Any, List, Optional, Union

from weir import _ffi
from weir._convert import Bytes, collect, nanoseconds, options, pointer, text
from weir._handle import Handle
from weir.matrix import Block, Matrix


class Rule(typing.NamedTuple):
    id: int
    condition: _ffi.RouterCondition
    action: _ffi.RouterAction
    tag: int
    mask: int
    topic: str
    channels: List[str]
    matched: int
    posted: int
    refused: int


class Router(Handle):
    """A table of rules in a matrix, by which every process posts."""

    def __init__(self, raw: int, matrix: Matrix, name: str) -> None:
        super().__init__(raw, _ffi.weir_router_unref, matrix)
        self.matrix = matrix
        self.name = name

    @classmethod
    def _make(cls, function: Any, matrix: Matrix, name: str) -> "Router":
        raw = ctypes.c_void_p()
        matrix._call(function, text(name), byref(raw))
        return cls(pointer(raw), matrix, name)

    @classmethod
    def create(cls, matrix: Matrix, name: str) -> "Router":
        return cls._make(_ffi.weir_router_create, matrix, name)

    @classmethod
    def attach(cls, matrix: Matrix, name: str) -> "Router":
        return cls._make(_ffi.weir_router_attach, matrix, name)

    def __reduce__(self) -> Any:
        """Pickled, it is attached in the other process, as its matrix is."""
        return type(self).attach, (self.matrix, self.name)

    def add_rule(self, condition: int, action: int, channels: abc.Sequence[str] = (),
                 **values: Any) -> int:
        """Adds a rule, with the fields of RouterRule; its number. Channels need not exist yet."""
        if isinstance(channels, str):  # which is a row of names of one letter, too
            raise TypeError("channels must be a list of names, not str")
        if any("\n" in name for name in channels):  # C would see two
            raise ValueError("a newline in the name of a channel")
        names = "\n".join(channels) if channels else None
        given = {"condition": condition, "action": action, "channels": names, **values}
        rule, number = options(_ffi.RouterRule, given), ctypes.c_uint64()
        self._call(_ffi.weir_router_add_rule, byref(rule), byref(number))
        return number.value

    def remove_rule(self, number: int) -> None:
        self._call(_ffi.weir_router_remove_rule, number)

    def rules(self) -> List[Rule]:
        return [_rule(found) for found in collect(self._call, _ffi.weir_router_rules, _ffi.RuleFn,
                                                  _ffi.RuleInfo)]

    def post(self, data: Union[Block, Bytes], length: Optional[int] = None, *,
             timeout: Optional[float] = None, **values: Any) -> int:
        """Posts a block, which is no longer ours then, or a copy of some bytes; to how many."""
        if isinstance(data, Block):
            return self._post(data, data.size if length is None else length, timeout, values)
        source = memoryview(data).cast("B")
        block = self.matrix.alloc(max(1, len(source)))
        block.view[:len(source)] = source
        try:
            return self._post(block, len(source), timeout, values)
        finally:
            if block.owned:
                block.free()

    def _post(self, block: Block, length: int, timeout: Optional[float],
              values: dict[str, Any]) -> int:
        block._must_be_of(self.matrix)
        wait, given = nanoseconds(timeout), options(_ffi.RouteOptions, values)
        call = _ffi.weir_router_post if wait else _ffi.weir_router_post_nowait
        return int(block._pass_on("posted", lambda: self._timed(
            wait, lambda ns: self._call(call, block.ref, length, given, ns))))

    def retire(self) -> None:
        """Ends the router for all; its channels stay."""
        self._call(_ffi.weir_router_retire)


def _rule(found: _ffi.RuleInfo) -> Rule:
    names = os.fsdecode(found.channels)
    return Rule(found.id, _ffi.RouterCondition(found.condition), _ffi.RouterAction(found.action),
                found.tag, found.mask, os.fsdecode(found.topic), names.split("\n") if names else [],
                found.matched, found.posted, found.refused)
