# SPDX-License-Identifier: MIT OR Apache-2.0
# Debian packages out of the release's tarball: built twice, judged, installed, used, removed.
import hashlib
import os
import re
import shutil

from sources import HERE, module, run, tail, unpack

# What dpkg-buildpackage finds is the distribution's, not what somebody put into a home folder.
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Two builders as different as one machine allows; bytes of the packages must not tell them apart.
FIRST = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "USER": "first"}
SECOND = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "USER": "second", "HOSTNAME": "elsewhere"}
# Nobody has asked Debian for the package yet, so there is no bug that its changelog could close.
NOT_OURS = "initial-upload-closes-no-bugs"
PROGRAMS = {"go-link": "go", "rust-link": "cargo"}  # what a test needs that is not installed by us


def build(tarball, version, place, env, mask, *options):
    source = unpack(tarball, place)
    shutil.copyfile(tarball, place / f"weir_{version}.orig.tar.xz")
    shutil.copytree(source / "pkgconfig/distro/debian", source / "debian")
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith(("DEB", "DPKG", "MESON", "PYTHON", "PYENV"))}
    return run("dpkg-buildpackage", "-us", "-uc", *options, cwd=source, umask=mask,
               env={**clean, **env, "PATH": SYSTEM_PATH, "CCACHE_DISABLE": "1"})


def sums(place):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(place.glob("*.deb"))}


def check_build(tap, args, tarball, folder):
    """Returns the folder with the packages, or None."""
    first = folder / "first"
    done = build(tarball, args.version, first, FIRST, 0o022)
    tap.ok(done.returncode == 0 and sums(first) != {},
           "dpkg-buildpackage makes source and binary packages", tail(done))
    return first if done.returncode == 0 else None


def check_reproducible(tap, args, tarball, folder, first):
    """Another folder, umask, time zone, locale and hour: the same bytes."""
    second = folder / "second/in-a-folder-of-another-length"
    done = build(tarball, args.version, second, SECOND, 0o027, "-b")
    found, wanted = sums(second), sums(first)
    different = sorted(name for name in found.keys() | wanted.keys()
                       if found.get(name) != wanted.get(name))
    tap.ok(done.returncode == 0 and different == [], "a second builder's packages have the same bytes",
           "\n".join(different) if done.returncode == 0 else tail(done))


def check_lintian(tap, first):
    if shutil.which("lintian") is None:
        return tap.skip("lintian has nothing to say", "no lintian")
    changes = next(first.glob("*.changes"))
    done = run("lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", NOT_OURS,
               changes, env={**os.environ, "PATH": SYSTEM_PATH})
    return tap.ok(done.returncode == 0, "lintian has neither errors nor warnings", tail(done))


def extract(first, target):
    for package in sorted(first.glob("*.deb")):
        if "dbgsym" not in package.name:
            run("dpkg-deb", "-x", package, target)
    for page in target.rglob("man/man*/*.gz"):
        run("gzip", "-d", page)


def check_hardening(tap, there):
    """Without --nocfprotection it asks for CET's mark in the file, which the linker leaves out as soon
    as one object lacks it, and Debian 12's start-up code does. So the instructions are looked for."""
    name = "the shared library and the command are hardened"
    if shutil.which("hardening-check") is None:
        tap.skip(name, "no hardening-check")
    else:
        done = run("hardening-check", "--nocfprotection", there.folder / "libweir.so.0",
                   there.dest / "usr/bin/weir")
        tap.ok(done.returncode == 0, name, tail(done))
    if os.uname().machine == "x86_64":
        code = run("objdump", "-d", there.folder / "libweir.so.0").stdout
        tap.ok(len(re.findall(r"\bendbr64$", code, re.M)) > 100, "the library's functions are marked for CET")


def installed_class(install):
    class Unpacked(install.Installed):
        """The packages' files in a folder, in place of an installation by Meson."""

        def __init__(self, args, dest):
            self.args, self.dest = args, dest
            self.meson = "/usr/bin/meson"
            self.folder = next(dest.rglob("libweir.so")).parent
            self.clean = {name: value for name, value in os.environ.items()
                          if not name.startswith(("PKG_CONFIG", "MESON", "DESTDIR"))}
            stand_ins = dest.parent / "stand-ins"
            stand_ins.mkdir()
            (stand_ins / "liburing.pc").write_text(install.LIBURING_PC)
            self.env = {
                **self.clean,
                "PKG_CONFIG_LIBDIR": f"{self.folder / 'pkgconfig'}:{stand_ins}",
                "PKG_CONFIG_SYSROOT_DIR": str(dest),
                "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1",
                "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1",
                "LD_LIBRARY_PATH": str(self.folder),
            }

    return Unpacked


def check_installed(tap, args, folder, first):
    """The consumers of tests/install, with the files that the packages have."""
    install = module("install", HERE.parent / "install/run.py")
    place = folder / "installed"
    (place / "root").mkdir(parents=True)
    extract(first, place / "root")
    args.liburing, args.tool = "yes", "yes"
    there = installed_class(install)(args, place / "root")
    check_hardening(tap, there)
    install.check_pkg_config(tap, there)
    install.check_tool(tap, there)
    install.check_compilers(tap, there, place)
    install.check_cmake(tap, there, place / "cmake")
    install.check_meson(tap, there, place / "meson")
    install.check_subproject(tap, there, place / "outer")


def tests_of(source):
    text = (source / "debian/tests/control").read_text()
    return [name for line in re.findall(r"^Tests: (.*)$", text, re.M) for name in line.split(", ")]


def check_sandbox(tap, args, folder, first):
    """dpkg -i, debian/tests, dpkg -P: on a machine that forgets it."""
    source = first / f"weir-{args.version}"
    packages, place = folder / "packages", folder / "sandbox"
    packages.mkdir()
    place.mkdir()
    for package in first.glob("*.deb"):
        if "dbgsym" not in package.name:
            shutil.copy2(package, packages)
    wanted = tests_of(source)
    tests = [test for test in wanted if shutil.which(PROGRAMS.get(test, "sh"))]
    done = run("unshare", "-m", HERE / "sandbox.sh", place, packages, source, *tests)
    said = done.stdout.splitlines()
    if "ready" not in said:
        return tap.skip("the packages can be installed", "needs root and overlays")
    results = place / "results"
    tap.ok("installed" in said, "the packages can be installed", (results / "install").read_text())
    for test in wanted:
        if test not in tests:
            tap.skip(f"debian/tests/{test}", f"no {PROGRAMS[test]}")
            continue
        texts = [(results / f"{test}.{kind}") for kind in ("out", "err")]
        out, err = [text.read_text() if text.exists() else "" for text in texts]
        tap.ok(f"{test} 0" in said and err == "", f"debian/tests/{test}", out + err)
    left = results / "left"
    return tap.ok("removed" in said and left.read_text() == "", "removed packages leave nothing",
                  left.read_text() if left.exists() else tail(done))


def check(tap, args, tarball, folder):
    if shutil.which("dpkg-buildpackage") is None or shutil.which("dh") is None:
        return tap.skip("Debian packages", "no dpkg-dev or debhelper")
    first = check_build(tap, args, tarball, folder)
    if first is None:
        return None
    check_lintian(tap, first)
    check_installed(tap, args, folder, first)
    check_sandbox(tap, args, folder, first)
    return check_reproducible(tap, args, tarball, folder, first)

