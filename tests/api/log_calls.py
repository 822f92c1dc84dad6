#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a durable append costs in system calls and allocations, counted by strace: one call writes,
at most two wake, nothing is allocated. Speaks TAP."""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "gen"))

from tap import Tap  # noqa: E402

COUNT = 200
WRITES = r"\b(pwritev2|pwrite64|fdatasync|fsync)\("


def between_markers(trace):
    """What all threads called, and what the one that appends did: the others make segments ahead."""
    parts = re.split(r"^(\d+) +getppid\(.*$", trace, flags=re.M)
    if len(parts) != 5:
        return "", ""
    appender = parts[1]
    return parts[2], "\n".join(line for line in parts[2].splitlines()
                               if line.split(" ", 1)[0] == appender)


def run(program, backend):
    with tempfile.TemporaryDirectory(prefix="weir-calls-", dir="/var/tmp") as folder:
        trace = pathlib.Path(folder) / "trace"
        done = subprocess.run(
            ["strace", "-f", "-q", "-o", trace, program, pathlib.Path(folder) / "log", backend,
             str(COUNT)], capture_output=True, text=True, timeout=60)
        return done, between_markers(trace.read_text())


def check(tap, program, backend):
    done, (calls, own) = run(program, backend)
    if backend == "io_uring" and done.stdout.startswith("open"):
        return tap.skip(f"{backend}: calls of a durable append", "no io_uring here, or not built in")
    # Who waits writes by itself. "resumed" lines are second halves of calls that were counted.
    ran = done.returncode == 0
    writes = len(re.findall(WRITES, own)) / COUNT
    wakes = len(re.findall(r"futex\([^)]*FUTEX_WAKE", calls)) / COUNT
    report = f"{done.stdout}{done.stderr}{calls[-2000:]}"
    tap.ok(ran and 0.9 <= writes <= 1,
           f"{backend}: a durable append is written by one call", f"{writes} calls\n{report}")
    tap.ok(ran and wakes <= 2, f"{backend}: at most two wake-ups", f"{wakes} wake-ups\n{report}")
    return tap.ok("allocations 0\n" in done.stdout, f"{backend}: nothing is allocated", report)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    args = parser.parse_args()
    tap = Tap()
    for backend in ("pwritev2", "io_uring"):
        if shutil.which("strace") is None:
            tap.skip(f"{backend}: calls of a durable append", "no strace")
        else:
            check(tap, args.program, backend)
    tap.finish()


if __name__ == "__main__":
    main()
