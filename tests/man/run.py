#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# The manual pages against the model and against mandoc. Speaks TAP.
"""usage: run.py --mandoc PROGRAM --root SOURCES"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "gen")]

from tap import Tap  # noqa: E402

# A release in the making has no date yet; releases.txt says "unreleased", and so do the pages.
NO_DATE = "cannot parse date, using it verbatim: TH unreleased"


def lint(mandoc, *pages):
    done = subprocess.run([mandoc, "-T", "lint", "-W", "warning", *map(str, pages)],
                          capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if NO_DATE not in line]


def shown(mandoc, page):
    done = subprocess.run([mandoc, "-T", "ascii", "-O", "width=100", str(page)],
                          capture_output=True, text=True, check=False)
    return re.sub(".\b", "", done.stdout)


def functions(root):
    model = json.loads((root / "capi/abi/weir.json").read_text())
    return {item["name"]: item for section in model["sections"] for item in section["items"]
            if item["item"] == "function"}


def check_content(tap, args, folder, model):
    """What a reader looks for is on the page after all escapes: parameters and error codes."""
    for name, item in model.items():
        text = shown(args.mandoc, folder / f"{name}.3")
        missing = [word for word in [name, *(p["name"] for p in item["params"]),
                                     *(e["code"] for e in item.get("errors", []))]
                   if word not in text]
        tap.ok(not missing, f"{name}(3) says all", f"missing: {missing}")


def check_links(tap, folder):
    """Every page that a page names exists."""
    text = "\n".join(page.read_text() for page in folder.glob("*.[37]"))
    named = set(re.findall(r"(?:\.BR |\\fB)((?:weir_|lib)\w+)(?: |\\fR)\(3\)", text))
    missing = sorted(name for name in named if not (folder / f"{name}.3").exists())
    tap.ok(len(named) > 20 and not missing, "pages that are named exist", missing)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mandoc", required=True)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    args = parser.parse_args()
    tap = Tap()
    folder = args.root / "capi/man"
    pages = sorted(folder.glob("*.[37]"))
    model = functions(args.root)
    tap.equal(sorted(page.stem for page in pages if page.suffix == ".3"),
              sorted([*model, "libweir"]), "there is a page for every function and no other")
    complaints = lint(args.mandoc, *pages, args.root / "tools/weir.1")
    tap.ok(not complaints, "mandoc has nothing to say", "\n".join(complaints))
    with tempfile.TemporaryDirectory() as broken:
        page = pathlib.Path(broken) / "broken.3"
        page.write_text(pages[0].read_text() + ".XX unknown\n")
        tap.ok(lint(args.mandoc, page), "proof: an unknown request is found")
    check_content(tap, args, folder, model)
    check_links(tap, folder)
    tap.finish()


if __name__ == "__main__":
    main()
