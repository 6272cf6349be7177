# SPDX-License-Identifier: BSD-2-Clause
"""Tests of examples/python/cae.py: every function, what it refuses, that arrays are not copied, and
that a model may be used by several threads and across fork().

LIBCAE names the library under test. Exits with 77 (skipped) where NumPy is missing.
"""

import copy
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from unittest import mock

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MODULE = os.path.join(ROOT, "examples", "python")
sys.dont_write_bytecode = True
sys.path[:0] = [MODULE, os.path.join(ROOT, "tests", "peers")]

try:
    import numpy as np
except ImportError:
    print("SKIP: NumPy is missing (Debian: apt-get install python3-numpy)")
    sys.exit(77)

import cae
import plain_safetensors

GREY = """input 1 16 16
conv 4 kernel 3 pad 1 relu
maxpool 2
code
tconv 1 kernel 2 stride 2 sigmoid
"""
COLOUR = GREY.replace("input 1", "input 3").replace("tconv 1", "tconv 3")
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


def run_python(code, **environment):
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment},
                          cwd=MODULE, capture_output=True, text=True, timeout=120)


class Library(unittest.TestCase):
    def test_missing_library_says_what_to_do(self):
        result = run_python("import cae", LIBCAE="/nonexistent/libcae.so.0")
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, "LibraryError: libcae was not found")
        self.assertIn("environment variable LIBCAE", result.stderr)

    def test_another_library_is_refused(self):
        result = run_python("import cae", LIBCAE="libc.so.6")
        self.assertRegex(result.stderr, "LibraryError: libc.so.6 has no function cae_")

    def test_old_library_is_refused(self):
        with mock.patch.object(cae, "OLDEST_VERSION", 0x1000000):
            with self.assertRaisesRegex(cae.LibraryError, "needs 0.1.0 or newer"):
                cae._bind()

    def test_every_function_and_status_of_the_header_is_here(self):
        with open(os.path.join(ROOT, "include", "cae", "cae.h"), encoding="utf-8") as file:
            header = file.read()
        functions = set(re.findall(r"^CAE_API [\w ]+?[ *](cae_\w+)\(", header, re.M))
        self.assertGreater(len(functions), 30)
        self.assertEqual(functions, set(cae._FUNCTIONS))
        statuses = set(map(int, re.findall(r"^#define CAE_E_\w+ +\((-\d+)\)", header, re.M)))
        self.assertEqual(statuses, set(cae._ERRORS))

    def test_models_left_open_at_exit_say_nothing(self):
        # Python empties cae.py before it lets go of what a module written in C holds.
        result = run_python(f"import numpy, cae; m = cae.Model({GREY!r})\n"
                            "numpy.linalg.norm = numpy.core._multiarray_umath.kept = lambda: m")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_version(self):
        self.assertRegex(cae.__version__, r"^\d+\.\d+\.\d+$")

    def test_strerror_names_every_status(self):
        words = {cae._lib.cae_strerror(status) for status in [0, *cae._ERRORS]}
        self.assertEqual(len(words), 1 + len(cae._ERRORS))


class Errors(unittest.TestCase):
    def refused(self, kind, text, function, *arguments, **named):
        with self.assertRaisesRegex(kind, text) as caught:
            function(*arguments, **named)
        if isinstance(caught.exception, cae.CaeError):
            self.assertEqual(caught.exception.status, kind.status)
            self.assertLess(kind.status, 0)

    def test_what_the_library_refuses_carries_its_words(self):
        model = cae.Model(GREY)
        with self.assertRaises(cae.ArchitectureError) as caught:
            cae.Model("input 1 16 16\nconvolve 4\n")
        self.assertEqual(str(caught.exception), cae._lib.cae_last_error().decode())
        self.assertIn("2", str(caught.exception))
        self.refused(cae.ArgumentError, "learning_rate", model.settings.update, learning_rate=-1)
        self.refused(cae.FileError, "nonexistent", cae.Model.load, "/nonexistent/m.safetensors")
        self.refused(cae.FormatError, ".", cae.Model.load_memory, b"\x05" * 100)
        self.refused(cae.FormatError, ".", cae.Model.load_memory, b"")
        self.refused(cae.NonFiniteError, ".", model.encode, pictures() * np.float32(np.nan))
        self.refused(cae.ShapeError, ".", cae.Model("sae-compress").denoise, pictures())
        self.refused(cae.UnsupportedError, ".", cae.Model(SKIP_OVER_CODE).encode, pictures())
        self.refused(cae.ArgumentError, ".", model.encode, pictures()[:0])
        model.settings["memory_limit"] = 65536
        self.refused(cae.LimitError, "memory_limit", model.train_step, pictures(1, 1, 2000, 2000))

    def test_wrong_model(self):
        data = trained().compress(np.zeros((16, 16), np.uint8))
        self.refused(cae.WrongModelError, ".", cae.Model(GREY, seed=9).decompress, data)
        self.refused(cae.FormatError, ".", trained().decompress, data[:-1])
        self.refused(cae.FormatError, ".", cae.compressed_info, b"no image")

    def test_errors_are_also_python_s_own_and_can_be_pickled(self):
        for status, kind in cae._ERRORS.items():
            error = pickle.loads(pickle.dumps(kind("words")))
            self.assertEqual((type(error), str(error), error.status), (kind, "words", status))
        self.assertTrue(issubclass(cae.FileError, OSError))
        self.assertTrue(issubclass(cae.ShapeError, ValueError))

    def test_wrong_dtype(self):
        model = cae.Model(GREY)
        self.refused(TypeError, "float64.*astype", model.encode, pictures().astype(np.float64))
        self.refused(TypeError, "uint8", model.train_step, np.zeros((1, 1, 16, 16), np.uint8))
        self.refused(TypeError, "list.*NumPy", model.denoise, [[[[0.5]]]])
        self.refused(TypeError, ">f4", model.encode, pictures().astype(">f4"))
        self.refused(TypeError, "float32.*0..255", model.compress, pictures()[0, 0])
        self.refused(TypeError, "out has dtype", model.encode, pictures(),
                     out=np.empty((3, 4, 8, 8)))
        self.refused(TypeError, "str", cae.Model, b"cae-compress")

    def test_wrong_shape(self):
        model, images = cae.Model(GREY), pictures()
        self.refused(cae.ShapeError, r"\(16, 16\).*count", model.encode, images[0, 0])
        self.refused(cae.ShapeError, r"\(count, 1", model.encode, pictures(channels=3))
        self.refused(cae.ShapeError, "target", model.train_step, images, images[:2])
        self.refused(cae.ShapeError, r"\(3, 4, 8, 8\)", model.encode, images,
                     out=np.empty((3, 4, 8, 9), np.float32))
        self.refused(cae.ShapeError, r"\(count, 4, 8, 8\)", model.decode,
                     np.zeros((1, 4, 8, 9), np.float32), 16, 16)
        self.refused(cae.ShapeError, "height, width", model.compress,
                     np.zeros((16, 16, 3), np.uint8))
        data = model.compress(np.zeros((16, 16), np.uint8))
        self.refused(cae.ShapeError, "16 x 16", model.decompress, data,
                     out=np.empty((16, 17), np.uint8))

    def test_wrong_outputs(self):
        model, images = cae.Model(GREY), pictures()
        read_only = np.empty((3, 1, 16, 16), np.float32)
        read_only.flags.writeable = False
        self.refused(cae.ArgumentError, "read-only", model.denoise, images, out=read_only)
        self.refused(cae.ArgumentError, "overlaps", model.denoise, images, out=images)
        self.refused(cae.ArgumentError, "contiguous", model.denoise, images,
                     out=np.empty((3, 1, 16, 32), np.float32)[..., ::2])
        data = model.compress(np.zeros((16, 16), np.uint8))
        self.refused(cae.ArgumentError, "read-only", model.decompress, data,
                     out=np.frombuffer(bytes(256), np.uint8).reshape(16, 16))
        self.refused(cae.ArgumentError, "contiguous", model.decompress, data,
                     out=np.empty((16, 32), np.uint8)[:, ::2])
        self.refused(cae.ArgumentError, "read-only", cae.add_noise, read_only, 0.1, out=read_only)

    def test_numbers_that_c_would_cut_off(self):
        model = cae.Model(GREY)
        self.refused(cae.ArgumentError, "seed is -1", cae.Model, GREY, -1)
        self.refused(cae.ArgumentError, "seed is", cae.add_noise, pictures(), 0.1, 1 << 64)
        self.refused(cae.ArgumentError, "quality is", model.compress,
                     np.zeros((16, 16), np.uint8), (1 << 32) + 50)
        self.refused(cae.ArgumentError, "height is -16", model.code_shape, -16, 16)
        self.refused(cae.ArgumentError, "NUL", cae.Model, "cae-compress\0")
        self.refused(cae.ArgumentError, "NUL", model.save, "m\0.safetensors")

    def test_closed_model(self):
        model = cae.Model(GREY)
        model.close()
        model.close()
        calls = [lambda: model.encode(pictures()), lambda: model.step, lambda: model.settings,
                 lambda: model.save_memory(), lambda: model.copy(), lambda: model.state_dict(),
                 lambda: model.compress(np.zeros((16, 16), np.uint8)), model.train_apply,
                 model.__enter__]
        for call in calls:
            self.refused(cae.ArgumentError, "closed", call)
        self.assertIn("closed", repr(model))


class Describing(unittest.TestCase):
    def test_presets(self):
        self.assertEqual(set(cae.presets()),
                         {"sae-compress", "sae-denoise", "cae-compress", "cae-denoise", "vae"})
        for name, text in cae.presets().items():
            with cae.Model(text) as model:
                self.assertEqual(model.architecture, text, name)

    def test_properties(self):
        with cae.Model("cae-compress", seed=3) as model:
            self.assertEqual(model.shape, (1, 64, 64))
            self.assertEqual(model.parameters, 109217)
            self.assertEqual(model.step, 0)
            self.assertIn(model.kernels, ("c", "sse2", "avx2", "fma"))
            self.assertEqual(model.code_shape(64, 64), (32, 8, 8))
            self.assertEqual(model.code_shape(65, 1), (32, 9, 1))
            self.assertIn("109217", repr(model))

    def test_settings(self):
        model = cae.Model(GREY)
        ranges = cae.setting_ranges()
        self.assertEqual(set(model.settings), set(ranges))
        self.assertEqual(dict(model.settings), {key: row[2] for key, row in ranges.items()})
        model.settings["learning_rate"] = 0.5
        model.settings.update(threads=2, beta1=np.float32(0.5))
        self.assertEqual(model.settings["learning_rate"], 0.5)
        self.assertEqual(model.settings["threads"], 2)
        for action in (lambda: model.settings["rate"],
                       lambda: model.settings.__setitem__("rate", 1)):
            with self.assertRaisesRegex(KeyError, "'rate'.*learning_rate"):
                action()
        with self.assertRaises(TypeError):
            del model.settings["threads"]
        with self.assertRaises(AttributeError):
            model.learning_rate = 0.1  # a misspelt setting must not vanish into the object

    def test_seed(self):
        one, same, other = cae.Model(GREY, 1), cae.Model(GREY, 1), cae.Model(GREY, 2)
        self.assertEqual(one.save_memory(), same.save_memory())
        self.assertNotEqual(one.save_memory(), other.save_memory())


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "modèle.safetensors")

    def test_save_and_load(self):
        model = trained()
        model.save(self.path)
        with cae.Model.load(self.path) as again:
            np.testing.assert_array_equal(model.denoise(pictures()), again.denoise(pictures()))
            self.assertEqual(again.step, 0)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), model.save_memory())

    def test_training_goes_on_where_it_stopped(self):
        model = trained()
        model.save(self.path, training=True)
        others = [cae.Model.load(self.path), pickle.loads(pickle.dumps(model)),
                  copy.deepcopy(model), model.copy(training=True)]
        model.train_step(pictures(8, seed=99))
        for other in others:
            self.assertEqual(other.step, 20)
            other.train_step(pictures(8, seed=99))
            self.assertEqual(other.save_memory(training=True), model.save_memory(training=True))

    def test_memory_takes_any_bytes(self):
        data = trained().save_memory(training=True)
        for form in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
            with cae.Model.load_memory(form) as model:
                self.assertEqual(model.save_memory(training=True), data)

    def test_copy_is_independent(self):
        model = trained()
        served, before = model.copy(), model.denoise(pictures())
        model.train_step(pictures(8))
        np.testing.assert_array_equal(served.denoise(pictures()), before)
        self.assertFalse(np.array_equal(model.denoise(pictures()), before))
        self.assertEqual((served.step, model.step), (0, 21))

    def test_load_weights(self):
        model, other = trained(), cae.Model(GREY, seed=5)
        plain_safetensors.write(self.path, model.state_dict())
        other.load_weights(self.path)
        np.testing.assert_array_equal(model.denoise(pictures()), other.denoise(pictures()))
        with self.assertRaises(cae.WrongModelError):
            cae.Model(COLOUR).load_weights(self.path)
        with self.assertRaises(cae.FormatError):  # a plain file is no model file
            cae.Model.load(self.path)

    def test_state_dict(self):
        model, other = trained(), cae.Model(GREY, seed=5)
        state = model.state_dict()
        self.assertEqual({name: array.shape for name, array in state.items()},
                         {"0.bias": (4,), "0.weight": (4, 1, 3, 3),
                          "3.bias": (1,), "3.weight": (4, 1, 2, 2)})
        self.assertEqual(list(state), sorted(state))
        other.load_state_dict(state)
        self.assertEqual(other.denoise(pictures()).tobytes(), model.denoise(pictures()).tobytes())

    def test_load_state_dict_changes_all_or_nothing(self):
        model, state = cae.Model(GREY), trained().state_dict()
        before = model.save_memory()
        bad_nan = {**state, "3.weight": state["3.weight"] * np.float32(np.inf)}
        bad_shape = {**state, "3.weight": state["3.weight"][..., :1]}
        bad_type = {**state, "3.weight": state["3.weight"].astype(np.float64)}
        missing = {name: array for name, array in state.items() if name != "3.weight"}
        for kind, bad in ((cae.NonFiniteError, bad_nan), (cae.WrongModelError, bad_shape),
                          (TypeError, bad_type), (cae.WrongModelError, missing),
                          (cae.WrongModelError, {**state, "9.bias": state["0.bias"]})):
            with self.assertRaises(kind):
                model.load_state_dict(bad)
            self.assertEqual(model.save_memory(), before)


class Training(unittest.TestCase):
    def test_loss_falls_and_evaluate_agrees(self):
        model, images = cae.Model(GREY, 1), pictures(8)
        model.settings["learning_rate"] = 1e-2
        first = model.evaluate(images)
        self.assertAlmostEqual(first, float(((model.denoise(images) - images) ** 2).mean()), 6)
        self.assertEqual(model.train_step(images), first)
        for _ in range(50):
            model.train_step(images)
        self.assertLess(model.evaluate(images), first / 2)
        self.assertEqual(model.step, 51)

    def test_target_is_used(self):
        model, images = cae.Model(GREY, 1), pictures(8)
        self.assertNotEqual(model.evaluate(images, np.zeros_like(images)), model.evaluate(images))
        self.assertEqual(model.evaluate(images, images.copy()), model.evaluate(images))

    def test_gradient_and_apply_are_a_step(self):
        one, two, images = cae.Model(GREY, 1), cae.Model(GREY, 1), pictures(8)
        loss = one.train_step(images)
        self.assertEqual(two.train_gradient(images), loss)
        gradient = two.get_gradient()
        self.assertEqual(gradient.shape, (two.parameters,))
        self.assertGreater(np.abs(gradient).max(), 0)
        two.set_gradient(gradient)
        two.train_apply()
        self.assertEqual(one.save_memory(training=True), two.save_memory(training=True))
        with self.assertRaises(cae.ArgumentError):
            two.train_apply()
        with self.assertRaises(cae.ShapeError):
            two.set_gradient(gradient[1:])

    def test_gradient_is_the_derivative(self):
        model, images = cae.Model(GREY, 1), pictures(2)
        model.train_gradient(images)
        gradient = model.get_gradient(out=np.empty(model.parameters, np.float32))
        state, offset = model.state_dict(), 0
        for name, array in state.items():
            if name == "3.bias":
                losses = []
                for nudge in (-1e-2, 1e-2):
                    model.load_state_dict({**state, name: array + np.float32(nudge)})
                    losses.append(model.evaluate(images))
                self.assertAlmostEqual((losses[1] - losses[0]) / 2e-2, gradient[offset], 3)
            offset += array.size
        self.assertEqual(offset, gradient.size)


class Using(unittest.TestCase):
    def test_encode_decode_is_denoise(self):
        model = trained()
        for height, width in ((16, 16), (17, 5), (1, 1)):
            images = pictures(2, 1, height, width)
            codes = model.encode(images)
            self.assertEqual(codes.shape, (2, *model.code_shape(height, width)))
            np.testing.assert_array_equal(model.decode(codes, height, width),
                                          model.denoise(images, sigma=0.1))

    def test_out_is_filled_and_returned(self):
        model, images = trained(), pictures()
        clean, codes = np.zeros_like(images), np.zeros((3, 4, 8, 8), np.float32)
        self.assertIs(model.denoise(images, out=clean), clean)
        self.assertIs(model.encode(images, out=codes), codes)
        np.testing.assert_array_equal(clean, model.denoise(images))
        self.assertIs(model.decode(codes, 16, 16, out=clean), clean)
        np.testing.assert_array_equal(clean, model.denoise(images))

    def test_noise(self):
        images = np.zeros((4, 1, 50, 50), np.float32)
        noisy = cae.add_noise(images, 0.1, seed=7)
        self.assertEqual(images.any(), False)
        self.assertAlmostEqual(float(noisy.std()), 0.1, 2)
        np.testing.assert_array_equal(noisy, cae.add_noise(images, 0.1, seed=7))
        self.assertFalse(np.array_equal(noisy, cae.add_noise(images, 0.1, seed=8)))
        self.assertIs(cae.add_noise(images, 0.1, seed=7, out=images), images)
        np.testing.assert_array_equal(noisy, images)
        flipped = pictures()[..., ::-1]
        np.testing.assert_array_equal(cae.add_noise(flipped, 0.0), flipped)

    def test_compress(self):
        for architecture, channels, shape in ((GREY, 1, (21, 18)), (COLOUR, 3, (21, 18, 3))):
            model = trained(architecture, 20, channels)
            pixels = (np.arange(np.prod(shape)) % 200).astype(np.uint8).reshape(shape)
            data = model.compress(pixels)
            self.assertIsInstance(data, bytes)
            self.assertEqual(cae.compressed_info(data), (channels, 21, 18))
            self.assertLess(len(model.compress(pixels, quality=1)),
                            len(model.compress(pixels, quality=100)))
            again = model.decompress(data)
            self.assertEqual((again.shape, again.dtype), (shape, np.uint8))
            planar = np.moveaxis(pixels.reshape(21, 18, channels), 2, 0)[np.newaxis]
            plain = model.denoise(planar.astype(np.float32) / np.float32(255))
            plain = np.moveaxis(plain[0], 0, 2).reshape(shape)
            best = model.decompress(model.compress(pixels, quality=100))
            self.assertLess(np.abs(best - plain * 255.0).mean(), 3)

    def test_compress_of_grey_takes_both_shapes(self):
        model, pixels = trained(), np.full((16, 16), 99, np.uint8)
        self.assertEqual(model.compress(pixels), model.compress(pixels[:, :, np.newaxis]))


class Copies(unittest.TestCase):
    """What the header of cae.py says of copies, by the address that reaches C."""

    def addresses(self, function, *arguments, **named):
        real = getattr(cae._lib, function)
        with mock.patch.object(cae._lib, function, side_effect=real) as spy:
            self.result = getattr(self.model, self.method)(*arguments, **named)
        return spy.call_args.args

    def setUp(self):
        self.model = trained()

    def test_contiguous_float32_is_passed_as_it_is(self):
        images, target, out = pictures(), pictures(seed=2), np.empty((3, 1, 16, 16), np.float32)
        self.method = "denoise"
        passed = self.addresses("cae_denoise", images, out=out)
        self.assertEqual((passed[1], passed[6]), (images.ctypes.data, out.ctypes.data))
        self.method = "train_step"
        passed = self.addresses("cae_train_step", images[1:], target[1:])
        self.assertEqual(passed[1:3], (images[1:].ctypes.data, target[1:].ctypes.data))
        passed = self.addresses("cae_train_step", images)
        self.assertEqual(passed[1:3], (images.ctypes.data, images.ctypes.data))

    def test_other_layouts_are_copied_once(self):
        images, self.method = pictures(), "encode"
        expected = self.model.encode(np.ascontiguousarray(images[..., ::-1]))
        passed = self.addresses("cae_encode", images[..., ::-1])
        self.assertFalse(images.ctypes.data <= passed[1] < images.ctypes.data + images.nbytes)
        np.testing.assert_array_equal(self.result, expected)
        shifted = np.empty(images.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(images.shape)
        shifted[...] = images
        np.testing.assert_array_equal(self.model.encode(shifted), self.model.encode(images))

    def test_pixels_of_a_crop_are_passed_as_they_are(self):
        picture, self.method = np.arange(40 * 60, dtype=np.uint8).reshape(40, 60), "compress"
        crop = picture[3:24, 7:25]
        expected = self.model.compress(crop.copy())
        passed = self.addresses("cae_compress", crop)
        self.assertEqual(passed[1:5], (crop.ctypes.data, 21, 18, 60))
        self.assertEqual(self.result, expected)
        self.assertEqual(self.model.compress(picture.T[7:25, 3:24]),
                         self.model.compress(crop.T.copy()))
        self.assertEqual(self.model.compress(crop[::-1]), self.model.compress(crop[::-1].copy()))

    def test_decompress_fills_a_crop_and_nothing_beside_it(self):
        data = self.model.compress(np.full((21, 18), 77, np.uint8))
        picture, self.method = np.full((40, 60), 7, np.uint8), "decompress"
        crop = picture[3:24, 7:25]
        passed = self.addresses("cae_decompress", data, out=crop)
        self.assertEqual(passed[3:7], (crop.ctypes.data, 21, 18, 60))
        self.assertIs(self.result, crop)
        np.testing.assert_array_equal(crop, self.model.decompress(data))
        crop[...] = 7
        self.assertTrue((picture == 7).all())

    def test_bytes_are_read_in_place(self):
        data = np.frombuffer(self.model.compress(np.zeros((16, 16), np.uint8)), np.uint8)
        self.method = "decompress"
        self.assertEqual(self.addresses("cae_decompress", data)[1], data.ctypes.data)


class Threads(unittest.TestCase):
    def test_four_threads_share_a_model(self):
        model = trained()
        model.settings["threads"] = 2
        inputs = [pictures(4, 1, 40, 40 + i, seed=i) for i in range(4)]
        expected = [model.denoise(images) for images in inputs]
        wrong = []

        def work(index):
            try:
                for _ in range(25):
                    if not np.array_equal(model.denoise(inputs[index]), expected[index]):
                        wrong.append(index)
            except Exception as error:  # a thread's exception would vanish
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_errors_belong_to_their_thread(self):
        texts, barrier = {}, threading.Barrier(2)

        def work(architecture):
            for _ in range(50):
                barrier.wait()
                try:
                    cae.Model(architecture)
                except cae.CaeError as error:
                    texts.setdefault(architecture, set()).add(str(error))

        names = ["input 1 8 8\nfirst\n", "input 1 8 8\nsecond\n"]
        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([len(texts[name]) for name in names], [1, 1])
        self.assertNotEqual(texts[names[0]], texts[names[1]])


FORKED = """
import multiprocessing, sys
import numpy as np
import cae

images = np.full((8, 1, 16, 16), 0.25, np.float32)

def child(queue, model):
    if model is None:
        model = cae.Model({architecture!r}, seed=1)
        model.settings["threads"] = 2
        model.train_step(images)
    queue.put(model.denoise(images).tobytes())
    queue.put(model.train_step(images))

def run(context, model):
    queue = context.Queue()
    process = context.Process(target=child, args=(queue, model))
    process.start()
    result = queue.get(timeout=60), queue.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0, process.exitcode
    return result

context = multiprocessing.get_context("fork")
before = run(context, None)                 # the library is loaded, but was never used
model = cae.Model({architecture!r}, seed=1)
model.settings["threads"] = 2
model.train_step(images)
after = [run(context, model) for _ in range(5)]
mine = model.denoise(images).tobytes(), model.train_step(images)
assert all(result == mine for result in [before, *after])
print("same in all", 1 + len(after), "children")
"""


class Processes(unittest.TestCase):
    def test_fork_before_and_after_use(self):
        result = run_python(FORKED.format(architecture=GREY))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("same in all 6 children", result.stdout)

    def test_models_travel_to_other_processes(self):
        model, images = trained(), pictures()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map_async(model.denoise, [images, images]).get(60)
        for result in results:
            np.testing.assert_array_equal(result, model.denoise(images))


if __name__ == "__main__":
    unittest.main()
