#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# Workers in C, Rust, Go and Python on one matrix, one channel, one pool and one log, each killed
# in turn. Speaks TAP.
"""usage: cross.py --root SOURCES --build FOLDER [--compiler COMMAND] [--cargo FILE] [--go FILE]

An account is a slot of the pool: the number of its job, and a value. A job is a message in the
channel `jobs`: its number, its account's slot, the LSN of a record, and how many hops it has before
it. Whoever reads a job

- acquires a slot and allocates a block, to have something to lose,
- stops there and says "holding" if the message's tag is HOLD and nobody had it before,
- makes the account's value 31 times as much plus the sum of the record's bytes,
- posts the job with one hop less in a block of its own, to `results` if none is left,
- acknowledges what it read, and releases the slot.

It says "ready" before and "done" after, when `jobs` was retired. So a value is right only if each
hop was done once, and a job that was in the hand of a worker that died was done by another one.
"""
import ctypes
import os
import pathlib
import queue
import random
import struct
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "gen")]

from languages import Failed, Missing, Workshop, arguments  # noqa: E402
from tap import Tap  # noqa: E402

HOLD = 1
JOBS, HOPS = 40, 8
SECONDS = 10
JOB = struct.Struct("=4Q")
ACCOUNT = struct.Struct("=2Q")
SOURCES = {
    "c": [HERE / "worker.c"],
    "rust": [HERE / "worker.rs"],
    "go": [HERE / "go" / "worker.go", HERE / "go" / "accounts.go"],
    "python": [HERE / "worker.py"],
}


class Worker:
    """A process of one language. All of them tell one queue what they say."""

    def __init__(self, language, command, env, said):
        self.language = language
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.listen, args=(said,), daemon=True)
        self.thread.start()

    def listen(self, said):
        for line in self.process.stdout:
            said.put((line.strip(), self.language))

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        code = self.process.wait(SECONDS)
        self.thread.join(SECONDS)
        self.process.stdout.close()
        return code


class World:
    """What is shared, and who works on it."""

    def __init__(self, weir, programs, env, folder):
        from weir import _ffi
        from weir._error import check

        self.weir, self.ffi, self.check = weir, _ffi, check
        self.programs, self.env = programs, env
        self.segment = f"cross-{os.getpid()}"
        self.matrix = weir.Matrix.create(self.segment, capacity=16 << 20)
        # Room for all hops of a batch: who reads posts too, and a job that is held stays in its cell.
        self.channels = {name: weir.Channel.create(self.matrix, name, capacity=2 * JOBS * HOPS)
                         for name in ("jobs", "results")}
        self.pool = ctypes.c_void_p()
        options = _ffi.PoolOptions(size=ctypes.sizeof(_ffi.PoolOptions), slot_size=ACCOUNT.size,
                                   capacity=JOBS + 2 * len(programs))
        self.matrix._call(_ffi.weir_pool_create_in, b"accounts", options, ctypes.byref(self.pool))
        self.folder = folder / "log"
        self.log = weir.Log(self.folder, flags=_ffi.LogFlags.ANY_FILESYSTEM)
        self.inbox = self.channels["results"].subscribe()
        self.said = queue.Queue()
        self.workers = {}
        self.number = 0
        self.dice = random.Random(1)

    def pool_info(self):
        info = self.ffi.PoolInfo(size=ctypes.sizeof(self.ffi.PoolInfo))
        self.check(self.ffi.weir_pool_stats(self.pool, info))
        return info

    def start(self):
        for language, command in self.programs.items():
            self.workers[language] = Worker(
                language, [*command, self.segment, str(self.folder)], self.env, self.said)
        ready = [self.hear("ready") for _ in self.workers]
        assert set(ready) == set(self.programs), ready

    def hear(self, wanted):
        line, language = self.said.get(timeout=SECONDS)
        assert line == wanted, f"{language} says {line}, not {wanted}"
        return language

    def append(self):
        """A record of its own for each batch; its LSN, and what its bytes are together."""
        record = self.dice.randbytes(self.dice.randrange(1, 5000))
        lsn = self.log.append(record)
        self.log.wait(lsn, SECONDS)
        return lsn, sum(record)

    def open_account(self):
        self.number += 1
        slot, data = ctypes.c_uint64(), ctypes.c_void_p()
        self.check(self.ffi.weir_pool_acquire(self.pool, 0, ctypes.byref(slot),
                                              ctypes.byref(data)))
        ctypes.memmove(data, ACCOUNT.pack(self.number, self.number), ACCOUNT.size)
        return self.number, slot.value

    def close_account(self, slot):
        data = ctypes.c_void_p()
        self.check(self.ffi.weir_pool_data(self.pool, slot, ctypes.byref(data)))
        found = ACCOUNT.unpack(ctypes.string_at(data, ACCOUNT.size))
        self.check(self.ffi.weir_pool_release(self.pool, slot))
        return found

    def post(self, hold):
        """Jobs, of which one is held by who gets it; what their accounts have to be."""
        (lsn, total), expected = self.append(), {}
        for i in range(JOBS):
            number, slot = self.open_account()
            value = number
            for _ in range(HOPS):
                value = (value * 31 + total) % 2**64
            expected[slot] = (number, value)
            tag = HOLD if hold and i == JOBS // 2 else 0
            self.channels["jobs"].post(JOB.pack(number, slot, lsn, HOPS), tag=tag)
        return expected

    def collect(self, expected):
        """Reads a result of each job, and what is in its account."""
        found = {}
        for _ in expected:
            with self.inbox.read(timeout=SECONDS) as message:
                number, slot, _lsn, hops = JOB.unpack(bytes(message))
                assert hops == 0 and slot not in found, (number, slot, hops)
                found[slot] = self.close_account(slot)
        return found

    def left(self):
        """What is in somebody's hand or waits, when all should be done."""
        self.matrix.heal()
        results = self.channels["results"].inquire()
        return {"slots": self.pool_info().live, "results": results.waiting + results.held}

    def take_down(self):
        """Ends all that lies in the matrix."""
        self.channels["results"].retire()
        for handle in (self.inbox, *self.channels.values()):
            handle.close()
        self.check(self.ffi.weir_pool_destroy(self.pool))
        self.ffi.weir_pool_unref(self.pool)

    def inside(self):
        report = self.ffi.CheckReport(size=ctypes.sizeof(self.ffi.CheckReport))
        errors = self.matrix._call(self.ffi.weir_matrix_check, 0, ctypes.byref(report))
        return {"errors": errors, "blocks": self.matrix.stats().used_blocks,
                "orphans": report.orphans, "of the dead": report.dead_blocks}

    def close(self):
        for worker in self.workers.values():
            if worker.process.poll() is None:
                worker.kill()
        self.weir.Matrix.unlink(self.segment)


def kill_each(tap, world):
    """One after the other holds a job and dies; the last one's are done by their successors."""
    world.start()
    expected = None
    for _ in world.programs:
        expected = world.post(hold=True)
        victim = world.workers.pop(world.hear("holding"))
        victim.kill()
        if world.workers:
            found = world.collect(expected)
            tap.equal(found, expected, f"{victim.language} was killed with a job in its hand: "
                                       f"{' and '.join(world.workers)} did {JOBS} jobs")
    world.start()
    tap.equal(world.collect(expected), expected,
              f"{victim.language} was killed as the last one: its successors did {JOBS} jobs")


def finish(tap, world):
    expected = world.post(hold=False)
    tap.equal(world.collect(expected), expected, f"all together did {JOBS} jobs")
    world.channels["jobs"].retire()
    done = sorted(world.hear("done") for _ in world.workers)
    codes = {language: worker.end() for language, worker in world.workers.items()}
    tap.equal((done, set(codes.values())), (sorted(world.programs), {0}),
              f"{' and '.join(done)} end when the channel does")


def no_leaks(tap, world):
    """Each count is seen to count, before and after what it is about."""
    slot = world.open_account()[1]
    tap.equal(world.left(), {"slots": 1, "results": 0}, "proof: a slot that is left is counted")
    world.close_account(slot)
    tap.equal(world.left(), {"slots": 0, "results": 0}, "no slot and no message is left")
    world.take_down()
    block = world.matrix.alloc(1)
    tap.ok(world.inside()["blocks"] == 1, "proof: a block that is left is counted", world.inside())
    block.free()
    tap.equal(set(world.inside().values()), {0}, f"nothing is left: {world.inside()}")


def build(tap, workshop):
    programs = {}
    for language, sources in SOURCES.items():
        try:
            programs[language] = getattr(workshop, language)("worker", *sources)
            tap.ok(True, f"the worker in {language} is built")
        except Missing as missing:
            tap.skip(f"the worker in {language} is built", missing)
        except Failed as failed:
            tap.ok(False, f"the worker in {language} is built", failed)
    return programs


def main():
    options = arguments(__doc__)
    tap, workshop = Tap(), Workshop(options)
    programs = build(tap, workshop)
    os.environ["WEIR_LIBRARY"] = workshop.env["WEIR_LIBRARY"]
    sys.path[:0] = [workshop.env["PYTHONPATH"]]
    import weir

    with tempfile.TemporaryDirectory(prefix="weir-cross-") as folder:
        world = World(weir, programs, workshop.env, pathlib.Path(folder))
        try:
            kill_each(tap, world)
            finish(tap, world)
            no_leaks(tap, world)
        finally:
            world.close()
    tap.finish()


if __name__ == "__main__":
    main()
