#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# A second opinion on the ABI: abidiff and abi-compliance-checker against a release. Speaks TAP.
"""usage: gate.py --root SOURCES --version M.N.P [--baseline DIR]

DIR holds, anywhere in it, libweir.so with debug information and weir.h of a release. Today's library
is built anew for the comparison, with debug information too. Whether there is a release or not, both
tools have to judge a toy library right: what they must refuse and what they must let pass.
"""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "gen")]

from elf import run  # noqa: E402
from tap import Tap  # noqa: E402

PATIENCE = 120  # seconds, for one comparison

# What is done to the toy library, and whether a program of the old one still works.
VARIANTS = [
    ("nothing at all", [], True),
    ("an added function", [("toy.h", "\n#endif", "int toy_more(void);\n\n#endif"),
                           ("toy.c", "int toy_count", "int toy_more(void)\n{\n    return 1;\n}\n\n"
                                                      "int toy_count")], True),
    ("a changed private struct", [("toy.c", "    int count;", "    long before;\n    int count;")],
     True),
    ("a removed function", [("toy.h", "int toy_count(struct toy *toy);\n", ""),
                            ("toy.c", "int toy_count", "static inline int toy_count")], False),
    ("a changed struct", [("toy.h", "    long wait_ns;", "    int pages;\n    long wait_ns;")], False),
    ("a field of another type", [("toy.h", "long wait_ns", "int wait_ns")], False),
]


class Release:
    """A library with its header, alone in a folder: abi-compliance-checker looks for headers all
    around the one that it gets."""

    def __init__(self, header, library, folder):
        folder.mkdir(exist_ok=True)
        self.header, self.library = folder / header.name, folder / library.name
        for file, own in (header, self.header), (library, self.library):
            if file != own:
                shutil.copyfile(file, own)

    def has_debug_information(self):
        return ".debug_info" in run("readelf", "-SW", self.library).stdout

    def description(self, file):
        """For abi-compliance-checker."""
        file.write_text(f"<version>{file.stem}</version>\n<headers>{self.header}</headers>\n"
                        f"<libs>{self.library}</libs>\n")
        return file


def abidiff(old, new, folder):
    return run("abidiff", "--no-added-syms", "--headers-dir1", old.header.parent, "--headers-dir2",
               new.header.parent, old.library, new.library, cwd=folder, timeout=PATIENCE)


def compliance(old, new, folder):
    done = run("abi-compliance-checker", "-l", new.library.name, "-lang", "C",
               "-old", old.description(folder / "old.xml"),
               "-new", new.description(folder / "new.xml"),
               "-report-path", folder / "report.html", cwd=folder, timeout=PATIENCE)
    done.stdout += done.stderr
    return done


# The tools, and what their exit status is when they refuse: a tool that fails has not refused.
TOOLS = {"abidiff": abidiff, "abi-compliance-checker": compliance}
REFUSALS = {"abidiff": (4, 8, 12), "abi-compliance-checker": (1,)}


def toy(folder, changes):
    folder.mkdir()
    for name in ("toy.h", "toy.c"):
        text = (HERE / "toy" / name).read_text()
        for file, old, new in changes:
            if file == name:
                assert old in text, f"{name} does not hold {old!r}"
                text = text.replace(old, new, 1)
        (folder / name).write_text(text)
    library = folder / "libtoy.so"
    built = run("cc", "-g", "-shared", "-fPIC", folder / "toy.c", "-o", library,
                "-Wl,-soname,libtoy.so.0")
    assert built.returncode == 0, built.stderr
    return Release(folder / "toy.h", library, folder)


def check_toy(tap, name, tool, folder):
    old = toy(folder / "old", [])
    for number, (what, changes, good) in enumerate(VARIANTS):
        new = toy(folder / f"new{number}", changes)
        done = tool(old, new, folder)
        tap.ok(done.returncode in ((0,) if good else REFUSALS[name]),
               f"{name} {'lets pass' if good else 'refuses'} {what}",
               f"status {done.returncode}\n{done.stdout}{done.stderr}")


def today(args, place):
    """The library of these sources with debug information."""
    folder = place / "build"
    meson = "/usr/bin/meson" if os.access("/usr/bin/meson", os.X_OK) else "meson"
    built = run(meson, "setup", folder, args.root, "-Ddebug=true", "-Ddefault_library=shared",
                "-Dtools=disabled", "-Dtests=disabled", "-Dbench=disabled", "-Dexamples=false")
    if built.returncode == 0:
        built = run("ninja", "-C", folder, f"libweir.so.{args.version}")
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return Release(args.root / "capi/include/weir.h", folder / "libweir.so", place / "new")


def find_release(baseline, place):
    headers, libraries = sorted(baseline.rglob("weir.h")), sorted(baseline.rglob("libweir.so"))
    if not headers or not libraries:
        return None
    return Release(headers[0], libraries[0], place / "old")


def check_baseline(tap, args, folder):
    if args.baseline is None:
        for name in TOOLS:
            tap.skip(f"{name} accepts the library", "no release to compare with (-Dabi_baseline)")
        return
    old = find_release(args.baseline, folder)
    good = old is not None and old.has_debug_information()
    tap.ok(good, "the release has a header and debug information",
           f"{args.baseline}: wanted are weir.h and a libweir.so that was built with -Ddebug=true")
    if not good:
        return
    new = today(args, folder)
    for name, tool in TOOLS.items():
        if shutil.which(name) is None:
            tap.skip(f"{name} accepts the library", f"no {name}")
            continue
        done = tool(old, new, folder)
        tap.ok(done.returncode == 0, f"{name} accepts the library", done.stdout + done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--baseline", type=pathlib.Path)
    args = parser.parse_args()
    args.root = args.root.resolve()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="weir-gate-") as name:
        folder = pathlib.Path(name).resolve()
        for tool in TOOLS:
            if shutil.which(tool) is None:
                tap.skip(f"{tool} judges the toy library", f"no {tool}")
                continue
            (folder / tool).mkdir()
            check_toy(tap, tool, TOOLS[tool], folder / tool)
        check_baseline(tap, args, folder)
    tap.finish()


if __name__ == "__main__":
    main()
