# SPDX-License-Identifier: MIT OR Apache-2.0
# Questions to a shared library, asked with binutils, and the verdicts that the tests give.
import re
import subprocess

ALLOWED = re.compile(r"libc\.so\.6|ld-linux[-\w]*\.so\.\d+")
LIBURING = "liburing.so.2"
SANITIZERS = re.compile(r"lib(a|ub|t|l)san\.so")


def run(*command, **more):
    return subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **more)


def functions(snapshot):
    """`name@NODE` of every function of a snapshot."""
    return sorted(line.split()[1] for line in snapshot.splitlines() if line.startswith("func "))


def exported(library):
    """`name@NODE` of every symbol that a library defines, without the node symbols themselves."""
    out = run("nm", "-D", "--defined-only", "--with-symbol-versions", library).stdout
    rows = [line.split() for line in out.splitlines()]
    return sorted(row[2].replace("@@", "@") for row in rows if len(row) == 3 and row[1] != "A")


def symbol_differences(library, snapshot):
    """What one side has and the other has not."""
    found, wanted = set(exported(library)), set(functions(snapshot))
    return [f"missing {name}" for name in sorted(wanted - found)] + [
        f"extra {name}" for name in sorted(found - wanted)]


def cplusplus_symbols(library):
    """Everything of C++ in the dynamic symbol table, defined or not."""
    bad = []
    for line in run("nm", "-D", library).stdout.splitlines():
        kind, name = line.split()[-2:]
        startup = kind == "w" and name.split("@")[0] == "__cxa_finalize"
        if name.startswith("_Z") or (name.startswith("__cxa_") and not startup):
            bad.append(f"{kind} {name}")
    return bad


def dynamic(library, tag):
    """Values of a tag of the dynamic section: NEEDED, SONAME."""
    out = run("readelf", "-dW", library).stdout
    return re.findall(r"\(" + tag + r"\).*\[(.*)\]", out)


def foreign_libraries(library):
    return [name for name in dynamic(library, "NEEDED") if not ALLOWED.fullmatch(name)]


def expected_libraries(liburing):
    """What the library needs besides libc: liburing exactly where it was built in ("yes")."""
    return [LIBURING] if liburing == "yes" else []


def is_sanitized(library):
    return any(SANITIZERS.match(name) for name in dynamic(library, "NEEDED"))
