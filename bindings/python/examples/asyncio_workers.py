# SPDX-License-Identifier: MIT OR Apache-2.0
"""Workers of an event loop share a queue, and note in a log what they have done."""
import asyncio
from typing import List

import weir

WORKERS, JOBS = 3, 30


async def work(inbox: weir.Subscription, log: weir.Log, done: List[int]) -> None:
    async for message in inbox:
        with message:  # acknowledged when its result is safe; given back if that raises
            lsn = log.append(b"done: " + bytes(message))
            await log.wait_async(lsn)
            done.append(lsn)


async def main() -> None:
    done: List[int] = []
    with weir.Matrix.create() as matrix, weir.Channel.create(matrix, "jobs") as jobs:
        with weir.Log("results.log", flags=weir.LogFlags.ANY_FILESYSTEM) as log:
            inboxes = [jobs.subscribe() for _ in range(WORKERS)]
            workers = [asyncio.create_task(work(inbox, log, done)) for inbox in inboxes]
            for i in range(JOBS):
                jobs.post(b"job %d" % i)
            while len(done) < JOBS:
                await asyncio.sleep(0.01)
            jobs.retire()  # ends the workers
            await asyncio.gather(*workers)
            for inbox in inboxes:
                inbox.close()
    with weir.LogReader("results.log") as reader:
        print(f"{JOBS} jobs by {WORKERS} workers, {len(list(reader))} results are durable")


asyncio.run(main())
