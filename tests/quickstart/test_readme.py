# SPDX-License-Identifier: BSD-2-Clause
"""The README's programs and commands, taken out of it and run as they stand, and the links of all
pages.

CAE_TOOL names the command, LIBCAE the shared library. What is missing (a C compiler, NumPy) shows
as a skipped test.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOOL = Path(os.environ["CAE_TOOL"])
LIBRARY = Path(os.environ["LIBCAE"])
COMPILER = os.environ.get("CC", "cc").split()
WARNINGS = "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()


def block(language):
    """The README's one block in this language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return found


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cae-readme-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_here(self, *command, **variables):
        environment = {**os.environ, **variables}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    @unittest.skipUnless(shutil.which(COMPILER[0]), "no C compiler")
    def test_c(self):
        program = block("c")
        self.assertLessEqual(program.count("\n"), 20)
        (self.folder / "program.c").write_text(program, encoding="utf-8")
        self.run_here(
            *COMPILER,
            *WARNINGS,
            "-I",
            str(ROOT / "include"),
            "program.c",
            "-o",
            "program",
            str(LIBRARY),
            "-Wl,-rpath," + str(LIBRARY.parent),
        )
        self.assertRegex(self.run_here("./program"), r"\Acompressed, [1-9]\d* bytes\n\Z")

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "no NumPy")
    def test_python(self):
        program = block("python")
        self.assertLessEqual(program.count("\n"), 10)
        shutil.copytree(ROOT / "examples/python/cae", self.folder / "cae")
        (self.folder / "program.py").write_text(program, encoding="utf-8")
        loss, error = map(
            float, self.run_here(sys.executable, "program.py", LIBCAE=str(LIBRARY)).split()
        )
        self.assertGreater(loss, 0)
        self.assertLess(error, 0.5)
        self.assertTrue((self.folder / "denoiser.safetensors").exists())

    def test_commands(self):
        script = block("sh")
        self.assertIn("--steps 600", script)
        (self.folder / "commands").write_text(
            script.replace("--steps 600", "--steps 2"), encoding="utf-8"
        )
        path = f"{TOOL.parent}{os.pathsep}{os.environ['PATH']}"
        self.assertIn("psnr", self.run_here("sh", "-e", "commands", PATH=path))
        for name in ("face.cae", "restored.png", "noisy.png"):
            self.assertTrue((self.folder / name).stat().st_size > 0, name)

    def test_links(self):
        self.assertGreater(len(re.findall(r"\]\(", README)), 8)
        for page in [ROOT / "README.md", ROOT / "PACKAGING.md", *(ROOT / "docs").rglob("*.md")]:
            for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
                if not re.match(r"https?:", link):
                    self.assertTrue((page.parent / link).exists(), f"{page.name}: {link}")

    def test_two_commands(self):
        commands = re.findall(r"^ {4}sh (\S+)", README, re.MULTILINE)
        self.assertEqual(commands, ["examples/quickstart.sh", "tests/run.sh"])
        for command in commands:
            self.assertTrue((ROOT / command).is_file(), command)


if __name__ == "__main__":
    unittest.main()
