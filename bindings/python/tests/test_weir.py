# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a user of the Python binding relies on, with other processes on the same segment."""
import errno
import gc
import os
import signal
import tempfile
import threading
import unittest

import weir
from support import in_child, used
from weir import _ffi, errors


class Blocks(unittest.TestCase):
    def setUp(self):
        self.matrix = weir.Matrix.create()

    def tearDown(self):
        gc.collect()
        self.matrix.close()

    def test_view_reads_and_writes(self):
        with self.matrix.alloc(100) as block:
            block.view[:] = bytes(range(100))
            self.assertEqual(bytes(block.view[98:]), b"bc")
            self.assertEqual(self.matrix.view(block.ref)[99], 99)
            self.assertEqual(block.view.format, "B")
        self.assertEqual(used(self.matrix), 0)

    def test_last_view_frees(self):
        view = self.matrix.alloc(100).view[10:20]
        self.assertEqual(used(self.matrix), 1)
        view[0] = 7
        del view
        self.assertEqual(used(self.matrix), 0)

    def test_free_with_a_view_is_refused_and_changes_nothing(self):
        block = self.matrix.alloc(64)
        view = block.view[:8]
        with self.assertRaises(BufferError):
            block.free()
        view[:] = b"still ok"
        self.assertEqual(bytes(block.view[:8]), b"still ok")
        del view
        block.free()
        self.assertEqual(used(self.matrix), 0)
        for use in (block.free, lambda: block.view):
            with self.assertRaises(ValueError):
                use()

    def test_close_with_a_view_is_refused(self):
        quiet, shown = self.matrix.alloc(64), self.matrix.alloc(64)
        view = shown.view
        quiet.view[:2] = b"ab"
        with self.assertRaises(BufferError):
            self.matrix.close()
        self.assertFalse(self.matrix.closed)
        self.assertEqual(bytes(quiet.view[:2]), b"ab")
        self.assertEqual(used(self.matrix), 2)
        del view
        self.matrix.close()
        self.matrix.close()
        with self.assertRaises(ValueError):
            self.matrix.alloc(1)
        self.matrix = weir.Matrix.create()

    def test_close_with_a_view_of_a_foreign_block_is_refused(self):
        ref = self.matrix.alloc(64).give()
        view = self.matrix.view(ref)
        with self.assertRaises(BufferError):
            self.matrix.close()
        del view
        self.matrix.adopt(ref).free()

    def test_a_view_keeps_the_matrix(self):
        matrix = weir.Matrix.create()
        view = matrix.alloc(64).view
        del matrix
        gc.collect()
        view[:3] = b"abc"
        self.assertEqual(bytes(view[:3]), b"abc")

    def test_check_counts_errors(self):
        errors, report = self.matrix.check()
        self.assertEqual((errors, report.broken_chains), (0, 0))

    def test_a_name_that_is_no_text(self):
        name = f"weir-py-\udcff-{os.getpid()}"
        with weir.Matrix.create(name) as matrix:
            self.addCleanup(weir.Matrix.unlink, name)
            self.assertEqual(matrix.name, name)

    def test_give_and_roots(self):
        block = self.matrix.alloc(64)
        block.view[:4] = b"root"
        ref = self.matrix.bind("one", block)
        self.assertFalse(block.owned)
        self.assertEqual(self.matrix.lookup("one"), ref)
        with self.matrix.unbind("one") as again:
            self.assertEqual((again.ref, bytes(again.view[:4])), (ref, b"root"))
            again.give()
        with self.assertRaises(ValueError):
            again.view
        with self.matrix.adopt(ref) as ours:
            self.assertEqual(bytes(ours.view[:4]), b"root")
        with self.assertRaises(errors.StaleError):
            self.matrix.view(ref)

    def test_fork_child_frees_nothing_of_its_parent(self):
        block = self.matrix.alloc(64)

        pid = os.fork()
        if pid == 0:
            del block
            gc.collect()
            os._exit(0)
        os.waitpid(pid, 0)
        self.assertEqual(used(self.matrix), 1)
        block.view[0] = 1
        block.free()

    def test_walk_and_participants(self):
        blocks = [self.matrix.alloc(64) for _ in range(3)]
        refs = {info.block for info in self.matrix.blocks()
                if info.kind == _ffi.BlockKind.ALLOCATED}
        self.assertEqual(refs, {block.ref for block in blocks})
        [me] = self.matrix.participants()
        self.assertEqual((me.pid, me.participant), (os.getpid(), self.matrix.participant))

    def test_waiting_lets_other_threads_run(self):
        matrix = weir.Matrix.create(capacity=1 << 20)
        held = []
        try:
            while True:
                held.append(matrix.alloc(200000))
        except weir.Error as error:
            self.assertEqual(error.errno, errno.ENOMEM)
        threading.Timer(0.05, held.clear).start()
        with matrix.alloc(200000, timeout=20) as block:
            self.assertEqual(len(block), 200000)
        matrix.close()


class Errors(unittest.TestCase):
    def test_errno_classes(self):
        with self.assertRaises(FileNotFoundError) as caught:
            weir.Matrix.attach("there-is-none-of-this-name")
        self.assertIsInstance(caught.exception, weir.Error)
        self.assertEqual(caught.exception.errno, errno.ENOENT)
        self.assertTrue(caught.exception.strerror)

    def test_bad_options(self):
        with self.assertRaises(TypeError):
            weir.Matrix.create(no_such_option=1)
        with self.assertRaises(TypeError):
            weir.Matrix.create(size=1)
        with self.assertRaises(weir.Error) as caught:
            weir.Matrix.create(capacity=1)
        self.assertEqual(caught.exception.errno, errno.EINVAL)

    def test_every_code_has_its_class(self):
        self.assertEqual(sorted(errors.BY_CODE), sorted(int(code) for code in _ffi.Error))
        for code, kind in errors.BY_CODE.items():
            self.assertTrue(issubclass(kind, OSError))
            name = _ffi.weir_error_name(-code).decode()
            self.assertIn(kind.__name__.replace("Error", "").replace("Weir", "").upper(), name)


class Channels(unittest.TestCase):
    def setUp(self):
        self.matrix = weir.Matrix.create(f"python-{os.getpid()}")
        self.channel = weir.Channel.create(self.matrix, "jobs", capacity=64)

    def tearDown(self):
        gc.collect()
        self.channel.close()
        self.matrix.close()
        weir.Matrix.unlink(f"python-{os.getpid()}")

    def test_between_processes(self):
        def work():
            with weir.Matrix.attach(f"python-{os.getppid()}") as matrix:
                with weir.Channel.attach(matrix, "jobs") as channel:
                    for i in range(100):
                        channel.post(b"job %d" % i, tag=i, timeout=20)

        pid = os.fork()
        if pid == 0:
            work()
            os._exit(0)
        with self.channel.subscribe() as inbox:
            for i in range(100):
                with inbox.read(timeout=20) as message:
                    self.assertEqual((bytes(message), message.tag), (b"job %d" % i, i))
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.matrix.heal()
        self.assertEqual(self.channel.inquire().waiting, 0)

    def test_killed_reader_loses_nothing(self):
        self.channel.post(b"anchor")
        self.assertEqual(in_child(self.die_with_it), -signal.SIGKILL)
        self.assertEqual(self.matrix.heal(), 1)
        with self.channel.subscribe() as inbox, inbox.read(timeout=20) as message:
            self.assertEqual((bytes(message), message.redeliveries), (b"anchor", 1))

    def die_with_it(self):
        self.channel.subscribe().read(timeout=20)
        os.kill(os.getpid(), signal.SIGKILL)

    def test_post_with_a_view_is_refused(self):
        block = self.matrix.alloc(64)
        view = block.view
        with self.assertRaises(BufferError):
            self.channel.post(block)
        self.assertEqual(self.channel.inquire().waiting, 0)
        del view
        self.channel.post(block, length=3)
        self.assertFalse(block.owned)
        with self.channel.subscribe() as inbox:
            with inbox.read(timeout=0).take() as taken:
                self.assertEqual(taken.ref, block.ref)

    def test_failed_post_leaves_the_block(self):
        block = self.matrix.alloc(64)
        block.view[:2] = b"ab"
        with self.assertRaises(weir.Error):
            self.channel.post(block, length=1 << 40)
        self.assertEqual(bytes(block.view[:2]), b"ab")
        block.free()

    def test_raising_puts_it_back(self):
        self.channel.post(b"again")
        with self.channel.subscribe() as inbox:
            with self.assertRaises(KeyError):
                with inbox.read(timeout=0):
                    raise KeyError
            with inbox.read(timeout=0) as message:
                self.assertEqual(bytes(message), b"again")
            with self.assertRaises(ValueError):
                message.ack()
            with self.assertRaises(BlockingIOError):
                inbox.read(timeout=0)
            with self.assertRaises(TimeoutError):
                inbox.read(timeout=0.01)

    def test_iteration_ends_with_the_channel(self):
        self.channel.post(b"one")
        seen = []
        with self.channel.subscribe() as inbox:
            for message in inbox:
                with message:
                    seen.append(bytes(message))
                self.channel.retire()
        self.assertEqual(seen, [b"one"])
        with self.assertRaises(ValueError):
            inbox.read()


class Logs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "orders")
        self.any = {"flags": _ffi.LogFlags.ANY_FILESYSTEM}

    def tearDown(self):
        self.folder.cleanup()

    def test_written_and_read(self):
        with weir.Log(self.path, **self.any) as log:
            first = log.append(b"one")
            log.append(bytearray(b"two"))
            last = log.append(memoryview(b"three"))
            log.append_batch(b"four", b"", b"six")
            log.wait(last)
            log.sync()
            self.assertEqual(log.durable, log.tail)
            self.assertEqual(log.stats().records, 6)
            with weir.LogReader(self.path) as reader:
                found = [record.data for record in reader]
                self.assertIsNone(reader.next())
                reader.seek(last)
                self.assertEqual(reader.next().data, b"three")
                with self.assertRaises(TimeoutError):
                    reader.seek(log.tail)
                    reader.wait(0.01)
        self.assertEqual(found, [b"one", b"two", b"three", b"four", b"", b"six"])
        weir.store_cursor(self.path, "me", first)
        self.assertEqual(weir.load_cursor(self.path, "me"), first)
        self.assertEqual(weir.verify(self.path).verdict, _ffi.LogVerdict.WHOLE)

    def test_killed_writer(self):
        def work():
            log = weir.Log(self.path, **self.any)
            log.wait(log.append(b"durable"))
            os.kill(os.getpid(), signal.SIGKILL)

        self.assertEqual(in_child(work), -signal.SIGKILL)
        with weir.Log(self.path, **self.any), weir.LogReader(self.path) as reader:
            self.assertEqual([record.data for record in reader], [b"durable"])

    def test_missing(self):
        with self.assertRaises(FileNotFoundError):
            weir.LogReader(self.path)

    def test_closing_while_others_call(self):
        log = weir.Log(self.path, **self.any)
        started, ended = threading.Event(), []

        def append():
            try:
                while True:
                    log.append(b"x")
                    started.set()
            except ValueError as error:
                ended.append(str(error))

        threads = [threading.Thread(target=append) for _ in range(3)]
        for thread in threads:
            thread.start()
        started.wait(20)
        log.close()
        for thread in threads:
            thread.join(20)
        self.assertEqual(ended, ["the Log is closed"] * 3)


if __name__ == "__main__":
    unittest.main()
