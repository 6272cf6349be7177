# SPDX-License-Identifier: BSD-2-Clause
"""The tree keeps the ABI of its baseline; and on copies of the tree, what may change passes and
what may not fails, each change made in header, map and source as its author would make it.

Works in a folder below the one it is given, the build's.
"""

import pathlib
import shutil
import sys
import tempfile
import unittest

import abi

HEADER, MAP, SOURCE = "include/cae/cae.h", "lib/cae.map", "lib/api/models.c"
LIBRARY, IMAGES, INFERENCE = "lib/api/library.c", "lib/api/images.c", "lib/api/inference.c"
BUILD_FILE = "meson.build"
NODE = "LIBCAE_0.1 {\nglobal:\n"
NEW = "\nint cae_new(cae_model *m)\n{\n    return m != 0;\n}\n"
EXPORTED = '\n__attribute__((visibility("default"))) int cae_new(int a);\nint cae_new(int a)\n{\n' \
           "    return a;\n}\n"
END_OF_HEADER = "#ifdef __cplusplus\n}\n#endif\n"
BOUND = "size_t cae_compress_bound(const cae_model *m, size_t height, size_t width)"


def declared(text):
    return (HEADER, END_OF_HEADER, f"CAE_API {text}\n\n{END_OF_HEADER}")


def appended(path, text):
    return (path, "", text)


def both(source, old, new):
    """The same change of a declaration and its definition."""
    return [(HEADER, old, new), (source, old, new)]


NEXT_NODE = appended(MAP, "LIBCAE_9.9 {\nglobal:\n    cae_new;\n} LIBCAE_0.1;\n")
SONAME = (BUILD_FILE, "soversion = '0'", "soversion = '1'")
RETURNS_LONG = [(HEADER, "CAE_API uint32_t cae_version(", "CAE_API uint64_t cae_version("),
                (LIBRARY, "uint32_t cae_version(", "uint64_t cae_version(")]

PARAMETERS = (  # one more, one less, and a model that others may no longer share
    both(IMAGES, BOUND, BOUND.replace("width)", "width, int quality)")) +
    both(INFERENCE, "float sigma, uint64_t seed)", "float sigma)") +
    [(INFERENCE, "sigma, seed, CAE_STREAM_NOISE", "sigma, 1, CAE_STREAM_NOISE")] +
    both(SOURCE, "cae_model_kernels(const cae_model *m", "cae_model_kernels(cae_model *m"))
STATUSES = [(HEADER, "#define CAE_E_IO          (-3)", "#define CAE_E_IO          (-30)"),
            (HEADER, "#define CAE_E_CANCELLED ", "#define CAE_GONE "),
            *((path, "cae_fail(CAE_E_CANCELLED,", "cae_fail(CAE_GONE,")
              for path in ("lib/net/infer.c", "lib/image/denoise.c"))]

# What, the edits, and words of the error (none: no error).
CHANGES = [
    ("nothing", [], []),
    ("a function under a new node, a constant, a parameter's name",
     [declared("int cae_new(cae_model *m);"), NEXT_NODE, appended(SOURCE, NEW),
      (HEADER, "#define CAE_OK ", "#define CAE_NEW 7\n#define CAE_OK "),
      (HEADER, BOUND, BOUND.replace("height", "rows"))], []),
    ("a function under an old node",
     [declared("int cae_new(cae_model *m);"), (MAP, NODE, NODE + "    cae_new;\n"),
      appended(SOURCE, NEW)], ["cae_new came under LIBCAE_0.1"]),
    ("a function that left", [(MAP, "    cae_compress_bound;\n", "")], ["cae_compress_bound"]),
    ("a symbol without the header", [NEXT_NODE, appended(SOURCE, EXPORTED)],
     ["cae_new is exported, but the header does not declare it"]),
    ("a parameter's type", both(IMAGES, BOUND, BOUND.replace("size_t width", "uint32_t width")),
     ["cae_compress_bound", "parameter 3"]),
    ("a return type", RETURNS_LONG, ["cae_version", "return type"]),
    ("parameters", PARAMETERS, ["cae_compress_bound", "cae_add_noise", "cae_model_kernels"]),
    ("statuses", STATUSES, ["CAE_E_IO was -3 and is -30", "CAE_E_CANCELLED was -12 and is gone"]),
    ("another soname", [SONAME], ["libcae.so.1 has no baseline"]),
]


class Abi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="abi-", dir=BELOW))
        cls.build = abi.Build(cls.folder / "build")
        cls.kept = abi.ROOT / "tests" / "abi"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def edit(self, edits):
        """Makes the edits in the copy, to be taken back when the test ends."""
        for path, old, new in edits:
            file = self.build.tree / path
            text = file.read_text(encoding="utf-8")
            self.assertIn(old, text, path)
            self.addCleanup(file.write_text, text, encoding="utf-8")
            file.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")

    def error_of(self, action, folder):
        try:
            action(self.build, folder)
        except abi.Broken as reason:
            return str(reason)
        return None

    def copy_of_baseline(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        for file in self.kept.glob("libcae.so.*"):
            shutil.copy(file, folder)
        return folder

    def test_changes(self):
        for what, edits, words in CHANGES:
            with self.subTest(what):
                try:
                    self.edit(edits)
                    found = self.error_of(abi.compare, self.kept)
                finally:
                    self.doCleanups()
                if not words:
                    self.assertIsNone(found)
                for word in words:
                    self.assertIn(word, found or "no error")

    def test_names_no_folder(self):
        text = abi.dump(self.build)
        for name in ("/", str(self.folder)):
            self.assertNotIn(name, text.replace("/>", "").replace("</", ""))

    def test_write(self):
        folder = self.copy_of_baseline()
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        self.edit(RETURNS_LONG)
        self.assertIn("Nothing written", self.error_of(abi.write, folder))
        self.assertEqual({file.name: file.read_bytes() for file in folder.iterdir()}, before)
        self.edit([SONAME])
        self.assertIsNone(self.error_of(abi.write, folder))
        self.assertEqual(sorted(file.name for file in folder.iterdir()),
                         ["libcae.so.1.abi", "libcae.so.1.constants"])
        self.assertIsNone(self.error_of(abi.compare, folder))

    def test_written_again_an_addition_is_promised(self):
        folder = self.copy_of_baseline()
        self.edit([declared("int cae_new(cae_model *m);"), NEXT_NODE, appended(SOURCE, NEW)])
        self.assertIsNone(self.error_of(abi.write, folder))
        self.assertIn("cae_new", (folder / "libcae.so.0.abi").read_text(encoding="utf-8"))
        self.doCleanups()
        self.assertIn("cae_new", self.error_of(abi.compare, folder))


if __name__ == "__main__":
    BELOW = sys.argv.pop(1)
    try:
        abi.needed()
    except abi.Skip as reason:
        print(f"SKIP: {reason}")
        sys.exit(abi.SKIPPED)
    unittest.main()
