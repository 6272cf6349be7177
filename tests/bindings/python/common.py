# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the Python package share: where it is, small networks, pictures, a Python of
their own. LIBCAE names the library under test. Exits with 77 (skipped) where NumPy is missing.
"""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PACKAGE = os.path.join(ROOT, "examples", "python")  # the folder that holds it
LIBRARY = os.environ.get("LIBCAE", "")
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.path[:0] = [PACKAGE, os.path.join(ROOT, "tests", "peers")]

try:
    import numpy as np
except ImportError:
    print("SKIP: NumPy is missing (Debian: apt-get install python3-numpy)")
    sys.exit(77)

import cae

GREY = """input 1 16 16
conv 4 kernel 3 pad 1 relu
maxpool 2
code
tconv 1 kernel 2 stride 2 sigmoid
"""
COLOUR = GREY.replace("input 1", "input 3").replace("tconv 1", "tconv 3")
SAMPLED = "input 1 16 16\ndense 12\ncode sampled\ndense 1 16 16 sigmoid\n"
TOLD = """input 1 16 16 noise
mark noisy
conv 4 kernel 3 pad 1 relu
conv 1 kernel 3 pad 1
add noisy
"""
SKIP_OVER_CODE = """input 1 8 8
conv 2 kernel 3 pad 1 relu
mark a
conv 2 kernel 3 pad 1 relu
code
add a
conv 1 kernel 3 pad 1 sigmoid
"""


def pictures(count=3, channels=1, height=16, width=16, seed=1):
    """Smooth images with an edge, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]
    a, b, c = rng.uniform(-1, 1, (3, count, channels, 1, 1))
    return (0.5 + 0.2 * a * x + 0.2 * b * y + 0.1 * np.sign(x + c)).astype(np.float32)


def trained(architecture=GREY, steps=20, channels=1):
    model = cae.Model(architecture, seed=1)
    for step in range(steps):
        model.train_step(pictures(8, channels, seed=step))
    return model


def run_python(*arguments, cwd=PACKAGE, **environment):
    """Runs Python; an environment variable that is None is unset."""
    variables = {key: value for key, value in {**os.environ, **environment}.items()
                 if value is not None}
    return subprocess.run([sys.executable, *arguments], env=variables, cwd=cwd,
                          capture_output=True, text=True, timeout=120, check=False)


def run_code(code, *options, **environment):
    return run_python(*options, "-c", code, **environment)


class Case(unittest.TestCase):
    def refused(self, kind, words, function, *arguments, **named):
        """That a call raises exactly `kind`, with these words and its status."""
        with self.assertRaisesRegex(kind, words) as caught:
            function(*arguments, **named)
        self.assertIs(type(caught.exception), kind)
        if isinstance(caught.exception, cae.CaeError):
            self.assertEqual(caught.exception.status, kind.status)
            self.assertLess(kind.status, 0)

    def make_folder(self):
        folder = tempfile.TemporaryDirectory(prefix="cae-python-")
        self.addCleanup(folder.cleanup)
        return folder.name
