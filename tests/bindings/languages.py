# SPDX-License-Identifier: MIT OR Apache-2.0
"""How a program in each language is built against the library of a build folder, and run."""
import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]


class Missing(Exception):
    """A language that this machine has not."""


class Failed(Exception):
    """A program that cannot be built."""


def arguments(usage):
    parser = argparse.ArgumentParser(description=usage.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", default="cc")
    parser.add_argument("--cargo", default="cargo")
    parser.add_argument("--go", default="go")
    return parser.parse_args()


class Workshop:
    """Builds in a folder that stays, as the compilers of Rust and Go keep there what they know."""

    def __init__(self, options):
        self.root = options.root.resolve()
        self.build = options.build.resolve()
        self.tools = {"c": options.compiler, "rust": options.cargo, "go": options.go}
        self.folder = self.build / "languages"
        self.env = dict(
            os.environ,
            PYTHONPATH=str(self.root / "bindings/python"),
            WEIR_LIBRARY=str(self.library()),
            LD_LIBRARY_PATH=str(self.build),
            PKG_CONFIG_PATH=str(self.build / "meson-uninstalled"),
            CARGO_TARGET_DIR=str(self.folder / "cargo"),
            CARGO_INCREMENTAL="0",
            GODEBUG="cgocheck=1",
            GOFLAGS="-mod=mod",
            GOPROXY="off",
            GOTOOLCHAIN="local",
        )

    def library(self):
        return sorted(self.build.glob("libweir.so.?"))[0]

    def tool(self, language):
        command = shlex.split(self.tools[language])
        if not command or shutil.which(command[0]) is None:
            raise Missing(f"{' '.join(command) or language} is not there")
        return command

    def place(self, name):
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def make(self, command, folder):
        done = subprocess.run([str(part) for part in command], cwd=folder, env=self.env, text=True,
                              capture_output=True, timeout=300)
        if done.returncode != 0:
            raise Failed(done.stdout + done.stderr)

    def c(self, name, *sources):
        made = self.place(name + "-c") / name
        self.make([*self.tool("c"), *STRICT, f"-I{self.root}/capi/include", *sources,
                   self.library(), f"-Wl,-rpath,{self.build}", "-o", made], self.build)
        return [str(made)]

    def python(self, _name, source):
        return [sys.executable, "-B", str(source)]

    def rust(self, name, source):
        cargo, folder = self.tool("rust"), self.place(name + "-rust")
        write(folder / "Cargo.toml",
              f'[package]\nname = "{name}-rust"\nversion = "0.0.0"\nedition = "2021"\n'
              f'[[bin]]\nname = "{name}-rust"\npath = "{source}"\n'
              f'[dependencies]\nweir = {{ path = "{self.root}/bindings/rust/weir" }}\n'
              "[workspace]\n")
        (folder / "Cargo.lock").unlink(missing_ok=True)  # an older cargo may not read a newer one's
        self.make([*cargo, "build", "--offline", "--quiet"], folder)
        return [str(self.folder / "cargo" / "debug" / f"{name}-rust")]

    def go(self, name, *sources):
        go, folder = self.tool("go"), self.place(name + "-go")
        write(folder / "go.mod", f"module {name}\n\ngo 1.19\n\nrequire weir v0.0.0\n\n"
                                 f"replace weir => {self.root}/bindings/go\n")
        for source in sources:
            write(folder / source.name, source.read_text())
        made = folder / name
        self.make([*go, "build", "-o", made, "."], folder)
        return [str(made)]


def write(path, text):
    """Leaves a file alone that is as it should be: the compilers look at its time."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
