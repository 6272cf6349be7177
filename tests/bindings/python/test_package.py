# SPDX-License-Identifier: BSD-2-Clause
"""The Python package as something that is installed, read and checked: meson and pip put it where
Python finds it, types and documentation are complete and true, the example works. What is absent
(mypy, pip) is skipped and named.
"""

import ast
import doctest
import filecmp
import glob
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import typing
import unittest

from common import PACKAGE, ROOT, Case, cae, np, run_code, run_python

FILES = sorted(os.path.relpath(path, PACKAGE) for path in glob.glob(PACKAGE + "/cae/*")
               if "__pycache__" not in path)
SOURCES = [name for name in FILES if name.endswith(".py")] + ["denoise.py"]
MODULES = [importlib.import_module("cae." + os.path.basename(name)[:-3])
           for name in FILES if name.endswith(".py") and "__init__" not in name]
OLDEST_PYTHON = (3, 9)


def public():
    """(name, object) of what the package offers, and of its classes' own methods."""
    for name in cae.__all__:
        thing = getattr(cae, name)
        yield name, thing
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                if not member.startswith("_") and not isinstance(value, int):
                    yield f"{name}.{member}", inspect.unwrap(getattr(thing, member))


class Documented(Case):
    def test_all_is_all(self):
        self.assertEqual(sorted(cae.__all__), list(cae.__all__))
        modules = {module.__name__.rsplit(".", 1)[1] for module in MODULES}
        there = {name for name in vars(cae) if not name.startswith("_")} - modules
        self.assertEqual(there - {"annotations", "Floats", "Pixels"}, set(cae.__all__))

    def test_everything_has_a_docstring(self):
        for name, thing in public():
            if not re.match(r"Epoch\.|Settings\.(?!__)", name):
                self.assertTrue(inspect.getdoc(thing), name)

    def test_docstrings_name_every_parameter_that_needs_words(self):
        plain = {"self", "seed", "settings", "training", "path", "out", "state", "input", "target"}
        for name, thing in public():
            if inspect.isfunction(thing):
                for parameter in inspect.signature(thing).parameters:
                    if parameter not in plain:
                        self.assertRegex(inspect.getdoc(thing), rf"\b{parameter}\b", name)

    def test_examples_in_docstrings(self):
        names = {**{name: getattr(cae, name) for name in cae.__all__}, "cae": cae, "numpy": np}
        attempted = 0
        for module in [cae, *MODULES]:
            failed, count = doctest.testmod(module, extraglobs=names)
            self.assertEqual(failed, 0, module.__name__)
            attempted += count
        self.assertGreater(attempted, 8)

    def test_help_shows_it(self):
        result = run_code("import cae; help(cae)")
        self.assertEqual(result.stderr, "")
        for words in ("class Model", "denoise(self, noisy", "class Trainer", "LIBCAE", "add_noise"):
            self.assertIn(words, result.stdout)
        self.assertNotIn("ndarray(shape", result.stdout)  # NumPy explains itself


class Typed(Case):
    def test_hints_can_be_evaluated_and_are_complete(self):
        for name, thing in public():
            if inspect.isfunction(thing) and not name.startswith("Epoch."):
                hints = set(typing.get_type_hints(thing)) - {"self"}
                wanted = set(inspect.signature(thing).parameters) - {"self"} | {"return"}
                self.assertEqual(hints, wanted, name)

    def mypy(self, *arguments):
        result = run_python("-m", "mypy", "--cache-dir", os.devnull, *arguments, cwd=ROOT,
                            MYPYPATH=PACKAGE)
        if "No module named mypy" in result.stderr:
            self.skipTest("no mypy (Debian: apt-get install mypy)")
        return result.stdout

    def test_the_package_is_strict(self):
        words = self.mypy("--strict", "--python-version", ".".join(map(str, OLDEST_PYTHON)),
                          os.path.join(PACKAGE, "cae"))
        self.assertIn(f"no issues found in {len(MODULES) + 1} source files", words)

    def test_programs_are_checked(self):
        program = os.path.join(self.make_folder(), "program.py")
        with open(program, "w", encoding="utf-8") as file:
            file.write(CHECKED)
        words = self.mypy("--strict", program)
        wrong = {number for number, line in enumerate(CHECKED.split("\n"), 1) if "# wrong" in line}
        found = {int(n) for n in re.findall(r"program\.py:(\d+): error", words)}
        self.assertEqual(found, wrong, words)


CHECKED = """import cae
import numpy as np

images: cae.Floats = np.zeros((4, 1, 64, 64), np.float32)
model = cae.Model("cae-denoise", seed=1, threads=0, learning_rate=1e-3)
model.settings.learning_rate = 0.1
model.settings.learning_rat = 0.1  # wrong
model.settings.threads = 2
model.settings.threads = "2"  # wrong
print(range(model.settings.epoch), model.settings["beta1"] + 1, model.stp)  # wrong
model.learning_rate = 0.1  # wrong
clean = model.denoise(images)
print(clean.shape, model.denoise([1.0]))  # wrong
pixels: cae.Pixels = cae.pixels_from_images(clean)
for epoch in cae.Trainer(model, images, noise=25 / 255).epochs(1):
    print(epoch.loss + 1, epoch.validation_loss + 1)  # wrong


class Mine(cae.Model):
    def twice(self, x: cae.Floats) -> cae.Floats:
        return self.denoise(self.denoise(x))


print(Mine.load("x").twice(images), model.copy().twice(images))  # wrong
"""


class Sources(Case):
    def test_syntax_of_the_oldest_python(self):
        for name in SOURCES:
            with open(os.path.join(PACKAGE, name), encoding="utf-8") as file:
                ast.parse(file.read(), name, feature_version=OLDEST_PYTHON)

    def test_files_can_be_read_in_one_go(self):
        for name in SOURCES:
            with open(os.path.join(PACKAGE, name), encoding="utf-8") as file:
                self.assertLessEqual(len(file.readlines()), 450, name)

    def test_import_is_silent(self):
        result = run_code("import cae", "-W", "error", "-X", "dev")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_without_numpy_typing(self):
        """NumPy 1.20 has no NDArray; the package asks for none at run time."""
        result = run_code("import sys; sys.modules['numpy.typing'] = None\n"
                          "import cae; print(cae.Model('cae-denoise').step)")
        self.assertEqual(result.stdout, "0\n", result.stderr)

    def test_example(self):
        with open(os.path.join(PACKAGE, "denoise.py"), encoding="utf-8") as file:
            self.assertLess(len(file.readlines()), 60)
        folder = self.make_folder()
        first, second = run_python("denoise.py"), run_python("denoise.py", folder)
        self.assertEqual((first.returncode, first.stderr), (0, ""), first.stdout)
        self.assertEqual(first.stdout, second.stdout)
        self.assertEqual(os.listdir(folder), ["denoiser.safetensors"])
        before, after = map(float, re.findall(r"error ([\d.]+) .* ([\d.]+) restored",
                                              first.stdout)[0])
        self.assertLess(after, before / 4)


class Installed(Case):
    def check(self, folder):
        """That the package is in folder, whole, and works from there, with nothing beside it."""
        there = sorted(os.path.relpath(path, folder) for path in glob.glob(folder + "/cae/*")
                       if "__pycache__" not in path)
        self.assertEqual(there, FILES)
        result = run_code(f"import sys; sys.path.insert(0, {folder!r})\nimport cae\n"
                          "model = cae.Model('cae-denoise', threads=2)\n"
                          "print(cae.__file__, model.settings.threads)",
                          "-I", "-W", "error", cwd=self.make_folder())
        self.assertEqual(result.stdout, f"{folder}/cae/__init__.py 2\n", result.stderr)

    def check_metadata(self, folder):
        """That folder knows its package, by the words of pyproject.toml."""
        try:
            import tomllib
        except ImportError:
            self.skipTest("no tomllib (Python 3.11 has it)")
        with open(os.path.join(PACKAGE, "pyproject.toml"), "rb") as file:
            project = tomllib.load(file)["project"]
        wanted = {"Name": project["name"], "Version": cae.__version__,
                  "Summary": project["description"], "License": project["license"]["text"],
                  "Requires-Python": project["requires-python"]}
        found, = importlib.metadata.distributions(path=[folder])
        self.assertEqual({key: found.metadata[key] for key in wanted}, wanted)
        self.assertEqual([re.sub("[ ()]", "", needed) for needed in found.requires],
                         project["dependencies"])

    def meson(self, *arguments, **environment):
        path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
        return subprocess.run(["meson", *arguments], cwd=ROOT, capture_output=True, text=True,
                              env={**os.environ, "PATH": path, **environment}, check=False)

    def test_meson(self):
        if shutil.which("meson") is None:
            self.skipTest("no meson (Debian: apt-get install meson)")
        folder = self.make_folder()
        build, dest = os.path.join(folder, "build"), os.path.join(folder, "dest")
        options = ["--prefix=/usr", "-Dtests=disabled", "-Dtools=disabled"]
        for value, found in (("enabled", 1), ("disabled", 0)):
            result = self.meson("setup", build, ROOT, *options, "-Dpython=" + value,
                                *["--reconfigure"] * os.path.exists(build))
            self.assertEqual(result.returncode, 0, result.stdout)
            shutil.rmtree(dest, ignore_errors=True)
            result = self.meson("install", "-C", build, "--no-rebuild", "--tags", "python-runtime",
                                DESTDIR=dest)
            self.assertEqual(result.returncode, 0, result.stderr)
            packages = glob.glob(dest + "/**/cae/__init__.py", recursive=True)
            self.assertEqual(len(packages), found, (value, packages))
            if packages:
                self.check(os.path.dirname(os.path.dirname(packages[0])))
                self.check_metadata(os.path.dirname(os.path.dirname(packages[0])))
                if os.path.exists("/etc/debian_version") and sys.executable == "/usr/bin/python3":
                    self.assertEqual(packages[0],
                                     dest + "/usr/lib/python3/dist-packages/cae/__init__.py")
        result = self.meson("setup", build + "-static", ROOT, *options, "-Dpython=enabled",
                            "-Ddefault_library=static")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("the package loads libcae.so.0", result.stdout)

    def test_pip(self):
        for module, package in (("pip", "python3-pip"), ("setuptools", "python3-setuptools")):
            if importlib.util.find_spec(module) is None:
                self.skipTest(f"no {module} (Debian: apt-get install {package})")
        folder = self.make_folder()
        source, target = os.path.join(folder, "python"), os.path.join(folder, "target")
        shutil.copytree(PACKAGE, source)  # setuptools writes beside what it builds
        result = run_python("-m", "pip", "install", "--no-index", "--no-build-isolation",
                            "--no-deps", "--quiet", "--target", target, source)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check(target)
        self.check_metadata(target)
        licence, = glob.glob(target + "/libcae-*.dist-info/**/COPYING", recursive=True)
        self.assertTrue(filecmp.cmp(licence, os.path.join(ROOT, "COPYING"), shallow=False))

    def test_copied_beside_a_program(self):
        folder = self.make_folder()
        shutil.copytree(os.path.join(PACKAGE, "cae"), os.path.join(folder, "cae"),
                        ignore=shutil.ignore_patterns("__pycache__"))
        self.check(folder)


if __name__ == "__main__":
    unittest.main()
