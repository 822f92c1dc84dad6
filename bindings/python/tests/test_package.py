# SPDX-License-Identifier: MIT OR Apache-2.0
"""The package as a whole: which libraries it takes, its types, its wheel, its examples."""
import glob
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from support import run
from weir import _ffi

ROOT = pathlib.Path(__file__).resolve().parents[1]
# mypy knows the types of numpy only where it is installed
EXAMPLES = sorted(map(str, ROOT.glob("examples/[!n]*.py")))


class Import(unittest.TestCase):
    def refused(self, library):
        done = run("-c", "import weir", WEIR_LIBRARY=library)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ImportError", done.stderr)
        return done

    def stand_in(self, folder, version, number, known):
        source = os.path.join(folder, "weir.c")
        with open(source, "w") as out:
            out.write(f'const char *weir_version_string(void) {{ return "{version}"; }}\n'
                      f"unsigned weir_version_number(void) {{ return {number}; }}\n"
                      f"unsigned long weir_abi_hash(unsigned v) {{ (void)v; return {known}; }}\n")
        library = os.path.join(folder, "libweir.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", source, "-o", library],
                       check=True)
        return library

    def test_missing_older_and_different_libraries(self):
        done = self.refused("/nowhere/libweir.so")
        self.assertIn("ImportError: weir 0.1.0 cannot use the library /nowhere", done.stderr)
        for version, number, known, reason in (
                ("0.0.9", 0x9, 0, "weir 0.0.9, which is older"),
                ("0.1.0", 0x100, 1234, "weir 0.1.0, of another build"),
                ("2.0.0", 0x20000, 0, "weir 2.0.0, which has left it behind")):
            with tempfile.TemporaryDirectory() as folder:
                done = self.refused(self.stand_in(folder, version, number, known))
            self.assertIn(reason, done.stderr)

    def test_a_newer_library_that_still_knows_us(self):
        """It is asked for the ABI of our version, not for its own."""
        with tempfile.TemporaryDirectory() as folder:
            library = self.stand_in(folder, "0.9.0", 0x900, hex(_ffi.ABI_HASH))
            done = run("-c", "from weir import _load; import ctypes", WEIR_LIBRARY=library)
            self.assertIn("undefined symbol: weir_strerror", done.stderr)  # it went on past the check

    def test_a_library_that_lacks_something(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.refused(self.stand_in(folder, "0.1.0", 0x100, hex(_ffi.ABI_HASH)))
        self.assertIn("ImportError: the library lacks a function", done.stderr)

    def test_an_empty_name_is_none(self):
        done = run("-c", "import weir", WEIR_LIBRARY="")
        if done.returncode != 0:  # where no library is installed
            self.assertIn("cannot use the library libweir.so.0", done.stderr)

    def test_sizes(self):
        from weir import _load

        with self.assertRaises(ImportError):
            _load.check_sizes({_ffi.Uuid: 17})

    def test_readme(self):
        examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
        self.assertLessEqual(len(examples[0].splitlines()), 16)
        with tempfile.TemporaryDirectory() as folder:
            flags = "weir.Log(\"orders.log\", flags=16)"  # wherever the tests' files are
            code = "\n".join(examples).replace('weir.Log("orders.log")', flags)
            done = run("-c", code, cwd=folder)
        self.assertEqual(done.stderr, "")
        self.assertTrue(done.stdout.startswith("hello from another process\n"), done.stdout)
        self.assertIn("b'two anchors'", done.stdout)
        self.assertIn("[b'one', b'two', b'six'] [0, 0, 0]", done.stdout)


class Types(unittest.TestCase):
    @unittest.skipUnless(shutil.which("mypy"), "mypy is not there")
    def test_strict(self):
        with tempfile.TemporaryDirectory() as folder:
            arguments = ["mypy", "--strict", "--no-error-summary", "--cache-dir", folder]
            user = os.path.join(folder, "user.py")
            with open(user, "w") as out:
                out.write("import weir\nweir.Matrix.create().alloc(\"much\")\n")
            good = subprocess.run([*arguments, "weir", *EXAMPLES], cwd=ROOT,
                                  capture_output=True, text=True, check=False)
            bad = subprocess.run([*arguments, user], capture_output=True, text=True, check=False,
                                 env={**os.environ, "MYPYPATH": str(ROOT)})
        self.assertEqual(good.stdout, "")
        self.assertIn("[arg-type]", bad.stdout)

    @unittest.skipUnless(shutil.which("stubtest"), "stubtest, a part of mypy, is not there")
    def test_stubs_are_what_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
            good = subprocess.run(["stubtest", "weir"], cwd=folder, env=environment,
                                  capture_output=True, text=True, check=False)
            shutil.copytree(ROOT / "weir", os.path.join(folder, "weir"))
            with open(os.path.join(folder, "weir", "_ffi.pyi"), "a") as out:
                out.write("def weir_of_old() -> int: ...\n")
            bad = subprocess.run(["stubtest", "weir._ffi"], cwd=folder, capture_output=True, text=True,
                                 env={**environment, "PYTHONPATH": folder}, check=False)
        self.assertEqual(good.returncode, 0, good.stdout)
        self.assertIn("weir_of_old is not present at runtime", bad.stdout)


class Examples(unittest.TestCase):
    def check(self, name, expected):
        with tempfile.TemporaryDirectory() as folder:
            done = run(str(ROOT / "examples" / name), cwd=folder)
        self.assertEqual((done.stdout, done.stderr), (expected, ""))

    def test_asyncio(self):
        self.check("asyncio_workers.py", "30 jobs by 3 workers, 30 results are durable\n")

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "numpy is not there")
    def test_numpy(self):
        self.check("numpy_frames.py", "5 frames of (480, 640), the mean of the last is 4.0\n")

    def test_multiprocessing(self):
        self.check("multiprocessing_pool.py", "the sum of 1000 squares is 332833500\n")


@unittest.skipUnless(importlib.util.find_spec("setuptools") and importlib.util.find_spec("pip")
                     and importlib.util.find_spec("wheel"), "setuptools, wheel or pip is not there")
class Wheel(unittest.TestCase):
    def test_it_can_be_built_and_imported(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT, os.path.join(folder, "source"),
                            ignore=shutil.ignore_patterns("__pycache__", "tests"))
            done = run("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index",
                       "--disable-pip-version-check", "-w", folder, os.path.join(folder, "source"))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            [wheel] = glob.glob(os.path.join(folder, "weir-*-py3-none-any.whl"))
            with zipfile.ZipFile(wheel) as content:
                names = content.namelist()
            self.assertTrue({"weir/_ffi.pyi", "weir/py.typed", "weir/pool.py"} <= set(names), names)
            done = run("-c", "import weir; print(weir.__file__)", cwd="/", PYTHONPATH=wheel)
            self.assertTrue(done.stdout.startswith(wheel), done.stderr)


if __name__ == "__main__":
    unittest.main()
