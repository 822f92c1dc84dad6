# SPDX-License-Identifier: MIT OR Apache-2.0
"""What `multiprocessing` spawns is given a channel: pickled, it is attached there by its name."""
import multiprocessing
import os
import struct

import weir

WORKERS, NUMBERS = 2, 1000


def square(jobs: weir.Channel, results: weir.Channel) -> None:
    batch = weir.Messages(64, stride=8)
    with jobs.subscribe() as inbox:
        results.post(b"ready")
        while True:
            try:
                count = inbox.read_many(batch)
            except weir.errors.RetiredError:
                return
            found = struct.unpack(f"{count}Q", batch.data)
            results.post(struct.pack("Q", sum(number * number for number in found)), tag=count)
            inbox.ack_many(batch)


def main() -> None:
    name = f"multiprocessing-{os.getpid()}"
    with weir.Matrix.create(name) as matrix:
        jobs, results = (weir.Channel.create(matrix, each) for each in ("jobs", "results"))
        spawn = multiprocessing.get_context("spawn")
        workers = [spawn.Process(target=square, args=(jobs, results)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        numbers, done, total = struct.pack(f"{NUMBERS}Q", *range(NUMBERS)), 0, 0
        with results.subscribe() as inbox:
            for _ in workers:
                inbox.read(timeout=30).ack()
            while numbers:
                numbers = numbers[8 * jobs.post_copies(numbers, 8, timeout=10):]
            while done < NUMBERS:
                with inbox.read(timeout=10) as message:
                    total += struct.unpack("Q", message.view)[0]
                    done += message.tag
        jobs.retire()  # ends the workers
        for worker in workers:
            worker.join()
        for channel in (jobs, results):
            channel.close()
        weir.Matrix.unlink(name)
    print(f"the sum of {NUMBERS} squares is {total}")


if __name__ == "__main__":
    main()
