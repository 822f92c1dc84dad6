# SPDX-License-Identifier: MIT OR Apache-2.0
"""Keeps programs running, and the books."""
import dataclasses
import random
import re
import time

from parts import AMOUNTS, COUNTS
from run import Run, judge

AT_A_TIME = 2
LONGEST_RUN = 40.0  # seconds: long runs find more, short ones begin more often
SHORTEST_RUN = 2.0


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
