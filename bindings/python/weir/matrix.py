# SPDX-License-Identifier: MIT OR Apache-2.0
"""The matrix and its blocks."""
from __future__ import annotations

import ctypes
import os
import weakref
from ctypes import byref
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Union

from weir import _ffi
from weir._convert import (INT64, collect, info, integer, nanoseconds, options, pointer, text,
                           with_callback)
from weir._error import Error, check
from weir._handle import members
from weir._views import Owned, Owner

if TYPE_CHECKING:
    from weir.batch import Blocks as _Blocks


class Block(Owned):
    """Memory of a matrix that this process owns, freed when the last view of it is gone."""

    _release: Any = staticmethod(_ffi.weir_matrix_free)

    def __init__(self, matrix: "Matrix", ref: int, address: int, size: int) -> None:
        super().__init__(matrix, ref, address, size)
        self.matrix = matrix
        self.ref = ref

    def _must_be_of(self, matrix: "Matrix") -> None:
        """Elsewhere its ref is no block's, or another one's."""
        if matrix is not self.matrix:
            raise ValueError("the Block is of another Matrix")

    def _is_ours(self) -> bool:
        return self.matrix._owns(self.ref)

    def free(self) -> None:
        """Gives it back now; BufferError if another view of it is alive."""
        self._end("freed")

    def give(self, participant: int = _ffi.WEIR_OWNER_NONE) -> int:
        """Hands it to another participant, or to nobody. The ref still names it."""
        self._pass_on("given away", lambda: self.matrix._call(
            _ffi.weir_block_give, self.ref, participant))
        return self.ref


def alloc_options(values: Dict[str, Any], timeout_ns: int) -> Any:
    """AllocOptions with such a timeout; None for all defaults."""
    return options(_ffi.AllocOptions,
                   {**values, "timeout_ns": timeout_ns} if timeout_ns else values)


def alloc_wait(values: Dict[str, Any], timeout: Optional[float]) -> int:
    """Nanoseconds to wait for memory: `timeout`, or what stands among the options."""
    if timeout != 0:
        return nanoseconds(timeout)
    return integer("AllocOptions.timeout_ns", values["timeout_ns"], *INT64) \
        if "timeout_ns" in values else 0


class Matrix(Owner):
    """A segment of shared memory. `create`, `attach` and `open` make one."""

    def __init__(self, raw: int, flags: int = 0) -> None:
        super().__init__(raw, _ffi.weir_matrix_unref)
        self._flags = flags
        self._batches: weakref.WeakSet[_Blocks] = weakref.WeakSet()

    @classmethod
    def _make(cls, function: Any, name: Any, values: dict[str, Any]) -> "Matrix":
        raw = ctypes.c_void_p()
        check(function(name, options(_ffi.MatrixOptions, values), byref(raw)))
        return cls(pointer(raw), values.get("flags", 0))

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
        check(_ffi.weir_matrix_unlink(text(name)))

    def __reduce__(self) -> Any:
        """Pickled, as for a process that `multiprocessing` spawns, it is attached there."""
        if not self.name:
            raise TypeError("a Matrix without a name cannot be pickled: pass its descriptor")
        kept = self._flags & (_ffi.MatrixFlags.READ_ONLY | _ffi.MatrixFlags.ALLOW_FOREIGN)
        return _attach, (type(self), self.name, int(kept))

    @property
    def name(self) -> str:
        return os.fsdecode(self._value(_ffi.weir_matrix_name))

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
        wait = alloc_wait(values, timeout)
        call = _ffi.weir_matrix_alloc if wait else _ffi.weir_matrix_alloc_nowait
        self._timed(wait, lambda ns: self._call(
            call, size, alloc_options(values, ns), byref(ref), byref(address)))
        return Block(self, ref.value, pointer(address), size)

    def alloc_many(self, size: int, count: int, *, timeout: Optional[float] = 0,
                   **values: Any) -> "_Blocks":
        """Many blocks of one size: as many as there are, up to `count`; see `weir.Blocks`."""
        from weir.batch import Blocks

        made = Blocks(self, count)
        made.alloc(size, timeout=timeout, **values)
        return made

    def adopt(self, ref: int) -> Block:
        """A block that is this participant's already, or nobody's, which is taken."""
        owner = ctypes.c_uint64()
        self._call(_ffi.weir_block_owner, ref, byref(owner))
        if owner.value != self.participant:
            self._call(_ffi.weir_block_take, ref)
        return self._block(ref)

    def _owns(self, ref: int) -> bool:
        owner = ctypes.c_uint64()
        try:
            self._call(_ffi.weir_block_owner, ref, byref(owner))
            return owner.value == self.participant
        except (Error, ValueError):  # it is gone, or we are closed
            return False

    def _block(self, ref: int) -> Block:
        return Block(self, ref, *self._data(ref))

    def _data(self, ref: int) -> Tuple[int, int]:
        address, size = ctypes.c_void_p(), ctypes.c_size_t()
        self._call(_ffi.weir_matrix_data, ref, byref(address), byref(size))
        return pointer(address), size.value

    def view(self, ref: int, length: Optional[int] = None) -> memoryview:
        """The bytes of a block that somebody else has; they are not kept from being freed."""
        address, size = self._data(ref)
        if length is not None and not 0 <= length <= size:
            raise ValueError("more bytes than the block has")
        shown = self._shown.show(self, address, size if length is None else length, self)
        return shown.toreadonly() if self._flags & _ffi.MatrixFlags.READ_ONLY else shown

    def bind(self, name: str, block: Union[Block, int]) -> int:
        """Names a block, which is nobody's from then on; its ref."""
        if isinstance(block, Block):
            block._must_be_of(self)
            ref = block.ref
            block._pass_on("bound", lambda: self._call(_ffi.weir_matrix_bind, text(name), ref))
            return ref
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
        return None if ref.value == _ffi.WEIR_REF_NONE else self._block(ref.value)

    def stats(self) -> _ffi.MatrixInfo:
        found: _ffi.MatrixInfo = info(_ffi.MatrixInfo)
        self._call(_ffi.weir_matrix_stats, byref(found))
        return found

    def memory(self) -> _ffi.MemoryInfo:
        """Which pages are behind it, and how much is there."""
        found: _ffi.MemoryInfo = info(_ffi.MemoryInfo)
        self._call(_ffi.weir_matrix_memory, byref(found))
        return found

    def check(self, flags: int = 0) -> Tuple[int, _ffi.CheckReport]:
        """Checks every invariant; how many errors there are, and what was seen."""
        report: _ffi.CheckReport = info(_ffi.CheckReport)
        return self._call(_ffi.weir_matrix_check, flags, byref(report)), report

    def heal(self) -> int:
        """Finishes what dead participants left; how many there were."""
        return self._call(_ffi.weir_matrix_heal, None)

    def trim(self, keep_bytes: int = 0) -> int:
        """Gives memory of free blocks back to the system; how many bytes."""
        found = ctypes.c_uint64()
        self._call(_ffi.weir_matrix_trim, keep_bytes, byref(found))
        return found.value

    def prefault(self, size: int = 0, progress: Optional[Callable[[int, int], Any]] = None) -> None:
        """Makes `size` bytes be there. `progress(done, total)` may raise, which ends it."""
        with_callback(self._call, _ffi.weir_matrix_prefault, (size,), _ffi.PrefaultFn,
                      progress or (lambda done, total: None))

    def retire(self) -> None:
        """Ends the segment for all."""
        self._call(_ffi.weir_matrix_retire)

    def participants(self) -> List[_ffi.ParticipantInfo]:
        return collect(self._call, _ffi.weir_matrix_participants, _ffi.ParticipantFn,
                       _ffi.ParticipantInfo)

    def blocks(self) -> List[_ffi.BlockInfo]:
        return collect(self._call, _ffi.weir_matrix_walk, _ffi.WalkFn, _ffi.BlockInfo)

    def roots(self) -> List[_ffi.RootInfo]:
        return collect(self._call, _ffi.weir_matrix_roots, _ffi.RootFn, _ffi.RootInfo)

    def _watched(self) -> bool:
        return super()._watched() or any(batch._watched() for batch in members(self._batches))

    def _give_all_back(self) -> None:
        super()._give_all_back()
        for batch in members(self._batches):
            batch.free()


def _attach(kind: type[Matrix], name: str, flags: int) -> Matrix:
    return kind.attach(name, **({"flags": flags} if flags else {}))
