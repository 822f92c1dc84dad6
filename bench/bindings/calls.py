# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a call costs in Python: weir's functions and empty ones, in turns. Prints JSON.

usage: calls.py LIBRARY-OF-EMPTY-FUNCTIONS
"""
import ctypes
import json
import statistics
import sys
import time
import timeit

import weir
from weir import _ffi, _load

CALLS, ROUNDS = 5000, 101


def nanoseconds(ours, empty, **names):
    """Medians of each and of what they are beside each other; CPU time, as others use the machine."""
    timers = [timeit.Timer(statement, timer=time.process_time, globals=names)
              for statement in (ours, empty)]
    rounds = [[timer.timeit(CALLS) / CALLS * 1e9 for timer in timers] for _ in range(ROUNDS)]
    median = [statistics.median(column) for column in zip(*rounds)]
    return [*median, statistics.median(one / other for one, other in rounds)]


def main():
    empty = ctypes.PyDLL(sys.argv[1])
    number = _load.bind(empty, "empty_number", ctypes.c_uint32)
    size = _load.bind(empty, "empty_size", ctypes.c_size_t, ctypes.c_void_p)
    pair = _load.bind(empty, "empty_size", ctypes.c_size_t, ctypes.c_void_p, ctypes.c_uint64)
    pool = weir.Pool.private(64)
    slot = pool.acquire()
    raw = pool._life.raw[0]
    found = {
        "weir_version_number()": nanoseconds("f()", "g()", f=_ffi.weir_version_number, g=number),
        "weir_pool_slot_size(pool)": nanoseconds("f(raw)", "g(raw)", f=_ffi.weir_pool_slot_size,
                                                 g=size, raw=raw),
        "checked weir_pool_is_live(pool, slot)": nanoseconds(  # a number is looked at before
            "f(raw, slot)", "g(raw, slot)", f=_ffi.weir_pool_is_live, g=pair, raw=raw,
            slot=slot.slot),
        "method is_live(slot)": nanoseconds("f(slot)", "g(raw)", f=pool.is_live, slot=slot.slot,
                                            g=size, raw=raw),
    }
    print(json.dumps(found))


main()
