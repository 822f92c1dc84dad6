# SPDX-License-Identifier: MIT OR Apache-2.0
"""The worker in Python. What all workers do is told in cross.py. usage: worker SEGMENT LOG"""
import ctypes
import signal
import struct
import sys

import weir
from weir import _ffi
from weir._error import check

HOLD = 1
JOB = struct.Struct("=4Q")  # number, slot, lsn, hops
ACCOUNT = struct.Struct("=2Q")  # number, value


class Accounts:
    """The pool, by the functions of C."""

    def __init__(self, matrix, name):
        self.raw = ctypes.c_void_p()
        matrix._call(_ffi.weir_pool_attach, name, None, ctypes.byref(self.raw))

    def acquire(self):
        slot = ctypes.c_uint64()
        check(_ffi.weir_pool_acquire_nowait(self.raw, 0, ctypes.byref(slot), None))
        return slot.value

    def release(self, slot):
        check(_ffi.weir_pool_release(self.raw, slot))

    def view(self, slot):
        data = ctypes.c_void_p()
        check(_ffi.weir_pool_data(self.raw, slot, ctypes.byref(data)))
        return (ctypes.c_ubyte * ACCOUNT.size).from_address(data.value)

    def close(self):
        _ffi.weir_pool_unref(self.raw)


def work(accounts, number, slot, total):
    account = accounts.view(slot)
    found, value = ACCOUNT.unpack_from(account)
    assert found == number, (found, number)
    ACCOUNT.pack_into(account, 0, number, (value * 31 + total) % 2**64)


def handle(matrix, message, accounts, reader, channels):
    number, slot, lsn, hops = JOB.unpack_from(message.view)
    scratch, block = accounts.acquire(), matrix.alloc(JOB.size)
    if message.tag == HOLD and message.redeliveries == 0:
        print("holding", flush=True)
        while True:
            signal.pause()
    reader.seek(lsn)
    work(accounts, number, slot, sum(reader.next().data))
    JOB.pack_into(block.view, 0, number, slot, lsn, hops - 1)
    channels["jobs" if hops > 1 else "results"].post(block)
    message.ack()
    accounts.release(scratch)


def main(segment, log):
    with weir.Matrix.attach(segment) as matrix, weir.LogReader(log) as reader:
        channels = {name: weir.Channel.attach(matrix, name) for name in ("jobs", "results")}
        accounts = Accounts(matrix, b"accounts")
        with channels["jobs"].subscribe() as inbox:
            print("ready", flush=True)
            for message in inbox:
                handle(matrix, message, accounts, reader, channels)
        accounts.close()
        for channel in channels.values():
            channel.close()
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
