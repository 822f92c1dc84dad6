#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# Compiles and runs what README.md shows in C, Rust, Go and Python. Speaks TAP.
"""usage: readme.py --root SOURCES --build FOLDER --library LIBWEIR.SO --compiler COMMAND

The snippets in C continue each other: each one lies in the scope of those before it. After each
statement that sets `r` the program ends if that is an error, and in Go after each that sets `err`.
What the last one in C does the others do too, on its segment.
"""
import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent / "gen"), str(HERE.parent / "bindings")]

from languages import Failed, Missing, Workshop  # noqa: E402
from tap import Tap  # noqa: E402

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wno-unused-but-set-variable"]
NAME = "camera"  # of the segment in the snippets
SAID = "100000 bytes\n"  # by the program in each language

RUST = "use weir::*;\n\nfn main() -> Result<()> {{\n{body}\nOk(())\n}}\n"
GO = """package main

import (
	"bytes"
	"fmt"
	"log"
	"weir"
)

func main() {{
{body}
}}
"""

FRAME = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
{includes}

static void fill(void *bytes, size_t length) {{ memset(bytes, 0x5a, length); }}

static void must(int r, const char *statement)
{{
    if (r >= 0)
        return;
    fprintf(stderr, "%s: %s\\n", statement, weir_strerror(r));
    exit(1);
}}

int main(void)
{{
{body}
    return 0;
}}
"""


def snippets(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def program(parts, name):
    """One C program of all snippets, with a segment of its own."""
    includes, body = [], []
    for part in parts:
        body.append("{")
        for line in part.splitlines():
            if line.startswith("#include"):
                includes.append(line)
                continue
            body.append(line)
            if re.match(r"\s*r = weir_\w+\(.*\);", line):
                statement = line.strip().replace("\\", "\\\\").replace('"', '\\"')
                body.append(f'must(r, "{statement}");')
    body.append("}" * len(parts))
    text = FRAME.format(includes="\n".join(includes), body="\n".join(body))
    return text.replace(f'"{NAME}"', f'"{name}"')


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--cargo", default="cargo")
    parser.add_argument("--go", default="go")
    return parser.parse_args()


def whole(language, snippet, name):
    """A program of a snippet in another language than C."""
    text = snippet.replace(f'"{NAME}"', f'"{name}"')
    if language == "rust":
        return RUST.format(body=text)
    if language == "python":
        return f"import weir\n\n{text}"
    checked = re.sub(r"^(.*\berr :?= .*)$", r"\1\nif err != nil { log.Fatal(err) }", text, flags=re.M)
    return GO.format(body=checked)


def check_language(tap, workshop, language, suffix, name):
    [snippet] = snippets((workshop.root / "README.md").read_text(), language)
    source = workshop.place("readme") / f"main.{suffix}"
    source.write_text(whole(language, snippet, name))
    try:
        command = getattr(workshop, language)("readme", source)
    except Missing as missing:
        return tap.skip(f"what is shown in {language} works", missing)
    except Failed as failed:
        return tap.ok(False, f"what is shown in {language} can be built", failed)
    code, said = run(command, workshop.folder, workshop.env)
    tap.equal((code, said), (0, SAID), f"what is shown in {language} works")


def run(command, folder, env=None):
    """In `folder`: the snippets make a log where they are."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder, env=env)
    return done.returncode, done.stdout + done.stderr


def main():
    options = parse()
    tap = Tap()
    parts = snippets((options.root / "README.md").read_text(), "c")
    calls = set(re.findall(r"weir_\w+(?=\()", "".join(parts)))
    tap.ok(len(parts) >= 2 and len(calls) >= 10, f"README.md has {len(parts)} snippets in C",
           f"calls: {sorted(calls)}")
    name = f"readme-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="weir-readme-") as folder:
        source, made = pathlib.Path(folder) / "readme.c", pathlib.Path(folder) / "readme"
        source.write_text(program(parts, name))
        library = options.library.resolve()
        code, said = run([*shlex.split(options.compiler), *STRICT,
                          f"-I{options.root.resolve() / 'capi' / 'include'}", str(source), str(library),
                          f"-Wl,-rpath,{library.parent}", "-o", str(made)], folder)
        tap.ok(code == 0, "they compile as strict C99", said)
        try:
            code, said = run([str(made)], folder) if code == 0 else (1, "not compiled")
            tap.equal((code, said), (0, SAID), "every call in them succeeds")
            for language, suffix in [("rust", "rs"), ("go", "go"), ("python", "py")]:
                check_language(tap, Workshop(options), language, suffix, name)
        finally:
            pathlib.Path(f"/dev/shm/weir.{name}").unlink(missing_ok=True)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
