# SPDX-License-Identifier: MIT OR Apache-2.0
"""The durable log and its readers."""
from __future__ import annotations

import ctypes
import os
import threading
import typing
from collections import abc
from ctypes import byref
from typing import Any, Optional, Tuple

from weir import _ffi
from weir._convert import Bytes, buffer, info, integer, nanoseconds, options, pointer, text
from weir._error import check
from weir._handle import Handle, generation

_SLICE = 0.1  # s that a thread waits before it is looked whether its coroutine is still there


class Record(typing.NamedTuple):
    lsn: int
    tag: int
    data: bytes
    after_gap: bool


class Log(Handle):
    """A log that this process writes. `append` gives a record its place, `wait` makes it durable."""

    def __init__(self, folder: Any, **values: Any) -> None:
        raw = ctypes.c_void_p()
        check(_ffi.weir_log_open(text(folder), options(_ffi.LogOptions, values), byref(raw)))
        super().__init__(pointer(raw), _ffi.weir_log_close)
        self._finalizer.atexit = True  # nothing shows its memory, and what was appended is written

    def append(self, data: Bytes, tag: int = 0) -> int:
        """The record's position."""
        lsn = ctypes.c_uint64()
        if tag != 0:
            parts, _kept = _parts([data], tag)
            self._call(_ffi.weir_log_appendv, parts, 1, byref(lsn))
        else:
            self._call(_ffi.weir_log_append, *buffer(data), byref(lsn))
        return lsn.value

    def append_batch(self, *records: Bytes, tag: int = 0) -> int:
        """All of them or none, one after the other; the position of the last one."""
        lsn = ctypes.c_uint64()
        parts, _kept = _parts(records, tag)
        self._call(_ffi.weir_log_append_batch, parts, len(records), byref(lsn))
        return lsn.value

    def wait(self, lsn: int, timeout: Optional[float] = None) -> None:
        """Until the record survives a power cut."""
        wait = nanoseconds(timeout)
        call = _ffi.weir_log_wait_nowait if wait == 0 else _ffi.weir_log_wait
        self._timed(wait, lambda ns: self._call(call, lsn, ns))

    def sync(self) -> None:
        """Until all that was appended survives a power cut."""
        self._call(_ffi.weir_log_sync)

    async def wait_async(self, lsn: int) -> None:
        """`wait` for coroutines."""
        from weir._aio import readable

        while True:
            self._reset()  # before the look: what becomes durable after it is seen by `readable`
            try:
                return self.wait(lsn, timeout=0)
            except BlockingIOError:
                await readable(self, self.fileno)

    def _reset(self) -> None:
        """Whoever resets the descriptor takes its news from the others: they look again."""
        try:
            os.read(self.fileno(), 8)
        except BlockingIOError:
            return
        self._wake()

    @property
    def durable(self) -> int:
        return int(self._value(_ffi.weir_log_durable))

    @property
    def tail(self) -> int:
        return int(self._value(_ffi.weir_log_tail))

    def fileno(self) -> int:
        """Readable when `durable` grows."""
        return self._call(_ffi.weir_log_fd)

    def truncate_before(self, lsn: int) -> None:
        self._call(_ffi.weir_log_truncate_before, lsn)

    def stats(self) -> _ffi.LogInfo:
        found: _ffi.LogInfo = info(_ffi.LogInfo)
        self._call(_ffi.weir_log_stats, byref(found))
        return found


class LogReader(Handle):
    """Reads a log, in any process. Iterating ends where nothing more is durable.

    The library wants one thread at a time, until what it shows was copied: others wait here.
    """

    def __init__(self, folder: Any, from_lsn: int = 0, flags: int = 0) -> None:
        raw = ctypes.c_void_p()
        check(_ffi.weir_log_reader_open(text(folder), from_lsn, flags, byref(raw)))
        super().__init__(pointer(raw), _ffi.weir_log_reader_close)
        self._turn = threading.RLock()
        self._born = generation()

    def _alone(self) -> "threading._RLock":
        if self._born != generation():  # a thread that is not in this process may have had it
            self._turn, self._born = threading.RLock(), generation()
        return self._turn

    def next(self) -> Optional[Record]:
        """The next record, or None if there is none now."""
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        lsn, tag = ctypes.c_uint64(), ctypes.c_uint32()
        with self._alone():
            found = self._call(_ffi.weir_log_reader_next, byref(data), byref(size), byref(lsn),
                               byref(tag))
            if found == 0:
                return None
            copy = ctypes.string_at(data, size.value) if size.value else b""
        return Record(lsn.value, tag.value, copy, found == 2)

    def wait(self, timeout: Optional[float] = None) -> None:
        wait = nanoseconds(timeout)
        call = _ffi.weir_log_reader_wait_nowait if wait == 0 else _ffi.weir_log_reader_wait

        def in_turn(ns: int) -> int:
            with self._alone():
                return self._call(call, ns)

        self._timed(wait, in_turn)

    def seek(self, lsn: int) -> None:
        with self._alone():
            self._call(_ffi.weir_log_reader_seek, lsn)

    def follow(self) -> abc.Iterator[Record]:
        """Record after record, for ever."""
        while True:
            yield from self
            self.wait()

    async def follow_async(self) -> abc.AsyncIterator[Record]:
        """`follow` for coroutines: a thread of the loop's waits, as there is no descriptor."""
        import asyncio

        while True:
            for record in self:
                yield record
            try:
                await asyncio.to_thread(self.wait, _SLICE)
            except TimeoutError:
                pass

    def __iter__(self) -> abc.Iterator[Record]:
        while True:
            record = self.next()
            if record is None:
                return
            yield record


def store_cursor(folder: Any, name: str, lsn: int, flags: int = 0) -> None:
    check(_ffi.weir_log_cursor_store(text(folder), text(name), lsn, flags))


def load_cursor(folder: Any, name: str) -> int:
    lsn = ctypes.c_uint64()
    check(_ffi.weir_log_cursor_load(text(folder), text(name), byref(lsn)))
    return lsn.value


def verify(folder: Any) -> _ffi.LogReport:
    """Reads all of a log; `verdict` of what is returned says how it is."""
    report: _ffi.LogReport = info(_ffi.LogReport)
    check(_ffi.weir_log_verify(text(folder), byref(report)))
    return report


def _parts(records: abc.Sequence[Bytes], tag: int) -> Tuple[Any, Any]:
    """What C reads, and what keeps that."""
    kept = [buffer(record) for record in records]
    tag = integer("the tag", tag, 0, 0xffffffff)
    parts = (_ffi.LogPart * len(kept))()
    for part, (data, size) in zip(parts, kept):
        part.data, part.len, part.tag = ctypes.cast(data, ctypes.c_void_p).value, size, tag
    return parts, kept
