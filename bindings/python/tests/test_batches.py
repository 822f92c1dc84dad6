# SPDX-License-Identifier: MIT OR Apache-2.0
"""Many blocks and messages at a time."""
import array
import gc
import unittest

import weir
from support import WithMatrix, in_child, used
from weir import errors

try:
    import numpy
except ImportError:
    numpy = None


class Batches(WithMatrix):
    def setUp(self):
        super().setUp()
        self.channel = weir.Channel.create(self.matrix, "jobs", capacity=16)
        self.inbox = self.channel.subscribe()
        self.clean = used(self.matrix)

    def tearDown(self):
        gc.collect()
        self.assertEqual(used(self.matrix), self.clean)
        self.inbox.close()
        self.channel.retire()
        self.channel.close()
        super().tearDown()

    def test_copies_there_and_back(self):
        lengths, tags = array.array("Q", [3, 0, 5]), array.array("Q", [7, 8, 9])
        posted = self.channel.post_copies(b"one--.....three", 5, lengths=lengths, tags=tags)
        self.assertEqual(posted, 3)
        batch = weir.Messages(8, stride=4)
        self.assertEqual(self.inbox.read_many(batch), 3)
        self.assertEqual((list(batch.lengths), list(batch.tags)), ([3, 0, 5], [7, 8, 9]))
        self.assertEqual([batch[0], batch[1], batch[2]], [b"one", b"", b"three"])
        self.assertEqual(bytes(batch.data[8:12]), b"thre")
        self.assertEqual(batch.records[1].tag, 8)
        with self.assertRaises(IndexError):
            batch[3]
        with self.assertRaises(ValueError):  # they are not answered
            self.inbox.read_many(batch)
        self.inbox.ack_many(batch)
        self.assertEqual(len(batch), 0)
        with self.assertRaises(BlockingIOError):
            self.inbox.read_many(batch, timeout=0)
        with self.assertRaises(TimeoutError):
            self.inbox.read_many(batch, timeout=0.01)

    def test_any_buffer(self):
        for data in (b"abcd", bytearray(b"abcd"), memoryview(b"abcd"),
                     memoryview(bytearray(b"abcd")), array.array("H", [0x6261, 0x6463])):
            self.assertEqual(self.channel.post_copies(data, 2, count=2, tag=3), 2)
            batch = weir.Messages(2, stride=2)
            self.inbox.read_many(batch)
            self.assertEqual((bytes(batch.data), list(batch.tags)), (b"abcd", [3, 3]))
            self.inbox.ack_many(batch)

    def test_bad_input(self):
        for bad in ({"stride": 4, "count": 2}, {"stride": -1, "count": 1},
                    {"stride": 2, "count": -1},
                    {"stride": 2, "lengths": array.array("Q", [1])},
                    {"stride": 2, "tags": array.array("I", [1, 2, 3])}):
            with self.assertRaises(ValueError):
                self.channel.post_copies(b"abcd", **bad)
        with self.assertRaises(ValueError):
            self.channel.post_copies(b"abcd", 0)
        with self.assertRaises(weir.Error):
            self.channel.post_copies(b"abcd", 2, lengths=array.array("Q", [3, 3]))
        with self.assertRaises(TypeError):
            self.channel.post_copies("text", 1)
        for made in (lambda: weir.Messages(0), lambda: weir.Blocks(self.matrix, 0)):
            with self.assertRaises(ValueError):
                made()

    def test_a_full_ring(self):
        data = bytes(range(20))
        self.assertEqual(self.channel.post_copies(data, 1), 16)
        with self.assertRaises(BlockingIOError):
            self.channel.post_copies(data, 1, timeout=0)
        batch = weir.Messages(20, stride=1)
        self.assertEqual(self.inbox.read_many(batch), 16)
        self.assertEqual(bytes(batch.data), data[:16])
        self.inbox.ack_many(batch)

    def test_blocks_without_a_copy(self):
        with self.matrix.alloc_many(100, 3) as blocks:
            self.assertEqual((len(blocks), len(blocks.refs)), (3, 3))
            for i in range(3):
                blocks.view(i)[:2] = b"%d." % i
            self.assertEqual(self.channel.post_many(blocks, tags=array.array("Q", [5, 6, 7])), 3)
            self.assertEqual(len(blocks), 0)
            self.assertEqual(blocks.alloc(50), 3)
        batch = weir.Messages(4)
        self.assertEqual(self.inbox.read_many(batch), 3)
        self.assertEqual([bytes(batch.view(i)[:2]) for i in range(3)], [b"0.", b"1.", b"2."])
        self.assertEqual((list(batch.lengths), list(batch.tags)), ([100] * 3, [5, 6, 7]))
        self.assertEqual(len(batch[2]), 100)
        self.inbox.ack_many(batch)

    def test_what_did_not_fit_stays(self):
        blocks = self.matrix.alloc_many(8, 20)
        self.assertEqual(self.channel.post_many(blocks, array.array("Q", range(20))), 16)
        self.assertEqual(len(blocks), 4)
        with self.assertRaises(BlockingIOError):
            self.channel.post_many(blocks, timeout=0)
        batch = weir.Messages(20)
        self.inbox.read_many(batch)
        self.assertEqual(list(batch.lengths), list(range(16)))
        self.inbox.ack_many(batch)
        with self.assertRaises(ValueError):
            blocks.alloc(8)
        self.assertEqual(self.channel.post_many(blocks), 4)
        self.inbox.read_many(batch)
        self.inbox.ack_many(batch)

    def test_views_are_not_left_behind(self):
        blocks = self.matrix.alloc_many(8, 2)
        view = blocks.view(0)
        for refused in (blocks.free, lambda: self.channel.post_many(blocks), self.matrix.close):
            with self.assertRaises(BufferError):
                refused()
        view[:2] = b"ok"
        del view
        self.channel.post_many(blocks)
        batch = weir.Messages(2)
        self.inbox.read_many(batch)
        view = batch.view(0)[:2]
        with self.assertRaises(BufferError):
            self.inbox.ack_many(batch)
        self.assertEqual(bytes(view), b"ok")
        del view
        self.inbox.ack_many(batch)

    def test_dropped_blocks_are_freed(self):
        self.matrix.alloc_many(8, 5)
        gc.collect()
        self.assertEqual(used(self.matrix), self.clean)
        matrix = weir.Matrix.create()
        blocks = matrix.alloc_many(8, 5)
        matrix.close()
        self.assertEqual(len(blocks), 0)

    def test_a_message_that_was_answered_before(self):
        self.channel.post_copies(b"abc", 1)
        batch = weir.Messages(3)
        self.inbox.read_many(batch)
        with self.assertRaises(errors.StaleError):
            other = weir.Messages(3)
            other._raw[:] = batch._raw[:]
            other._fill(3)
            other.subscription = self.inbox
            self.inbox.ack_many(batch)
            self.inbox.ack_many(other)
        self.assertEqual(len(other), 3)

    def test_a_fork_child_has_none_of_the_blocks(self):
        blocks = self.matrix.alloc_many(8, 2)

        def work():
            try:
                self.channel.post_many(blocks)
            except errors.ForkedError:
                blocks.free()
                return
            raise AssertionError("posted")

        self.assertEqual(in_child(work), 0)
        self.assertEqual(used(self.matrix), self.clean + 2)
        blocks.free()

    @unittest.skipUnless(numpy, "numpy is not there")
    def test_numpy(self):
        numbers = numpy.arange(12, dtype="f8").reshape(3, 4)
        self.channel.post_copies(numbers, 32, tags=numpy.array([4, 5, 6], dtype="u8"))
        batch = weir.Messages(4, stride=32)
        self.inbox.read_many(batch)
        found = numpy.frombuffer(batch.data, dtype="f8").reshape(3, 4)
        self.assertTrue((found == numbers).all())
        self.assertEqual(numpy.asarray(batch.tags).sum(), 15)
        self.inbox.ack_many(batch)
        block = self.matrix.alloc(800)
        frame = numpy.frombuffer(block.view, dtype="f8")
        with self.assertRaises(BufferError):
            block.free()
        frame[:] = 1
        del frame
        block.free()


if __name__ == "__main__":
    unittest.main()
