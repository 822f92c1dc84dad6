# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the tests share."""
import gc
import os
import subprocess
import sys
import unittest

import weir


def used(matrix):
    return matrix.stats().used_blocks


def in_child(work):
    """The exit status of a fork child that does `work`."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(*arguments, cwd=None, **environment):
    """A Python of its own, which has 60 seconds."""
    return subprocess.run([sys.executable, "-B", *arguments], capture_output=True, text=True,
                          cwd=cwd, env={**os.environ, **environment}, check=False, timeout=60)


class WithMatrix(unittest.TestCase):
    """Each test has a matrix, and must leave it as it was."""

    named = False

    def setUp(self):
        self.name = f"python-{os.getpid()}-{self._testMethodName[:30]}" if self.named else None
        self.matrix = weir.Matrix.create(self.name)
        self.before = used(self.matrix)

    def tearDown(self):
        gc.collect()
        self.matrix.heal()
        self.assertEqual(used(self.matrix), self.before)
        self.matrix.close()
        if self.named:
            weir.Matrix.unlink(self.name)
