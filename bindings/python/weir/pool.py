# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pools: slots of one size. Ids: numbers for who keeps storage of his own."""
from __future__ import annotations

import ctypes
from ctypes import byref
from typing import Any, List, Optional

from weir import _ffi
from weir._convert import collect, info, nanoseconds, options, pointer, text
from weir._error import Error, check
from weir._handle import Handle
from weir._views import Owned, Owner
from weir.matrix import Matrix


class Slot(Owned):
    """A slot that is ours, given back when the last view of it is gone."""

    _release: Any = staticmethod(_ffi.weir_pool_release)

    def __init__(self, pool: "Pool", slot: int, address: int) -> None:
        super().__init__(pool, slot, address, pool.slot_size)
        self.pool = pool
        self.slot = slot

    def _is_ours(self) -> bool:
        try:
            return self.pool.is_live(self.slot)
        except (Error, ValueError):  # it is gone, or we are closed
            return False

    def release(self) -> None:
        """Gives it back now; BufferError if another view of it is alive."""
        self._end("released")

    def leave(self) -> int:
        """It stays acquired, and is nobody's here: whoever knows its number may `adopt` it."""
        self._pass_on("left", lambda: None)
        return self.slot


class Pool(Owner):
    """Slots of one size: in the memory of this process, or in a matrix, where all may use them."""

    def __init__(self, raw: int, matrix: Optional[Matrix] = None, name: str = "") -> None:
        super().__init__(raw, _ffi.weir_pool_unref, matrix)
        self.matrix = matrix
        self.name = name
        self.slot_size = int(_ffi.weir_pool_slot_size(raw))

    @classmethod
    def private(cls, slot_size: int, **values: Any) -> "Pool":
        """One of this process alone, with the fields of PoolOptions, and for all threads of it."""
        if values.get("flags", 0) & _ffi.PoolFlags.SINGLE_THREAD:
            raise ValueError("any thread may use a Pool: it cannot be SINGLE_THREAD")
        raw = ctypes.c_void_p()
        given = options(_ffi.PoolOptions, {"slot_size": slot_size, **values})
        check(_ffi.weir_pool_create(given, byref(raw)))
        return cls(pointer(raw))

    @classmethod
    def create(cls, matrix: Matrix, name: str, slot_size: int, **values: Any) -> "Pool":
        """One in a matrix, with the fields of PoolOptions."""
        return cls._open(_ffi.weir_pool_create_in, matrix, name, {"slot_size": slot_size, **values})

    @classmethod
    def attach(cls, matrix: Matrix, name: str, **values: Any) -> "Pool":
        """A `slot_size` or `type_id` that is given must be the pool's."""
        return cls._open(_ffi.weir_pool_attach, matrix, name, values)

    @classmethod
    def _open(cls, function: Any, matrix: Matrix, name: str, values: dict[str, Any]) -> "Pool":
        raw = ctypes.c_void_p()
        matrix._call(function, text(name), options(_ffi.PoolOptions, values), byref(raw))
        return cls(pointer(raw), matrix, name)

    def __reduce__(self) -> Any:
        """Pickled, it is attached in the other process, as its matrix is."""
        if self.matrix is None:
            raise TypeError("a Pool of one process cannot be pickled")
        return type(self).attach, (self.matrix, self.name)

    def acquire(self, timeout: Optional[float] = 0) -> Slot:
        """A slot; BlockingIOError or TimeoutError if there is none."""
        slot, address, wait = ctypes.c_uint64(), ctypes.c_void_p(), nanoseconds(timeout)
        call = _ffi.weir_pool_acquire if wait else _ffi.weir_pool_acquire_nowait
        self._timed(wait, lambda ns: self._call(call, ns, byref(slot), byref(address)))
        return Slot(self, slot.value, pointer(address))

    def acquire_many(self, into: Any, timeout: Optional[float] = 0) -> int:
        """Fills an array of c_uint64 with slots, as many as there are; nothing gives them back
        by itself."""
        wait = nanoseconds(timeout)
        call = _ffi.weir_pool_acquire_many if wait else _ffi.weir_pool_acquire_many_nowait
        return self._timed(wait, lambda ns: self._call(call, len(into), ns, into, None))

    def release_many(self, slots: Any, count: Optional[int] = None) -> int:
        """Gives slots of such an array back, up to the first that cannot be; how many."""
        count = len(slots) if count is None else count
        if not 0 <= count <= len(slots):
            raise ValueError(f"{count} slots are not in an array of {len(slots)}")
        return self._call(_ffi.weir_pool_release_many, slots, count)

    def _address(self, slot: int) -> int:
        address = ctypes.c_void_p()
        self._call(_ffi.weir_pool_data, slot, byref(address))
        return pointer(address)

    def adopt(self, slot: int) -> Slot:
        """A slot that somebody has acquired and left to us."""
        return Slot(self, slot, self._address(slot))

    def view(self, slot: int) -> memoryview:
        """The bytes of a slot that somebody else has; it is not kept from being released."""
        return self._shown.show(self, self._address(slot), self.slot_size, self)

    def is_live(self, slot: int) -> bool:
        return self._call(_ffi.weir_pool_is_live, slot) != 0

    def slots(self) -> List[_ffi.SlotInfo]:
        """Those that somebody has."""
        return collect(self._call, _ffi.weir_pool_walk, _ffi.SlotFn, _ffi.SlotInfo)

    def grow(self, slots: int) -> None:
        self._call(_ffi.weir_pool_grow, slots)

    def stats(self) -> _ffi.PoolInfo:
        found: _ffi.PoolInfo = info(_ffi.PoolInfo)
        self._call(_ffi.weir_pool_stats, byref(found))
        return found

    def destroy(self) -> None:
        """Ends the pool for all."""
        self._call(_ffi.weir_pool_destroy)


class Ids(Handle):
    """Numbers from 0 on, each of one user at a time; of this process alone."""

    def __init__(self, **values: Any) -> None:
        raw = ctypes.c_void_p()
        check(_ffi.weir_ids_create(options(_ffi.IdsOptions, values), byref(raw)))
        super().__init__(pointer(raw), _ffi.weir_ids_unref)

    def acquire(self) -> int:
        """A number that nobody has; BlockingIOError if there is none."""
        found = ctypes.c_uint32()
        self._call(_ffi.weir_ids_acquire, byref(found))
        return found.value

    def release(self, number: int) -> None:
        self._call(_ffi.weir_ids_release, number)

    def is_free(self, number: int) -> bool:
        return self._call(_ffi.weir_ids_is_free, number) != 0

    def grow(self, numbers: int) -> None:
        self._call(_ffi.weir_ids_grow, numbers)

    @property
    def capacity(self) -> int:
        return int(self._value(_ffi.weir_ids_capacity))
