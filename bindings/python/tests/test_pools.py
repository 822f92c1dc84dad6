# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pools, numbers and routers."""
import ctypes
import gc
import threading
import unittest

import weir
from support import WithMatrix, in_child
from weir import errors


class Pools(unittest.TestCase):
    def setUp(self):
        self.pool = weir.Pool.private(48, capacity=4, flags=weir.PoolFlags.ZERO)

    def tearDown(self):
        gc.collect()
        self.assertEqual(self.pool.stats().live, 0)
        self.pool.close()

    def test_view_reads_and_writes(self):
        with self.pool.acquire() as slot:
            self.assertEqual((len(slot), bytes(slot.view)), (48, bytes(48)))
            slot.view[:5] = b"hello"
            self.assertEqual(bytes(self.pool.view(slot.slot)[:5]), b"hello")
            self.assertTrue(self.pool.is_live(slot.slot))
            self.assertEqual([info.slot for info in self.pool.slots()], [slot.slot])
        self.assertFalse(self.pool.is_live(slot.slot))
        with self.assertRaises(ValueError):
            slot.view

    def test_last_view_releases(self):
        view = self.pool.acquire().view[8:16]
        self.assertEqual(self.pool.stats().live, 1)
        view[0] = 1
        del view
        self.assertEqual(self.pool.stats().live, 0)

    def test_release_and_close_with_a_view_are_refused(self):
        slot = self.pool.acquire()
        view = slot.view[:4]
        for refused in (slot.release, self.pool.close):
            with self.assertRaises(BufferError):
                refused()
        view[:] = b"here"
        self.assertEqual(bytes(slot.view[:4]), b"here")
        del view
        slot.release()
        with self.assertRaises(ValueError):
            slot.release()

    def test_close_gives_slots_back(self):
        pool = weir.Pool.private(8)
        slot = pool.acquire()
        pool.close()
        pool.close()
        for use in (pool.acquire, pool.stats, lambda: slot.view):
            with self.assertRaises(ValueError):
                use()

    def test_exhausted(self):
        slots = [self.pool.acquire() for _ in range(4)]
        with self.assertRaises(BlockingIOError):
            self.pool.acquire()
        with self.assertRaises(TimeoutError):
            self.pool.acquire(timeout=0.01)
        threading.Timer(0.05, slots.clear).start()
        self.pool.acquire(timeout=20).release()

    def test_stale_slots(self):
        number = self.pool.acquire().leave()
        self.pool.adopt(number).release()
        for use in (self.pool.adopt, self.pool.view):
            with self.assertRaises(errors.StaleError):
                use(number)

    def test_many(self):
        slots = (ctypes.c_uint64 * 6)()
        self.assertEqual(self.pool.acquire_many(slots), 4)
        self.pool.view(slots[3])[0] = 1
        self.assertEqual(self.pool.release_many(slots, 4), 4)

    def test_growing(self):
        pool = weir.Pool.private(8, capacity=64, flags=weir.PoolFlags.GROWABLE)
        pool.grow(64)
        self.assertEqual(pool.stats().capacity, 128)
        pool.close()
        with self.assertRaises(weir.Error):
            self.pool.grow(1)
        with self.assertRaises(weir.Error):
            weir.Pool.private(0)


class SharedPools(WithMatrix):
    named = True

    def test_between_processes(self):
        pool = weir.Pool.create(self.matrix, "slots", 100, capacity=8)
        slot = pool.acquire()
        slot.view[:4] = b"from"

        def work():
            with weir.Matrix.attach(self.name) as matrix, weir.Pool.attach(matrix, "slots") as mine:
                with mine.adopt(slot.slot) as theirs:
                    assert bytes(theirs.view[:4]) == b"from"
                left = mine.acquire()
                left.leave()

        self.assertEqual(in_child(work), 0)
        self.assertFalse(pool.is_live(slot.slot))
        with self.assertRaises(errors.StaleError):
            slot.release()
        slot.leave()
        self.matrix.heal()
        self.assertEqual(pool.stats().live, 0)  # what a process left that is gone comes back
        with self.assertRaises(errors.WeirTypeError):
            weir.Pool.attach(self.matrix, "slots", slot_size=101)
        pool.destroy()
        with self.assertRaises(errors.RetiredError):
            pool.acquire()
        pool.close()

    def test_fork_child_releases_nothing_of_its_parent(self):
        pool = weir.Pool.create(self.matrix, "slots", 100)
        slot = pool.acquire()

        def work():
            with slot:
                try:
                    slot.release()
                except errors.ForkedError:
                    return
            raise AssertionError("released")

        self.assertEqual(in_child(work), 0)
        self.assertTrue(pool.is_live(slot.slot))
        slot.release()
        pool.destroy()
        pool.close()


class Numbers(unittest.TestCase):
    def test_all(self):
        with weir.Ids(capacity=3) as ids:
            self.assertEqual(ids.capacity, 3)
            taken = [ids.acquire() for _ in range(3)]
            self.assertEqual(sorted(taken), [0, 1, 2])
            with self.assertRaises(BlockingIOError):
                ids.acquire()
            self.assertFalse(ids.is_free(1))
            ids.release(1)
            self.assertTrue(ids.is_free(1))
            with self.assertRaises(errors.StaleError):
                ids.release(1)
            self.assertEqual(ids.acquire(), 1)
        with self.assertRaises(ValueError):
            ids.acquire()
        with weir.Ids(capacity=64, flags=weir.PoolFlags.GROWABLE) as ids:
            ids.grow(1)
            self.assertEqual(ids.capacity, 128)


class Routers(WithMatrix):
    def setUp(self):
        super().setUp()
        self.router = weir.Router.create(self.matrix, "router")
        self.channels = [weir.Channel.create(self.matrix, name) for name in ("a", "b")]
        self.inboxes = [channel.subscribe() for channel in self.channels]

    def tearDown(self):
        for each in self.inboxes:
            each.close()
        for each in (*self.channels, self.router):
            each.retire()
            each.close()
        super().tearDown()

    def read(self, i):
        with self.inboxes[i].read(timeout=0) as message:
            return bytes(message)

    def test_rules(self):
        tag = self.router.add_rule(weir.RouterCondition.TAG, weir.RouterAction.TO, ["a"], tag=7)
        topic = self.router.add_rule(weir.RouterCondition.TOPIC, weir.RouterAction.COPY, ["a", "b"],
                                     topic="news/*", before=tag)
        self.assertEqual(self.router.post(b"seven", tag=7), 1)
        self.assertEqual(self.router.post(b"news", topic="news/today"), 2)
        self.assertEqual([self.read(0), self.read(0), self.read(1)], [b"seven", b"news", b"news"])
        first, second = self.router.rules()
        self.assertEqual((first.id, first.topic, first.channels, first.matched, first.posted),
                         (topic, "news/*", ["a", "b"], 1, 2))
        self.assertEqual((second.id, second.condition, second.tag),
                         (tag, weir.RouterCondition.TAG, 7))
        self.router.remove_rule(tag)
        with self.assertRaises(FileNotFoundError):
            self.router.remove_rule(tag)
        with weir.Router.attach(self.matrix, "router") as again:
            self.assertEqual([rule.id for rule in again.rules()], [topic])

    def test_no_rule_leaves_the_block(self):
        block = self.matrix.alloc(10)
        with self.assertRaises(FileNotFoundError):
            self.router.post(block)
        with self.assertRaises(FileNotFoundError):
            self.router.post(b"bytes")
        self.router.add_rule(weir.RouterCondition.ANY, weir.RouterAction.DROP)
        view = block.view
        with self.assertRaises(BufferError):
            self.router.post(block)
        del view
        self.assertEqual(self.router.post(block), 0)
        self.assertFalse(block.owned)

    def test_bad_rules(self):
        with self.assertRaises(weir.Error):
            self.router.add_rule(99, weir.RouterAction.TO, ["a"])
        with self.assertRaises(ValueError):
            self.router.add_rule(weir.RouterCondition.ANY, weir.RouterAction.TO, ["a\0b"])
        with self.assertRaises(TypeError):
            self.router.add_rule(weir.RouterCondition.ANY, weir.RouterAction.TO, ["a"], tags=1)
        with self.assertRaises(TypeError):  # else rules for the channels l, o and g
            self.router.add_rule(weir.RouterCondition.ANY, weir.RouterAction.TO, "log")
        with self.assertRaises(ValueError):
            self.router.add_rule(weir.RouterCondition.ANY, weir.RouterAction.TO, ["a\nb"])
        self.assertEqual(self.router.rules(), [])


if __name__ == "__main__":
    unittest.main()
