#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What ./dev and tests/summary.py promise: a build folder that was configured with less installed
gets the rest, and a suite without a test is a failure. Speaks TAP.

Nothing is compiled here: a stand-in for ninja only lets Meson configure again.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "gen"))

from tap import Tap  # noqa: E402

NINJA = """#!/bin/sh
case " $* " in *" build.ninja "* | *" --version "*) exec {ninja} "$@" ;; esac
"""


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=120, **options)


class Dev:
    """./dev with a build folder of its own that was set up with little."""

    def __init__(self, root, folder, *options):
        self.root = root
        self.build = folder / "build"
        stand_ins = folder / "bin"
        stand_ins.mkdir()
        (stand_ins / "ninja").write_text(NINJA.format(ninja=shutil.which("ninja")))
        (stand_ins / "ninja").chmod(0o755)
        self.meson = "/usr/bin/meson" if os.access("/usr/bin/meson", os.X_OK) else "meson"
        self.env = {**os.environ, "PATH": f"{stand_ins}:{os.environ['PATH']}",
                    "WEIR_NO_INSTALL": "1", "WEIR_BUILD": str(self.build)}
        self.setup = run(self.meson, "setup", self.build, root, *options)

    def run(self, *arguments):
        return run("sh", self.root / "dev", *arguments, env=self.env, cwd=self.root)

    def suites(self):
        tests = json.loads(run(self.meson, "introspect", self.build, "--tests").stdout)
        return {suite.rpartition(":")[2] for test in tests for suite in test["suite"]}


def check_configure(tap, root, folder):
    dev = Dev(root, folder, "-Dtests=disabled", "-Dtools=disabled", "-Dbench=disabled")
    tap.ok(dev.setup.returncode == 0 and dev.suites() == {"examples"}, "a folder without tests",
           dev.setup.stdout + dev.setup.stderr)
    done = dev.run("build")
    targets = json.loads(run(dev.meson, "introspect", dev.build, "--targets").stdout)
    tap.ok(done.returncode == 0
           and any((t["name"], t["type"]) == ("weir", "executable") for t in targets),
           "./dev build adds the command to a folder that lacks it", done.stdout + done.stderr)
    dev.run("tsan")  # fails, as nothing is compiled
    tap.ok({"unit", "api", "explore", "crash", "tools"} <= dev.suites(),
           "./dev with tests adds them to a folder that lacks them", dev.suites())


# Programs that tests look for, and their package; those of languages stay the user's choice.
PACKAGES = {"clang++": "clang", "mandoc": "mandoc"}
LANGUAGES = {"cargo", "go"}


def check_packages(tap, root):
    looked_for = set()
    for path in root.glob("tests/**/meson.build"):
        looked_for |= set(re.findall(r"find_program\('([^'/]+)', required: false\)",
                                     path.read_text()))
    listed = re.search(r'^need_test="(.*)"$', (root / "dev").read_text(), re.M).group(1).split()
    missing = [name for name in looked_for - LANGUAGES if PACKAGES.get(name) not in listed]
    tap.equal(missing, [], "./dev test installs what a suite cannot be run without")


def entry(suite, output):
    return json.dumps({"name": f"weir:{suite} / a test", "result": "OK", "stdout": output})


def summary(root, folder, suites, argument="", output="1..1\nok 1 - fine\n"):
    logs = folder / "meson-logs"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "testlog.json").write_text("".join(entry(suite, output) + "\n" for suite in suites))
    return run(sys.executable, root / "tests/summary.py", str(folder) + argument)


def check_summary(tap, root, folder):
    some = ["unit", "api"]
    done = summary(root, folder, some, ":unit,api")
    tap.ok(done.returncode == 0 and done.stdout == "2 passed, 0 failed\n",
           "all suites that were asked for", done.stdout + done.stderr)
    done = summary(root, folder, some[:1], ":unit,api")
    tap.ok(done.returncode == 1 and "no test of the suite api" in done.stdout
           and done.stdout.endswith("1 passed, 1 failed\n"),
           "a suite that was asked for and is missing fails", done.stdout + done.stderr)
    done = summary(root, folder, some[:1], ":unit",
                   "1..2\nnot ok - bad  (0.10s)\n  a.cpp:7: 1 is not 2\nok - fine\n")
    tap.ok(done.returncode == 1 and "a.cpp:7: 1 is not 2\n1 passed, 1 failed" in done.stdout,
           "a failure is shown with its reason", done.stdout + done.stderr)
    done = summary(root, folder, some)
    missing = {line.rsplit("suite ", 1)[1].split()[0]
               for line in done.stdout.splitlines() if line.startswith("failed")}
    known = {path.parent.name for path in root.glob("tests/*/meson.build")}
    known = (known - {"stress"} | {"tsan", "soak", "examples"}) - set(some)
    tap.equal(sorted(missing), sorted(known), "without a list, every folder of tests is wanted")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    root = parser.parse_args().root.resolve()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="weir-dev-") as name:
        folder = pathlib.Path(name).resolve()
        check_configure(tap, root, folder)
        check_packages(tap, root)
        check_summary(tap, root, folder / "logs")
    tap.finish()


if __name__ == "__main__":
    main()
