#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The long forms of what `./dev test` has short: `./dev soak [--minutes N] [--only PART]`.

The parts: kills under mixed load, kills of those who resize, two programs that damage the segment,
crashes of logs on a disk in memory, kills of a log's writers, the explorer at higher bounds and at
random, the programs under ThreadSanitizer, and the oracle. Some have an amount that is wanted
(AMOUNTS). Without --minutes the soak ends when all of them are reached. Minutes are shared out among
the parts, and the share of a part that has reached its amount goes to those that have not.

Two runs go on at a time, of different parts as long as more than one has something to do; a part is
run again with a new seed each time. The first failure ends the soak: what was running ends by
itself, and the command that repeats the failure is printed.

A run counts only if its program said what it did: output that is not understood is a failure. With
--self-test every part is run once, briefly, and then its output is spoilt in several ways, each of
which must be noticed (TAP).

Each failed check counts as one broken invariant, and so does a race, a crash, and a hang.
"""
import argparse
import contextlib
import dataclasses
import glob
import io
import os
import pathlib
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

AT_A_TIME = 2
LONGEST_RUN = 40.0  # seconds: long runs find more, short ones begin more often
SHORTEST_RUN = 2.0
COUNTS = ("kills", "operations", "schedules", "states", "copies")


class NotUnderstood(Exception):
    pass


def numbers(pattern, output, at_least=1):
    """What the groups of the pattern say, summed over all its matches."""
    found = re.findall(pattern, output, re.MULTILINE)
    if len(found) < at_least:
        raise NotUnderstood(f"no line like {pattern!r}")
    rows = [row if isinstance(row, tuple) else (row,) for row in found]
    return [sum(map(int, column)) for column in zip(*rows)]


def check_plan(output, may_skip=False):
    """TAP must be complete: as many results as the plan says, none of them skipped."""
    plan = re.search(r"^1\.\.(\d+)$", output, re.MULTILINE)
    lines = re.findall(r"^(?:not )?ok\b.*$", output, re.MULTILINE)
    if plan is None or int(plan.group(1)) != len(lines) or (
            not may_skip and any("# SKIP" in x for x in lines)):
        raise NotUnderstood("its plan does not fit its results")


def broken(output):
    """How many checks the output says have failed."""
    count = len(re.findall(r"^not ok\b", output, re.MULTILINE))
    count += sum(map(int, re.findall(r"^\d+ schedules, \d+ steps, (\d+) failed$", output, re.M)))
    count += sum(map(int, re.findall(r"^\w+: (\d+) mistakes$", output, re.M)))
    return count + output.count("WARNING: ThreadSanitizer")


def leaked(output):
    """Bytes that did not come back, as far as a failure says it."""
    lines = re.findall(r"sector \d+: (\d+) bytes committed, (\d+) free", output)
    return sum(abs(int(committed) - int(free)) for committed, free in lines)


@dataclasses.dataclass
class Command:
    words: list
    environment: dict
    size: float  # how much it does, in the part's own measure; rate × seconds
    counts: dict = dataclasses.field(default_factory=dict)  # what it does and does not say


class Part:
    """A program, or several in turn, that can be run for about so many seconds."""
    name = ""
    share = 0.0  # of all seconds of all places
    rate = 1.0  # the part's measure per second, corrected with each run
    counts_bytes = False  # its runs end with a look whether every byte came back

    def command(self, build, seconds, seed):
        raise NotImplementedError

    def read(self, output):
        """What was done, by the names of COUNTS; NotUnderstood if the output does not say it."""
        raise NotImplementedError


class Kills(Part):
    name, share, rate, counts_bytes = "kills, mixed load", 0.16, 60.0, True
    least = 100

    def command(self, build, seconds, seed):
        kills = max(self.least, int(self.rate * seconds))
        return Command([build / "tests/crash/crash_kills"],
                       {"WEIR_KILLS": kills, "WEIR_SEED": seed}, kills)

    def read(self, output):
        check_plan(output)
        kills, operations = numbers(r"^# (\d+) kills, .* messages, (\d+) operations, ", output)
        return {"kills": kills, "operations": operations}


class Resizes(Part):
    name, share, rate, counts_bytes = "kills, resizing", 0.05, 100.0, True
    most = 4000  # the program ends itself after 150 s

    def command(self, build, seconds, seed):
        kills = min(self.most, max(50, int(self.rate * seconds)))
        return Command([build / "tests/crash/crash_resizes"],
                       {"WEIR_RESIZE_KILLS": kills, "WEIR_SEED": seed}, kills)

    def read(self, output):
        check_plan(output)
        kills, operations = numbers(r"^# (\d+) kills, \d+ blocks kept, (\d+) operations$", output)
        return {"kills": kills, "operations": operations}


class Scribble(Part):
    name, share, rate = "hostile, codes", 0.06, 200.0  # milliseconds of each of its five kinds
    abi = pathlib.Path(__file__).resolve().parents[1] / "capi/abi/weir.abi"

    def command(self, build, seconds, seed):
        longest = min(10000, max(700, int(self.rate * seconds)))
        return Command([build / "tests/hostile/hostile_scribble", self.abi],
                       {"WEIR_HOSTILE": 10**9, "WEIR_HOSTILE_MS": longest, "WEIR_SEED": seed},
                       longest)

    def read(self, output):
        check_plan(output)
        return {"operations": numbers(r"^# (\d+) steps, \d+ calls refused, ", output, 5)[0]}


class Peer(Part):
    name, share, rate = "hostile, peer", 0.07, 8.0  # percent of its usual length

    def command(self, build, seconds, seed):
        percent = max(8, int(self.rate * seconds))
        return Command([build / "tests/hostile/hostile_peer", str(seed), str(percent)], {}, percent)

    def read(self, output):
        check_plan(output)
        return {"operations": numbers(r"^# .* s, (\d+) calls, \d+ times spoilt", output, 5)[0]}


class Explorer(Part):
    """Depth-first beyond the bounds of `./dev test` for a few scenarios of a shuffled list, then
    random walks of others, and so on: each soak looks at other ones, for longer than tests do."""
    name, share, rate = "explorer", 0.13, 1.0  # seconds
    higher = [("3", "0", "0"), ("2", "1", "0"), ("1", "2", "0"), ("2", "0", "1"), ("1", "1", "1")]
    at_random = [("99", "0", "0"), ("99", "1", "0"), ("99", "2", "1")]
    together = 4

    def __init__(self):
        self.turn = 0
        self.scenarios = []

    def next_ones(self, build, seed):
        if len(self.scenarios) < self.together:
            listed = subprocess.run([build / "tests/explore/explore", "list"], check=True,
                                    capture_output=True, text=True).stdout
            self.scenarios = [line.split()[1] for line in listed.splitlines()]
            random.Random(seed).shuffle(self.scenarios)
        taken = self.scenarios[-self.together:]
        del self.scenarios[-self.together:]
        return taken

    def command(self, build, seconds, seed):
        kind = "random" if self.turn % 2 else "run"
        bounds = self.at_random if self.turn % 2 else self.higher
        preemptions, deaths, stops = bounds[self.turn // 2 % len(bounds)]
        self.turn += 1
        words = [build / "tests/explore/explore", kind, *self.next_ones(build, seed),
                 "--preemptions", preemptions, "--deaths", deaths, "--stops", stops,
                 "--seconds", f"{seconds / self.together:.2f}"]
        if kind == "random":
            words += ["--random-seed", str(seed)]
        return Command(words, {}, seconds)

    def read(self, output):
        return {"schedules": numbers(r"^(\d+) schedules, \d+ steps, \d+ failed$", output)[0]}


class Races(Part):
    """The sanitizer's programs in turn; the argument is the seconds of a part of them."""
    name, share, rate = "ThreadSanitizer", 0.11, 0.4
    programs = ("matrix_threads", "channel_threads", "flush_threads", "log_threads")
    counts_bytes = True

    def __init__(self):
        self.turn = 0

    def command(self, build, seconds, seed):
        program = self.programs[self.turn % len(self.programs)]
        self.turn += 1
        part = max(0.5, self.rate * seconds)
        return Command([build / "tests/stress" / program, f"{part:.2f}", str(seed)],
                       {"TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1"}, part)

    def read(self, output):
        numbers(r"^\w+_threads: (\d+) mistakes$", output)
        return {}


class LogCrashes(Part):
    """Power cuts, kills and failing disks: the log that ships, and every fourth time the serial
    writer."""
    name, share, rate = "log, crash states", 0.22, 10_000.0
    most = 200_000  # the memory under evicted writers stays

    def __init__(self):
        self.turn = 0

    def command(self, build, seconds, seed):
        self.turn += 1
        states = min(self.most, max(1000, int(self.rate * seconds)))
        ring = [] if self.turn % 4 == 0 else ["ring"]
        return Command([build / "tests/fault/fault_crashes", *ring, str(states), str(seed * 10**6)],
                       {}, states)

    def read(self, output):
        check_plan(output)
        return {"states": numbers(r"^# (\d+) states \(", output)[0]}


class LogKills(Part):
    name, share, rate = "log, kills", 0.08, 10.0

    def command(self, build, seconds, seed):
        kills = max(10, int(self.rate * seconds))
        return Command([build / "tests/crash/crash_log-kills"],
                       {"WEIR_LOG_KILLS": kills, "WEIR_LOG_COPIES": kills // 10, "WEIR_SEED": seed},
                       kills)

    def read(self, output):
        check_plan(output, may_skip=True)  # there may be no io_uring
        kills, copies = numbers(r"^# (\d+) kills of log writers, (\d+) copies of folders, ", output)
        return {"kills": kills, "copies": copies}


class Oracle(Part):
    name, share, rate, counts_bytes = "oracle", 0.12, 100_000.0, True
    tests = ("random_operations_match_an_interval_map", "lanes_change_nothing_that_users_see")

    def command(self, build, seconds, seed):
        # its second test does half as many as its first; from 100,000 on it wants to have seen a
        # full matrix, which only a long run is sure of
        asked = int(self.rate * seconds / 1.5)
        if asked < 1_000_000:
            asked = min(asked, 99_999)
        return Command([build / "tests/unit/unit_matrix_oracle", "--tap", "-j1"],
                       {"WEIR_ORACLE_OPERATIONS": asked, "WEIR_ORACLE_SEED": seed},
                       asked * 1.5, {"operations": asked + asked // 2})

    def read(self, output):
        check_plan(output)
        for test in self.tests:
            if not re.search(rf"^(?:not )?ok - matrix_oracle::{test}\b", output, re.MULTILINE):
                raise NotUnderstood(f"no result of {test}")
        return {}


def all_parts():
    return [Oracle(), LogCrashes(), Kills(), Explorer(), Races(), LogKills(), Peer(), Scribble(),
            Resizes()]


@dataclasses.dataclass
class Amount:
    what: str
    part: str
    count: str  # of COUNTS, or "seconds"
    wanted: int


AMOUNTS = [
    Amount("kills under mixed load", Kills.name, "kills", 10_000),
    Amount("oracle operations", Oracle.name, "operations", 1_000_000_000),
    Amount("steps with a hostile writer", Scribble.name, "operations", 10_000_000),
    Amount("crash states of logs", LogCrashes.name, "states", 10_000_000),
    Amount("kills of log writers", LogKills.name, "kills", 10_000),
    Amount("copies of stopped logs", LogKills.name, "copies", 1_000),
    Amount("seconds under ThreadSanitizer", Races.name, "seconds", 600 * len(Races.programs)),
]


@dataclasses.dataclass
class Verdict:
    counts: dict
    broken: int = 0
    leaked: int = 0
    why: str = ""


def judge(part, code, output, known=None):
    """What a finished run has shown; `known`: its command's counts."""
    counts, why = {}, ""
    try:
        counts = {**part.read(output), **(known or {})}
    except NotUnderstood as error:
        why = f"its output is not understood: {error}"
    wrong, bytes_lost = broken(output), leaked(output)
    if code != 0 or wrong or bytes_lost:
        ended = f"died of signal {-code}" if code < 0 else f"ended with {code}"
        why = f"{ended}, {wrong} checks failed" + (f"; {why}" if why else "")
        wrong = max(wrong, 1)
    return Verdict(counts, wrong, bytes_lost, why)


class Run:
    """One program at work; its output goes to a file, as nobody reads it meanwhile."""

    def __init__(self, part, command, seconds, seed):
        self.part, self.command, self.seed = part, command, seed
        self.began = time.monotonic()
        self.patience = 20 * seconds + 120
        self.output = tempfile.TemporaryFile(mode="w+", errors="replace")
        extra = {name: str(value) for name, value in command.environment.items()}
        self.process = subprocess.Popen([str(word) for word in command.words],
                                        env={**os.environ, **extra}, stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def shell(self):
        settings = [f"{name}={shlex.quote(str(value))}"
                    for name, value in self.command.environment.items()]
        return " ".join(settings + [shlex.quote(str(word)) for word in self.command.words])

    def seconds(self):
        return time.monotonic() - self.began

    def ended(self):
        if self.process.poll() is None and self.seconds() > self.patience:
            self.kill()
        return self.process.poll() is not None

    def kill(self):
        """With all its children; what they leave in /dev/shm has the program's number."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for name in glob.glob(f"/dev/shm/*crash-*-{self.process.pid}"):
            os.unlink(name)

    def text(self):
        self.output.seek(0)
        return self.output.read()


@dataclasses.dataclass
class Row:
    runs: int = 0
    seconds: float = 0.0
    broken: int = 0
    leaked: int = 0
    counts: dict = dataclasses.field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    def done(self, count):
        return int(self.seconds) if count == "seconds" else self.counts[count]


class Soak:
    """Keeps AT_A_TIME programs running, and the books: a row for each part. `seconds` None: until
    all amounts are reached."""

    def __init__(self, parts, build, seconds, seed, log):
        self.parts, self.build, self.log = parts, build, log
        self.began = time.monotonic()
        self.seconds = seconds
        self.random = random.Random(seed)
        self.rows = {part.name: Row() for part in parts}
        self.amounts = [amount for amount in AMOUNTS if amount.part in self.rows]
        self.running = []
        self.failed = False

    def passed(self):
        return time.monotonic() - self.began

    def share_left(self, part):
        """Seconds that the part may still run."""
        whole = max(self.passed(), LONGEST_RUN) if self.seconds is None else self.seconds
        under_way = sum(run.seconds() for run in self.running if run.part is part)
        return part.share * whole * AT_A_TIME - self.rows[part.name].seconds - under_way

    def reached(self, amount):
        return self.rows[amount.part].done(amount.count) >= amount.wanted

    def lacks(self, part):
        """An amount of its own. A part without one lacks its share."""
        own = [amount for amount in self.amounts if amount.part == part.name]
        return any(not self.reached(x) for x in own) if own else self.share_left(part) > 0

    def next_part(self):
        """The one that is furthest behind its share, of those that lack something; one that is
        under way only when no other does."""
        busy = {run.part.name for run in self.running}

        def order(part):
            return part.name not in busy, self.share_left(part) / part.share
        lacking = [part for part in self.parts if self.lacks(part)]
        if lacking:
            return max(lacking, key=order)
        return max(self.parts, key=order)

    def is_over(self):
        if self.seconds is None:
            return all(self.reached(amount) for amount in self.amounts)
        return self.seconds - self.passed() < SHORTEST_RUN

    def start(self):
        if self.is_over():
            return False
        part = self.next_part()
        left, planned = LONGEST_RUN, LONGEST_RUN
        if self.seconds is not None:
            left = self.seconds - self.passed()
            share = self.share_left(part)
            if share > 0 or not self.lacks(part):
                planned = max(share / 2, SHORTEST_RUN)
        self.begin(part, min(left, LONGEST_RUN, planned))
        return True

    def begin(self, part, seconds):
        seed = self.random.randrange(1, 10**9)
        self.running.append(Run(part, part.command(self.build, seconds, seed), seconds, seed))

    def finish(self, run):
        seconds, output = run.seconds(), run.text()
        self.running.remove(run)
        verdict = judge(run.part, run.process.returncode, output, run.command.counts)
        row = self.rows[run.part.name]
        row.runs += 1
        row.seconds += seconds
        row.broken += verdict.broken
        row.leaked += verdict.leaked
        for name, count in verdict.counts.items():
            row.counts[name] += count
        if seconds > 0.5:
            run.part.rate = run.command.size / seconds
        done = ", ".join(f"{count} {name}" for name, count in verdict.counts.items() if count)
        now = int(self.passed())
        print(f"[{now // 60:3}:{now % 60:02}] {run.part.name:<17} "
              f"{'FAILED' if verdict.why else 'ok    '} {seconds:5.1f} s, seed {run.seed}"
              f"{', ' + done if done else ''}", flush=True)
        if verdict.why:
            self.failed = True
            self.report(run, verdict, output)

    def report(self, run, verdict, output):
        self.log.write_text(output)
        for line in output.splitlines()[-40:]:
            print("    " + line)
        print(f"{run.part.name}: {verdict.why}\nseed {run.seed}; all it said is in {self.log}\n"
              f"again: {run.shell()}")
        for again in re.findall(r"seed:? (explore replay .*)$", output, re.MULTILINE):
            print(f"the schedule: {self.build / 'tests/explore'}/{again}")

    def wait_for_one(self):
        while True:
            over = [run for run in self.running if run.ended()]
            for run in over:
                self.finish(run)
            if over:
                return
            time.sleep(0.05)

    def work(self):
        try:
            while True:
                while not self.failed and len(self.running) < AT_A_TIME and self.start():
                    pass
                if not self.running:
                    return
                self.wait_for_one()
        except KeyboardInterrupt:
            self.failed = True
            print("interrupted; what was running does not count")
            for run in self.running:
                run.kill()

    def each_once(self, seconds):
        """Every part once, for the self-test. The outputs, by name."""
        waiting, outputs = list(self.parts), {}
        while waiting or self.running:
            while waiting and len(self.running) < AT_A_TIME:
                self.begin(waiting.pop(0), seconds)
            before = list(self.running)
            self.wait_for_one()
            outputs.update((run.part.name, run.text()) for run in before if run not in self.running)
        return outputs

    def total(self, name):
        return sum(row.counts[name] for row in self.rows.values())

    def tell(self, amount):
        row = self.rows[amount.part]
        done = row.done(amount.count)
        line = f"{amount.what} {done} (>= {amount.wanted}: "
        if done >= amount.wanted:
            line += "yes"
        else:
            line += "no"
            if done > 0:
                line += f"; {row.seconds * (amount.wanted / done - 1) / 60:.0f} more minutes of its own"
        print(line + ")")

    def table(self):
        """Returns the exit code."""
        print(f"\n{'part':<17} {'runs':>5} {'seconds':>8} " +
              " ".join(f"{name:>12}" for name in COUNTS) + "   leaked   broken")
        for name, row in self.rows.items():
            print(f"{name:<17} {row.runs:5} {row.seconds:8.0f} " +
                  " ".join(f"{row.counts[count] or '-':>12}" for count in COUNTS) +
                  f" {row.leaked:8} {row.broken:8}")
        never = [name for name, row in self.rows.items() if row.runs == 0]
        counted = sum(self.rows[part.name].runs for part in self.parts if part.counts_bytes)
        wrong = sum(row.broken for row in self.rows.values())
        some = "at least " if wrong else ""  # not every failure says how many
        print()
        for amount in self.amounts:
            self.tell(amount)
        print(f"kills {self.total('kills')}\noperations {self.total('operations')}\n"
              f"schedules explored {self.total('schedules')}\n"
              f"bytes leaked {some}{sum(row.leaked for row in self.rows.values())} "
              f"(every byte counted at the end of {counted} runs)\n"
              f"invariants broken {wrong}")
        if never:
            print("never run: " + ", ".join(never))
        missed = [amount.what for amount in self.amounts if not self.reached(amount)]
        print("not reached: " + ", ".join(missed) if missed else "all amounts are reached")
        return 1 if self.failed or wrong or never else 0


def check_programs(build):
    """Names what is not built: a part left out in silence would look like one that passed."""
    wanted = ["tests/crash/crash_kills", "tests/crash/crash_log-kills", "tests/crash/crash_resizes",
              "tests/explore/explore", "tests/fault/fault_crashes",
              "tests/hostile/hostile_scribble", "tests/hostile/hostile_peer",
              "tests/unit/unit_matrix_oracle", *(f"tests/stress/{name}" for name in Races.programs)]
    return [name for name in wanted if not os.access(build / name, os.X_OK)]


# ---- the self-test


class Broken(Part):
    """A program that fails, to see what becomes of it."""
    name, share, rate = "broken", 0.5, 1.0

    def command(self, build, seconds, seed):
        return Command(["sh", "-c", "echo 'not ok 1 - a check'; echo 1..1; exit 1"],
                       {"WEIR_SEED": seed}, 1)

    def read(self, output):
        check_plan(output)
        return {"kills": 1}


class Endless(Part):
    """One that does not stop by itself soon."""
    name, share, rate = "fine", 0.5, 1.0

    def command(self, build, seconds, seed):
        return Command(["sh", "-c", "sleep 0.3; echo 'ok 1 - a check'; echo 1..1"], {}, 1)

    def read(self, output):
        check_plan(output)
        return {"kills": 1}


class Idle(Endless):
    """Another one."""
    name = "idle"

    def read(self, output):
        check_plan(output)
        return {"operations": 1}


def spoilt(part, output):
    """Ways in which a run can go wrong: name, exit code, output."""
    yield "a bad exit code", 1, output
    yield "a death", -signal.SIGSEGV, output
    yield "no output", 0, ""
    cut = output[:len(output) // 2].rpartition("\n")[0]
    yield "half of its output", 0, cut if part.name != Oracle.name else cut.replace("ok - ", "")
    known = r"kills|states|steps|calls|schedules|mistakes|matrix_oracle"
    yield "other words", 0, re.sub(known, "x", output)
    for old, new in ((r"^ok\b", "not ok"), (r"\b0 failed$", "2 failed"),
                     (r"0 mistakes", "3 mistakes")):
        if re.search(old, output, re.MULTILINE):
            yield "a failed check", 0, re.sub(old, new, output, count=1, flags=re.MULTILINE)


def self_test(build, seed):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "gen"))
    from tap import Tap
    tap = Tap()
    parts = all_parts()
    with tempfile.TemporaryDirectory(prefix="weir-soak-") as folder:
        log = pathlib.Path(folder) / "log"
        soak = Soak(parts, build, 1, seed, log)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            outputs = soak.each_once(0.5)
            code = soak.table()
        for part in parts:
            row = soak.rows[part.name]
            tap.ok(row.runs == 1 and row.broken == 0 and part.name in outputs
                   and (any(row.counts.values()) or part.name == Races.name),
                   f"{part.name}: runs and is understood", said.getvalue())
        tap.ok(code == 0 and "(>= 10000: no" in said.getvalue(), "the table, and exit code 0",
               said.getvalue())
        for part in parts:
            missed = [name for name, end, output in spoilt(part, outputs[part.name])
                      if not judge(part, end, output).why]
            tap.ok(not missed, f"{part.name}: what goes wrong is noticed", missed)
        soak = Soak([Broken(), Endless()], build, 60, seed, log)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            soak.work()
            code = soak.table()
        found = re.search(r"^again: (WEIR_SEED=(\d+) sh -c .*)$", said.getvalue(), re.MULTILINE)
        tap.ok(code == 1 and soak.passed() < 30 and found is not None
               and f"seed {found.group(2)};" in said.getvalue()
               and log.read_text().startswith("not ok"),
               "the first failure ends it, with the seed and the command", said.getvalue())
        soak = Soak([Endless(), Idle()], build, None, seed, log)
        soak.amounts = [Amount("kills", Endless.name, "kills", 3)]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            soak.work()
            code = soak.table()
        done = soak.rows[Endless.name].runs, soak.rows[Idle.name].runs
        tap.ok(code == 0 and 3 <= done[0] <= 4 and done[1] > 0
               and "kills 3" in said.getvalue() and "all amounts are reached" in said.getvalue(),
               "without minutes it ends when all amounts are reached", said.getvalue())
        soak = Soak([Endless(), Idle()], build, SHORTEST_RUN + 2, seed, log)
        soak.amounts = [Amount("kills", Endless.name, "kills", 10**6),
                        Amount("operations", Idle.name, "operations", 1)]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            soak.work()
            code = soak.table()
        done = soak.rows[Endless.name].runs, soak.rows[Idle.name].runs
        tap.ok(code == 0 and done[0] > 2 >= done[1] > 0 and "not reached: kills\n" in said.getvalue(),
               "who has reached its amount gives way, and what is missed is told", said.getvalue())
    tap.finish()


def main():
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float,
                        help="how long, for all programs together; without: until every amount "
                             "that is wanted is reached, which takes hours")
    parser.add_argument("--only", metavar="PART", action="append",
                        choices=[part.name for part in all_parts()],
                        help="this part alone, or these: " +
                             "; ".join(part.name for part in all_parts()))
    parser.add_argument("--seed", type=int, help="of the seeds of all runs")
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--self-test", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.minutes is not None and not 0 < options.minutes < 1e5:
        parser.error("--minutes wants a positive number")
    missing = check_programs(options.build)
    if missing:
        print("soak: not built: " + ", ".join(missing), file=sys.stderr)
        return 1
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    if options.self_test:
        return self_test(options.build, seed)
    parts = [part for part in all_parts() if not options.only or part.name in options.only]
    seconds = None if options.minutes is None else options.minutes * 60
    soak = Soak(parts, options.build, seconds, seed, options.build / "soak.log")
    if seconds is None and not soak.amounts:
        parser.error("no amount is wanted of these: --minutes says when they end")
    how_long = "until all amounts are reached" if seconds is None else f"{options.minutes:g} minutes"
    print(f"soak: {how_long}, seed {seed}", flush=True)
    soak.work()
    return soak.table()


if __name__ == "__main__":
    sys.exit(main())
