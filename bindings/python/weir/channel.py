# SPDX-License-Identifier: MIT OR Apache-2.0
"""Channels: blocks that go from process to process."""
from __future__ import annotations

import ctypes
import weakref
from collections import abc
from ctypes import byref
from typing import Any, Dict, List, Optional, Union

from weir import _ffi
from weir._convert import Bytes, buffer, collect, column, info, nanoseconds, options, pointer, text
from weir._handle import Handle, members
from weir._views import Shown
from weir.batch import Blocks, Messages, _at
from weir.matrix import Block, Matrix


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
        # By setdefault(), which is one step: "view", what all threads get, and "answer", a token of
        # the thread that answers.
        self._claims: Dict[str, Any] = {}

    @property
    def view(self) -> memoryview:
        """Its bytes, without a copy. They end with the answer, which slices of them prevent."""
        if self.answered:
            raise ValueError("the message was answered")
        if self.subscription.closed:
            raise ValueError("the Subscription is closed")
        view: Optional[memoryview] = self._claims.get("view")
        if view is None:
            matrix = self.subscription.channel.matrix
            address, size = matrix._data(self.ref)
            self.subscription._viewed.add(self)
            view = self._claims.setdefault("view", self.subscription._shown.show(
                matrix, address, min(size, self.record.length), self.subscription))
            if self.answered or self.subscription.closed:  # by a thread that has not seen the view
                self._drop_view()
                raise ValueError("the message was answered, or the Subscription closed")
        return view

    def _drop_view(self) -> bool:
        """Ends the view; false if somebody has made others of it."""
        view: Optional[memoryview] = self._claims.get("view")
        if view is None:
            return True
        try:
            array = weakref.ref(view.obj)
            view.release()
        except BufferError:
            return False
        except ValueError:  # another thread closes the subscription, or answers
            return True
        held: Any = array()
        if held is None:
            self._claims.pop("view", None)
        else:
            self._claims["view"] = memoryview(held).cast("B")
        return held is None

    def __bytes__(self) -> bytes:
        return bytes(self.view)

    def _answer(self, function: Any) -> None:
        token = object()
        try:
            if self._claims.setdefault("answer", token) is not token:
                raise ValueError("the message was answered, or is being answered")
            self.answered = True  # first: who asks for a view from now on gets none
            if not self._drop_view():
                raise BufferError("the message cannot be answered: a view of it is alive")
            self.subscription._call(function, byref(self.record))
        except BaseException:  # also what a signal's handler raises, wherever that comes
            if self._claims.get("answer") is token:
                self.answered = False
                del self._claims["answer"]
            raise

    def ack(self) -> None:
        """It is done; its block is freed."""
        self._answer(_ffi.weir_channel_ack)

    def nack(self) -> None:
        """Somebody else may have it."""
        self._answer(_ffi.weir_channel_nack)

    def take(self) -> Block:
        """It is done; its block is ours."""
        self._answer(_ffi.weir_channel_take)
        return self.subscription.channel.matrix._block(self.ref)

    def __reduce__(self) -> Any:
        raise TypeError("a Message can be neither copied nor pickled: pass its bytes on")

    def __enter__(self) -> "Message":
        return self

    def __exit__(self, kind: Any, *unused: Any) -> None:
        if not self.answered:
            (self.ack if kind is None else self.nack)()


class Subscription(Handle):
    """One reader of a channel. Iterating waits for message after message, in a coroutine too."""

    def __init__(self, channel: "Channel") -> None:
        raw = ctypes.c_void_p()
        channel._call(_ffi.weir_channel_subscribe, byref(raw))
        super().__init__(pointer(raw), _ffi.weir_subscription_close, channel)
        self.channel = channel
        self._shown = Shown()
        self._viewed: weakref.WeakSet[Message] = weakref.WeakSet()
        self._batches: weakref.WeakSet[Messages] = weakref.WeakSet()

    def read(self, timeout: Optional[float] = None) -> Message:
        """The next message; BlockingIOError or TimeoutError if there is none."""
        record, wait = _ffi.Message(), nanoseconds(timeout)
        call = _ffi.weir_channel_read_nowait if wait == 0 else _ffi.weir_channel_read
        self._timed(wait, lambda ns: self._call(call, ns, byref(record), None))
        return Message(self, record)

    def read_many(self, into: Messages, timeout: Optional[float] = None) -> int:
        """As many as wait, up to the capacity of `into`; how many."""
        into._must_be_empty("messages that are not answered")
        wait = nanoseconds(timeout)
        if into.stride:
            copies = _ffi.weir_channel_read_copies if wait else _ffi.weir_channel_read_copies_nowait
            found = self._timed(wait, lambda ns: self._call(
                copies, into.stride, into.capacity, ns, into._records, into._bytes))
        else:
            many = _ffi.weir_channel_read_many if wait else _ffi.weir_channel_read_many_nowait
            found = self._timed(wait, lambda ns: self._call(
                many, into.capacity, ns, into._records, None))
        into.subscription = self
        return into._fill(found)

    def ack_many(self, messages: Messages) -> None:
        """All of them are done. An error is that of the first one left in `messages`."""
        if len(messages) and messages.subscription is not self:
            raise ValueError("the Messages are of another Subscription")
        while len(messages):
            messages._pass_on("answered", lambda first, count: self._call(
                _ffi.weir_channel_ack_many, _at(messages._records, first), count))

    def fileno(self) -> int:
        """Readable when there is something to read; read with a timeout of 0 until there is not."""
        return self._call(_ffi.weir_channel_fd)

    def __iter__(self) -> abc.Iterator[Message]:
        """Until the channel is retired."""
        from weir.errors import RetiredError

        while True:
            try:
                message = self.read()
            except RetiredError:
                return
            yield message

    async def read_async(self) -> Message:
        """The next message, when there is one."""
        from weir._aio import readable

        while True:
            try:
                return self.read(timeout=0)
            except BlockingIOError:
                await readable(self, self.fileno)

    async def __aiter__(self) -> abc.AsyncIterator[Message]:
        """Until the channel is retired."""
        from weir.errors import RetiredError

        while True:
            try:
                message = await self.read_async()
            except RetiredError:
                return
            yield message

    def close(self) -> None:
        """What is in the hand goes to others. BufferError if a view of it is alive."""
        for message in members(self._viewed):
            message._drop_view()
        if self._shown.alive or any(batch._watched() for batch in members(self._batches)):
            raise BufferError("the Subscription cannot be closed: a view of a message is alive")
        super().close()


class Channel(Handle):
    """A ring of messages in a matrix."""

    def __init__(self, raw: int, matrix: Matrix, name: str) -> None:
        super().__init__(raw, _ffi.weir_channel_unref, matrix)
        self.matrix = matrix
        self.name = name

    @classmethod
    def _make(cls, function: Any, matrix: Matrix, name: str, values: dict[str, Any]) -> "Channel":
        raw = ctypes.c_void_p()
        matrix._call(function, text(name), options(_ffi.ChannelOptions, values), byref(raw))
        return cls(pointer(raw), matrix, name)

    @classmethod
    def create(cls, matrix: Matrix, name: str, **values: Any) -> "Channel":
        """Makes one, with the fields of ChannelOptions."""
        return cls._make(_ffi.weir_channel_create, matrix, name, values)

    @classmethod
    def attach(cls, matrix: Matrix, name: str, **values: Any) -> "Channel":
        return cls._make(_ffi.weir_channel_attach, matrix, name, values)

    @classmethod
    def open(cls, matrix: Matrix, name: str, **values: Any) -> "Channel":
        """Attaches, or makes it if there is none."""
        return cls._make(_ffi.weir_channel_open, matrix, name, values)

    def __reduce__(self) -> Any:
        """Pickled, it is attached in the other process, as its matrix is."""
        return type(self).attach, (self.matrix, self.name)

    def subscribe(self) -> Subscription:
        return Subscription(self)

    def post(self, data: Union[Block, Bytes], length: Optional[int] = None, *,
             timeout: Optional[float] = None, **values: Any) -> None:
        """Posts a block, which is no longer ours then, or a copy of some bytes."""
        if not isinstance(data, Block):
            size = memoryview(data).nbytes
            self.post_copies(data, size, count=1, timeout=timeout, **values)
            return
        data._must_be_of(self.matrix)
        wait, given = nanoseconds(timeout), options(_ffi.PostOptions, values)
        call = _ffi.weir_channel_post_nowait if wait == 0 else _ffi.weir_channel_post
        ref, count = data.ref, data.size if length is None else length
        data._pass_on("posted", lambda: self._timed(
            wait, lambda ns: self._call(call, ref, count, given, ns)))

    def post_many(self, blocks: Blocks, lengths: Any = None, tags: Any = None, *,
                  timeout: Optional[float] = None, **values: Any) -> int:
        """Posts as many of the blocks as there is room for, and waits for the first; how many.

        `lengths` and `tags` are buffers with a number of 64 bits for each block that is left.
        """
        if blocks.matrix is not self.matrix:
            raise ValueError("the Blocks are of another Matrix")
        wait, given = nanoseconds(timeout), options(_ffi.PostOptions, values)
        call = _ffi.weir_channel_post_many if wait else _ffi.weir_channel_post_many_nowait
        used = column(lengths, len(blocks), "lengths") if lengths is not None else blocks._lengths
        marks = column(tags, len(blocks), "tags")
        return blocks._pass_on("posted", lambda first, left: self._timed(
            wait, lambda ns: self._call(
                call, _at(blocks._refs, first), used, marks, left, given, ns)))

    def post_copies(self, data: Any, stride: int, *, lengths: Any = None, tags: Any = None,
                    count: Optional[int] = None, timeout: Optional[float] = None,
                    **values: Any) -> int:
        """Posts copies of messages that stand `stride` bytes from each other in one buffer.

        As many as there is room for, and waits for the first; how many. `lengths` and `tags` are
        buffers with a number of 64 bits for each.
        """
        source, size = buffer(data)
        if count is None:
            if stride < 1:
                raise ValueError("a stride of less than a byte needs a count")
            count = size // stride
        if stride < 0 or count < 0 or count * stride > size:
            raise ValueError(f"{count} messages of {stride} bytes are not in {size} bytes")
        wait, given = nanoseconds(timeout), options(_ffi.PostOptions, values)
        call = _ffi.weir_channel_post_copies if wait else _ffi.weir_channel_post_copies_nowait
        sizes, marks = column(lengths, count, "lengths"), column(tags, count, "tags")
        return self._timed(wait, lambda ns: self._call(
            call, source, stride, sizes, marks, count, given, ns))

    def inquire(self) -> _ffi.ChannelInfo:
        found: _ffi.ChannelInfo = info(_ffi.ChannelInfo)
        self._call(_ffi.weir_channel_inquire, byref(found))
        return found

    def subscribers(self) -> List[_ffi.SubscriberInfo]:
        return collect(self._call, _ffi.weir_channel_subscribers, _ffi.SubscriberFn,
                       _ffi.SubscriberInfo)

    def retire(self) -> None:
        """Ends the channel for all."""
        self._call(_ffi.weir_channel_retire)
