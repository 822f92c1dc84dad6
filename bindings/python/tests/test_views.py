# SPDX-License-Identifier: MIT OR Apache-2.0
"""No memory goes from under a view, in whatever order, thread or moment handles are closed."""
import copy
import itertools
import pickle
import sys
import threading
import unittest

import weir
from support import run


def scene(kind):
    """Handles by a letter, a view of such a kind, and what it comes from."""
    matrix = weir.Matrix.create()
    channel = weir.Channel.create(matrix, "channel")
    inbox = channel.subscribe()
    pool = weir.Pool.create(matrix, "pool", 5000)
    handles = {"m": matrix, "c": channel, "i": inbox, "p": pool}
    if kind == "block":
        kept = matrix.alloc(5000)
    elif kind == "blocks":
        kept = matrix.alloc_many(5000, 2)
        return handles, kept.view(1), kept
    elif kind == "foreign":
        return handles, matrix.view(matrix.alloc(5000).give()), None
    elif kind == "slot":
        kept = pool.acquire()
    elif kind == "foreign slot":
        return handles, pool.view(pool.acquire().leave()), None
    else:
        channel.post(bytes(5000))
        if kind == "messages":
            kept = weir.Messages(2)
            inbox.read_many(kept)
            return handles, kept.view(0), kept
        kept = inbox.read() if kind == "message" else inbox.read().take()
    return handles, kept.view[:], kept


KINDS = ("block", "blocks", "foreign", "slot", "foreign slot", "message", "messages", "taken")


def close_in_all_orders(kind):
    """Which handle refused to be closed; there is one in each order, and the view lives on."""
    refused = set()
    for order in itertools.permutations("mcip"):
        handles, view, kept = scene(kind)
        for letter in order:
            try:
                handles[letter].close()
            except BufferError:
                refused.add(letter)
        handles.clear()
        view[0], view[-1] = 1, 2
        assert (view[0], view[-1]) == (1, 2)
        del view, kept
    return refused


def close_meanwhile(kind):
    """One thread makes views while another one closes: an exception of ours or none, no crash."""
    sys.setswitchinterval(1e-6)
    for _ in range(8):
        handles, view, kept = scene(kind)
        matrix, pool = handles["m"], handles["p"]
        ref, slot = matrix.alloc(64).give(), pool.acquire().leave()
        make = {"block": lambda: matrix.alloc(64).view, "foreign": lambda: matrix.view(ref),
                "blocks": lambda: matrix.alloc_many(64, 1).view(0),
                "slot": lambda: pool.acquire().view, "foreign slot": lambda: pool.view(slot),
                "message": lambda: kept.view, "messages": lambda: kept.view(0)}[kind]
        del view
        begun = threading.Event()

        def work():
            begun.set()
            try:
                while True:
                    make()[0] = 1
            except (ValueError, IndexError, BlockingIOError):
                pass

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        begun.wait()
        for letter in "picm":
            while True:
                try:
                    handles[letter].close()
                    break
                except (BufferError, weir.errors.StaleError):
                    pass
        thread.join()


def answer_meanwhile():
    """Two threads ask for the view of a message that another one answers: views that outlive that."""
    sys.setswitchinterval(1e-6)
    alive = 0
    matrix = weir.Matrix.create()
    channel = weir.Channel.create(matrix, "channel")
    inbox = channel.subscribe()
    for turn in range(2000):
        channel.post(bytes(64))
        message = inbox.read()
        found, begun = [[], []], threading.Barrier(3)

        def work(mine):
            begun.wait()
            try:
                while True:
                    mine[:] = [message.view]
            except (ValueError, weir.errors.StaleError):
                pass

        threads = [threading.Thread(target=work, args=(mine,), daemon=True) for mine in found]
        for thread in threads:
            thread.start()
        begun.wait()
        for _ in range(turn % 40):
            pass
        while True:
            try:
                message.ack()
                break
            except BufferError:
                pass
        for thread, mine in zip(threads, found):
            thread.join()
            try:
                mine[0][0]
                alive += 1
            except (IndexError, ValueError):
                pass
            mine.clear()
    return alive


class Views(unittest.TestCase):
    """Each in a process of its own, which a fault would end."""

    def child(self, call):
        done = run("-X", "faulthandler", "-c", f"import test_views\nprint({call})",
                   cwd=__file__.rpartition("/")[0] or ".")
        self.assertEqual((done.returncode, done.stderr), (0, ""), call)
        return done.stdout.strip()

    def test_orders(self):
        keepers = {"block": "m", "blocks": "m", "foreign": "m", "taken": "m", "slot": "p",
                   "foreign slot": "p", "message": "i", "messages": "i"}
        found = self.child("{kind: ''.join(test_views.close_in_all_orders(kind))"
                           " for kind in test_views.KINDS}")
        self.assertEqual(found, str({kind: keepers[kind] for kind in KINDS}))

    def test_another_thread_closes(self):
        for kind in KINDS[:-1]:
            with self.subTest(kind):
                self.assertEqual(self.child(f"test_views.close_meanwhile({kind!r})"), "None")

    def test_another_thread_answers(self):
        self.assertEqual(self.child("test_views.answer_meanwhile()"), "0")


class Copies(unittest.TestCase):
    """Who owns something is one; what is only known may be passed on."""

    def test_owners(self):
        with weir.Matrix.create() as matrix, weir.Channel.create(matrix, "c") as channel, \
                channel.subscribe() as inbox, weir.Pool.private(8) as pool:
            channel.post(b"one")
            with inbox.read() as message, matrix.alloc(8) as block, pool.acquire() as slot:
                for each in (message, block, slot, inbox, pool, matrix, weir.Ids(),
                             weir.Messages(1), weir.Blocks(matrix, 1)):
                    for pass_on in (pickle.dumps, copy.copy, copy.deepcopy):
                        with self.subTest(type(each).__name__), self.assertRaises(TypeError):
                            pass_on(each)

    def test_errors(self):
        for code in (2, 110, 4096, 5000, 33):
            with self.assertRaises(weir.Error) as caught:
                weir._error.check(-code)
            again = pickle.loads(pickle.dumps(caught.exception))
            self.assertIs(type(again), type(caught.exception))
            self.assertEqual((again.errno, str(again)), (code, str(caught.exception)))


if __name__ == "__main__":
    unittest.main()
