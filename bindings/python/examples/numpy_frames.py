# SPDX-License-Identifier: MIT OR Apache-2.0
"""Frames from process to process as numpy arrays, none of which is copied."""
import os

import numpy as np

import weir

SHAPE, COUNT = (480, 640), 5


def produce(name: str) -> None:
    with weir.Matrix.attach(name) as matrix, weir.Channel.attach(matrix, "frames") as frames:
        for i in range(COUNT):
            block = matrix.alloc(SHAPE[0] * SHAPE[1] * 4)
            pixels = np.frombuffer(block.view, dtype="f4").reshape(SHAPE)
            pixels[:] = i
            del pixels  # a block that somebody looks at is not handed over: BufferError
            frames.post(block)


def main() -> None:
    name = f"numpy-{os.getpid()}"
    with weir.Matrix.create(name) as matrix:
        with weir.Channel.create(matrix, "frames") as frames, frames.subscribe() as inbox:
            child = os.fork()
            if child == 0:
                produce(name)
                os._exit(0)
            for _ in range(COUNT):
                with inbox.read(timeout=10) as message:
                    mean = np.frombuffer(message.view, dtype="f4").reshape(SHAPE).mean()
            os.waitpid(child, 0)
        weir.Matrix.unlink(name)
    print(f"{COUNT} frames of {SHAPE}, the mean of the last is {mean}")


main()
