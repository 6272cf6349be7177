# SPDX-License-Identifier: BSD-2-Clause
"""The Python package and the shared library: the right one is found wherever it is, and a missing,
old, foreign or broken one is refused with a message that says how to fix it. All with real files and the
real loader.
"""

import glob
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from common import LIBRARY, PACKAGE, ROOT, Case, cae, run_code
from cae import _library

VERSION = "import cae; print(cae.__version__)"


def failure(**environment):
    """The last line that a failed `import cae` says."""
    result = run_code("import cae", **environment)
    assert result.returncode == 1, result
    return result.stderr.strip().rsplit("\n", 1)[-1]


def compiled(folder, name, source):
    """A shared library from C; skips the test where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise unittest.SkipTest("no C compiler (Debian: apt-get install gcc)")
    path = os.path.join(folder, name)
    subprocess.run([compiler, "-shared", "-fPIC", "-nostdlib", "-x", "c", "-o", path, "-"],
                   input=source, text=True, check=True)
    return path


def library_source(version, number, without=()):
    names = [name for name in _library.FUNCTIONS if name not in (*without, "cae_version",
                                                                 "cae_version_string")]
    return (f'const char *cae_version_string(void) {{ return "{version}"; }}\n'
            f"unsigned cae_version(void) {{ return {number}; }}\n"
            + "".join(f"void {name}(void) {{}}\n" for name in names))


class Found(Case):
    def good(self, **environment):
        result = run_code(VERSION, **environment)
        self.assertEqual((result.returncode, result.stderr, result.stdout.strip()),
                         (0, "", cae.__version__))

    def test_by_its_soname(self):
        self.good(LIBCAE=None, LD_LIBRARY_PATH=os.path.dirname(LIBRARY))
        self.good(LIBCAE="", LD_LIBRARY_PATH=os.path.dirname(LIBRARY))
        self.good(LIBCAE="libcae.so.0", LD_LIBRARY_PATH=os.path.dirname(LIBRARY))

    def test_by_an_absolute_and_a_relative_path(self):
        self.good(LIBCAE=os.path.abspath(LIBRARY))
        folder = self.make_folder()
        shutil.copy(LIBRARY, os.path.join(folder, "libcae.so.0"))
        for path in ("./libcae.so.0", os.path.join("..", os.path.basename(folder), "libcae.so.0")):
            result = run_code(VERSION, cwd=folder, PYTHONPATH=os.path.dirname(cae.__path__[0]),
                              LIBCAE=path)
            self.assertEqual((result.stderr, result.stdout.strip()), ("", cae.__version__))

    def test_in_a_folder_whose_name_is_not_ascii(self):
        folder = os.path.join(self.make_folder(), "bibliothèque 図書")
        os.mkdir(folder)
        shutil.copy(LIBRARY, folder)
        self.good(LIBCAE=os.path.join(folder, os.path.basename(LIBRARY)))
        self.good(LIBCAE=os.path.join(folder, os.path.basename(LIBRARY)), LC_ALL="C")

    def test_version(self):
        with open(os.path.join(ROOT, "meson.build"), encoding="utf-8") as file:
            self.assertIn(f"version: '{cae.__version__}'", file.read())


class Refused(Case):
    def test_missing(self):
        words = failure(LIBCAE=None, LD_LIBRARY_PATH=None)
        if "cannot be loaded" not in run_code("import cae", LIBCAE=None).stderr:
            self.skipTest("the system has a libcae.so.0 of its own")
        self.assertRegex(words, r"LibraryError: libcae cannot be loaded: libcae\.so\.0")
        self.assertIn("apt-get install libcae0", words)
        self.assertIn("environment variable LIBCAE", words)

    def test_named_but_missing(self):
        words = failure(LIBCAE="/nonexistent/libcae.so.0")
        self.assertIn("LIBCAE names '/nonexistent/libcae.so.0', which cannot be loaded", words)
        self.assertIn("unset LIBCAE", words)

    def test_a_file_here_needs_a_slash(self):
        folder = self.make_folder()
        shutil.copy(LIBRARY, os.path.join(folder, "mine.so"))
        words = failure(LIBCAE="mine.so", cwd=folder, PYTHONPATH=os.path.dirname(cae.__path__[0]))
        self.assertIn("Write LIBCAE=./mine.so", words)

    def test_no_library_at_all(self):
        folder = self.make_folder()
        text, empty = os.path.join(folder, "text.so"), os.path.join(folder, "empty.so")
        with open(text, "w", encoding="utf-8") as file:
            file.write("This is not a library, although its name says so. " * 20)
        open(empty, "w", encoding="utf-8").close()
        self.assertRegex(failure(LIBCAE=text), "text.so.*cannot be loaded.*invalid ELF header")
        self.assertRegex(failure(LIBCAE=empty), "empty.so.*cannot be loaded.*too short")
        self.assertRegex(failure(LIBCAE=folder), "cannot be loaded")

    def test_another_word_size(self):
        path = os.path.join(self.make_folder(), "libcae.so.0")
        shutil.copy(LIBRARY, path)
        with open(path, "r+b") as file:
            file.seek(4)  # EI_CLASS of the ELF header: 1 for 32 bits, 2 for 64
            kind = file.read(1)[0]
            file.seek(4)
            file.write(bytes([3 - kind]))
        self.assertRegex(failure(LIBCAE=path), "cannot be loaded.*wrong ELF class")

    def test_another_library(self):
        self.assertRegex(failure(LIBCAE="libc.so.6"),
                         "libc.so.6 is not libcae: it has no function cae_version.*unset LIBCAE")

    def test_an_old_one(self):
        path = compiled(self.make_folder(), "libcae.so.0", library_source("0.0.9", 9))
        words = failure(LIBCAE=path)
        self.assertRegex(words, "is libcae 0.0.9; this Python package needs 0.1.0 or newer")
        self.assertIn("Upgrade the library", words)

    def test_an_old_one_without_newer_functions_is_called_old(self):
        source = library_source("0.0.9", 9, without=["cae_compress", "cae_setting_info"])
        words = failure(LIBCAE=compiled(self.make_folder(), "a.so", source))
        self.assertIn("is libcae 0.0.9", words)

    def test_one_that_lacks_a_function(self):
        source = library_source("0.1.0", 0x100, without=["cae_decompress"])
        words = failure(LIBCAE=compiled(self.make_folder(), "libcae.so.0", source))
        self.assertRegex(words, "has no function cae_decompress, though it says.*0.1.0")
        self.assertIn("Install both from one release", words)

    def test_it_is_an_import_error(self):
        result = run_code("try:\n    import cae\nexcept ImportError as error:\n    print('caught')",
                          LIBCAE="/nonexistent")
        self.assertEqual(result.stdout, "caught\n")


class Declared(Case):
    def test_every_function_and_status_of_the_header_is_here(self):
        with open(os.path.join(ROOT, "include", "cae", "cae.h"), encoding="utf-8") as file:
            header = file.read()
        functions = set(re.findall(r"^CAE_API [\w ]+?[ *](cae_\w+)\(", header, re.M))
        self.assertGreater(len(functions), 30)
        self.assertEqual(functions, set(_library.FUNCTIONS))
        statuses = set(map(int, re.findall(r"^#define CAE_E_\w+ +\((-\d+)\)", header, re.M)))
        self.assertEqual(statuses, set(cae.errors.BY_STATUS))

    def test_every_function_can_be_reached(self):
        sources = "".join(pathlib.Path(path).read_text(encoding="utf-8")
                          for path in glob.glob(os.path.join(PACKAGE, "cae", "*.py")))
        # Every status has a class; cae_model_import_weights does the other's work.
        left_out = {"cae_strerror", "cae_model_load_weights"}
        self.assertEqual({name for name in _library.FUNCTIONS if f"lib.{name}" not in sources},
                         left_out)

    def test_as_many_arguments_as_in_the_header(self):
        with open(os.path.join(ROOT, "include", "cae", "cae.h"), encoding="utf-8") as file:
            header = file.read()
        for name, inside in re.findall(
                r"^CAE_API [^(;]*?(cae_\w+)\(((?:[^()]|\([^()]*\))*)\)", header, re.M):
            inside = re.sub(r"\([^()]*\)", "", inside)  # a callback is one
            count = 0 if inside == "void" else inside.count(",") + 1
            self.assertEqual(len(_library.FUNCTIONS[name][1]), count, name)

    def test_strerror_names_every_status(self):
        words = {cae._lib.cae_strerror(status) for status in [0, *cae.errors.BY_STATUS]}
        self.assertEqual(len(words), 1 + len(cae.errors.BY_STATUS))

    def test_models_left_open_at_exit_say_nothing(self):
        # What a module written in C holds, Python lets go after it has emptied those in Python.
        result = run_code("import math, cae.model\n"
                          "math.kept = cae.Model('cae-denoise'), cae.model")
        self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
