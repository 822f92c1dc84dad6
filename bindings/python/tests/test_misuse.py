# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a program does wrong, or a user in the middle of a wait."""
import ctypes
import os
import signal
import sys
import tempfile
import threading
import time
import unittest

import weir
from support import WithMatrix, run


class Waits(WithMatrix):
    """Whatever waits for ever ends by a signal's handler that raises, and by a close."""

    def interrupted(self, call):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            with self.assertRaises(KeyboardInterrupt):
                call()
                timer.join()
        finally:
            timer.join()
            signal.signal(signal.SIGINT, before)

    def setUp(self):
        super().setUp()
        self.channel = weir.Channel.create(self.matrix, "frames", capacity=2)
        self.inbox = self.channel.subscribe()
        self.before = self.matrix.stats().used_blocks

    def tearDown(self):
        self.inbox.close()
        with self.channel.subscribe() as rest, self.assertRaises(BlockingIOError):
            while True:
                rest.read(timeout=0).ack()
        super().tearDown()

    def test_read(self):
        self.interrupted(self.inbox.read)
        self.interrupted(lambda: self.inbox.read_many(weir.Messages(2)))
        self.interrupted(lambda: self.inbox.read_many(weir.Messages(2, stride=8), timeout=30))

    def test_post(self):
        while True:
            try:
                self.channel.post(b"full", timeout=0)
            except BlockingIOError:
                break
        self.interrupted(lambda: self.channel.post(b"one more"))
        with self.matrix.alloc(10) as block:
            self.interrupted(lambda: self.channel.post(block))
            self.assertTrue(block.owned)
        with self.matrix.alloc_many(10, 2) as blocks:
            self.interrupted(lambda: self.channel.post_many(blocks))
            self.assertEqual(len(blocks), 2)

    def test_pool_and_memory(self):
        with weir.Pool.private(8, capacity=1) as pool:
            slots = (ctypes.c_uint64 * 100)()
            pool.acquire_many(slots)
            self.interrupted(lambda: pool.acquire(timeout=None))
            self.interrupted(lambda: pool.acquire_many(slots, timeout=30))
        with weir.Matrix.create(capacity=1 << 20) as small:
            kept = []
            def fill():
                while True:
                    kept.append(small.alloc(100000, timeout=None))
            self.interrupted(fill)
            self.interrupted(lambda: small.alloc_many(100000, 2, timeout=None))

    def test_reader_of_a_log(self):
        with tempfile.TemporaryDirectory() as folder, weir.Log(folder + "/log"), \
                weir.LogReader(folder + "/log") as reader:
            self.interrupted(reader.wait)

    def test_time_is_counted_over_slices(self):
        start = time.monotonic()
        with self.assertRaises(TimeoutError):
            self.inbox.read(0.25)
        self.assertGreaterEqual(time.monotonic() - start, 0.25)

    def test_close_in_another_thread(self):
        timer = threading.Timer(0.05, self.inbox.close)
        timer.start()
        with self.assertRaises(ValueError):
            self.inbox.read()
        timer.join()


class Threads(unittest.TestCase):
    def test_one_reader_of_a_log(self):
        seen = []

        def read(reader):
            for record in reader:
                seen.append((record.lsn, len(set(record.data))))

        with tempfile.TemporaryDirectory() as folder, weir.Log(folder + "/log") as log, \
                weir.LogReader(folder + "/log") as reader:
            for i in range(5000):
                log.append(bytes([i % 256]) * (1 + i % 700))
            log.sync()
            threads = [threading.Thread(target=read, args=(reader,)) for _ in range(4)]
            interval = sys.getswitchinterval()
            sys.setswitchinterval(1e-6)
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            sys.setswitchinterval(interval)
        self.assertEqual(len({lsn for lsn, _ in seen}), 5000)
        self.assertEqual({kinds for _, kinds in seen}, {1})

    def test_no_pool_of_one_thread(self):
        with self.assertRaises(ValueError):
            weir.Pool.private(8, flags=weir.PoolFlags.SINGLE_THREAD)


class Numbers(WithMatrix):
    """ctypes drops the upper bits of a number; here it is an error."""

    def test_too_large(self):
        for call in (lambda: weir.Matrix.create(capacity=(1 << 64) + (16 << 20)),
                     lambda: weir.Pool.private((1 << 64) + 8),
                     lambda: self.matrix.alloc((1 << 64) + 100),
                     lambda: self.matrix.alloc_many((1 << 64) + 100, 3)):
            with self.assertRaises(OverflowError):
                call()

    def test_tag_of_a_record(self):
        with tempfile.TemporaryDirectory() as folder, weir.Log(folder + "/log") as log:
            for tag in (1 << 32, (1 << 32) + 5, -1):
                with self.assertRaises(OverflowError):
                    log.append(b"x", tag=tag)
                with self.assertRaises(OverflowError):
                    log.append_batch(b"x", b"y", tag=tag)

    def test_counts(self):
        with weir.Pool.private(8) as pool:
            slots = (ctypes.c_uint64 * 4)()
            self.assertEqual(pool.acquire_many(slots), 4)
            for count in (5, -1):
                with self.assertRaises(ValueError):
                    pool.release_many(slots, count)
            self.assertEqual(pool.release_many(slots, 4), 4)
        with self.assertRaises(ValueError):
            weir.Messages(4, stride=-1)


class ReadOnly(WithMatrix):
    named = True

    def test_views_cannot_be_written(self):
        with self.matrix.alloc(10) as block, \
                weir.Matrix.attach(self.name, flags=weir.MatrixFlags.READ_ONLY) as reader:
            block.view[:5] = b"hello"
            view = reader.view(block.ref, 5)
            self.assertEqual(bytes(view), b"hello")
            with self.assertRaises(TypeError):
                view[0] = 1
            with self.assertRaises(BufferError):
                reader.close()
            view.release()


class End(unittest.TestCase):
    def test_with_all_open(self):
        done = run("-c", "import weir\n"
                   "matrix = weir.Matrix.create()\n"
                   "blocks = matrix.alloc_many(8, 3)\n"
                   "kept = [blocks.view(0), matrix.alloc(5).view[1:]]\n"
                   "kept.append(kept)\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
