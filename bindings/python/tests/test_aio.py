# SPDX-License-Identifier: MIT OR Apache-2.0
"""Waiting in an event loop."""
import asyncio
import os
import tempfile
import threading
import time
import unittest

import weir
from support import WithMatrix
from weir import errors


def run(work):
    """With a limit: what waits for ever fails."""
    return asyncio.run(asyncio.wait_for(work, 20))


async def soon(call, *arguments):
    """Does it in another thread, when the others have begun to wait."""
    await asyncio.sleep(0.02)
    await asyncio.to_thread(call, *arguments)


class Channels(WithMatrix):
    def setUp(self):
        super().setUp()
        self.channel = weir.Channel.create(self.matrix, "jobs")
        self.inbox = self.channel.subscribe()

    def tearDown(self):
        self.inbox.close()
        try:
            self.channel.retire()
        except errors.RetiredError:
            pass
        self.channel.close()
        super().tearDown()

    def open_descriptors(self):
        return len(os.listdir("/proc/self/fd"))

    def test_what_waits_comes_at_once(self):
        async def work():
            self.channel.post(b"one")
            with await self.inbox.read_async() as message:
                return bytes(message)

        self.assertEqual(run(work()), b"one")

    def test_a_post_from_another_thread_wakes(self):
        async def work():
            posting = asyncio.create_task(soon(self.channel.post, b"late"))
            with await self.inbox.read_async() as message:
                await posting
                return bytes(message)

        self.assertEqual(run(work()), b"late")

    def test_iteration_ends_with_the_channel(self):
        async def work():
            seen = []

            def feed():
                for i in range(200):
                    self.channel.post(b"%d" % i)
                time.sleep(0.02)
                self.channel.retire()

            feeding = asyncio.create_task(soon(feed))
            async for message in self.inbox:
                with message:
                    seen.append(int(bytes(message)))
            await feeding
            return seen

        found = run(work())
        self.assertEqual(found, list(range(len(found))))
        self.assertGreater(len(found), 0)

    def test_several_tasks_share(self):
        async def work():
            async def one():
                with await self.inbox.read_async() as message:
                    return bytes(message)

            tasks = [asyncio.create_task(one()) for _ in range(5)]
            await asyncio.sleep(0.02)
            await asyncio.to_thread(self.channel.post_copies, b"abcde", 1)
            return sorted(await asyncio.gather(*tasks))

        self.assertEqual(run(work()), [b"a", b"b", b"c", b"d", b"e"])

    def test_cancelling_leaves_nothing(self):
        async def work():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(self.inbox.read_async(), 0.01)
            before = self.open_descriptors()
            for _ in range(3):
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(self.inbox.read_async(), 0.01)
            self.assertEqual(self.open_descriptors(), before)
            self.assertEqual(self.inbox._waiters, set())

        run(work())

    def test_close_wakes(self):
        async def work():
            closing = asyncio.create_task(soon(self.inbox.close))
            with self.assertRaises(ValueError):
                await self.inbox.read_async()
            await closing

        run(work())


class Logs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "log")
        self.log = weir.Log(self.path, flags=weir.LogFlags.ANY_FILESYSTEM)

    def tearDown(self):
        self.log.close()
        self.folder.cleanup()

    def test_many_tasks_wait(self):
        async def work():
            async def one(i):
                lsn = self.log.append(b"%d" % i)
                await self.log.wait_async(lsn)
                return lsn < self.log.durable

            for _ in range(10):
                self.assertTrue(all(await asyncio.gather(*(one(i) for i in range(20)))))

        run(work())

    def test_loops_in_several_threads(self):
        """Who resets the descriptor must not take the news from another loop."""
        failures = []

        async def work():
            for _ in range(20):
                await asyncio.wait_for(self.log.wait_async(self.log.append(b"x")), 10)

        def loop():
            try:
                asyncio.run(work())
            except BaseException as error:
                failures.append(repr(error))

        threads = [threading.Thread(target=loop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        self.assertEqual(failures, [])

    def test_following(self):
        async def work():
            seen = []
            with weir.LogReader(self.path) as reader:
                appending = asyncio.create_task(soon(
                    lambda: self.log.wait(self.log.append_batch(b"one", b"two", tag=9))))
                async for record in reader.follow_async():
                    seen.append((record.data, record.tag))
                    if len(seen) == 2:
                        break
                await appending
            return seen

        self.assertEqual(run(work()), [(b"one", 9), (b"two", 9)])

    def test_a_closed_log(self):
        lsn = self.log.append(b"x", tag=3)
        self.log.close()
        with self.assertRaises(ValueError):
            run(self.log.wait_async(lsn))
        with weir.LogReader(self.path) as reader:
            self.assertEqual(reader.next().tag, 3)


if __name__ == "__main__":
    unittest.main()
