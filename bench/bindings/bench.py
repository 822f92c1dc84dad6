#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the bindings cost: calls beside an empty function through the same FFI, messages beside C.

Everybody takes turns, and medians count; each figure is held against its peer's of the same minutes.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_CALL, LEAST_RATE, LEAST_SHARE = 1.1, 5e6, 0.5  # what is promised
MESSAGES, BATCH, CAPACITY = 2000000, 512, 4096


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return done.stdout


def python_calls(args):
    return json.loads(output(sys.executable, "-B", os.path.join(HERE, "calls.py"), args.empty))


def go_calls(args):
    """What `go test -bench` prints; in each run every call has its empty function beside it."""
    times = {}
    for _ in range(max(5, 4 * args.rounds)):
        text = output(args.go_test, "-test.run=^$", "-test.bench=Call", "-test.benchtime=20000x")
        for name, side, figure in re.findall(r"BenchmarkCall/(\S+?)/(\w+)(?:-\d+)?\s+\d+\s+([\d.]+) ns", text):
            times.setdefault(name.replace("method_", "method "), {}).setdefault(side, []).append(float(figure))
    return {name: [statistics.median(sides["weir"]), statistics.median(sides["empty"]),
                   statistics.median(one / other for one, other in zip(sides["weir"], sides["empty"]))]
            for name, sides in times.items()}


def rust_calls(args):
    return json.loads(output(args.rust, "calls"))


class Rates:
    """A matrix, and for each run a channel of its own with a process at each end."""

    def __init__(self):
        import weir

        self.weir = weir
        self.name = f"bench-bindings-{os.getpid()}"
        self.runs = 0

    def __enter__(self):
        self.matrix = self.weir.Matrix.create(self.name, capacity=64 << 20)
        return self

    def __exit__(self, *unused):
        self.matrix.close()
        self.weir.Matrix.unlink(self.name)

    def measure(self, command, *rest):
        self.runs += 1
        with self.weir.Channel.create(self.matrix, str(self.runs), capacity=CAPACITY) as channel:
            ends = [self.name, channel.name, str(MESSAGES), str(BATCH), *rest]
            reader = subprocess.Popen([*command, "read", *ends], stdout=subprocess.PIPE, text=True)
            poster = subprocess.Popen([*command, "post", *ends])
            found = reader.communicate(timeout=300)[0]
            if poster.wait(60) != 0 or reader.returncode != 0:
                sys.exit(f"bench: {' '.join(command)} failed")
            channel.retire()
        return float(found)


def verdict(good):
    return "holds" if good else "MISSED"


def print_calls(language, found):
    for name, (ours, empty, ratio) in found.items():
        promised = name.startswith("weir_")
        print(f"{language + ': ' + name:36} {ours:8.1f} ns   empty {empty:8.1f} ns   {ratio:5.2f} x   "
              + (f"<= {MOST_CALL} x   {verdict(ratio <= MOST_CALL)}" if promised else ""))
        yield {"language": language, "call": name, "ns": ours, "empty_ns": empty, "ratio": ratio,
               "at_most": MOST_CALL if promised else None}


def print_rates(found):
    c = max(statistics.median(found.pop(way)) for way in ("C, blocks", "C, copies"))
    print(f"{'C: 64 B messages':36} {c / 1e6:8.2f} M/s")
    for language, rates in found.items():
        rate = statistics.median(rates)
        good = rate >= min(LEAST_RATE, LEAST_SHARE * c)
        print(f"{language + ': 64 B messages':36} {rate / 1e6:8.2f} M/s      C {c / 1e6:8.2f} M/s  {rate / c:5.2f} x   "
              f">= {LEAST_SHARE} x or {LEAST_RATE / 1e6:.0f} M/s   {verdict(good)}")
        yield {"language": language, "messages_per_s": rate, "c_messages_per_s": c, "ratio": rate / c,
               "runs": rates, "holds": good}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench bindings", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often all take turns (5)")
    parser.add_argument("--json", metavar="FILE", help="keep the figures")
    for hidden in ("rates", "empty", "go", "go-test", "no-go", "rust", "no-rust"):
        parser.add_argument(f"--{hidden}", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()

    rows = []
    languages = {"C, blocks": ([args.rates], "blocks"), "C, copies": ([args.rates], "copies"),
                 "Python": ([sys.executable, "-B", os.path.join(HERE, "rates.py")],)}
    rows += print_calls("Python", python_calls(args))
    for language, program, why, calls in (("Go", args.go, args.no_go, go_calls),
                                          ("Rust", args.rust, args.no_rust, rust_calls)):
        if program:
            rows += print_calls(language, calls(args))
            languages[language] = ([program],)
        else:
            print(f"{language + ':':36} not measured: {why}")
    rates = {language: [] for language in languages}
    with Rates() as channels:
        for _ in range(args.rounds):
            for language, how in languages.items():
                rates[language].append(channels.measure(*how))
    rows += print_rates(rates)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=2)


main()
