# SPDX-License-Identifier: MIT OR Apache-2.0
"""Processes: fork, and what `multiprocessing` spawns and forks; killed ones."""
import gc
import multiprocessing
import os
import pickle
import signal
import tempfile
import unittest

import weir
from support import WithMatrix, in_child, used
from weir import errors


def produce(channel, pool, count):
    """In another process: what it was given are handles of its own."""
    for i in range(count):
        slot = pool.acquire()
        slot.view[:4] = i.to_bytes(4, "little")
        channel.post(slot.slot.to_bytes(8, "little"), tag=i, timeout=20)
        slot.leave()
    channel.post(b"end", timeout=20)


class Spawned(WithMatrix):
    named = True

    def consume(self, context):
        channel = weir.Channel.create(self.matrix, "jobs", capacity=16)
        pool = weir.Pool.create(self.matrix, "slots", 4, capacity=64,
                                death_policy=weir.DeathPolicy.KEEP)
        child = context.Process(target=produce, args=(channel, pool, 50))
        child.start()
        seen = []
        with channel.subscribe() as inbox:
            for message in inbox:
                with message:
                    if bytes(message) == b"end":
                        break
                    with pool.adopt(int.from_bytes(bytes(message), "little")) as slot:
                        seen.append((message.tag, int.from_bytes(slot.view, "little")))
            child.join(20)
        self.assertEqual(child.exitcode, 0)
        self.assertEqual(seen, [(i, i) for i in range(50)])
        self.assertEqual(pool.stats().live, 0)
        for each in (pool.destroy, pool.close, channel.retire, channel.close):
            each()

    def test_spawn(self):
        self.consume(multiprocessing.get_context("spawn"))

    def test_fork(self):
        self.consume(multiprocessing.get_context("fork"))


class Pickled(WithMatrix):
    def test_only_what_has_a_name(self):
        channel = weir.Channel.create(self.matrix, "jobs")
        block = self.matrix.alloc(8)
        with channel.subscribe() as inbox, weir.Pool.private(8) as pool, weir.Ids() as ids:
            for each in (self.matrix, channel, block, inbox, pool, ids):
                with self.assertRaisesRegex(TypeError, "cannot be pickled"):
                    pickle.dumps(each)
        block.free()
        channel.retire()
        channel.close()


class Forked(WithMatrix):
    named = True

    def test_blocks_stay_the_parents(self):
        block = self.matrix.alloc(64)
        channel = weir.Channel.create(self.matrix, "jobs")

        def work():
            with block:
                for use in (block.free, block.give, lambda: channel.post(block),
                            lambda: self.matrix.bind("name", block)):
                    try:
                        use()
                    except errors.ForkedError:
                        continue
                    raise AssertionError("done")
                channel.post(b"ours")  # a child may go on with handles
            self.matrix.close()

        self.assertEqual(in_child(work), 0)
        block.view[0] = 1
        block.free()
        with channel.subscribe() as inbox, inbox.read(timeout=0) as message:
            self.assertEqual(bytes(message), b"ours")
        channel.retire()
        channel.close()

    def test_dropping_frees_nothing_of_the_parent(self):
        holder = [self.matrix.alloc(64)]

        def work():
            holder.clear()
            gc.collect()

        self.assertEqual(in_child(work), 0)
        self.assertEqual(used(self.matrix), self.before + 1)

    def test_beside_threads_that_are_in_a_call(self):
        """The child has the handle's count of users, but not the threads."""
        channel = weir.Channel.create(self.matrix, "jobs")
        channel._life.users.append(None)  # as another thread would

        def work():
            channel.inquire()
            channel.close()
            assert not channel._life.raw

        done = in_child(work)
        channel._life.leave()
        self.assertEqual(done, 0)
        channel.retire()
        channel.close()

    def test_a_log_is_the_parents(self):
        with tempfile.TemporaryDirectory() as folder:
            with weir.Log(folder + "/log", flags=weir.LogFlags.ANY_FILESYSTEM) as log:
                def work():
                    try:
                        log.append(b"x")
                    except errors.ForkedError:
                        return
                    raise AssertionError("appended")

                self.assertEqual(in_child(work), 0)
                log.wait(log.append(b"parent"))

    def test_killed_while_it_has_all(self):
        pool = weir.Pool.create(self.matrix, "slots", 8)
        channel = weir.Channel.create(self.matrix, "jobs")
        channel.post(b"job")

        def work():
            kept = [self.matrix.alloc_many(64, 100), pool.acquire(), channel.subscribe()]
            kept.append(kept[-1].read())
            os.kill(os.getpid(), signal.SIGKILL)

        self.assertEqual(in_child(work), -signal.SIGKILL)
        self.assertEqual(self.matrix.heal(), 1)
        self.assertEqual(pool.stats().live, 0)
        with channel.subscribe() as inbox, inbox.read(timeout=0) as message:
            self.assertEqual((bytes(message), message.redeliveries), (b"job", 1))
        for each in (pool.destroy, pool.close, channel.retire, channel.close):
            each()


class Views(WithMatrix):
    def test_messages(self):
        channel = weir.Channel.create(self.matrix, "jobs")
        channel.post(b"message")
        inbox = channel.subscribe()
        message = inbox.read(timeout=0)
        view, part = message.view, message.view[:4]
        for refused in (message.ack, message.nack, message.take, inbox.close):
            with self.assertRaises(BufferError):
                refused()
        self.assertEqual(bytes(part), b"mess")
        part.release()
        message.nack()
        with self.assertRaises(ValueError):  # it ended with the answer
            view[0]
        with self.assertRaises(ValueError):
            message.view
        message = inbox.read(timeout=0)
        view = message.view
        inbox.close()
        with self.assertRaises(ValueError):
            view[0]
        with self.assertRaises(ValueError):
            message.ack()
        channel.retire()
        channel.close()

    def test_prefault_reports_and_may_be_ended(self):
        seen = []
        self.matrix.prefault(8 << 20, lambda done, total: seen.append((done, total)))
        self.assertEqual(seen[-1][0], seen[-1][1])

        def refuse(done, total):
            raise KeyError(done)

        with self.assertRaises(KeyError):
            self.matrix.prefault(16 << 20, refuse)
        self.matrix.prefault(1 << 20)
        self.assertGreater(self.matrix.memory().resident_bytes, 0)
        self.assertGreaterEqual(self.matrix.trim(), 0)

    def test_names(self):
        block = self.matrix.alloc(8)
        for bad in (lambda: weir.Matrix.attach("a\0b"), lambda: self.matrix.bind("a\0b", block),
                    lambda: self.matrix.view(block.ref, -1)):
            with self.assertRaises(ValueError):
                bad()
        self.matrix.bind("root", block)
        self.assertEqual([root.name for root in self.matrix.roots()], [b"root"])
        self.matrix.unbind("root").free()

    def test_endless_times(self):
        with self.matrix.alloc(8, timeout=1e300):
            pass
        with self.assertRaises(ValueError):
            self.matrix.alloc(8, timeout=-1)


if __name__ == "__main__":
    unittest.main()
