# SPDX-License-Identifier: MIT OR Apache-2.0
"""The matrix and its blocks."""
from __future__ import annotations

import ctypes
import itertools
import weakref
from ctypes import byref
from typing import Any, Callable, List, Optional, Set, Union

from weir import _ffi
from weir._handle import Handle, generation, nanoseconds, options, text


def _release(matrix: "Matrix", ref: int, born: int) -> None:
    """The end of a block's last view. A fork child leaves its parent's blocks alone."""
    if born == generation() and not matrix.closed:
        matrix._value(_ffi.weir_matrix_free, ref)


class Block:
    """Memory of a matrix that this process owns, freed when the last view of it is gone."""

    def __init__(self, matrix: "Matrix", ref: int, address: int, size: int) -> None:
        self.matrix = matrix
        self.ref = ref
        self.size = size
        self._address = address
        self._array: Any = None  # a weak reference
        self._finalizer: Any = None
        self._view: Optional[memoryview] = None
        self._dress()

    def _dress(self) -> None:
        """Makes the memory that views share, and with it the duty to free the block."""
        array = (ctypes.c_ubyte * self.size).from_address(self._address)
        self._array = weakref.ref(array)
        self._finalizer = weakref.finalize(array, _release, self.matrix, self.ref, generation())
        self._view = memoryview(array).cast("B")
        self.matrix._blocks.add(self)

    def _undress(self) -> bool:
        """Takes duty and view away; false, and all as before, if somebody has a view of his own."""
        if self._view is None:
            raise ValueError("the block is gone")
        finalizer, array = self._finalizer, self._array
        array_now = finalizer.detach()
        del array_now
        self._view = None
        held = array()
        if held is None:
            self.matrix._blocks.discard(self)
            return True
        self._finalizer = weakref.finalize(held, _release, self.matrix, self.ref, generation())
        self._view = memoryview(held).cast("B")
        return False

    def _part(self, what: str) -> None:
        if not self._undress():
            raise BufferError(f"the block cannot be {what}: a view of it is alive")

    def _pass_on(self, what: str, call: Callable[[], Any]) -> None:
        """Does what ends the ownership; a failure leaves the block with its owner."""
        self._part(what)
        try:
            call()
        except BaseException:
            self._dress()
            raise

    @property
    def view(self) -> memoryview:
        """Its bytes. Slices of it, and what wraps it, keep the block."""
        if self._view is None:
            raise ValueError("the block is gone")
        return self._view

    @property
    def owned(self) -> bool:
        return self._view is not None

    def free(self) -> None:
        """Gives it back now; BufferError if another view of it is alive."""
        self._pass_on("freed", lambda: self.matrix._call(_ffi.weir_matrix_free, self.ref))

    def give(self, participant: int = _ffi.WEIR_OWNER_NONE) -> int:
        """Hands it to another participant, or to nobody. The ref still names it."""
        self._pass_on("given away", lambda: self.matrix._call(
            _ffi.weir_block_give, self.ref, participant))
        return self.ref

    def __len__(self) -> int:
        return self.size

    def __enter__(self) -> "Block":
        return self

    def __exit__(self, *unused: Any) -> None:
        if self.owned:
            self.free()


class Matrix(Handle):
    """A segment of shared memory. `create`, `attach` and `open` make one."""

    def __init__(self, raw: int) -> None:
        super().__init__(raw, _ffi.weir_matrix_unref)
        self._blocks: weakref.WeakSet[Block] = weakref.WeakSet()
        self._views: Set[int] = set()  # numbers of views of blocks that are not ours

    @classmethod
    def _make(cls, function: Any, name: Any, values: dict[str, Any]) -> "Matrix":
        raw = ctypes.c_void_p()
        given = options(_ffi.MatrixOptions, values)
        _ffi_check(function(name, given, byref(raw)))
        return cls(_pointer(raw))

    @classmethod
    def create(cls, name: Optional[str] = None, **values: Any) -> "Matrix":
        """Makes a segment, with the fields of MatrixOptions; without a name it is passed by `fd`."""
        return cls._make(_ffi.weir_matrix_create, None if name is None else text(name), values)

    @classmethod
    def attach(cls, name: str, **values: Any) -> "Matrix":
        return cls._make(_ffi.weir_matrix_attach, text(name), values)

    @classmethod
    def open(cls, name: str, **values: Any) -> "Matrix":
        """Attaches, or makes it if there is none."""
        return cls._make(_ffi.weir_matrix_open, text(name), values)

    @classmethod
    def attach_fd(cls, fd: int, **values: Any) -> "Matrix":
        return cls._make(_ffi.weir_matrix_attach_fd, fd, values)

    @staticmethod
    def unlink(name: str) -> None:
        _ffi_check(_ffi.weir_matrix_unlink(text(name)))

    def fileno(self) -> int:
        return self._call(_ffi.weir_matrix_fd)

    @property
    def participant(self) -> int:
        found = ctypes.c_uint64()
        self._call(_ffi.weir_matrix_participant_id, byref(found))
        return found.value

    def alloc(self, size: int, *, timeout: Optional[float] = 0, **values: Any) -> Block:
        """A new block; `timeout` is how long to wait for memory, the rest is AllocOptions."""
        ref, address = ctypes.c_uint64(), ctypes.c_void_p()
        if timeout != 0:
            values["timeout_ns"] = nanoseconds(timeout)
        waits = values.get("timeout_ns", 0) != 0
        call = _ffi.weir_matrix_alloc if waits else _ffi.weir_matrix_alloc_nowait
        self._call(call, size, options(_ffi.AllocOptions, values), byref(ref), byref(address))
        return Block(self, ref.value, _pointer(address), size)

    def adopt(self, ref: int) -> Block:
        """A block that is this participant's already, or nobody's, which is taken."""
        owner = ctypes.c_uint64()
        self._call(_ffi.weir_block_owner, ref, byref(owner))
        if owner.value != self.participant:
            self._call(_ffi.weir_block_take, ref)
        address, size = self._data(ref)
        return Block(self, ref, address, size)

    def _data(self, ref: int) -> tuple[int, int]:
        address, size = ctypes.c_void_p(), ctypes.c_size_t()
        self._call(_ffi.weir_matrix_data, ref, byref(address), byref(size))
        return _pointer(address), size.value

    def view(self, ref: int, length: Optional[int] = None) -> memoryview:
        """The bytes of a block that somebody else has; they are not kept from being freed."""
        address, size = self._data(ref)
        if length is not None and length > size:
            raise ValueError("more bytes than the block has")
        array = (ctypes.c_ubyte * (size if length is None else length)).from_address(address)
        number = next(_numbers)
        self._views.add(number)
        weakref.finalize(array, _forget, self, number).atexit = False
        return memoryview(array).cast("B")

    def bind(self, name: str, block: Union[Block, int]) -> int:
        """Names a block, which is nobody's from then on; its ref."""
        if isinstance(block, Block):
            block._pass_on("bound", lambda: self._call(
                _ffi.weir_matrix_bind, text(name), block.ref))
            return block.ref
        self._call(_ffi.weir_matrix_bind, text(name), block)
        return block

    def lookup(self, name: str) -> int:
        ref = ctypes.c_uint64()
        self._call(_ffi.weir_matrix_lookup, text(name), byref(ref))
        return ref.value

    def unbind(self, name: str) -> Optional[Block]:
        """Removes a name; the block is ours. None if it had been freed."""
        ref = ctypes.c_uint64()
        self._call(_ffi.weir_matrix_unbind, text(name), byref(ref))
        if ref.value == _ffi.WEIR_REF_NONE:
            return None
        address, size = self._data(ref.value)
        return Block(self, ref.value, address, size)

    def stats(self) -> _ffi.MatrixInfo:
        info = _ffi.MatrixInfo(size=ctypes.sizeof(_ffi.MatrixInfo))
        self._call(_ffi.weir_matrix_stats, byref(info))
        return info

    def check(self, flags: int = 0) -> _ffi.CheckReport:
        report = _ffi.CheckReport(size=ctypes.sizeof(_ffi.CheckReport))
        self._call(_ffi.weir_matrix_check, flags, byref(report))
        return report

    def heal(self) -> int:
        """Finishes what dead participants left; how many there were."""
        return self._call(_ffi.weir_matrix_heal, None)

    def participants(self) -> List[_ffi.ParticipantInfo]:
        found: List[_ffi.ParticipantInfo] = []
        self._walk(_ffi.weir_matrix_participants, _ffi.ParticipantFn, _ffi.ParticipantInfo, found)
        return found

    def blocks(self) -> List[_ffi.BlockInfo]:
        found: List[_ffi.BlockInfo] = []
        self._walk(_ffi.weir_matrix_walk, _ffi.WalkFn, _ffi.BlockInfo, found)
        return found

    def _walk(self, function: Any, callback: Any, kind: Any, found: List[Any]) -> None:
        """Copies what a callback is shown; its exceptions come out of the call."""
        raised: List[BaseException] = []

        def visit(info: Any, _userdata: Any) -> int:
            try:
                found.append(kind.from_buffer_copy(info.contents))
                return 0
            except BaseException as error:  # must not pass through C
                raised.append(error)
                return 1

        self._call(function, callback(visit), None)
        if raised:
            raise raised[0]

    def close(self) -> None:
        """Leaves the segment; blocks that are left are freed. BufferError if views are alive."""
        bare: List[Block] = []
        for block in list(self._blocks):
            if block.owned and not block._undress():
                for other in bare:
                    other._dress()
                raise BufferError("the matrix cannot be closed: a view of a block is alive")
            bare.append(block)
        if self._views:
            for other in bare:
                other._dress()
            raise BufferError("the matrix cannot be closed: a view of a block is alive")
        for block in bare:
            self._value(_ffi.weir_matrix_free, block.ref)
        super().close()


_numbers = itertools.count()


def _forget(matrix: Matrix, number: int) -> None:
    """A view has died. Until then this has held the matrix."""
    matrix._views.discard(number)


def _pointer(pointer: Any) -> int:
    if pointer.value is None:
        raise RuntimeError("the library returned no pointer")
    return int(pointer.value)


def _ffi_check(code: int) -> int:
    from weir._error import check

    return check(code)
