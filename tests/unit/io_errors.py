#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""System calls that fail once, for a while or for ever, by strace; what the files and backends
make of it. Speaks TAP.

Each case: a backend, what strace injects, the steps of io_victim, and their answers.
"""
import argparse
import errno
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "gen"))

from tap import Tap  # noqa: E402

EIO, ENOSPC = -errno.EIO, -errno.ENOSPC
P, U = "pwritev2", "io_uring"

# name; backend; injections (@N: the program's own Nth call, not the loader's); steps and answers;
# a system call that must be in the trace, or None
CASES = [
    ("a failed write is told", P, ["pwritev2:error=EIO:when=1"], "write -5 write 0", None),
    ("a write that is interrupted is repeated", P, ["pwritev2:error=EINTR:when=1..3"],
     "prealloc 0 batches 0 write 0 read 0", None),
    ("EAGAIN is tried again", P, ["pwritev2:error=EAGAIN:when=1..3"],
     "batches 0 write 0 read 0", None),
    ("EAGAIN for ever ends", P, ["pwritev2:error=EAGAIN"], "write -11", None),
    ("no space is told", P, ["pwritev2:error=ENOSPC:when=1"], "write -28", None),
    ("a short write is completed once", P, ["pwritev2:retval=69632:when=1"],
     "prealloc 0 write 0", None),
    ("what a short write has left out is written", P, ["pwritev2:retval=4096:when=1"],
     "prealloc 0 batches 0 read 0", None),
    ("a second short write is an error", P, ["pwritev2:retval=4096:when=1..2"],
     "prealloc 0 write -5 write 0", None),
    ("a write of nothing is an error", P, ["pwritev2:retval=0:when=1..2"], "write -5", None),
    ("without RWF_DSYNC a flush follows", P, ["pwritev2:error=EOPNOTSUPP"],
     "batches 0 write 0 read 0", "fdatasync"),
    ("without pwritev2 a flush follows", P, ["pwritev2:error=ENOSYS"],
     "batches 0 read 0", "fdatasync"),
    ("the flush that follows fails", P,
     ["pwritev2:error=EOPNOTSUPP", "fdatasync:error=EIO:when=1"], "write -5 write 0", "fdatasync"),
    ("plain writes fail", P, ["pwrite64:error=EIO:when=1"], "plain -5 plain 0", None),
    ("every helper's write fails", P, ["pwritev2:error=EIO"], "batches -5", None),
    ("a failed flush is told once", P, ["fdatasync:error=EIO:when=1"], "flush -5 flush 0", None),
    ("a flush that is interrupted is repeated", P, ["fdatasync:error=EINTR:when=1..2"],
     "flush 0 fdatasync 0", None),
    ("fsync fails", P, ["fsync:error=EIO:when=2..3"], "fsync -5 fsync_dir -5 fsync 0", None),
    ("an interrupted fallocate is repeated", P, ["fallocate:error=EINTR:when=1..4"],
     "prealloc 0 batches 0 read 0", None),
    ("EFBIG of fallocate is no space", P, ["fallocate:error=EFBIG"], "prealloc -28 zeros -28", None),
    ("no quota is no space", P, ["fallocate:error=EDQUOT"], "prealloc -28 zeros -28", None),
    ("no space for fallocate", P, ["fallocate:error=ENOSPC"], "prealloc -28 zeros -28", None),
    ("fallocate fails", P, ["fallocate:error=EIO"], "prealloc -5 zeros -5", None),
    ("a file system without fallocate", P, ["fallocate:error=EOPNOTSUPP"],
     "prealloc 0 zeros 0 batches 0 prealloc 0 read 0", "pwrite64"),
    ("no space for zeros", P, ["fallocate:error=EOPNOTSUPP", "pwrite64:error=ENOSPC:when=1..2"],
     "prealloc -28 zeros -28 zeros 0", None),
    ("short writes of a file are completed", P, ["pwrite64:retval=4096:when=1"],
     "prealloc 0 pwrite 0 read 0", None),
    ("nearly whole writes of a file are completed", P, ["pwrite64:retval=1048575:when=1"],
     "prealloc 0 pwrite 0", None),
    ("interrupted transfers are repeated", P,
     ["pwrite64:error=EINTR:when=1..2", "pread64:error=EINTR:when=@1..@2"], "pwrite 0 read 0", None),
    ("failed transfers are told", P,
     ["pwrite64:error=EIO:when=1", "pread64:error=EIO:when=@1"], "pwrite -5 pwrite 0 read -5 read 0",
     None),
    ("writes that never get on end", P, ["pwrite64:retval=0"], "pwrite -5", None),
    ("names fail", P, ["renameat2:error=EIO:when=1", "unlinkat:error=EROFS:when=1"],
     "unlink -30 rename -5 rename 0", None),
    ("an interrupted rename is repeated", P, ["renameat2:error=EINTR:when=1"], "rename 0", None),
    ("a directory entry that finds no space", P, ["renameat2:error=ENOSPC"], "rename -28", None),
    ("truncation fails", P, ["ftruncate:error=EIO:when=1"], "truncate -5 truncate 0", None),

    ("the ring is refused requests", U, ["io_uring_enter:error=EAGAIN:when=4..9"],
     "batches 0 read 0", "pwritev2"),
    ("the ring is interrupted", U, ["io_uring_enter:error=EINTR:when=3..6"],
     "batches 0 read 0", None),
    ("the ring fails for ever", U, ["io_uring_enter:error=EBADF:when=4+"],
     "batches 0 read 0", "pwritev2"),
    ("one generation of flags is dropped", U, ["io_uring_setup:error=EINVAL:when=1"],
     "backend 0 batches 0 read 0", None),
    ("two generations of flags are dropped", U, ["io_uring_setup:error=EINVAL:when=1..2"],
     "backend 0 batches 0 read 0", None),
    ("a forced ring goes without flags", U, ["io_uring_setup:error=EINVAL:when=1..3"],
     "backend 0 batches 0 read 0", None),
    ("the automatic choice does not", "auto", ["io_uring_setup:error=EINVAL:when=1..3"],
     "reason -22 batches 0 read 0", "pwritev2"),
    ("files and buffers are not registered", U, ["io_uring_register:error=ENOMEM:when=3"],
     "backend 0 batches 0 read 0", None),
    ("the second ring cannot be made", "auto", ["io_uring_setup:error=ENOMEM:when=2"],
     "reason -12 batches 0 read 0", "pwritev2"),
    ("the ring cannot be enabled later", U, ["io_uring_register:error=EPERM:when=5+"],
     "backend 0 batches -1 write 0", None),
]


def loader_reads(program):
    """How often the loader reads with pread64 before the program begins."""
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder) / "trace"
        subprocess.run(["strace", "-q", "-e", "trace=pread64", "-o", trace, program],
                       capture_output=True, timeout=60)
        return trace.read_text().count("pread64(")


def run(program, folder, backend, injections, steps):
    """Answers by step in order, and the trace."""
    trace = folder / "trace"
    (folder / "log").mkdir()
    words = ["strace", "-f", "-q", "-o", trace]
    for injection in injections:
        words += ["-e", "inject=" + injection]
    done = subprocess.run([*words, program, folder / "log", backend, *steps],
                          capture_output=True, text=True, timeout=60)
    answers = dict()
    ordered = []
    for line in done.stdout.splitlines():
        step, code = line.split()[:2]
        answers.setdefault(step, int(code))
        ordered.append((step, int(code)))
    return done, answers, ordered, trace.read_text() if trace.exists() else ""


def usable():
    """Why strace cannot be used, or None."""
    if shutil.which("strace") is None:
        return "no strace"
    done = subprocess.run(["strace", "-f", "-q", "-o", "/dev/null", "-e",
                           "inject=getpid:error=EPERM", "true"], capture_output=True, text=True)
    return None if done.returncode == 0 else "strace may not trace here"


def check_case(tap, program, before, name, backend, injections, expected, must):
    injections = [re.sub(r"@(\d)", lambda at: str(before + int(at[1])), i) for i in injections]
    words = expected.split()
    wanted = list(zip(words[::2], map(int, words[1::2])))
    steps = [step for step, _ in wanted if step not in ("backend", "reason")]
    with tempfile.TemporaryDirectory(prefix="weir-io-", dir="/var/tmp") as folder:
        done, answers, ordered, trace = run(program, pathlib.Path(folder), backend, injections,
                                            steps)
        if backend == U and answers.get("backend") != 0 and "setup" not in injections[0]:
            return tap.skip(f"{backend}: {name}", "no io_uring here, or not built in")
        head = [(step, code) for step, code in wanted if step in ("backend", "reason")]
        found = [(step, answers.get(step)) for step, _ in head]
        found += [pair for pair in ordered if pair[0] not in ("backend", "reason")]
        report = f"{done.stdout}{done.stderr}status {done.returncode}\n{trace[-1500:]}"
        tap.ok(found == wanted and done.returncode == 0, f"{backend}: {name}",
               f"{injections}: wanted {wanted}\n{report}")
        injected = [i.split(":")[0] for i in injections]
        missing = [call for call in [*injected, *([must] if must else [])]
                   if not re.search(rf"\b{call}\(", trace)]
        return tap.ok(not missing and "INJECTED" in trace,
                      f"{backend}: {name}: it happened", f"not called: {missing}\n{report}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--liburing", choices=["yes", "no"], required=True)
    args = parser.parse_args()
    tap = Tap()
    reason = usable()
    before = loader_reads(args.program) if reason is None else 0
    for case in CASES:
        if reason is not None:
            tap.skip(f"{case[1]}: {case[0]}", reason)
        elif case[1] != P and args.liburing == "no":
            tap.skip(f"{case[1]}: {case[0]}", "built without liburing")
        else:
            check_case(tap, args.program, before, *case)
    tap.finish()


if __name__ == "__main__":
    main()
