#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every documented error of every function is provoked by a test in this folder, or stands in
errors_not_provoked.txt with a reason; and no test or reason names what is not documented."""

import pathlib
import re
import sys

CODE = r"-[A-Z][A-Z0-9_]+"
CALL = re.compile(rf"\brefuse\(\s*({CODE}),\s*(weir_\w+)\(")
COVERS = re.compile(rf"//\s*covers:\s*(weir_\w+)((?:\s+{CODE})+)")


def documented(abi):
    found = set()
    for line in abi.read_text().splitlines():
        words = line.split()
        if words and words[0] == "errors":
            found |= {(words[1], code) for code in words[2:]}
    return found


def provoked(folder):
    """(function, code) -> the files that do it."""
    found = {}
    for path in sorted(folder.glob("*.c*")):
        text = path.read_text()
        pairs = [(function, code) for code, function in CALL.findall(text.replace("child_", ""))]
        for function, codes in COVERS.findall(text):
            pairs += [(function, code) for code in codes.split()]
        for pair in pairs:
            found.setdefault(pair, set()).add(path.name)
    return found


def excused(path):
    found = {}
    for line in path.read_text().splitlines():
        words = line.split(maxsplit=2)
        if words and not line.startswith("#"):
            found[(words[0], words[1])] = words[2] if len(words) == 3 else ""
    return found


class Tap:
    count = 0
    failed = False

    def result(self, name, problems):
        self.count += 1
        print(f"{'not ok' if problems else 'ok'} {self.count} - {name}")
        for problem in problems:
            print(f"# {problem}")
        self.failed |= bool(problems)


def main():
    folder = pathlib.Path(sys.argv[1])
    known = documented(pathlib.Path(sys.argv[2]))
    tests = provoked(folder)
    reasons = excused(folder / "errors_not_provoked.txt")
    tap = Tap()
    tap.result("the ABI lists errors", [] if len(known) > 100 else ["hardly any found"])
    for function in sorted({function for function, _ in known}):
        mine = {pair for pair in known if pair[0] == function}
        tap.result(f"every error of {function} is provoked or excused",
                   [f"{code}: no test" for _, code in sorted(mine - set(tests) - set(reasons))])
    tap.result("no test expects an error that is not documented",
               [f"{f} {c} in {', '.join(sorted(tests[f, c]))}"
                for f, c in sorted(set(tests) - known)])
    tap.result("no excuse for what is not documented or is tested",
               [f"{f} {c}" for f, c in sorted(set(reasons) - (known - set(tests)))])
    tap.result("every excuse says why", [f"{f} {c}" for (f, c), why in reasons.items() if not why])
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
