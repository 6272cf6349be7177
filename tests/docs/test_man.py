# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages: no checker that is here has anything to say of them, nothing is wider than 80
columns, whatis finds them, each function has its name in the third section, and the program in
libcae(3) compiles without warnings and runs. Bad pages are complained of.

    python3 tests/docs/test_man.py BUILD LIBRARY MESON COMPILER...

LIBRARY is what the program is linked with; "" leaves that out, as an empty MESON leaves out the
installation.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from rules import header_functions  # noqa: E402

PAGES = [ROOT / "docs" / "man" / "cae.1", ROOT / "docs" / "man" / "libcae.3"]

BAD = ".TH X 1 2026-01-01\n.SH NAME\nx \\- y\n.BOGUS\n"

# Command, and Debian's package of it.
CHECKERS = [
    (["mandoc", "-T", "lint", "-W", "style"], "mandoc"),
    (["groff", "-man", "-Tutf8", "-ww", "-z"], "groff"),
    (["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"], "man-db"),
]
# What Debian's lintian says of pages by itself, in its words.
HABITS = [
    ("a hyphen where a minus is meant", r"(?<![\\\w-])-{1,2}[a-z]"),
    ("a line that roff takes for a request", r"^'(?!\\)"),
]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]


def complaints(command, page):
    """What a checker says of a page on either channel, without the page itself."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    done = subprocess.run(command + [str(page)], capture_output=True, text=True, env=environment)
    said = done.stdout + done.stderr if command[0] == "mandoc" else done.stderr
    return said.strip() or (f"ended with {done.returncode}" if done.returncode else "")


def habits(text):
    return [f"{what}: {line}" for line in text.split("\n") if not line.startswith('.\\"')
            for what, pattern in HABITS if re.search(pattern, line)]


def title(page):
    """The date and the version that a page bears."""
    line = re.search(r"^\.TH .*", page.read_text(encoding="utf-8"), re.M).group()
    return re.fullmatch(r"\.TH [A-Z]+ \d (\d{4}-\d\d-\d\d) \"(libcae [\d.]+)\" .*", line).groups()


def program(text):
    """The first example of EXAMPLES that is a whole program."""
    for example in re.findall(r"^\.EX\n(.*?)^\.EE", text, re.M | re.S):
        if "int main(" in example:
            return example.replace("\\-", "-").replace("\\e", "\\")
    return ""


class Man(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cae-man-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def needs(self, name, package):
        if shutil.which(name) is None:
            print(f"left out: no {name} (Debian: apt-get install {package})")
            self.skipTest(name)

    def test_checkers(self):
        for command, package in CHECKERS:
            with self.subTest(command[0]):
                self.needs(command[0], package)
                page = self.folder / "bad.1"
                page.write_text(BAD)
                self.assertNotEqual(complaints(command, page), "", "a bad page passes")
                for good in PAGES:
                    self.assertEqual(complaints(command, good), "")

    def test_habits(self):
        self.assertEqual(len(habits("see --help\n'x\n-n of a-b\n")), 3)
        for page in PAGES:
            self.assertEqual(habits(page.read_text(encoding="utf-8")), [])

    def test_one_date_and_version(self):
        self.assertEqual(title(PAGES[0]), title(PAGES[1]))

    def test_width(self):
        self.needs("mandoc", "mandoc")
        for page in PAGES:
            shown = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=78", page], check=True,
                                   capture_output=True, text=True).stdout
            wide = [line for line in re.sub(r".\x08", "", shown).split("\n") if len(line) > 80]
            self.assertEqual(wide, [], page.name)

    def test_whatis(self):
        self.needs("lexgrog", "man-db")
        for page in PAGES:
            found = subprocess.run(["lexgrog", page], capture_output=True, text=True)
            self.assertEqual(found.returncode, 0, found.stdout)
            self.assertIn(f'"{page.stem} - train and run', found.stdout)

    def test_every_function_has_a_page(self):
        if not MESON:
            print("left out: no meson to install with (Debian: apt-get install meson)")
            self.skipTest("meson")
        subprocess.run([MESON, "install", "-C", BUILD, "--no-rebuild", "--tags", "man", "--destdir",
                        self.folder], check=True, capture_output=True)
        section = next(self.folder.rglob("man3"))
        header = (ROOT / "include" / "cae" / "cae.h").read_text(encoding="utf-8")
        self.assertEqual(sorted(page.name for page in section.iterdir()),
                         sorted(f"{name}.3" for name in header_functions(header) + ["libcae"]))
        for page in section.iterdir():
            self.assertEqual(page.read_bytes(), PAGES[1].read_bytes(), page.name)
        if shutil.which("man"):
            found = subprocess.run(["man", "-M", section.parent, "-w", "cae_encode"],
                                   capture_output=True, text=True)
            self.assertIn("man3/", found.stdout, found.stderr)

    def test_the_program_runs(self):
        source = self.folder / "example.c"
        source.write_text(program(PAGES[1].read_text(encoding="utf-8")), encoding="utf-8")
        command = COMPILER + STRICT + ["-I", str(ROOT / "include"), str(source)]
        if not LIBRARY:
            subprocess.run(command + ["-fsyntax-only"], check=True)
            print("left out: no shared library to link with, compiled alone")
            self.skipTest("library")
        path = "-Wl,-rpath," + os.path.dirname(LIBRARY)
        subprocess.run(command + ["-o", "example", LIBRARY, path], check=True, cwd=self.folder)
        done = subprocess.run(["./example"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLess(float(done.stdout.split(": ")[1]), 0.1)
        self.assertTrue((self.folder / "stripes.safetensors").is_file())


if __name__ == "__main__":
    BUILD, LIBRARY, MESON, *COMPILER = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
