# SPDX-License-Identifier: MIT OR Apache-2.0
"""The structs as ctypes lays them out, against the snapshot of the ABI, which C compilers check."""
import ctypes
import pathlib
import re
import unittest

from weir import _ffi

SNAPSHOT = pathlib.Path(__file__).resolve().parents[3] / "capi" / "abi" / "weir.abi"
STRUCT = re.compile(r"^struct +(\w+) .*\bsize=(\d+) align=(\d+)")
FIELD = re.compile(r"^field +(\w+)\.(\w+) off=(\d+) size=(\d+)")


def snapshot():
    """{struct: (size, alignment)} and {(struct, field): (offset, size)}."""
    structs, fields = {}, {}
    for line in SNAPSHOT.read_text().splitlines():
        if found := STRUCT.match(line):
            structs[found[1]] = int(found[2]), int(found[3])
        elif found := FIELD.match(line):
            fields[found[1], found[2]] = int(found[3]), int(found[4])
    return structs, fields


def struct_of(name):
    return getattr(_ffi, "".join(map(str.capitalize, name.split("_")[1:])))


class Layout(unittest.TestCase):
    def test_structs_have_the_size_and_alignment_of_c(self):
        structs, _ = snapshot()
        self.assertGreater(len(structs), 20)
        for name, expected in structs.items():
            struct = struct_of(name)
            self.assertEqual((ctypes.sizeof(struct), ctypes.alignment(struct)), expected, name)

    def test_fields_stand_where_they_do_in_c(self):
        structs, fields = snapshot()
        self.assertEqual({name for name, _ in fields}, set(structs))
        for (name, field), expected in fields.items():
            found = getattr(struct_of(name), field)
            self.assertEqual((found.offset, found.size), expected, f"{name}.{field}")
        for name in structs:
            here = {entry[0] for entry in struct_of(name)._fields_}
            self.assertEqual(here, {field for struct, field in fields if struct == name}, name)


if __name__ == "__main__":
    unittest.main()
