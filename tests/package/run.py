#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# What a release and a distribution make of the tree: `./dev package`. Speaks TAP, and counts at last.
"""usage: run.py --root SOURCES --folder FOLDER --version M.N.P

Everything is made in FOLDER, anew each time, out of the tarball of `meson dist`; the Debian packages
stay in FOLDER/first.
"""
import argparse
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "abi"), str(HERE.parent / "gen")]

import debian  # noqa: E402
from sources import check_tarball, dist, run, tail  # noqa: E402
from tap import Tap  # noqa: E402


def check_spec(tap, root, version):
    """Fedora's package: rpmlint, with the exceptions that stand beside it."""
    folder = root / "pkgconfig/distro/fedora"
    tap.ok(f"Version:        {version}\n" in (folder / "weir.spec").read_text(),
           "weir.spec is of this version")
    if shutil.which("rpmlint") is None:
        return tap.skip("rpmlint has no errors", "no rpmlint")
    done = run("rpmlint", "-r", folder / "weir.rpmlintrc", folder / "weir.spec",
               env={"PATH": debian.SYSTEM_PATH, "LC_ALL": "C.UTF-8"})
    return tap.ok(done.returncode == 0 and " 0 errors" in done.stdout, "rpmlint has no errors",
                  tail(done))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    args = parser.parse_args()
    args.root = args.root.resolve()
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    folder = args.folder.resolve()
    tap = Tap()
    check_spec(tap, args.root, args.version)
    tarball = dist(tap, args.root, folder)
    if tarball is not None:
        debian.check(tap, args, tarball, folder)
        check_tarball(tap, tarball, args.version, folder)
    print(f"{tap.count - tap.failures} passed, {tap.failures} failed", flush=True)
    sys.exit(1 if tap.failures else 0)


if __name__ == "__main__":
    main()
