# SPDX-License-Identifier: MIT OR Apache-2.0
"""Channels: blocks that go from process to process."""
from __future__ import annotations

import ctypes
from ctypes import byref
from typing import Any, Iterator, Optional, Union

from weir import _ffi
from weir._handle import Handle, nanoseconds, options, text
from weir.matrix import Block, Matrix, _pointer


class Message:
    """A message in the hand. As a context manager it is acknowledged, or put back if that raises."""

    def __init__(self, subscription: "Subscription", record: _ffi.Message) -> None:
        self.subscription = subscription
        self.record = record
        self.ref = record.block
        self.length = record.length
        self.tag = record.tag
        self.sequence = record.sequence
        self.sender = record.sender
        self.redeliveries = record.redeliveries
        self.answered = False

    @property
    def view(self) -> memoryview:
        """Its bytes, without a copy. They end with the answer."""
        return self.subscription.channel.matrix.view(self.ref, self.length)

    def __bytes__(self) -> bytes:
        return bytes(self.view)

    def _answer(self, function: Any) -> None:
        if self.answered:
            raise ValueError("the message was answered")
        self.subscription._call(function, byref(self.record))
        self.answered = True

    def ack(self) -> None:
        """It is done; its block is freed."""
        self._answer(_ffi.weir_channel_ack)

    def nack(self) -> None:
        """Somebody else may have it."""
        self._answer(_ffi.weir_channel_nack)

    def take(self) -> Block:
        """It is done; its block is ours."""
        self._answer(_ffi.weir_channel_take)
        matrix = self.subscription.channel.matrix
        address, size = matrix._data(self.ref)
        return Block(matrix, self.ref, address, size)

    def __enter__(self) -> "Message":
        return self

    def __exit__(self, kind: Any, *unused: Any) -> None:
        if not self.answered:
            (self.ack if kind is None else self.nack)()


class Subscription(Handle):
    """One reader of a channel. Iterating waits for message after message."""

    def __init__(self, channel: "Channel") -> None:
        raw = ctypes.c_void_p()
        channel._call(_ffi.weir_channel_subscribe, byref(raw))
        super().__init__(_pointer(raw), _ffi.weir_subscription_close, channel)
        self.channel = channel

    def read(self, timeout: Optional[float] = None) -> Message:
        """The next message; BlockingIOError or TimeoutError if there is none."""
        record, wait = _ffi.Message(), nanoseconds(timeout)
        call = _ffi.weir_channel_read_nowait if wait == 0 else _ffi.weir_channel_read
        self._call(call, wait, byref(record))
        return Message(self, record)

    def __iter__(self) -> Iterator[Message]:
        """Until the channel is retired."""
        from weir.errors import RetiredError

        while True:
            try:
                message = self.read()
            except RetiredError:
                return
            yield message


class Channel(Handle):
    """A ring of messages in a matrix."""

    def __init__(self, raw: int, matrix: Matrix) -> None:
        super().__init__(raw, _ffi.weir_channel_unref, matrix)
        self.matrix = matrix

    @classmethod
    def _make(cls, function: Any, matrix: Matrix, name: str, values: dict[str, Any]) -> "Channel":
        raw = ctypes.c_void_p()
        matrix._call(function, text(name), options(_ffi.ChannelOptions, values), byref(raw))
        return cls(_pointer(raw), matrix)

    @classmethod
    def create(cls, matrix: Matrix, name: str, **values: Any) -> "Channel":
        return cls._make(_ffi.weir_channel_create, matrix, name, values)

    @classmethod
    def attach(cls, matrix: Matrix, name: str, **values: Any) -> "Channel":
        return cls._make(_ffi.weir_channel_attach, matrix, name, values)

    @classmethod
    def open(cls, matrix: Matrix, name: str, **values: Any) -> "Channel":
        """Attaches, or makes it if there is none. The values are those of ChannelOptions."""
        return cls._make(_ffi.weir_channel_open, matrix, name, values)

    def subscribe(self) -> Subscription:
        return Subscription(self)

    def post(self, data: Union[Block, bytes, bytearray, memoryview], length: Optional[int] = None, *,
             timeout: Optional[float] = None, **values: Any) -> None:
        """Posts a block, which is no longer ours then, or a copy of some bytes."""
        if isinstance(data, Block):
            return self._post(data, data.size if length is None else length, timeout, values)
        source = memoryview(data).cast("B")
        block = self.matrix.alloc(max(1, len(source)))
        block.view[:len(source)] = source
        try:
            self._post(block, len(source), timeout, values)
        finally:
            if block.owned:
                block.free()

    def _post(self, block: Block, length: int, timeout: Optional[float],
              values: dict[str, Any]) -> None:
        wait, given = nanoseconds(timeout), options(_ffi.PostOptions, values)
        call = _ffi.weir_channel_post_nowait if wait == 0 else _ffi.weir_channel_post
        block._pass_on("posted", lambda: self._call(call, block.ref, length, given, wait))

    def inquire(self) -> _ffi.ChannelInfo:
        info = _ffi.ChannelInfo(size=ctypes.sizeof(_ffi.ChannelInfo))
        self._call(_ffi.weir_channel_inquire, byref(info))
        return info

    def retire(self) -> None:
        """Ends the channel for all."""
        self._call(_ffi.weir_channel_retire)


