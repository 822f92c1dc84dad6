#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# The installation's tests: its files, and programs of other projects that use them. Speaks TAP.
"""usage: run.py --root SOURCES --build FOLDER --version M.N.P --tool yes|no

Installs into a temporary folder and builds one consumer per way of finding the library; each is
run, and makes a matrix.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent / "abi"), str(HERE.parent / "gen")]

import elf  # noqa: E402
from elf import run  # noqa: E402
from tap import Tap  # noqa: E402

STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
JOBS = "-j2"

# As C99 and as C++11; prints the version of the library that it found at run time.
CONSUMER = """
#include <weir.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    struct weir_matrix_options options = WEIR_MATRIX_OPTIONS_INIT;
    struct weir_matrix *matrix = NULL;
    weir_ref block = WEIR_REF_NONE;
    void *data = NULL;
    int r;
    options.capacity = 1 << 20;
    r = weir_matrix_create(NULL, &options, &matrix);
    if (r == 0)
        r = weir_matrix_alloc(matrix, 1000, NULL, &block, &data);
    if (r == 0) {
        memset(data, 1, 1000);
        r = weir_matrix_free(matrix, block);
    }
    if (r == 0)
        printf("consumer of weir %s\\n", weir_version_string());
    else
        printf("%s\\n", weir_strerror(r));
    weir_matrix_unref(matrix);
    return r != 0;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.10)
project(consumer C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WEIR REQUIRED IMPORTED_TARGET weir)
add_executable(consumer consumer.c)
target_link_libraries(consumer PRIVATE PkgConfig::WEIR)
"""

MESON = """
project('consumer', 'c', meson_version: '>= 1.0')
weir = dependency('weir', fallback: ['weir', 'weir_dep'])
executable('consumer', 'consumer.c', dependencies: weir)
"""


def is_of_a_build(name):
    return name.startswith((".", "build")) or name in ("__pycache__", "subprojects")


def source_files(root):
    """Files of the project, without what builds, interpreters and version control leave there."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not is_of_a_build(name)]
        for name in names:
            if not name.endswith((".pyc", "~", ".swp")):
                yield pathlib.Path(folder) / name


def fingerprints(root):
    found = {}
    for path in source_files(root):
        try:
            found[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            pass  # an editor's, gone again
    return found


def changed(before, after):
    return sorted(path for path in before.keys() | after.keys()
                  if before.get(path) != after.get(path))


LIBURING_PC = """Name: liburing
Description: a stand-in
Version: 2.3
Libs: -luring
"""


class Installed:
    """The installation in a temporary folder, and how to look into it."""

    def __init__(self, args, dest):
        self.args = args
        self.dest = dest
        self.meson = "/usr/bin/meson" if os.access("/usr/bin/meson", os.X_OK) else "meson"
        self.clean = {name: value for name, value in os.environ.items()
                      if not name.startswith(("PKG_CONFIG", "MESON", "DESTDIR"))}
        self.folder = None  # of libweir.so
        # liburing's own file names folders of the machine; this one does not.
        self.stand_ins = dest.parent / "stand-ins"
        self.stand_ins.mkdir()
        if args.liburing == "yes":
            (self.stand_ins / "liburing.pc").write_text(LIBURING_PC)
        self.env = self.clean

    def install(self):
        done = run(self.meson, "install", "--no-rebuild", "-C", self.args.build,
                   env={**self.clean, "DESTDIR": str(self.dest)})
        found = list(self.dest.rglob("libweir.so"))
        if found:
            self.folder = found[0].parent
            self.env = {
                **self.clean,
                "PKG_CONFIG_LIBDIR": f"{self.folder / 'pkgconfig'}:{self.stand_ins}",
                "PKG_CONFIG_SYSROOT_DIR": str(self.dest),
                "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1",
                "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1",
                "LD_LIBRARY_PATH": str(self.folder),
            }
        return done

    def files(self):
        """All that is not a folder; the prefix and the machine's library folder left out."""
        lines = []
        for path in sorted(self.dest.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                continue
            if path.parent == self.folder:
                lines.append("LIB/" + path.name)
            elif path.parent.parent == self.folder:
                lines.append(f"LIB/{path.parent.name}/{path.name}")
            else:
                parts = path.relative_to(self.dest).parts
                known = [i for i, part in enumerate(parts) if part in ("include", "bin", "share")]
                lines.append("/".join(parts[known[0]:] if known else parts))
        return sorted(lines)

    def pkg_config(self, *options):
        return run("pkg-config", *options, "weir", env=self.env)

    def words(self, *options):
        return shlex.split(self.pkg_config(*options).stdout)


# -- what is there ---------------------------------------------------------------------------------


def check_files(tap, there):
    version = there.args.version
    wanted = ["include/weir.h", "LIB/libweir.a", "LIB/libweir.so",
              "LIB/libweir.so." + version.split(".")[0], "LIB/libweir.so." + version,
              "LIB/pkgconfig/weir.pc", "share/doc/weir/Apache-2.0.txt", "share/doc/weir/MIT.txt"]
    wanted += ["share/man/man" + page.name[-1] + "/" + page.name
               for page in (HERE.parents[1] / "capi/man").glob("*.[37]")]
    if there.args.tool == "yes":
        wanted += ["bin/weir", "share/man/man1/weir.1"]
    tap.equal("\n".join(there.files()), "\n".join(sorted(wanted)), "exactly these are installed")

    library = there.folder / "libweir.so"
    soname = "libweir.so." + version.split(".")[0]
    tap.equal([os.readlink(library), os.readlink(there.folder / soname)],
              [soname, "libweir.so." + version], "the links lead to the library")
    tap.equal(elf.dynamic(library, "SONAME"), [soname], "the soname")
    tap.equal(elf.dynamic(library, "RUNPATH") + elf.dynamic(library, "RPATH"), [],
              "the library has no run path")
    header = next(there.dest.rglob("weir.h"))
    tap.ok(header.read_bytes() == (there.args.root / "capi/include/weir.h").read_bytes(),
           "the header is that of the sources")
    names = [there.dest, *there.dest.rglob("*")]
    tap.equal([str(path) for path in names[1:] if path.is_file() and path.stat().st_mode & 0o022],
              [], "nobody else may write there")


def check_pkg_config(tap, there):
    tap.equal(there.pkg_config("--modversion").stdout.strip(), there.args.version,
              "weir.pc: Version")
    header = next(there.dest.rglob("weir.h"))
    tap.equal(there.words("--cflags"), [f"-I{header.parent}"], "weir.pc: Cflags")
    tap.equal(there.words("--libs"), [f"-L{there.folder}", "-lweir"], "weir.pc: Libs")
    uring = ["-luring"] if there.args.liburing == "yes" else []
    tap.equal(there.words("--libs", "--static"),
              [f"-L{there.folder}", "-lweir", "-pthread", *uring],
              "weir.pc: Libs with Libs.private and Requires.private")
    text = (there.folder / "pkgconfig/weir.pc").read_text()
    tap.equal("Requires.private: liburing" in text, uring != [],
              "weir.pc names liburing exactly where it was built in")
    tap.ok(str(there.args.root) not in text and str(there.dest) not in text,
           "weir.pc names no folder of the build", text)


def check_uninstalled(tap, there, folder):
    """The weir.pc of the build folder is for programs that use it before it is installed."""
    env = {**there.clean, "PKG_CONFIG_PATH": str(pathlib.Path(there.args.build) / "meson-uninstalled")}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "weir", env=env).stdout)
    (folder / "consumer.c").write_text(CONSUMER)
    out = folder / "uninstalled"
    built = run("cc", "-std=c99", folder / "consumer.c", "-o", out, *flags)
    check_run(tap, there, "c99 with the weir.pc of the build folder", built, out,
              {**there.clean, "LD_LIBRARY_PATH": str(there.args.build)})


def check_tool(tap, there):
    if there.args.tool != "yes":
        return tap.skip("the installed command runs", "the command is not built")
    done = run(next(there.dest.rglob("bin/weir")), "--version", env=there.env)
    tap.ok(done.returncode == 0 and there.args.version in done.stdout,
           "the installed command runs", done.stdout + done.stderr)
    page = next(there.dest.rglob("weir.1"), None)
    return tap.ok(page is not None and re.search(r"^\.T[Hh] ", page.read_text(), re.M) is not None,
                  "its man page is one")


# -- consumers -------------------------------------------------------------------------------------


def check_run(tap, there, name, built, program, env=None):
    """The verdict on a consumer: it was built and says which library it found."""
    done = built
    if built.returncode == 0:
        done = run(program, env=env or there.env, timeout=60)
    tap.ok(done.returncode == 0 and done.stdout == f"consumer of weir {there.args.version}\n", name,
           f"status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.returncode == 0


def check_compilers(tap, there, folder):
    (folder / "consumer.c").write_text(CONSUMER)
    (folder / "consumer.cpp").write_text(CONSUMER)
    for compiler, dialect, source in [("cc", "c99", "consumer.c"), ("c++", "c++11", "consumer.cpp")]:
        name = f"{dialect} with pkg-config"
        if shutil.which(compiler) is None:
            tap.skip(name, f"no {compiler}")
            continue
        out = folder / ("shared-" + dialect)
        built = run(compiler, "-std=" + dialect, *STRICT, folder / source, "-o", out,
                    *there.words("--cflags", "--libs"))
        if check_run(tap, there, name, built, out):
            tap.ok("libweir.so.0" in elf.dynamic(out, "NEEDED"), name + ": the library is shared")

    # The C compiler links it: nothing of C++ is needed.
    flags = there.words("--static", "--cflags", "--libs")
    out = folder / "archive"
    built = run("cc", "-std=c99", folder / "consumer.c", "-o", out, "-Wl,-Bstatic", *flags,
                "-Wl,-Bdynamic")
    if check_run(tap, there, "c99 with libweir.a", built, out, there.clean):
        tap.equal(elf.foreign_libraries(out), [], "c99 with libweir.a: only libc is needed")
    out = folder / "static"
    if run("cc", "-static", "-x", "c", "-", "-o", out, input="int main(void) { return 0; }")\
            .returncode != 0:
        return tap.skip("c99, all static", "no static libc")
    built = run("cc", "-static", "-std=c99", folder / "consumer.c", "-o", out, *flags)
    return check_run(tap, there, "c99, all static", built, out, there.clean)


def check_cmake(tap, there, folder):
    if shutil.which("cmake") is None:
        return tap.skip("CMake with pkg_check_modules", "no cmake")
    folder.mkdir()
    (folder / "consumer.c").write_text(CONSUMER)
    (folder / "CMakeLists.txt").write_text(CMAKE)
    built = run("cmake", "-S", folder, "-B", folder / "out", env=there.env)
    if built.returncode == 0:
        built = run("cmake", "--build", folder / "out", env=there.env)
    return check_run(tap, there, "CMake with pkg_check_modules", built, folder / "out/consumer")


def check_meson(tap, there, folder):
    folder.mkdir()
    (folder / "consumer.c").write_text(CONSUMER)
    (folder / "meson.build").write_text(MESON)
    setup = [there.meson, "setup", folder, folder / "installed"]
    built = run(*setup, env=there.env)
    if built.returncode == 0:
        built = run("ninja", "-C", folder / "installed", env=there.env)
    check_run(tap, there, "Meson with the installed library", built, folder / "installed/consumer")


def copy_sources(root, target):
    for path in source_files(root):
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def targets_of(there, folder):
    """Names of all that a build makes, library apart."""
    import json

    text = run(there.meson, "introspect", "--targets", folder, env=there.clean).stdout
    return sorted({target["name"] for target in json.loads(text or "[]")
                   if target["build_by_default"]} - {"weir", "consumer"})


def check_subproject(tap, there, folder):
    """Another project that brings the sources along; nothing of this machine but compilers."""
    folder.mkdir()
    (folder / "consumer.c").write_text(CONSUMER)
    (folder / "meson.build").write_text(MESON)
    copy_sources(there.args.root, folder / "subprojects/weir")
    before = fingerprints(folder / "subprojects/weir")
    bare = {**there.clean, "PKG_CONFIG_LIBDIR": str(folder / "none"),
            "CMAKE_PREFIX_PATH": str(folder / "none")}

    built = run(there.meson, "setup", "--force-fallback-for=weir", folder, folder / "rich",
                env=there.clean)
    tap.ok(built.returncode == 0, "a subproject can be set up", built.stdout[-3000:])
    made = targets_of(there, folder / "rich")
    tap.equal("\n".join(made), "", "a subproject brings its library alone")

    # neither optimized nor with debug information: what is proved is that it can be built
    built = run(there.meson, "setup", "--buildtype=plain", "-Dunity=subprojects", folder,
                folder / "out", env=bare)
    if built.returncode == 0:
        built = run("ninja", "-C", folder / "out", JOBS, "consumer", env=bare)
    check_run(tap, there, "Meson with weir as a subproject", built, folder / "out/consumer",
              there.clean)
    tap.equal(changed(before, fingerprints(folder / "subprojects/weir")), [],
              "a subproject's sources are unchanged")


# -- the README ------------------------------------------------------------------------------------

# What a user changes, and only here: in a mount namespace of its own, on top of what is there.
README_SANDBOX = """
set -e
mount -t tmpfs none {folder}
for place in usr/local etc; do
    mkdir -p {folder}/$place/upper {folder}/$place/work
    mount -t overlay none /$place \\
        -o lowerdir=/$place,upperdir={folder}/$place/upper,workdir={folder}/$place/work
done
mkdir {folder}/source
mount --bind {root} {folder}/source
cd {folder}/source
echo ready
{commands}
"""


def readme_blocks(there, kind, heading):
    text = (there.args.root / "README.md").read_text()
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)
    return re.findall(rf"^```{kind}\n(.*?)^```$", section, re.M | re.S)


def check_readme_link(tap, there, folder):
    """The commands of "Link", word by word, as root of a machine of its own."""
    name = "the README's commands to install and link give a program that runs"
    [commands] = readme_blocks(there, "sh", "Link")
    work = folder / "machine"
    work.mkdir()
    commands = commands.replace("meson install -C build",
                                f"{there.meson} install --no-rebuild -C {there.args.build}")
    commands = re.sub(r"-o hello && ./hello", f"-o {work}/hello && {work}/hello", commands)
    script = README_SANDBOX.format(folder=work, root=there.args.root, commands=commands)
    done = run("unshare", "-m", "sh", "-c", script, env=there.clean, timeout=120)
    if "ready\n" not in done.stdout:
        return tap.skip(name, "needs root and overlays")
    return tap.ok(done.returncode == 0 and done.stdout.endswith("hello from another process\n"),
                  name, done.stdout[-2000:] + done.stderr[-2000:])


def main():
    parser = argparse.ArgumentParser()
    for option in ["--root", "--build", "--version", "--tool", "--liburing"]:
        parser.add_argument(option, required=True)
    args = parser.parse_args()
    args.root = pathlib.Path(args.root).resolve()
    before = fingerprints(args.root)
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="weir-install-") as name:
        folder = pathlib.Path(name).resolve()
        there = Installed(args, folder / "dest")
        done = there.install()
        tap.ok(done.returncode == 0 and there.folder is not None, "meson install",
               done.stdout + done.stderr)
        if there.folder is not None:
            check_files(tap, there)
            check_pkg_config(tap, there)
            check_tool(tap, there)
            check_uninstalled(tap, there, folder)
            check_readme_link(tap, there, folder)
            check_compilers(tap, there, folder)
            check_cmake(tap, there, folder / "cmake")
            check_meson(tap, there, folder / "meson")
        check_subproject(tap, there, folder / "outer")
    tap.equal("\n".join(changed(before, fingerprints(args.root))), "",
              "the source tree is unchanged")
    tap.finish()


if __name__ == "__main__":
    main()
