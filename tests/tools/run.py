# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the tests of the weir command and speaks TAP: run.py WEIR SUITE [WORD IN A NAME]."""

import importlib
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path

sys.dont_write_bytecode = True  # the source tree stays clean

from support import Skip, Tool  # noqa: E402


def cases(suite, word):
    """The functions of the suite's module that are tests, in the order of the file."""
    module = importlib.import_module(suite)
    found = [f for name, f in vars(module).items() if name.startswith("test_")]
    return [f for f in found if word in f.__name__]


def run(number, case, weir):
    title = case.__name__.removeprefix("test_").replace("_", " ")
    with tempfile.TemporaryDirectory(prefix="weir-test-") as folder:
        tool = Tool(weir, Path(folder))
        try:
            case(tool)
        except Skip as reason:
            print(f"ok {number} - {title} # SKIP {reason}", flush=True)
            return True
        except Exception:
            print(f"not ok {number} - {title}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
            return False
        finally:
            tool.clear_away()
    print(f"ok {number} - {title}", flush=True)
    return True


def main():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where nohup runs the tests
    weir = os.path.abspath(sys.argv[1])
    chosen = cases(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
    print(f"1..{len(chosen)}", flush=True)
    results = [run(i + 1, case, weir) for i, case in enumerate(chosen)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
