# SPDX-License-Identifier: MIT OR Apache-2.0
# The release's tarball, made of the tree as it is, and what is built from it elsewhere.
import importlib.util
import os
import pathlib
import shutil
import subprocess
import tarfile

MESON = "/usr/bin/meson" if os.access("/usr/bin/meson", os.X_OK) else "meson"
HERE = pathlib.Path(__file__).resolve().parent


def module(name, file):
    """A file of the tests as a module, under a name of its own: several are called run.py."""
    spec = importlib.util.spec_from_file_location(name, file)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


tracked = module("tree", HERE.parent / "check/run.py").tracked


def run(*command, timeout=1800, **more):
    """With nothing to read; a command that is not there is a failure like others."""
    try:
        return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              errors="replace", check=False, **more)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, str(error))


def tail(done, lines=40):
    return "\n".join(done.stdout.splitlines()[-lines:])


def commit_of_tree(root, place):
    """`meson dist` packs a commit. This is one of the tree as it is, in a repository of its own."""
    for name in tracked(root):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, place / name)
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
              "GIT_AUTHOR_NAME": "weir", "GIT_AUTHOR_EMAIL": "weir@localhost",
              "GIT_COMMITTER_NAME": "weir", "GIT_COMMITTER_EMAIL": "weir@localhost"}
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
           **nobody}
    for command in ["init -q", "add -A -f .", "commit -q -m tree"]:
        done = run("git", *command.split(), cwd=place, env=env)
        if done.returncode != 0:
            return done
    return done


def dist(tap, root, folder):
    """Returns the tarball, or None."""
    place = folder / "tree"
    place.mkdir()
    done = commit_of_tree(root, place)
    if done.returncode == 0:
        done = run(MESON, "setup", folder / "dist", place, "-Dtools=disabled", "-Dtests=disabled",
                   "-Dbench=disabled", "-Dexamples=false", "-Dliburing=disabled")
    if done.returncode == 0:
        done = run(MESON, "dist", "-C", folder / "dist", "--no-tests", "--formats", "xztar")
    found = list((folder / "dist/meson-dist").glob("weir-*.tar.xz"))
    tap.ok(done.returncode == 0 and len(found) == 1, "meson dist makes a tarball", tail(done))
    if len(found) != 1:
        return None
    with tarfile.open(found[0]) as archive:
        names = sorted(entry.name.partition("/")[2] for entry in archive if not entry.isdir())
    # of .gitignore and its kin some Mesons make a difference
    found_there, wanted = ["\n".join(name for name in some if not name.startswith(".git"))
                           for some in (names, tracked(root))]
    tap.equal(found_there, wanted, "it has the tree's files and no others")
    tap.ok(not any(name.startswith("debian/") for name in names),
           "a distribution's folder at its top is none of them")
    return found[0]


def unpack(tarball, place):
    place.mkdir(parents=True)
    shutil.unpack_archive(tarball, place)
    return place / tarball.name.removesuffix(".tar.xz")


def check_tarball(tap, tarball, version, folder):
    """Builds it and runs the tests of the C API and of the ABI, and nothing that these do not need."""
    source = unpack(tarball, folder / "tarball")
    built = run(MESON, "setup", source / "build", source, "-Dtools=disabled", "-Dbench=disabled",
                "-Dexamples=false", "-Dtests=enabled")
    if built.returncode == 0:
        built = run("ninja", "-C", source / "build", "capi/gen/weirgen", f"libweir.so.{version}",
                    "tests/api/api", "tests/api/log_calls")
    tap.ok(built.returncode == 0, "the tarball can be built", tail(built))
    if built.returncode != 0:
        return
    done = run(MESON, "test", "-C", source / "build", "--no-rebuild", "--suite", "api", "--suite",
               "abi", "--print-errorlogs")
    tap.ok(done.returncode == 0, "its tests of API and ABI succeed", tail(done))
