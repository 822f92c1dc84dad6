#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Counts every single test in the logs of `meson test` and prints `N passed, N failed`.

Meson counts programs; most of ours run many tests and speak TAP. A program that failed as a whole
(crash, time-out, missing plan) counts as one more failure if none of its tests failed, and so does a
suite without a single test. Names what failed and why something was skipped. The exit code is 0 only
if nothing failed.

usage: summary.py FOLDER[:SUITE,…]…      without suites: all that a meson.build of the project names
"""

import itertools
import json
import pathlib
import re
import sys

TAP_LINE = re.compile(r"^(not )?ok(?: \d+)?(?: - ?(.*)|\s*)$")  # Go's "ok  PACKAGE" is none
REASON_LINES = 12
PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)


class Count:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []


def reason(lines):
    """What a failed test says for itself: the indented lines and comments behind its line."""
    said = itertools.takewhile(lambda line: line[:1] in (" ", "#"), lines)
    return "".join(f"\n    {line.strip()}" for line in itertools.islice(said, REASON_LINES))


def count_tap(name, output, count):
    """Returns whether the output was TAP at all."""
    output_lines = output.splitlines()
    found = [(i, m) for i, m in enumerate(map(TAP_LINE.match, output_lines)) if m]
    plan = PLAN.search(output)
    if not found and not plan:
        return False
    for i, line in found:
        title = line.group(2) or ""
        if re.search(r"#\s*skip", title, re.IGNORECASE):
            count.skipped.append(f"{name}: {title}")
        elif line.group(1):
            count.failed.append(f"{name}: {title}" + reason(output_lines[i + 1:]))
        else:
            count.passed += 1
    if plan is None or int(plan.group(1)) != len(found):
        count.failed.append(f"{name}: its plan does not fit its {len(found)} tests")
    return True


def count_program(entry, count):
    name, result = entry["name"], entry["result"]
    failures = len(count.failed)
    was_tap = count_tap(name, entry.get("stdout", ""), count)
    if result in ("OK", "EXPECTEDFAIL"):
        if not was_tap:
            count.passed += 1
    elif result == "SKIP":
        if not was_tap:
            count.skipped.append(f"{name}: skipped as a whole")
    elif len(count.failed) == failures:
        count.failed.append(f"{name}: {result}")


def all_suites(root):
    """What a build with everything that weir can use has."""
    found = set()
    for path in [*root.glob("tests/*/meson.build"), root / "tests/meson.build",
                 *root.glob("examples/meson.build")]:
        found |= set(re.findall(r"\bsuite: '(\w+)'", path.read_text()))
    return found


def suites_of(entry):
    """Newer Mesons list them; Meson 1.0 has them in the name alone: `project:suite / test`."""
    named = entry["name"].partition(" / ")[0].split("+") if " / " in entry["name"] else []
    return {suite.rpartition(":")[2] for suite in entry.get("suite", named)}


def main():
    count = Count()
    everything = all_suites(pathlib.Path(__file__).resolve().parents[1])
    for argument in sys.argv[1:]:
        folder, _, chosen = argument.partition(":")
        missing = set(chosen.split(",")) if chosen else set(everything)
        log = pathlib.Path(folder) / "meson-logs" / "testlog.json"
        if not log.exists():
            count.failed.append(f"{folder}: no test log")
            continue
        for line in log.read_text(errors="replace").splitlines():
            entry = json.loads(line)
            missing -= suites_of(entry)
            count_program(entry, count)
        for suite in sorted(missing):
            count.failed.append(f"{folder}: no test of the suite {suite} was run")
        for report in sorted(pathlib.Path(folder).glob("report.*")):
            count.failed.append(f"{report}: a sanitizer complained")
    for skip in count.skipped:
        print(f"skipped: {skip}")
    for failure in count.failed:
        print(f"failed: {failure}")
    print(f"{count.passed} passed, {len(count.failed)} failed")
    return 1 if count.failed or count.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
