#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# Every function of weir.json is in each binding, or has a @skip with a reason. Speaks TAP.
"""usage: surface.py --root SOURCES"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "gen")]

from tap import Tap  # noqa: E402

# Where a language declares what it can call, and how that looks.
LAYERS = {
    "python": ("bindings/python/weir/_ffi.py", r'^_?(\w+) = _bind\(_\w+, "\1",'),
    "rust": ("bindings/rust/weir-sys/src/lib.rs", r"^    pub fn (weir_\w+)\("),
    "go": ("bindings/go/funcs_gen.go",
           r"(?:C\.|^    (?:weir_go\.result = )?)(weir_(?!go_)\w+)\("),
}


def functions(root):
    model = json.loads((root / "capi/abi/weir.json").read_text())
    for section in model["sections"]:
        for item in section["items"]:
            if item["item"] == "function":
                skips = {skip["language"]: skip["reason"] for skip in item.get("skip", [])}
                yield item["name"], skips


def differences(text, pattern, language, wanted):
    """What is missing, and what is there though it is not wanted."""
    found = set(re.findall(pattern, text, re.M))
    expected = {name for name, skips in wanted if language not in skips}
    return sorted(expected - found) + [f"{name} is not in weir.h" for name in
                                       sorted(found - expected)]


def check(tap, root, language, wanted):
    path, pattern = LAYERS[language]
    text = (root / path).read_text()
    tap.equal(differences(text, pattern, language, wanted), [], f"{language} has every function")
    first = re.search(pattern, text, re.M).group(0)
    broken = differences(text.replace(first, "", 1), pattern, language, wanted)
    tap.ok(len(broken) == 1, f"proof: a function that {language} lacks is found", broken)
    reasons = [name for name, skips in wanted if language in skips and len(skips[language]) < 20]
    tap.equal(reasons, [], f"what {language} skips has a reason")


def check_go_readme(tap, root):
    """Python and Rust run their READMEs; Go runs an Example, which the README has to show."""
    [shown] = re.findall(r"```go\n(.*?)```", (root / "bindings/go/README.md").read_text(), re.S)
    example = (root / "bindings/go/example_test.go").read_text()
    tap.ok(shown in example, "Go's README shows the example that is tested", shown)


def unformatted(gofmt, text):
    done = subprocess.run([gofmt, "-l"], input=text, text=True, capture_output=True, timeout=60)
    return (done.stdout + done.stderr).strip()


def check_go_format(tap, root):
    """All Go is as gofmt writes it, what is generated too."""
    name, gofmt = "Go is as gofmt writes it", shutil.which("gofmt")
    if gofmt is None:
        tap.skip(name, "gofmt is not there")
        return
    files = [file for folder in ("bindings/go", "bench/bindings/go", "tests/bindings/cross/go")
             for file in sorted((root / folder).rglob("*.go"))]
    tap.equal([str(file.relative_to(root)) for file in files
               if unformatted(gofmt, file.read_text())], [], name)
    broken = (root / LAYERS["go"][0]).read_text() + "\nfunc f() (int) { return 1 }\n"
    tap.ok(unformatted(gofmt, broken), "proof: what gofmt would change is found")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    args = parser.parse_args()
    tap = Tap()
    wanted = list(functions(args.root))
    tap.ok(len(wanted) > 50, "weir.json has functions")
    for language in LAYERS:
        check(tap, args.root, language, wanted)
    check_go_readme(tap, args.root)
    check_go_format(tap, args.root)
    tap.finish()


if __name__ == "__main__":
    main()
