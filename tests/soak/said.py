# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the output of a program says: TAP, and the sums that it prints."""
import re


class NotUnderstood(Exception):
    pass


def numbers(pattern, output, at_least=1):
    """What the groups of the pattern say, summed over all its matches."""
    found = re.findall(pattern, output, re.MULTILINE)
    if len(found) < at_least:
        raise NotUnderstood(f"no line like {pattern!r}")
    rows = [row if isinstance(row, tuple) else (row,) for row in found]
    return [sum(map(int, column)) for column in zip(*rows)]


def check_plan(output, may_skip=False):
    """TAP must be complete: as many results as the plan says, none of them skipped."""
    plan = re.search(r"^1\.\.(\d+)$", output, re.MULTILINE)
    lines = re.findall(r"^(?:not )?ok\b.*$", output, re.MULTILINE)
    if plan is None or int(plan.group(1)) != len(lines) or (
            not may_skip and any("# SKIP" in x for x in lines)):
        raise NotUnderstood("its plan does not fit its results")


def broken(output):
    """How many checks the output says have failed."""
    count = len(re.findall(r"^not ok\b", output, re.MULTILINE))
    count += sum(map(int, re.findall(r"^\d+ schedules, \d+ steps, (\d+) failed$", output, re.M)))
    count += sum(map(int, re.findall(r"^\w+: (\d+) mistakes$", output, re.M)))
    return count + output.count("WARNING: ThreadSanitizer")


def leaked(output):
    """Bytes that did not come back, as far as a failure says it."""
    lines = re.findall(r"sector \d+: (\d+) bytes committed, (\d+) free", output)
    return sum(abs(int(committed) - int(free)) for committed, free in lines)
