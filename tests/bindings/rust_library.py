#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# What the Rust crates say about a library that is missing, older or of another build. Speaks TAP.
"""usage: rust_library.py --root SOURCES --build FOLDER [--compiler COMMAND] [--cargo FILE]"""
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "gen")]

from languages import Failed, Missing, Workshop, arguments, write  # noqa: E402
from tap import Tap  # noqa: E402

PROGRAM = """
fn main() {
    let options = weir::MatrixOptions::new();
    match weir::Matrix::create(None, &options) {
        Ok(_) => println!("fine"),
        Err(error) => println!("{:?} {error}", std::io::Error::from(error).kind()),
    }
    println!("{}", weir::Ids::create(&weir::IdsOptions::new()).is_ok());
    println!("{}", weir::LogReader::open("/", 0, weir::ReaderFlags::default()).unwrap_err());
}
"""
# In front of the library, so that its answer is the one that is heard.
STAND_IN = """
#include <stdint.h>
uint64_t weir_abi_hash(uint32_t version);
uint64_t weir_abi_hash(uint32_t version) {{ (void)version; return {hash}; }}
uint32_t weir_version_number(void);
uint32_t weir_version_number(void) {{ return {number}; }}
"""


def without_library(tap, workshop, name, more, wanted):
    """A build of weir-sys that must fail, and say what to do."""
    workshop.env.update(more, CARGO_TARGET_DIR=str(workshop.place(name)))
    try:
        workshop.make([*workshop.tool("rust"), "build", "--offline", "--locked"],
                      workshop.root / "bindings/rust/weir-sys")
        said = "it was built"
    except Failed as failed:
        said = str(failed)
    good = all(text in said for text in [wanted, "install weir 0.1 or newer"])
    tap.ok(good and "panicked" not in said, f"{name}: the build says what is missing", said)


def run(program, env):
    done = subprocess.run(program, env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def with_stand_in(tap, workshop, program, number, answer, wanted):
    folder = workshop.place("stand-in")
    write(folder / "hash.c", STAND_IN.format(number=number, hash=answer))
    workshop.make([*workshop.tool("c"), "-shared", "-fPIC", "hash.c", "-o", "hash.so"], folder)
    found = run(program, dict(workshop.env, LD_PRELOAD=str(folder / "hash.so")))
    text = f"weir 0.1.0 is needed, and the library is weir 0.1.0, {wanted}\n"
    tap.equal(found, (0, f"Unsupported {text}false\n{text}"), f"a library {wanted} is refused")


def main():
    tap, workshop = Tap(), Workshop(arguments(__doc__))
    try:
        source = workshop.place("stand-in") / "main.rs"
        write(source, PROGRAM)
        program = workshop.rust("library", source)
    except Missing as missing:
        tap.skip("a library that does not fit is refused", missing)
        tap.finish()
    code, said = run(program, workshop.env)
    tap.ok(code == 0 and said.startswith("fine\ntrue\n"), "proof: one that fits is not", said)
    with_stand_in(tap, workshop, program, 0xff, 0, "which is older")
    with_stand_in(tap, workshop, program, 0x100, 1, "of another build")
    with_stand_in(tap, workshop, program, 0x200, 0, "which has left it behind")
    folder = str(workshop.place("empty"))
    for name, more, wanted in [
        ("no weir.pc", {"PKG_CONFIG_PATH": folder, "PKG_CONFIG_LIBDIR": folder}, "weir"),
        ("no pkg-config", {"PKG_CONFIG": "/nowhere/pkg-config"}, "cannot run /nowhere/pkg-config"),
    ]:
        without_library(tap, workshop, name, more, wanted)
    tap.finish()


if __name__ == "__main__":
    main()
