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
import pathlib
import random
import sys

from parts import all_parts, check_programs
from self_test import self_test
from soak import Soak


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
