#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Checks of the source tree: who includes whom, headers that stand alone, SPDX lines, names that
comments cite, byte tables of docs/FORMAT.md, formatting. Speaks TAP. `--format` rewrites."""

import argparse
import pathlib
import re
import subprocess
import sys

# A folder of core/ may include those that stand before it on its own path (docs/ARCHITECTURE.md).
LAYERS = {
    "base": set(),
    "index": {"base"},
    "segment": {"base", "index"},
    "matrix": {"base", "index", "segment"},
    "channel": {"base", "index", "segment", "matrix"},
    "pool": {"base", "index", "segment", "matrix"},
    "flush": {"base"},
    "log": {"base", "flush"},
}
# What else stands above core and may see weir.h alone.
OUTSIDE = ("tools", "bindings", "examples", "bench")
SOURCES = (".c", ".h", ".cpp", ".hpp", ".inc")
SPDX = "SPDX-License-Identifier: MIT OR Apache-2.0"


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = False

    def result(self, name, problems):
        self.count += 1
        print(f"{'not ok' if problems else 'ok'} {self.count} - {name}")
        for problem in problems[:40]:
            print(f"# {problem}")
        self.failed |= bool(problems)

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")


def tracked(root):
    """Files of the project: what git knows or would add; without git, all but build folders."""
    try:
        out = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, check=True,
            capture_output=True, text=True).stdout
        names = out.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
        names = [n for n in names if not n.startswith((".git/", "build"))]
    return sorted(n for n in names if (root / n).is_file())


def includes(path):
    return re.findall(r'^\s*#\s*include\s+[<"]([^">]+)[">]', path.read_text(), re.MULTILINE)


def check_layers(root, files):
    problems = []
    for name in files:
        parts = pathlib.PurePath(name).parts
        if not name.endswith(SOURCES):
            continue
        for included in includes(root / name):
            target = pathlib.PurePath(included).parts
            if target[0] not in ("core", "capi", "tools", "bindings", "tests"):
                continue
            if parts[0] == "core":
                folder = parts[1]
                known = folder in LAYERS and target[0] == "core" and len(target) == 3
                if not known or (target[1] != folder and target[1] not in LAYERS[folder]):
                    problems.append(f"{name} includes {included}: upwards")
            elif parts[0] == "capi" and target[0] not in ("core", "capi"):
                problems.append(f"{name} includes {included}: upwards")
            elif parts[0] in OUTSIDE and target[0] in ("core", "capi"):
                problems.append(f"{name} includes {included}: only weir.h is for it")
    return problems


def core_headers(files):
    return [n for n in files if n.startswith(("core/", "capi/src/")) and n.endswith(".hpp")]


def compile_errors(root, text):
    """What a compiler says of it: no lines, if all is well."""
    done = subprocess.run(
        ["g++", "-std=c++17", "-fsyntax-only", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra",
         "-Werror", "-I", str(root), "-x", "c++", "-"],
        input=text, capture_output=True, text=True)
    return (done.stderr.splitlines() or [f"ended with {done.returncode}"]) if done.returncode else []


def first_include(path):
    """What a header includes before it says anything else: there it stands as if it were alone."""
    code = re.sub(r"//.*|^#pragma once$", "", path.read_text(), flags=re.M).split()
    return code[1].strip('"') if code[:1] == ["#include"] else None


def check_headers(root, files):
    """Each header compiles alone and twice. One that another begins with is compiled as its
    beginning, and by itself only if that fails."""
    headers = core_headers(files)
    begins = {name: first_include(root / name) for name in headers}
    problems = []
    known_good = set()

    def compile_alone(name):
        chain = [name]
        while begins.get(chain[-1]) in begins and begins[chain[-1]] not in chain:
            chain.append(begins[chain[-1]])
        said = compile_errors(root, "".join(f'#include "{each}"\n' for each in chain * 2)
                              + "int unused;\n")
        if said:
            problems.append(f"{name}: {said[0]}")
        else:
            known_good.update(chain)

    inner = set(begins.values())
    for name in sorted(headers, key=lambda each: each in inner):  # the longest chains first
        if name not in known_good:
            compile_alone(name)
    return problems


def check_names(root, files):
    """All headers compile together: no two of them define a name of the library's namespace. Of two
    inline functions with one name, a linker keeps one."""
    text = "".join(f'#include "{name}"\n' for name in core_headers(files)) + "int unused;\n"
    return compile_errors(root, text)


def check_spdx(root, files):
    wanted = SOURCES + (".py", ".sh", ".build", ".txt", ".md")
    problems = []
    for name in files:
        if not name.endswith(wanted) and name not in ("dev", ".ci/run"):
            continue
        if name.startswith("LICENSES/"):
            continue
        head = (root / name).read_text(errors="replace")[:400]
        if SPDX not in head:
            problems.append(f"{name}: no SPDX line")
    return problems


def check_citations(root, files):
    """A function that a comment of the core cites as `name()` exists."""
    text = {n: (root / n).read_text() for n in files
            if n.startswith(("core/", "capi/src/")) and n.endswith(SOURCES)}
    code = "\n".join(re.sub(r"//.*|/\*.*?\*/", "", t, flags=re.S if False else 0)
                     for t in text.values())
    known = set(re.findall(r"\b([A-Za-z_]\w*)\s*\(", code))
    system = {"fork", "fallocate", "open", "main", "execve", "mmap"}
    problems = []
    for name, content in text.items():
        for number, line in enumerate(content.splitlines(), 1):
            comment = re.search(r"//(.*)$", line)
            for cited in re.findall(r"\b(?:\w+::)?([a-z_]\w*)\(\)", comment.group(1) if comment else ""):
                if cited not in known and cited not in system:
                    problems.append(f"{name}:{number}: {cited}() does not exist")
    return problems


def check_orders(root, files):
    """Every memory order but seq_cst in the core has a comment near it."""
    problems = []
    order = re.compile(r"\b(relaxed|acquire|release|acq_rel|seq_cst)\b\s*[,)]")
    for name in files:
        if not name.startswith("core/") or not name.endswith((".cpp", ".hpp")):
            continue
        if name == "core/base/atomic.hpp":
            continue
        lines = (root / name).read_text().splitlines()
        for number, line in enumerate(lines):
            code = line.split("//")[0]
            if not order.search(code):
                continue
            near = lines[max(0, number - 16):number + 3]
            if not any("//" in l for l in near):
                problems.append(f"{name}:{number + 1}: no comment near a memory order")
    return problems


def check_format_tables(root, files):
    """docs/FORMAT.md's byte tables agree with the structs."""
    document = root / "docs" / "FORMAT.md"
    rows = re.findall(r"^\| `(\w+)::(\w+)` \| (\d+) \|", document.read_text(), re.MULTILINE)
    sizes = re.findall(r"^\| `sizeof (\w+)` \| (\d+) \|", document.read_text(), re.MULTILINE)
    if len(rows) < 30 or len(sizes) < 5:
        return ["docs/FORMAT.md: the byte tables are missing"]
    checks = [f"static_assert(offsetof({s}, {f}) == {o}, \"{s}::{f}\");" for s, f, o in rows]
    checks += [f"static_assert(sizeof({s}) == {n}, \"{s}\");" for s, n in sizes]
    source = ('#include "core/segment/layout.hpp"\n#include "core/channel/cell.hpp"\n'
              '#include "core/channel/route_table.hpp"\n'
              '#include "core/log/layout.hpp"\n#include "core/flush/format.hpp"\n'
              '#include "core/pool/layout.hpp"\n'
              "using namespace weir;\n" + "\n".join(checks))
    done = subprocess.run(
        ["g++", "-std=c++17", "-fsyntax-only", "-Wno-invalid-offsetof", "-I", str(root), "-x", "c++", "-"],
        input=source, capture_output=True, text=True)
    return re.findall(r"error: (.*)", done.stderr)


def check_format(root, files, rewrite):
    sources = [n for n in files if n.endswith((".cpp", ".hpp", ".c", ".h"))
               and n.startswith(("core/", "capi/src/", "capi/gen/", "tools/", "bench/", "examples/"))
               and not n.startswith(("capi/include/",)) and not n.endswith("_types.h")
               and n != "capi/src/types.h"]
    mode = ["-i"] if rewrite else ["--dry-run", "-Werror"]
    done = subprocess.run(["clang-format", *mode, *sources], cwd=root, capture_output=True, text=True)
    return sorted(set(re.findall(r"^(\S+?:\d+):\d+: error", done.stderr, re.MULTILINE)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parents[2])
    parser.add_argument("--format", action="store_true", help="rewrite the formatting and stop")
    options = parser.parse_args()
    root = options.root.resolve()
    files = tracked(root)
    if options.format:
        check_format(root, files, True)
        return 0
    tap = Tap()
    tap.result("dependencies point down", check_layers(root, files))
    tap.result("headers stand alone", check_headers(root, files))
    tap.result("no two headers define one name", check_names(root, files))
    tap.result("every file has its licence line", check_spdx(root, files))
    tap.result("functions that comments cite exist", check_citations(root, files))
    tap.result("memory orders are explained", check_orders(root, files))
    tap.result("docs/FORMAT.md fits the structs", check_format_tables(root, files))
    try:
        tap.result("clang-format has nothing to say", check_format(root, files, False))
    except FileNotFoundError:
        tap.skip("clang-format has nothing to say", "clang-format is not installed")
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
