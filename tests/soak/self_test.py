# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every part once, and every way in which one can go wrong (TAP)."""
import contextlib
import io
import pathlib
import re
import signal
import sys
import tempfile

from parts import Amount, Command, Oracle, Part, Races, all_parts
from run import judge
from said import check_plan
from soak import SHORTEST_RUN, Soak


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
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "gen"))
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
