#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# Tests of weirgen: goldens of ok/, errors of bad/, freshness and the command line. Speaks TAP.
"""usage: run.py --weirgen PROGRAM [--update]

ok/NAME.cpp    one input per construct; NAME.golden holds every output.
bad/NAME.cpp   refused; NAME.err holds the exact messages. A file may bring its own release history
               (NAME.releases), released snapshots (NAME.0.1.abi) and changelog (NAME.changelog).
--update       writes the goldens and messages anew; review the difference before you keep it.
"""
import argparse
import ast
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from tap import Tap  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
RELEASES = "0.1.0 unreleased WEIR_0.1 0\n"
C_DIALECTS = ["c99", "c11", "c17"]
CPP_DIALECTS = ["c++11", "c++17", "c++20"]
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
LAYOUT = ("const ", "enum ", "field ", "flag ", "id ", "struct ")


def run(*command, **more):
    return subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **more)


class Project:
    """A throw-away root with one input."""

    def __init__(self, weirgen, source):
        self.weirgen = weirgen
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.input = "capi/src/" + source.name
        self.put(self.input, source.read_text())
        releases = source.with_suffix(".releases")
        self.put("capi/abi/releases.txt", releases.read_text() if releases.exists() else RELEASES)
        changelog = source.with_suffix(".changelog")
        if changelog.exists():
            self.put("CHANGELOG.md", changelog.read_text())
        for snapshot in source.parent.glob(source.stem + ".*.abi"):
            version = snapshot.name[len(source.stem) + 1:]
            self.put("capi/abi/released/" + version, snapshot.read_text())

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.folder.cleanup()

    def put(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def gen(self, *options):
        return run(self.weirgen, "--root", self.root, *options, self.input)

    def outputs(self):
        return self.gen("--list").stdout.split()

    def files(self):
        return sorted(str(file.relative_to(self.root)) for file in self.root.rglob("*")
                      if file.is_file())


def golden_text(project):
    parts = []
    for path in project.outputs():
        file = project.root / path
        parts.append(f"==> {path} <==\n{file.read_text() if file.exists() else '(missing)'}")
    return "\n".join(parts)


def check_ok(tap, args, source):
    with Project(args.weirgen, source) as project:
        written = project.gen("--write")
        found = golden_text(project)
        golden = source.with_suffix(".golden")
        if args.update:
            golden.write_text(found)
        good = written.returncode == 0 and written.stderr == ""
        tap.ok(good, f"{source.stem} is accepted", written.stderr)
        if not good:
            return
        expected = golden.read_text() if golden.exists() else ""
        for path in project.outputs():
            tap.equal(section(found, path), section(expected, path), f"{source.stem}: {path}")
        checked = project.gen("--check")
        tap.ok(checked.returncode == 0, f"{source.stem} is fresh after a write", checked.stderr)
        compile_outputs(tap, project, source.stem)


def section(text, path):
    _, _, rest = text.partition(f"==> {path} <==\n")
    return rest.partition("\n==> ")[0]


def compile_outputs(tap, project, name):
    include = "-I" + str(project.root / "capi/include")
    twice = "#include <weir.h>\n#include <weir.h>\nint unused_by_anybody(void);\n"
    for dialect in C_DIALECTS + CPP_DIALECTS:
        compiler, language = ("g++", "c++") if "+" in dialect else ("gcc", "c")
        done = run(compiler, "-std=" + dialect, *STRICT, include, "-fsyntax-only", "-x", language,
                   "-", input=twice)
        tap.ok(done.returncode == 0, f"{name}: header as {dialect}", done.stderr)
    for path in [path for path in project.outputs() if path.startswith("tests/api/")]:
        done = run("gcc", "-std=c99", *STRICT, include, "-fsyntax-only", project.root / path)
        tap.ok(done.returncode == 0, f"{name}: {path} compiles", done.stderr)
    for path in [path for path in project.outputs() if path.endswith((".py", ".pyi"))]:
        wrong = python_error((project.root / path).read_text())
        tap.ok(wrong is None, f"{name}: {path} is Python", wrong)
    check_probe(tap, project, name, include)
    check_map(tap, project, name)


def python_error(text):
    try:
        ast.parse(text)
    except (SyntaxError, ValueError) as wrong:
        return str(wrong)
    return None


def layout_lines(snapshot):
    return "\n".join(sorted(line for line in snapshot.splitlines() if line.startswith(LAYOUT)))


def check_probe(tap, project, name, include):
    program = project.root / "probe"
    built = run("gcc", "-std=c11", *STRICT, include, project.root / "tests/abi/probe.c", "-o",
                program)
    found = run(program).stdout if built.returncode == 0 else built.stderr
    expected = layout_lines((project.root / "capi/abi/weir.abi").read_text())
    tap.equal("\n".join(sorted(found.splitlines())), expected, f"{name}: probe prints the layout")


def check_map(tap, project, name):
    """Links a library of empty functions with the map and looks at its symbols."""
    functions = [line.split()[1] for line in (project.root / "capi/abi/weir.abi").read_text()
                 .splitlines() if line.startswith("func ")]
    stubs = "".join(f"void {function.split('@')[0]}(void) {{}}\n" for function in functions)
    project.put("stubs.c", stubs + "void internal(void) {}\n")
    library = project.root / "libweir.so"
    built = run("gcc", "-shared", "-fPIC", project.root / "stubs.c", "-o", library,
                f"-Wl,--version-script={project.root}/capi/abi/weir.map",
                "-Wl,--no-undefined-version")
    symbols = run("nm", "-D", "--defined-only", "--with-symbol-versions", library).stdout
    found = sorted(line.split()[2].replace("@@", "@") for line in symbols.splitlines()
                   if line.split()[1] != "A")
    tap.ok(built.returncode == 0 and found == sorted(functions), f"{name}: map links",
           built.stderr + f"\nexpected {sorted(functions)}\nfound    {found}")


def check_bad(tap, args, source):
    """Returns the rules that the input broke."""
    with Project(args.weirgen, source) as project:
        before = project.files()
        refused = project.gen("--write")
        file = source.with_suffix(".err")
        if args.update:
            file.write_text(refused.stderr)
        expected = file.read_text() if file.exists() else ""
        tap.equal(refused.stderr, expected, f"{source.stem}: messages")
        tap.equal(refused.returncode, 1, f"{source.stem}: exit status")
        tap.equal(project.files(), before, f"{source.stem}: nothing is written")
        return {line.rpartition("[")[2].rstrip("]") for line in expected.splitlines()
                if line.endswith("]")}


def check_rules(tap, args, seen):
    rules = run(args.weirgen, "--rules").stdout.split()
    tap.ok(len(rules) > 25, "the rules are listed", rules)
    for rule in rules:
        tap.ok(rule in seen, f"rule {rule} has an input that breaks it")


def check_freshness(tap, args):
    source = HERE / "ok" / "structs.cpp"
    with Project(args.weirgen, source) as project:
        project.gen("--write")
        for path in project.outputs():
            file = project.root / path
            text = file.read_text()
            stale(tap, project, file, text[:-2] + "?" + text[-1:], f"a changed byte in {path}")
            file.unlink()
            status = project.gen("--check")
            tap.ok(status.returncode == 1 and f"{path}: missing" in status.stderr,
                   f"{path} is missed", status.stderr)
            file.write_text(text)
        only = project.gen("--check", "--only", "map")
        tap.equal(only.returncode, 0, "one output alone is fresh")
        check_orphans(tap, project)


def stale(tap, project, file, text, name):
    original = file.read_text()
    file.write_text(text)
    status = project.gen("--check")
    tap.ok(status.returncode == 1 and ": stale" in status.stderr, f"{name} is found",
           status.stderr)
    file.write_text(original)


def check_orphans(tap, project):
    banner = (project.root / "capi/abi/weir.abi").read_text()
    for path, expected in [("capi/abi/old.map", 1), ("somewhere/new/left.txt", 1),
                           ("capi/abi/released/0.1.abi", 0), (".git/copy", 0),
                           ("build/meson-private/x", 0)]:
        project.put(path, banner)
        status = project.gen("--check")
        tap.ok(status.returncode == expected, f"{path}: {'orphan' if expected else 'no orphan'}",
               status.stderr)
        shutil.rmtree((project.root / path).parent) if expected == 0 else (
            project.root / path).unlink()


def check_command_line(tap, args):
    source = HERE / "ok" / "enum.cpp"
    with Project(args.weirgen, source) as project:
        for name, options in [("no mode", []), ("two modes", ["--write", "--check"]),
                              ("an unknown option", ["--write", "--fast"]),
                              ("an unknown kind", ["--write", "--only", "poem"]),
                              ("an unknown file", ["--write", "capi/src/none.cpp"])]:
            tap.equal(project.gen(*options).returncode, 2, f"{name} is a usage error")
        only = project.gen("--write", "--only", "header")
        tap.ok(only.returncode == 0 and "capi/include/weir.h" in project.files()
               and "capi/abi/weir.map" not in project.files(), "--only writes one output")
        absolute = run(args.weirgen, "--root", project.root, "--write",
                       project.root / project.input)
        text = (project.root / "capi/abi/weir.json").read_text()
        tap.ok(absolute.returncode == 0 and str(project.root) not in text,
               "an absolute path leaves no trace", absolute.stderr)
        first = (project.root / "capi/include/weir.h").stat().st_mtime_ns
        project.gen("--write")
        tap.equal((project.root / "capi/include/weir.h").stat().st_mtime_ns, first,
                  "an unchanged file is not touched")
        (project.root / "capi/abi/releases.txt").unlink()
        tap.equal(project.gen("--write").returncode, 2, "no release history is an I/O error")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weirgen", required=True)
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    args.weirgen = str(pathlib.Path(args.weirgen).resolve())
    tap = Tap()
    for source in sorted((HERE / "ok").glob("*.cpp")):
        check_ok(tap, args, source)
    seen = set()
    for source in sorted((HERE / "bad").glob("*.cpp")):
        seen |= check_bad(tap, args, source)
    check_rules(tap, args, seen)
    check_freshness(tap, args)
    check_command_line(tap, args)
    tap.finish()


if __name__ == "__main__":
    main()
