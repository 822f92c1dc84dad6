# SPDX-License-Identifier: MIT OR Apache-2.0
"""Many blocks or messages at a time, without an object for each; numpy can wrap what is shown."""
from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any, Callable, List, Optional

from weir import _ffi
from weir._error import Error, failure
from weir._handle import generation
from weir._views import Shown
from weir.errors import StaleError
from weir.matrix import alloc_options, alloc_wait

if TYPE_CHECKING:
    from weir.channel import Subscription as _Subscription
    from weir.matrix import Matrix as _Matrix


def _at(array: Any, index: int) -> Any:
    """What ctypes takes for a pointer to an element of an array."""
    if index == 0:
        return array
    kind = array._type_
    return ctypes.byref(kind.from_buffer(array, index * ctypes.sizeof(kind)))


class _Batch:
    """A row of places, of which those from the first one on that is not done are in use."""

    def __init__(self, capacity: int) -> None:
        self._first = 0
        self._end = 0
        if capacity < 1:
            raise ValueError("a batch has room for one at least")
        self.capacity = capacity
        self._shown = Shown()

    def __len__(self) -> int:
        return self._end - self._first

    def _place(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError("no such place in the batch")
        return self._first + index

    def _fill(self, count: int) -> int:
        self._first, self._end = 0, count
        return count

    def _must_be_empty(self, what: str) -> None:
        if len(self):
            raise ValueError(f"the batch still holds {what}")

    def _pass_on(self, what: str, call: Callable[[int, int], int]) -> int:
        """`call(first, count)` is done with as many as it returns; the others stay."""
        if self._shown.alive:
            raise BufferError(f"the batch cannot be {what}: a view of it is alive")
        done = call(self._first, len(self)) if len(self) else 0
        self._first += done
        return done

    def _watched(self) -> bool:
        return self._shown.alive

    def __reduce__(self) -> Any:
        raise TypeError(f"{type(self).__name__} can be neither copied nor pickled")


class Blocks(_Batch):
    """Blocks of one size that this process owns: `alloc`, write, `post_many` or `free`, and again."""

    def __init__(self, matrix: "_Matrix", capacity: int) -> None:
        super().__init__(capacity)
        self.matrix = matrix
        self.size = 0
        self._refs = (ctypes.c_uint64 * capacity)()
        self._addresses = (ctypes.c_void_p * capacity)()
        self._lengths = (ctypes.c_uint64 * capacity)()
        self._born = generation()
        matrix._batches.add(self)

    def alloc(self, size: int, *, timeout: Optional[float] = 0, **values: Any) -> int:
        """As many as can be had, up to the capacity; how many."""
        self._must_be_empty("blocks")
        wait = alloc_wait(values, timeout)
        call = _ffi.weir_matrix_alloc_many if wait else _ffi.weir_matrix_alloc_many_nowait
        made = self.matrix._timed(wait, lambda ns: self.matrix._call(
            call, size, self.capacity, alloc_options(values, ns), self._refs, self._addresses))
        if size != self.size:
            self._lengths[:] = [size] * self.capacity
            self.size = size
        self._born = generation()
        return self._fill(made)

    @property
    def refs(self) -> memoryview:
        """The refs, as numbers of 64 bits."""
        return memoryview(self._refs).cast("B").cast("Q")[self._first:self._end]

    def view(self, index: int) -> memoryview:
        """The bytes of one block."""
        address = self._addresses[self._place(index)] or 0
        return self._shown.show(self.matrix, address, self.size, self)

    def _pass_on(self, what: str, call: Callable[[int, int], int]) -> int:
        if len(self) and self._born != generation():
            raise failure("E_FORKED")
        try:
            return super()._pass_on(what, call)
        except Error:
            raise
        except BaseException:  # what a signal's handler raises may come behind the success
            while len(self) and not self.matrix._owns(self._refs[self._first]):
                self._first += 1
            raise

    def free(self) -> None:
        """Gives back what is left; BufferError if a view of it is alive."""
        if self._born != generation():
            self._fill(0)
        while len(self):
            self._pass_on("freed", lambda first, count: self.matrix._call(
                _ffi.weir_matrix_free_many, _at(self._refs, first), count))

    def __enter__(self) -> "Blocks":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.free()

    def __del__(self) -> None:
        if len(self) and not self.matrix.closed and not self._watched():  # as when Python ends
            try:
                self.free()
            except (ValueError, StaleError):
                pass  # closed by another thread at this moment, which gave all back


_WORDS = ctypes.sizeof(_ffi.Message) // 8


def _words(name: str) -> int:
    return int(getattr(_ffi.Message, name).offset) // 8


class Messages(_Batch):
    """Messages in the hand: `read_many` fills it, `ack_many` answers, and again.

    With a `stride` reading copies up to so many bytes of each message to `data`.
    """

    def __init__(self, capacity: int, stride: int = 0) -> None:
        super().__init__(capacity)
        if stride < 0:
            raise ValueError("a stride is not negative")
        self.stride = stride
        self.subscription: Optional["_Subscription"] = None
        self._raw = (ctypes.c_ubyte * (capacity * ctypes.sizeof(_ffi.Message)))()
        self._records = (_ffi.Message * capacity).from_buffer(self._raw)
        self._words = memoryview(self._raw).cast("B").cast("Q")
        self._bytes = (ctypes.c_ubyte * max(1, capacity * stride))()
        self._data = memoryview(self._bytes).cast("B")

    def _column(self, name: str) -> memoryview:
        return self._words[_words(name):][_WORDS * self._first:_WORDS * self._end:_WORDS]

    @property
    def data(self) -> memoryview:
        """The copies, `stride` bytes from one to the next."""
        return self._data[self._first * self.stride:self._end * self.stride]

    @property
    def refs(self) -> memoryview:
        return self._column("block")

    @property
    def lengths(self) -> memoryview:
        return self._column("length")

    @property
    def tags(self) -> memoryview:
        return self._column("tag")

    @property
    def records(self) -> List[_ffi.Message]:
        """All that is known of each, as objects."""
        return list(self._records[self._first:self._end])

    def view(self, index: int) -> memoryview:
        """The bytes of one message, where they are; they end with the answer."""
        if self.subscription is None:
            raise IndexError("no such place in the batch")
        record = self._records[self._place(index)]
        matrix = self.subscription.channel.matrix
        address, size = matrix._data(record.block)
        self.subscription._batches.add(self)
        return self._shown.show(matrix, address, min(size, record.length), self)

    def __getitem__(self, index: int) -> bytes:
        """A copy of one message."""
        place = self._place(index)
        length = self._records[place].length
        if length <= self.stride:
            return bytes(self._data[place * self.stride:place * self.stride + length])
        return bytes(self.view(index))
