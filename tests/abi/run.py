#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# The ABI's tests: what weirgen says is compared with compiler and linker. Speaks TAP.
"""usage: run.py --weirgen PROGRAM --library libweir.so --root SOURCES --version M.N.P FILE...

FILEs are the annotated sources in the order of the header. Each check is followed by a proof that
it can fail, on a copy or on a toy library.
"""
import argparse
import pathlib
import re
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "gen")]

import elf  # noqa: E402
from elf import run  # noqa: E402
from tap import Tap  # noqa: E402

LAYOUT = ("const ", "enum ", "field ", "flag ", "id ", "struct ")
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
DIALECTS = {
    "gcc": ["c99", "c11", "c17", "c2x"],
    "clang": ["c99", "c11", "c17", "c2x"],
    "g++": ["c++11", "c++14", "c++17", "c++20"],
    "clang++": ["c++11", "c++14", "c++17", "c++20"],
}


class Sources:
    """A tree with the annotated sources and all outputs: the real one or a copy of it."""

    def __init__(self, args, root):
        self.args = args
        self.root = pathlib.Path(root)
        self.include = "-I" + str(self.root / "capi/include")

    def read(self, path):
        return (self.root / path).read_text()

    def snapshot(self):
        return self.read("capi/abi/weir.abi")

    def check(self):
        return run(self.args.weirgen, "--root", self.root, "--check", *self.args.files)

    def outputs(self):
        """All copies have the same."""
        if not self.args.outputs:
            self.args.outputs = run(self.args.weirgen, "--root", self.root, "--list",
                                    *self.args.files).stdout.split()
        return self.args.outputs

    def copy(self, folder):
        for path in [*self.outputs(), *self.args.files, "capi/abi/releases.txt"]:
            target = pathlib.Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / path, target)
        released = self.root / "capi/abi/released"
        if released.is_dir():
            shutil.copytree(released, pathlib.Path(folder) / "capi/abi/released")
        return Sources(self.args, folder)


def replace(file, old, new):
    """Changes a file of a copy; an `old` that is not there would prove nothing."""
    text = file.read_text()
    assert old in text, f"{file.name} does not hold {old!r}"
    file.write_text(text.replace(old, new, 1))


# -- fresh -----------------------------------------------------------------------------------------


def change_a_byte(copy, path, original):
    (copy.root / path).write_text(original[:-2] + "?" + original[-1:])


def check_fresh(tap, sources):
    status = sources.check()
    tap.ok(status.returncode == 0, "generated files are fresh", status.stderr)
    with tempfile.TemporaryDirectory() as folder:
        copy = sources.copy(folder)
        status = copy.check()
        tap.ok(status.returncode == 0, "a copy is fresh too", status.stderr)
        originals = {path: copy.read(path) for path in sources.outputs()}
        first = next(iter(originals))
        change_a_byte(copy, first, originals[first])
        tap.ok(copy.check().returncode == 1, f"proof: a changed byte of {first} alone is found")
        for path, original in originals.items():
            change_a_byte(copy, path, original)
        said = copy.check().stderr.splitlines()  # each is named, in one look at all of them
        for path, original in originals.items():
            tap.ok(f"weirgen: {path}: stale" in said, f"proof: a changed byte of {path} is found",
                   "\n".join(said))
            (copy.root / path).write_text(original)
        (copy.root / "capi/orphan.txt").write_text(sources.snapshot())
        tap.ok("capi/orphan.txt: orphan" in copy.check().stderr, "proof: an orphan is found")


# -- compilers -------------------------------------------------------------------------------------


def probe(sources, compiler, folder):
    """The layout as a compiler sees it: sorted lines, or its complaints."""
    program = pathlib.Path(folder) / ("probe-" + compiler)
    built = run(compiler, "-std=c11", *STRICT, sources.include, sources.root / "tests/abi/probe.c",
                "-o", program)
    return sorted((run(program).stdout if built.returncode == 0 else built.stderr).splitlines())


def check_probe(tap, sources):
    expected = sorted(line for line in sources.snapshot().splitlines() if line.startswith(LAYOUT))
    for compiler in ["gcc", "clang"]:
        if shutil.which(compiler) is None:
            tap.skip(f"layout as {compiler} sees it", f"no {compiler}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = probe(sources, compiler, folder)
            tap.equal("\n".join(found), "\n".join(expected), f"layout as {compiler} sees it")
            copy = sources.copy(folder)
            swap_fields(copy.root / "capi/include/weir.h")
            tap.ok(probe(copy, compiler, folder) != expected,
                   f"proof: two fields in another order are seen by {compiler}")


def swap_fields(header):
    """Puts the first `size_t size;` behind the field that follows it."""
    pattern = re.compile(r"(    size_t size;\n)((?:    /\*\*.*?\*/\n)    [^\n]*;\n)", re.S)
    text = header.read_text()
    swapped = pattern.sub(r"\2\1", text, count=1)
    assert swapped != text, "no struct to change"
    header.write_text(swapped)


def compiles(sources, compiler, dialect):
    twice = "#include <weir.h>\n#include <weir.h>\nint unused_by_anybody(void);\n"
    language = "c++" if "++" in compiler else "c"
    return run(compiler, "-std=" + dialect, *STRICT, sources.include, "-fsyntax-only", "-x",
               language, "-", input=twice)


def check_dialects(tap, sources):
    for compiler, dialects in DIALECTS.items():
        for dialect in dialects:
            name = f"header as {dialect} with {compiler}"
            if shutil.which(compiler) is None:
                tap.skip(name, f"no {compiler}")
            else:
                done = compiles(sources, compiler, dialect)
                tap.ok(done.returncode == 0, name, done.stderr)
    with tempfile.TemporaryDirectory() as folder:
        copy = sources.copy(folder)
        replace(copy.root / "capi/include/weir.h", "#include <stdint.h>\n", "")
        tap.ok(compiles(copy, "gcc", "c99").returncode != 0,
               "proof: a header without an include is refused")


def initialisers(header):
    """Structs with an INIT macro, taken from the text of the header alone."""
    structs = {name.upper() + "_INIT": name for name in re.findall(r"^struct (\w+) {$", header,
                                                                   re.M)}
    return [(macro, structs.get(macro, "?")) for macro in
            re.findall(r"^#define (WEIR_\w+_INIT)\b", header, re.M)]


def wrong_initialisers(sources, compiler, language, dialect):
    """Names of INIT macros that are not a zeroed struct with its size, or compiler errors."""
    body = "".join(
        f"    {{ struct {name} given = {macro}, zeroed;\n"
        "      memset(&zeroed, 0, sizeof zeroed); zeroed.size = sizeof zeroed;\n"
        f'      if (memcmp(&given, &zeroed, sizeof zeroed)) puts("{macro}"); }}\n'
        for macro, name in initialisers(sources.read("capi/include/weir.h")))
    program = ("#include <weir.h>\n#include <stdio.h>\n#include <string.h>\n"
               "int main(void)\n{\n" + body + "    return 0;\n}\n")
    with tempfile.TemporaryDirectory() as folder:
        built = run(compiler, "-std=" + dialect, *STRICT, sources.include, "-x", language, "-",
                    "-o", folder + "/init", input=program)
        return built.stderr if built.returncode != 0 else run(folder + "/init").stdout


def check_initialisers(tap, sources):
    found = initialisers(sources.read("capi/include/weir.h"))
    tap.ok(found != [] and all(name != "?" for _, name in found), "INIT macros belong to structs",
           found)
    for language, compiler, dialect in [("c", "gcc", "c99"), ("c++", "g++", "c++11")]:
        tap.equal(wrong_initialisers(sources, compiler, language, dialect), "",
                  f"INIT values are zeroed structs with their size, {dialect}")
    with tempfile.TemporaryDirectory() as folder:
        copy = sources.copy(folder)
        header = copy.root / "capi/include/weir.h"
        name = initialisers(header.read_text())[0][1]
        replace(header, f"{{ sizeof(struct {name}), 0", f"{{ sizeof(struct {name}), 1")
        tap.ok(wrong_initialisers(copy, "gcc", "c", "c99") != "",
               "proof: an INIT value with a 1 is seen")


# -- releases --------------------------------------------------------------------------------------


def check_release(tap, sources, version, library):
    """The last line of the release history is the project that Meson builds."""
    lines = [line.split() for line in sources.read("capi/abi/releases.txt").splitlines()
             if line.strip() and not line.startswith("#")]
    tap.equal(lines[-1][0], version, "the last release is the project's version")
    tap.equal(elf.dynamic(library, "SONAME"), ["libweir.so." + lines[-1][3]],
              "the soname is the last release's")


# -- linker ----------------------------------------------------------------------------------------


def check_symbols(tap, sources, library):
    differences = elf.symbol_differences(library, sources.snapshot())
    tap.ok(differences == [], "exported symbols are the functions of the snapshot",
           "\n".join(differences))
    if elf.is_sanitized(library):
        tap.skip("nothing of C++ is visible", "built with a sanitizer")
        tap.skip("only libc is needed, and liburing where it was built in", "built with a sanitizer")
        return
    tap.equal(elf.cplusplus_symbols(library), [], "nothing of C++ is visible")
    tap.equal(elf.foreign_libraries(library), elf.expected_libraries(sources.args.liburing),
              "only libc is needed, and liburing where it was built in")


TOY = """
extern "C" __attribute__((visibility("default"))) int weir_toy_one(void) noexcept { return 1; }
extern "C" __attribute__((visibility("default"))) int weir_toy_two(void) noexcept { return 2; }
"""
TOY_MAP = "WEIR_0.1 { global: weir_toy_one; weir_toy_two; local: *; };\n"
TOY_SNAPSHOT = ("func     weir_toy_one@WEIR_0.1 int(void)\n"
                "func     weir_toy_two@WEIR_0.1 int(void)\n")


def toy(folder, source, symbols, *more):
    """Builds a library as weir is built; returns its path, or None if the linker refuses."""
    (folder / "toy.cpp").write_text(source)
    (folder / "toy.map").write_text(symbols)
    library = folder / "libtoy.so"
    library.unlink(missing_ok=True)
    run("g++", "-std=c++17", "-shared", "-fPIC", folder / "toy.cpp", "-o", library,
        f"-Wl,--version-script={folder}/toy.map", "-Wl,-z,defs", *more)
    return library if library.exists() else None


def check_toy(tap):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        strict = "-Wl,--no-undefined-version"
        library = toy(folder, TOY, TOY_MAP, strict)
        tap.equal(elf.symbol_differences(library, TOY_SNAPSHOT), [], "toy: all is right")
        one = TOY.replace("weir_toy_two", "weir_toy_gone")
        tap.equal(toy(folder, one, TOY_MAP, strict), None,
                  "proof: the linker refuses a map that names a missing function")
        library = toy(folder, one, TOY_MAP)
        tap.equal(elf.symbol_differences(library, TOY_SNAPSHOT), ["missing weir_toy_two@WEIR_0.1"],
                  "proof: a removed function is seen")
        more = TOY_MAP.replace("local", "weir_toy_three; local")
        library = toy(folder, TOY + TOY.replace("_one", "_three").replace("_two", "_four"), more)
        tap.equal(elf.symbol_differences(library, TOY_SNAPSHOT), ["extra weir_toy_three@WEIR_0.1"],
                  "proof: an additional function is seen")
        check_toy_cplusplus(tap, folder)


def check_toy_cplusplus(tap, folder):
    string = '#include <string>\nstd::string keep(1000, \'x\');\n' + TOY
    library = toy(folder, string, TOY_MAP)
    tap.ok(elf.cplusplus_symbols(library) != [], "proof: a std::string is seen in the symbols")
    tap.ok("libstdc++.so.6" in elf.foreign_libraries(library),
           "proof: a std::string is seen in the needed libraries")


# -- programs --------------------------------------------------------------------------------------


def program(sources, library, folder, compiler, source, *more):
    """Compiles a C program against weir.h alone, links it with the library, and runs it."""
    out = pathlib.Path(folder) / "program"
    built = run(compiler, *more, *STRICT, sources.include, source, "-o", out, library,
                f"-Wl,-rpath,{library.parent}", "-Wl,-z,defs")
    if built.returncode != 0:
        return built
    return run(out, timeout=120)


def check_surface(tap, sources, library):
    with tempfile.TemporaryDirectory() as folder:
        main = pathlib.Path(folder) / "main.c"
        main.write_text(f'#include "{sources.root}/tests/api/surface_gen.c"\n#include <stdio.h>\n'
                        "int main(void)\n{\n    size_t i;\n"
                        "    for (i = 0; i < surface_count; ++i)\n"
                        "        if (surface_functions[i].address != NULL)\n"
                        "            puts(surface_functions[i].name);\n    return 0;\n}\n")
        done = program(sources, library, folder, "gcc", main, "-std=c99")
        names = [name.split("@")[0] for name in elf.functions(sources.snapshot())]
        tap.equal("\n".join(sorted(done.stdout.split())) + done.stderr, "\n".join(names),
                  "every function has an address")


def check_growth(tap, sources, library):
    """growth.c tells each of its checks in a line: `ok name`, `not ok name` or `skip name`."""
    if elf.is_sanitized(library):
        return tap.skip("options and infos of every size", "built with a sanitizer")
    with tempfile.TemporaryDirectory() as folder:
        done = program(sources, library, folder, "gcc", HERE / "growth.c", "-std=c99",
                       "-I" + str(sources.root / "tests/api"))
        tap.ok(done.returncode == 0 and done.stderr == "", "options and infos can be tried",
               f"status {done.returncode}\n{done.stderr}")
        for line in done.stdout.splitlines():
            verdict, _, name = line.partition(": ")
            if verdict == "skip":
                tap.skip(name, "no such object here")
            else:
                tap.ok(verdict == "ok", name, line)


def released_headers(sources):
    """The release in the making, and every one before: name, header, functions it has."""
    yield "today's header", sources.root / "capi/include/weir.h", sources.snapshot()
    for header in sorted((sources.root / "capi/abi/released").glob("*.h")):
        yield header.stem, header, header.with_suffix(".abi").read_text()


def old_program(folder, source, header, library):
    """Compiles a program with a header of its own; returns how its run went."""
    shutil.copyfile(header, folder / "weir.h")
    built = run("gcc", "-std=c99", *STRICT, f"-I{folder}", source, "-o", folder / "program", library,
                f"-Wl,-rpath,{library.parent}")
    if built.returncode != 0:
        return built
    return run(folder / "program", folder / "log", timeout=120)


def check_old(tap, sources, library):
    """Programs made with the header of a release run with today's library, and find what they knew."""
    if elf.is_sanitized(library):
        return tap.skip("old programs run", "built with a sanitizer")
    for name, header, snapshot in released_headers(sources):
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            names = [function.split("@")[0] for function in elf.functions(snapshot)]
            table = "".join(f"    (function)&{each},\n" for each in names)
            (folder / "all.c").write_text("#include <weir.h>\ntypedef void (*function)(void);\n"
                                          f"function volatile all[] = {{\n{table}}};\n"
                                          "int main(void)\n{\n    return all[0] == 0;\n}\n")
            for what, source in [("finds its functions", folder / "all.c"),
                                 ("finds what it relies on", HERE / "old_program.c")]:
                done = old_program(folder, source, header, library)
                tap.ok(done.returncode == 0, f"a program of {name} {what}",
                       done.stdout + done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weirgen", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--liburing", choices=["yes", "no"], required=True)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    args.weirgen = pathlib.Path(args.weirgen).resolve()
    root = pathlib.Path(args.root).resolve()
    library = pathlib.Path(args.library).resolve()
    args.files = [str((root / file).resolve().relative_to(root)) if (root / file).exists()
                  else str(pathlib.Path(file).resolve().relative_to(root)) for file in args.files]
    args.outputs = []
    sources = Sources(args, root)
    tap = Tap()
    check_fresh(tap, sources)
    check_probe(tap, sources)
    check_dialects(tap, sources)
    check_initialisers(tap, sources)
    check_release(tap, sources, args.version, library)
    check_symbols(tap, sources, library)
    check_toy(tap)
    check_surface(tap, sources, library)
    check_growth(tap, sources, library)
    check_old(tap, sources, library)
    tap.finish()


if __name__ == "__main__":
    main()
