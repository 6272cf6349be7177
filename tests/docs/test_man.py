# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages: no checker that is here has anything to say of them, nothing is wider than 80
columns, whatis finds them, each function has a page with the words of the header, and the program
in libcae(3) compiles without warnings and runs. Bad pages give warnings.

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

sys.path.insert(0, str(ROOT / "docs" / "man"))

import functions  # noqa: E402
from rules import header_functions  # noqa: E402

PAGES = [ROOT / "docs" / "man" / "cae.1", ROOT / "docs" / "man" / "libcae.3"]
MADE = []  # those of functions, as functions.py makes them
HEADER = (ROOT / "include" / "cae" / "cae.h").read_text(encoding="utf-8")

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


def setUpModule():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cae-man-"))
    unittest.addModuleCleanup(shutil.rmtree, folder)
    script = ROOT / "docs" / "man" / "functions.py"
    subprocess.run([sys.executable, script, "--source", ROOT, "--out", folder], check=True)
    MADE.extend(sorted(folder.iterdir()))


def warnings(command, *pages):
    """What a checker says of pages on either channel, without the pages themselves."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    done = subprocess.run(command + list(map(str, pages)), capture_output=True, text=True,
                          env=environment)
    said = done.stdout + done.stderr if command[0] == "mandoc" else done.stderr
    return said.strip() or (f"ended with {done.returncode}" if done.returncode else "")


def shown(page):
    done = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=78", page], check=True,
                          capture_output=True, text=True)
    return re.sub(r".\x08", "", done.stdout)


def letters(text):
    """What is left of words when filling and hyphenation are taken away."""
    return re.sub(r"\W", "", text)


def habits(text):
    return [f"{what}: {line}" for line in text.split("\n") if not line.startswith('.\\"')
            for what, pattern in HABITS if re.search(pattern, line)]


def title(page):
    """The date and the version that a page bears."""
    line = re.search(r"^\.TH .*", page.read_text(encoding="utf-8"), re.M).group()
    return re.fullmatch(r"\.TH [A-Z_]+ \d (\d{4}-\d\d-\d\d) \"(libcae [\d.]+)\" .*", line).groups()


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
                self.assertNotEqual(warnings(command, page), "", "a bad page passes")
                self.assertEqual(warnings(command, *PAGES, *MADE), "")

    def test_habits(self):
        self.assertEqual(len(habits("see --help\n'x\n-n of a-b\n")), 3)
        for page in PAGES + MADE:
            self.assertEqual(habits(page.read_text(encoding="utf-8")), [])

    def test_one_date_and_version(self):
        for page in [PAGES[0], *MADE]:
            self.assertEqual(title(page), title(PAGES[1]))

    def test_width(self):
        self.needs("mandoc", "mandoc")
        for page in PAGES + MADE:
            wide = [line for line in shown(page).split("\n") if len(line) > 80]
            self.assertEqual(wide, [], page.name)

    def test_whatis(self):
        self.needs("lexgrog", "man-db")
        for page in PAGES:
            found = subprocess.run(["lexgrog", page], capture_output=True, text=True)
            self.assertEqual(found.returncode, 0, found.stdout)
            self.assertIn(f'"{page.stem} - train and run', found.stdout)
        found = subprocess.run(["lexgrog", *MADE], capture_output=True, text=True).stdout
        self.assertEqual(re.findall(r'"(\w+) - ', found), [page.stem for page in MADE])

    def test_every_function_has_a_page(self):
        if not MESON:
            print("left out: no meson to install with (Debian: apt-get install meson)")
            self.skipTest("meson")
        subprocess.run([MESON, "install", "-C", BUILD, "--no-rebuild", "--tags", "man", "--destdir",
                        self.folder], check=True, capture_output=True)
        section = next(self.folder.rglob("man3"))
        self.assertEqual(sorted(page.name for page in section.iterdir()),
                         sorted(f"{name}.3" for name in header_functions(HEADER) + ["libcae"]))
        for page in MADE:
            self.assertEqual((section / page.name).read_bytes(), page.read_bytes(), page.name)
        if shutil.which("man"):
            found = subprocess.run(["man", "-M", section.parent, "-w", "cae_encode"],
                                   capture_output=True, text=True)
            self.assertIn("man3/", found.stdout, found.stderr)

    def test_pages_hold_the_words_of_the_header(self):
        """And not a pointer to others: of the function, its subject, and what they lean on."""
        self.needs("mandoc", "mandoc")
        found = functions.functions_of(functions.pages.taken_apart(HEADER)[2])
        self.assertEqual(sorted(found), sorted(header_functions(HEADER)))
        self.assertEqual([page.stem for page in MADE], sorted(found))
        for page in MADE:
            function, words = found[page.stem], letters(shown(page))
            text = page.read_text(encoding="utf-8")
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"):
                self.assertIn(f"\n.SH {section}\n", text, page.name)
            self.assertEqual("\n.SH RETURN VALUE\n" in text, function.prototype[:4] == "int ")
            self.assertIn(letters("#include <cae/cae.h>" + function.prototype), words)
            for line in function.comment + function.subject.about:
                line = re.sub(r"\bSince.*|^0\.1\.|\bReturns\b|(?<!\w)_[A-Z]+", "", line)
                for part in re.split(r"\bcae_\w+|\W{2,}", line):
                    self.assertIn(letters(part), words, f"{page.name}: {part}")
        self.assertIn("safetensors file", shown(next(
            page for page in MADE if page.stem == "cae_model_save_memory")))

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
