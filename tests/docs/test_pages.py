# SPDX-License-Identifier: BSD-2-Clause
"""The HTML pages of the interface: Doxygen gives no warning, every function, constant and
parameter that the header explains is there, every link leads somewhere, and the pages need nothing
else. Bad headers give warnings.

    python3 tests/docs/test_pages.py DOXYGEN
"""

import collections
import html
import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "docs" / "pages"), str(ROOT / "tests" / "contract")]

import pages  # noqa: E402
from rules import SKIPPED, header_functions  # noqa: E402

# What, an edit of the header, and words of the warning.
BAD = [
    ("no comment",
     "/* Frees a model; NULL is fine. No other thread may be using it. Since 0.1. */\n",
     "", "cae_model_free"),
    ("a parameter forgotten", " *   seed          any value;", " * any value;", "'seed'"),
    ("a parameter by another name", " *   seed          any", " *   sead          any", "sead"),
    ("a constant without words", " /* out of memory */", "", "CAE_E_NOMEM"),
    ("a page that is not there", "docs/numerics.md", "docs/nowhere.md", "nowhere.md"),
]


def words(text):
    return collections.Counter(re.findall(r"\w+", text.lower()))


def lost(comment, page):
    """The words of a comment that a page does not show, or not so often."""
    comment = re.sub(r"docs/[a-z-]+\.md", "", comment)
    comment = re.sub(r"(?<!\w)_([A-Z]+)\b", r"CAE_E_\1", comment)
    page = re.sub(r'<div class="ttc".*?</div></div>', "", page, flags=re.S)
    return words(comment) - words(html.unescape(re.sub(r"<[^>]*>", " ", page)))


def copy_of_tree(folder):
    for name in ("include", "docs"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="cae-pages-"))
        cls.out = cls.folder / "html"
        cls.warnings = pages.write_pages(ROOT, cls.out, DOXYGEN)
        cls.texts = {page.name: page.read_text(encoding="utf-8")
                     for page in cls.out.glob("*.html")}
        cls.header = (ROOT / "include" / "cae" / "cae.h").read_text(encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def section(self, function):
        """What the pages say of a function; exactly one of them does."""
        found = [text for page in self.texts.values()
                 for text in re.split(r'<h2 class="memtitle">', page)
                 if re.match(rf".*</span>{function}\(\)</h2>", text)]
        self.assertEqual(len(found), 1, function)
        return found[0]

    def test_no_warnings(self):
        self.assertEqual(self.warnings, "")

    def test_every_function_has_its_place(self):
        for name in header_functions(self.header):
            self.assertIn('<div class="memdoc">', self.section(name))
        overview = self.texts["modules.html"]
        for name in header_functions(self.header):
            self.assertRegex(overview, rf'href="group__[\w-]+\.html#\w+">{name}</a>')

    def test_every_constant_is_there(self):
        for name in re.findall(r"^#define (CAE_(?:OK|E_\w+|SAVE_\w+)) ", self.header, re.M):
            self.assertTrue(any(f"<b>{name}</b>" in text for text in self.texts.values()), name)

    def test_every_parameter_that_the_header_explains(self):
        explained = 0
        for comment, name, listed in re.findall(
                r"/\*((?:(?!\*/).)*)\*/\nCAE_API [^(;]*?\b(cae_\w+)\(([^;]*)\);",
                self.header, re.S):
            parameters = re.findall(r"(\w+)(?:\[\d\])?(?:,|$)", listed)
            rows = re.findall(r"^ \*   (\w+(?:, \w+)*)  +\S", comment, re.M)
            for row in rows:
                if set(row.split(", ")) & set(parameters):
                    self.assertIn(f'<td class="paramname">{row.replace(", ", ",")}</td>',
                                  self.section(name), f"{name}: {row}")
                    explained += 1
        self.assertGreater(explained, 10)

    def test_no_word_of_the_header_is_lost(self):
        opening = re.sub(r" \* (?:Copyright|SPDX).*", "", self.header.split("*/")[0])
        self.assertFalse(lost(opening, self.texts["index.html"]))
        for comment, name in re.findall(r"/\*((?:(?!\*/).)*)\*/\nCAE_API [^(;]*?\b(cae_\w+)\(",
                                        self.header, re.S):
            self.assertFalse(lost(comment, self.section(name)), name)
        for title, comment in re.findall(r"/\* -+ ([^\n]*?) -+ \*/\n/\*\n(.*?)\*/\n\n",
                                         self.header, re.S):
            page = next(text for text in self.texts.values() if f'"title">{title}<' in text)
            self.assertFalse(lost(comment, page), title)
        self.assertIn('class="stringliteral"', self.texts["index.html"])

    def test_links_lead_somewhere(self):
        count = 0
        for name, text in self.texts.items():
            for target in re.findall(r'(?:href|src)="([^"]*)"', text):
                page, _, anchor = html.unescape(target).partition("#")
                self.assertTrue((self.out / (page or name)).is_file(), f"{name}: {target}")
                if anchor:
                    self.assertIn(f'id="{anchor}"', self.texts[page or name], f"{name}: {target}")
                count += 1
        self.assertGreater(count, 100)

    def test_needs_nothing_else(self):
        for file in self.out.iterdir():
            self.assertIn(file.suffix, (".html", ".css"), file.name)
            text = file.read_text(encoding="utf-8")
            for word in ("<script", "http:", "https:", "@import", "url(", str(ROOT),
                         self.folder.name):
                self.assertNotIn(word, text, file.name)

    def test_equal_from_another_folder_at_another_time(self):
        tree = copy_of_tree(self.folder / "a path with spaces")
        zone = os.environ.get("TZ")
        os.environ["TZ"] = "Pacific/Kiritimati"
        try:
            pages.write_pages(tree, self.folder / "again", DOXYGEN)
        finally:
            os.environ.pop("TZ")
            os.environ.update({"TZ": zone} if zone is not None else {})
        self.assertEqual({f.name: f.read_bytes() for f in self.out.iterdir()},
                         {f.name: f.read_bytes() for f in (self.folder / "again").iterdir()})

    def test_bad_headers(self):
        tree = copy_of_tree(self.folder / "bad")
        for what, old, new, words in BAD:
            with self.subTest(what):
                self.assertIn(old, self.header)
                (tree / "include" / "cae" / "cae.h").write_text(self.header.replace(old, new, 1),
                                                                encoding="utf-8")
                self.assertIn(words, pages.write_pages(tree, self.folder / "badly", DOXYGEN))


if __name__ == "__main__":
    DOXYGEN = sys.argv.pop(1)
    if shutil.which(DOXYGEN) is None:
        print("SKIP: no doxygen (Debian: apt-get install doxygen)")
        sys.exit(SKIPPED)
    unittest.main()
