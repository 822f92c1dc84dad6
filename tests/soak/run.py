# SPDX-License-Identifier: MIT OR Apache-2.0
"""One run of a part, and what it has shown."""
import contextlib
import dataclasses
import glob
import os
import shlex
import signal
import subprocess
import tempfile
import time

from said import NotUnderstood, broken, leaked


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
