# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the tests of the weir command share: running it, trees of files, segments by name."""

import json
import os
import random
import subprocess
import time
from pathlib import Path

TIMEOUT = 60
BAD_USAGE = 64


class Skip(Exception):
    """This machine cannot run the test."""


class Tool:
    """The weir command, with a folder and segment names of one test."""

    def __init__(self, weir, folder):
        self.weir = weir
        self.folder = folder
        self.segments = []
        self.children = []

    def run(self, *arguments, code=0, **options):
        """Runs it to its end and checks the exit code."""
        done = subprocess.run([self.weir, *map(str, arguments)], capture_output=True,
                              timeout=TIMEOUT, **options)
        out = done.stdout.decode("utf-8", "surrogateescape")
        err = done.stderr.decode("utf-8", "surrogateescape")
        said = f"{arguments}: exit code {done.returncode}, not {code}\n{out}\n{err}"
        assert done.returncode == code, said
        return out, err

    def json(self, *arguments, code=0):
        out, _ = self.run(*arguments, "--json", code=code)
        return json.loads(out)

    def start(self, *arguments):
        child = subprocess.Popen([self.weir, *map(str, arguments)], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.children.append(child)
        return child

    def segment(self, capacity="16M"):
        """Makes a segment with a name of its own."""
        name = self.free_name()
        self.run("create", name, "--capacity", capacity)
        return name

    def free_name(self):
        name = f"test-{os.getpid()}-{len(self.segments)}-{random.randrange(1 << 32):08x}"
        self.segments.append(name)
        return name

    def clear_away(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        for name in self.segments:
            Path(f"/dev/shm/weir.{name}").unlink(missing_ok=True)


def shm_file(name):
    return Path(f"/dev/shm/weir.{name}")


def make_tree(root, files=300, big=3 << 20, seed=1):
    """Files of all kinds; returns their contents by relative path."""
    dice = random.Random(seed)
    contents = {
        "empty": b"",
        "deep/er/empty too": b"",
        "a name with spaces": b"spaces\n",
        "gr\u00fc\u00dfe/\u4f60\u597d.txt": "Gr\u00fc\u00dfe\n".encode(),
        "line\nbreak": b"in its name\n",
        "-starts-with-a-dash": b"-\n",
        "one": b"x",
        "sizes/1023": dice.randbytes(1023),
        "sizes/1024": dice.randbytes(1024),
        "sizes/1025": dice.randbytes(1025),
        "sizes/1M": dice.randbytes(1 << 20),
        "sizes/1M+1": dice.randbytes((1 << 20) + 1),
        "big": dice.randbytes(big),
    }
    for i in range(files):
        contents[f"many/{i % 10}/{i}"] = dice.randbytes(dice.randrange(20000))
    for path, data in contents.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return contents


def read_tree(root):
    """Contents by relative path."""
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}


def wait_for(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.005)


def wait_for_line(child, line):
    assert child.stdout.readline().strip() == line.encode()
