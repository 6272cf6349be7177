# SPDX-License-Identifier: BSD-2-Clause
"""Willem van Schaik's PngSuite through the command: every image is read, every corrupt file refused.

The suite is looked for in the folder `pngsuite` below the one that CAE_TEST_DATA names; without it
the test is skipped (77).
"""

import os
import sys
import unittest

import tool

FOLDER = os.path.join(os.environ.get("CAE_TEST_DATA", "/nonexistent"), "pngsuite")
if not os.path.isdir(FOLDER):
    print("SKIP: CAE_TEST_DATA names no folder with PngSuite in `pngsuite`")
    sys.exit(77)

FILES = sorted(os.path.join(at, name) for at, _, names in os.walk(FOLDER) for name in names
               if name.endswith(".png"))


class PngSuite(tool.Case):
    def test_corrupt_files_are_refused(self):
        corrupt = [path for path in FILES if os.path.basename(path).startswith("x")]
        self.assertEqual(len(corrupt), 14)
        for path in corrupt:
            with self.subTest(path):
                self.fails("noise", "--sigma", 0, path, "out.png", naming=path)
                self.assertFalse(os.path.exists("out.png"))

    def test_others_are_read(self):
        good = [path for path in FILES if not os.path.basename(path).startswith("x")]
        self.assertGreater(len(good), 150)
        for path in good:
            with self.subTest(path):
                self.ok("noise", "--sigma", 0, path, "out.png")
                width, height, channels, _ = tool.read_png(tool.read("out.png"))
                header = tool.read(path)[16:26]
                self.assertEqual((width, height), tool.struct.unpack_from(">II", header))
                self.assertEqual(channels, 3 if header[9] & 2 else 1)

    def test_interlacing_changes_nothing(self):
        pairs = 0
        for path in FILES:
            folder, name = os.path.split(path)
            twin = os.path.join(folder, name.replace("basi", "basn"))
            if not name.startswith("basi") or twin not in FILES:
                continue
            self.ok("noise", "--sigma", 0, path, "i.pnm")
            self.ok("noise", "--sigma", 0, twin, "n.pnm")
            self.assertEqual(tool.read("i.pnm"), tool.read("n.pnm"), name)
            pairs += 1
        self.assertEqual(pairs, 15)


if __name__ == "__main__":
    unittest.main()
