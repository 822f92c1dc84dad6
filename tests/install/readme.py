#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# Compiles and runs what README.md shows in C. Speaks TAP.
"""usage: readme.py --root SOURCES --library LIBWEIR.SO --compiler COMMAND

The snippets continue each other: each one lies in the scope of those before it. After each
statement that sets `r` the program ends if that is an error.
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
sys.path[:0] = [str(HERE.parent / "gen")]

from tap import Tap  # noqa: E402

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wno-unused-but-set-variable"]
NAME = "camera"  # of the segment in the snippets

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


def snippets(text):
    return re.findall(r"^```c\n(.*?)^```$", text, re.M | re.S)


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
    return parser.parse_args()


def run(command, folder):
    """In `folder`: the snippets make a log where they are."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def main():
    options = parse()
    tap = Tap()
    parts = snippets((options.root / "README.md").read_text())
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
        finally:
            pathlib.Path(f"/dev/shm/weir.{name}").unlink(missing_ok=True)
        tap.ok(code == 0, "every call in them succeeds", said)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
