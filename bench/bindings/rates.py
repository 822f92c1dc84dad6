# SPDX-License-Identifier: MIT OR Apache-2.0
"""One side of the message rate in Python; see rates.c, which this is held against.

usage: rates.py post|read MATRIX CHANNEL MESSAGES BATCH
"""
import sys
import time

import weir

SIZE, PERIOD = 64, 251


def pattern(batch):
    """Message i is 64 bytes of value i % 251; a batch may begin with any of them."""
    return b"".join(bytes([i % PERIOD]) * SIZE for i in range(PERIOD + batch))


def post(channel, messages, batch):
    data, at = memoryview(bytearray(pattern(batch))), 0
    while at < messages:
        first = at % PERIOD * SIZE
        at += channel.post_copies(data[first:first + min(batch, messages - at) * SIZE], SIZE)


def read(channel, messages, batch):
    data, at, began = pattern(batch), 0, 0
    with channel.subscribe() as inbox:
        found = weir.Messages(batch, stride=SIZE)
        while at < messages:
            count = inbox.read_many(found)
            first = at % PERIOD * SIZE
            if bytes(found.data) != data[first:first + count * SIZE]:
                sys.exit(f"rates.py: message {at} is wrong")
            inbox.ack_many(found)
            if at == 0:
                start, began = count, time.perf_counter()
            at += count
    print(round((at - start) / (time.perf_counter() - began)))


def main():
    role, matrix, channel, messages, batch = sys.argv[1:]
    with weir.Matrix.attach(matrix) as there, weir.Channel.attach(there, channel) as ring:
        {"post": post, "read": read}[role](ring, int(messages), int(batch))


main()
