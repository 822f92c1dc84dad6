# SPDX-License-Identifier: MIT OR Apache-2.0
# The little of the Test Anything Protocol that the generator's and the ABI's tests need.
import sys


class Tap:
    """Counts results, prints one line each, and knows the exit status."""

    def __init__(self):
        self.count = 0
        self.failures = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        self.failures += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            for line in str(detail).splitlines()[:60]:
                print("#   " + line)

    def equal(self, found, expected, name):
        self.ok(found == expected, name, difference(expected, found))

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def finish(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failures else 0)


def difference(expected, found):
    import difflib

    if not isinstance(expected, str) or not isinstance(found, str):
        return f"expected {expected!r}\nfound    {found!r}"
    return "\n".join(difflib.unified_diff(expected.splitlines(), found.splitlines(),
                                          "expected", "found", lineterm=""))
