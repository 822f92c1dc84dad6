# SPDX-License-Identifier: MIT OR Apache-2.0
"""The parts of the soak: how each program is called, and what its output says was done."""
import dataclasses
import os
import pathlib
import random
import re
import subprocess

from said import NotUnderstood, check_plan, numbers

COUNTS = ("kills", "operations", "schedules", "states", "copies")


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
    abi = pathlib.Path(__file__).resolve().parents[2] / "capi/abi/weir.abi"

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


def check_programs(build):
    """Names what is not built: a part left out in silence would look like one that passed."""
    wanted = ["tests/crash/crash_kills", "tests/crash/crash_log-kills", "tests/crash/crash_resizes",
              "tests/explore/explore", "tests/fault/fault_crashes",
              "tests/hostile/hostile_scribble", "tests/hostile/hostile_peer",
              "tests/unit/unit_matrix_oracle", *(f"tests/stress/{name}" for name in Races.programs)]
    return [name for name in wanted if not os.access(build / name, os.X_OK)]


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
