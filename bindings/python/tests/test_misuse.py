# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a program does wrong, or a user in the middle of a wait."""
import array
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

import weir
from support import WithMatrix, run
from weir import _ffi
from weir._convert import limits


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

    def test_a_signal_behind_the_success(self):
        """Its exception is raised when the call has returned: what is posted is not ours."""
        def late(function):
            def call(*arguments):
                done = function(*arguments)
                raise KeyboardInterrupt(done)
            return mock.patch.object(_ffi, function.__name__, call)

        block, freed = self.matrix.alloc(8), self.matrix.alloc(8)
        blocks = self.matrix.alloc_many(8, 3)
        with late(_ffi.weir_channel_post), self.assertRaises(KeyboardInterrupt):
            self.channel.post(block)
        with late(_ffi.weir_channel_post_many), self.assertRaises(KeyboardInterrupt):
            self.channel.post_many(blocks)
        with mock.patch.object(freed, "_release", late(freed._release).new), \
                self.assertRaises(KeyboardInterrupt):
            freed.free()
        self.assertEqual((block.owned, freed.owned, len(blocks)), (False, False, 0))
        for _ in range(4):
            self.inbox.read(timeout=0).ack()
        with weir.Pool.private(8) as pool:
            slot = pool.acquire()
            with mock.patch.object(slot, "_release", late(slot._release).new), \
                    self.assertRaises(KeyboardInterrupt):
                slot.release()
            self.assertFalse(slot.owned)
        block = self.matrix.alloc(8)  # and what was not done leaves it
        with mock.patch.object(_ffi, "weir_channel_post", side_effect=KeyboardInterrupt), \
                self.assertRaises(KeyboardInterrupt):
            self.channel.post(block)
        self.assertTrue(block.owned)
        block.free()

    def test_a_signal_while_something_is_shown(self):
        """Wherever it comes, nobody looks at the message afterwards, and the end is not refused."""
        def stop_at(left):
            def trace(frame, event, _):
                if event == "line" and frame.f_code.co_name in ("show", "_forget"):
                    left[0] -= 1
                    if left[0] == 0:
                        raise KeyboardInterrupt
                return trace
            return trace

        for line in range(1, 20):
            inbox = self.channel.subscribe()
            self.channel.post(b"a")
            message, left = inbox.read(timeout=1), [line]
            sys.settrace(stop_at(left))
            try:
                bytes(message)
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(None)
            message._drop_view()
            inbox.close()
            self.inbox.read(timeout=1).ack()
        self.assertGreater(left[0], 0)  # the last rounds had no signal

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

    def test_every_function(self):
        """None is called: what fits no parameter is seen before, whatever the others are."""
        seen = 0
        for name, function in vars(_ffi).items():
            types = getattr(getattr(_ffi, "_" + name, None), "argtypes", ())
            for i, kind in enumerate(types if name.startswith("weir_") else ()):
                found = limits(kind) if issubclass(kind, ctypes._SimpleCData) else None
                if found is None or kind is ctypes.c_void_p:
                    continue
                for bad, error in ((found[0] - 1, OverflowError), (found[1] + 1, OverflowError),
                                   (1 << 200, OverflowError), ("1", TypeError), (1.0, TypeError),
                                   (None, TypeError)):
                    values = [bad if i == j else None if limits(other) is None else 0
                              for j, other in enumerate(types)]
                    with self.subTest(f"{name}, argument {i} is {bad!r}"), \
                            self.assertRaises(error):
                        function(*values)
                    seen += 1
        self.assertGreater(seen, 500)

    def test_methods(self):
        pool, ids = weir.Pool.private(8), weir.Ids()
        channel = weir.Channel.create(self.matrix, "numbers")
        router = weir.Router.create(self.matrix, "routes")
        self.before = self.matrix.stats().used_blocks
        block = self.matrix.alloc(8)
        folder = tempfile.mkdtemp()
        log = weir.Log(folder + "/log")
        reader = weir.LogReader(folder + "/log")
        slots = (ctypes.c_uint64 * 2)()
        for call in (
                self.matrix.alloc, self.matrix.adopt, self.matrix.view, self.matrix.trim,
                self.matrix.check, self.matrix.prefault, weir.Matrix.attach_fd,
                lambda n: self.matrix.alloc(8, timeout_ns=n), block.give,
                lambda n: self.matrix.alloc_many(8, 1, timeout_ns=n),
                lambda n: self.matrix.alloc(8, alignment=n), lambda n: self.matrix.bind("x", n),
                lambda n: channel.post(block, n), lambda n: channel.post(b"x", tag=n),
                lambda n: channel.post(b"x", priority=n), lambda n: channel.post(block, tag=n),
                lambda n: router.post(b"x", tag=n), lambda n: router.post(block, n),
                lambda n: router.add_rule(n, 0), router.remove_rule,
                lambda n: router.add_rule(0, 0, before=n),
                pool.adopt, pool.view, pool.is_live, pool.grow, ids.release, ids.is_free, ids.grow,
                lambda n: log.append(b"x", tag=n), lambda n: log.wait(n, timeout=0), reader.seek,
                log.truncate_before, lambda n: weir.LogReader(folder + "/log", n),
                lambda n: weir.LogReader(folder + "/log", flags=n),
                lambda n: weir.store_cursor(folder + "/log", "me", n),
                lambda n: weir.store_cursor(folder + "/log", "me", 0, n)):
            for bad in (-1 << 64, 1 << 64):
                with self.subTest(call=call, bad=bad), self.assertRaises(OverflowError):
                    call(bad)
            for bad in ("1", 1.5, [], b"1"):
                with self.subTest(call=call, bad=bad), self.assertRaises(TypeError):
                    call(bad)
        for bad in ([0, 0], (ctypes.c_uint32 * 2)(), b"12345678", None, 1):
            with self.assertRaises(TypeError):
                pool.acquire_many(bad)
            with self.assertRaises(TypeError):
                pool.release_many(bad, 1)
        self.assertEqual(pool.acquire_many(slots), 2)
        self.assertTrue(block.owned)
        block.free()
        for each in (reader, log, router, channel, ids, pool):
            each.close()
        shutil.rmtree(folder)

    def test_what_is_like_a_number(self):
        class Eight:
            def __index__(self):
                return 8

        for size in (Eight(), True, _ffi.MatrixFlags.ON_NODE):
            self.matrix.alloc(size, alignment=Eight()).free()

    def test_text(self):
        """ctypes takes a number for an address."""
        router = weir.Router.create(self.matrix, "routes")
        self.before = self.matrix.stats().used_blocks
        for call in (lambda bad: router.add_rule(0, 0, topic=bad),
                     lambda bad: router.post(b"x", topic=bad),
                     lambda bad: weir.Matrix.create(participant_name=bad)):
            for bad, error in ((1, TypeError), (1.5, TypeError), (["x"], TypeError),
                               (b"a\0b", ValueError), ("a\0b", ValueError)):
                with self.assertRaises(error):
                    call(bad)
        with self.assertRaises(ValueError):
            weir.Matrix.create(participant_name="x" * 17)
        router.close()

    def test_columns(self):
        channel = weir.Channel.create(self.matrix, "columns")
        self.before = self.matrix.stats().used_blocks
        numbers = memoryview(bytearray(64)).cast("Q")
        for bad in (array.array("d", [1, 2]), array.array("q", [1, 2]), array.array("I", [1] * 4),
                    array.array("Q", [1]), bytes(16), numbers[::2], numbers[::-1],
                    numbers.cast("B").cast("Q", [2, 4]), (ctypes.c_void_p * 2)(),
                    (ctypes.c_uint64.__ctype_be__ * 2)()):
            for given in ({"lengths": bad}, {"tags": bad}):
                with self.subTest(**given), self.assertRaises(ValueError):
                    channel.post_copies(b"abcd", 2, **given)
                with self.matrix.alloc_many(8, 2) as blocks, self.assertRaises(ValueError):
                    channel.post_many(blocks, **given)
        for bad in ([1, 2], 5, "text"):
            with self.assertRaises(TypeError):
                channel.post_copies(b"abcd", 2, tags=bad)
        with channel.subscribe() as inbox:
            for tags in (array.array("Q", [8, 9]), array.array("L", [8, 9, 10]),
                         (ctypes.c_uint64 * 2)(8, 9), memoryview(array.array("Q", [8, 9])),
                         memoryview(array.array("Q", [8, 9])).toreadonly()):
                channel.post_copies(b"abcd", 2, tags=tags)
                found = weir.Messages(4)
                inbox.read_many(found)
                self.assertEqual(list(found.tags), [8, 9])
                inbox.ack_many(found)
        channel.close()

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


class Elsewhere(WithMatrix):
    """A ref, and what a message says of itself, may be the same in two matrices."""

    def test_blocks_and_messages_of_another_matrix(self):
        channel = weir.Channel.create(self.matrix, "jobs")
        router = weir.Router.create(self.matrix, "routes")
        inbox = channel.subscribe()
        self.before = self.matrix.stats().used_blocks
        with weir.Matrix.create() as there, weir.Channel.create(there, "jobs") as other, \
                other.subscribe() as outbox, weir.Matrix.attach_fd(self.matrix.fileno()) as again:
            for foreign in (there, again):
                block, blocks = foreign.alloc(8), foreign.alloc_many(8, 2)
                for call in (lambda: channel.post(block), lambda: router.post(block),
                             lambda: self.matrix.bind("name", block),
                             lambda: channel.post_many(blocks)):
                    with self.assertRaises(ValueError):
                        call()
                block.free()
                self.assertEqual(len(blocks), 2)
                blocks.free()
            other.post(b"there")
            batch = weir.Messages(1)
            outbox.read_many(batch)
            with self.assertRaises(ValueError):
                inbox.ack_many(batch)
            outbox.ack_many(batch)
        for each in (inbox, router, channel):
            each.close()


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

    def test_what_goes_on_to_the_very_end(self):
        """A block is not freed under those who still use it, and an error can still be said."""
        done = run("-c", "import atexit, weir\n"
                   "class Last:\n"
                   "    def __del__(self):\n"
                   "        block.view[0] = 1\n"
                   "        print(self.matrix.stats().used_blocks)\n"
                   "        block.free()\n"
                   "        try: self.matrix.lookup('nothing')\n"
                   "        except FileNotFoundError: print('not found')\n"
                   "last = Last()\n"
                   "last.matrix = weir.Matrix.create()\n"
                   "block = last.matrix.alloc(8)\n"
                   "atexit.register(lambda: print(len(block.view)))\n")
        self.assertEqual((done.stdout, done.stderr), ("8\n1\nnot found\n", ""))

    def test_a_log_is_closed(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("-c", "import weir\nlog = weir.Log('log', flags=16)\nlog.append(b'last')\n",
                       cwd=folder)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with weir.LogReader(folder + "/log") as reader:
                self.assertEqual([record.data for record in reader], [b"last"])

    def test_a_thread_that_waits(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("-c", "import threading, time, weir\n"
                       "log = weir.Log('log', flags=16)\n"
                       "channel = weir.Channel.create(weir.Matrix.create(), 'c')\n"
                       "inbox = channel.subscribe()\n"
                       "def append():\n"
                       "    while True: log.wait(log.append(b'x'))\n"
                       "for work in append, inbox.read:\n"
                       "    threading.Thread(target=work, daemon=True).start()\n"
                       "time.sleep(0.05)\n", cwd=folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
