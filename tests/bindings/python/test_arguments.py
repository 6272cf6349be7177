# SPDX-License-Identifier: BSD-2-Clause
"""What the Python package refuses, and in which words. The tables of arguments below are walked
over every method of Model that there is, so that a new method is tested by existing.
"""

import inspect
import os
import pickle
import typing
import unittest

from common import COLOUR, GREY, SKIP_OVER_CODE, TOLD, Case, cae, np, pictures, trained


def arguments(model):
    """A good value for each parameter's name; `images` is everywhere (3, 1, 16, 16)."""
    images = pictures()
    return {
        "images": images, "input": images, "target": images, "noisy": images, "sigma": 0.1,
        "codes": np.zeros((3, 4, 8, 8), np.float32), "height": 16, "width": 16,
        "values": np.zeros(model.parameters, np.float32), "state": model.state_dict(),
        "prefix": "", "strip": False, "skip": False, "path": "/nonexistent/file",
        "training": False, "half": False, "quality": 50, "array": images[0, 0], "gain": 0.01, "strength": 0.5,
        "progress": None,
        "pixels": np.zeros((16, 16), np.uint8), "memo": {},
        "data": model.compress(np.zeros((16, 16), np.uint8)),
    }


# Settings are tested by test_model.py; these work on a closed model, too, or make a new one.
NOT_WALKED = {"close", "load", "shipped", "from_bytes", "settings"}
DUNDERS = {"__enter__", "__reduce__", "__copy__", "__deepcopy__"}


def members():
    return sorted((set(dir(cae.Model)) - NOT_WALKED - {n for n in dir(cae.Model) if n[0] == "_"})
                  | DUNDERS)


def methods():
    return [name for name in members() if inspect.isfunction(getattr(cae.Model, name))]


def call(model, name, values, /, **changed):
    """A method with a good value for each parameter but those changed; a property read."""
    member = inspect.getattr_static(cae.Model, name)
    if isinstance(member, property):
        return getattr(model, name)
    wanted = [p for p in inspect.signature(member).parameters if p not in ("self", "out")]
    good = {p: values[p] for p in wanted}
    if name in ("train_step", "train_gradient", "evaluate"):  # of a network that takes no level
        good["sigma"] = None
    return getattr(model, name)(**{**good, **changed})


class Walked(Case):
    """Each bad value in each parameter of each method."""

    def setUp(self):
        self.model = trained()
        self.values = arguments(self.model)

    def parameters(self, kind):
        """(method, parameter) of every parameter annotated with a kind of array."""
        for name in methods():
            hints = typing.get_type_hints(getattr(cae.Model, name), localns={"Model": cae.Model})
            for parameter, hint in hints.items():
                if hint in (kind, typing.Optional[kind]) and parameter not in ("return", "out"):
                    yield name, parameter

    def test_good_values_are_good(self):
        self.model.train_gradient(pictures())
        for name in members():
            if name in ("save", "load_weights"):  # of a path that cannot be
                self.refused(cae.FileError, "nonexistent", call, self.model, name, self.values)
            else:
                call(self.model, name, self.values)
                if name == "train_apply":
                    self.refused(cae.ArgumentError, "gradient", self.model.train_apply)

    def test_closed_model(self):
        self.model.close()
        self.model.close()
        for name in [*members(), "settings"]:
            with self.subTest(name):
                self.refused(cae.ArgumentError, "closed; make or load", call, self.model, name,
                             self.values)
        self.assertIn("closed", repr(self.model))

    def test_settings_of_a_model_closed_later(self):
        settings = self.model.settings
        self.model.close()
        self.refused(cae.ArgumentError, "closed", lambda: settings.threads)
        self.refused(cae.ArgumentError, "closed", lambda: settings.update(threads=1))

    def test_what_is_no_array_of_floats(self):
        # Where NumPy and the signature give arrays one type at run time, pixels come along.
        walked = list(self.parameters(cae.Floats))
        self.assertGreater(len(walked), 10)
        for name, parameter in walked:
            good = self.values[parameter]
            wrong = [None, 1.0, "x", good.tolist(), good.astype(np.float64), good.astype(np.int64),
                     good.astype(">f4"), good.astype(object), memoryview(good),
                     np.ma.masked_array(good)]
            for value in wrong:
                if value is None and parameter == "target":  # the input itself
                    continue
                with self.subTest(name, parameter=parameter, value=type(value)):
                    self.refused(TypeError, "pass|convert|pixels", call, self.model, name,
                                 self.values, **{parameter: value})

    def test_shapes_that_cannot_be(self):
        for name, parameter in self.parameters(cae.Floats):
            good = self.values[parameter]
            for value in (good[np.newaxis], good[..., np.newaxis][:0], good[None, None, None],
                          np.array(good.flat[0]), good[..., :-1] if good.ndim == 1 else good[:0]):
                with self.subTest(name, parameter=parameter, shape=value.shape):
                    with self.assertRaises((cae.ShapeError, cae.ArgumentError)):
                        call(self.model, name, self.values, **{parameter: value})

    def test_values_that_are_not_finite(self):
        for name, parameter in self.parameters(cae.Floats):
            good = self.values[parameter]
            if good.dtype == np.float32:
                for bad in (np.nan, np.inf, -np.inf):
                    value = good.copy()
                    value.flat[-1] = bad
                    with self.subTest(name, parameter=parameter, value=bad):
                        self.refused(cae.NonFiniteError, ".", call, self.model, name, self.values,
                                     **{parameter: value})

    def test_outputs_that_cannot_be_used(self):
        walked = [name for name in methods()
                  if "out" in inspect.signature(getattr(cae.Model, name)).parameters]
        self.assertIn("denoise", walked)
        self.model.train_gradient(pictures())
        for name in walked:
            result = call(self.model, name, self.values)
            self.assertIs(call(self.model, name, self.values, out=result), result)
            read_only = np.empty_like(result)
            read_only.flags.writeable = False
            gaps = np.empty((*result.shape[:-1], 2 * result.shape[-1]), result.dtype)[..., ::2]
            shape = (*result.shape[:-1], result.shape[-1] + 1)
            for kind, words, out in (
                    (cae.ArgumentError, "read-only", read_only),
                    (cae.ArgumentError, "contiguous", gaps),
                    (cae.ShapeError, "out has shape", np.empty(shape, result.dtype)),
                    (TypeError, "out has dtype", result.astype(np.float64)),
                    (TypeError, "out is a bytearray", bytearray(result.nbytes))):
                with self.subTest(name, words=words):
                    self.refused(kind, words, call, self.model, name, self.values, out=out)

    def test_outputs_over_inputs(self):
        # Memory for both: the input at the front, the output over its end.
        for name, parameter in (("denoise", "noisy"), ("encode", "images"), ("decode", "codes")):
            good = self.values[parameter]
            result = call(self.model, name, self.values)
            memory = np.zeros(good.size + result.size, np.float32)
            memory[:good.size] = good.ravel()
            values = {**self.values, parameter: memory[:good.size].reshape(good.shape)}
            beside = memory[good.size:].reshape(result.shape)
            np.testing.assert_array_equal(call(self.model, name, values, out=beside), result)
            over = memory[good.size - 1:-1].reshape(result.shape)
            self.refused(cae.ArgumentError, "overlaps", call, self.model, name, values, out=over)

    def test_what_is_no_number_path_or_text(self):
        bad = {"sigma": ["0.1", None, 1j], "height": [1.0, "1"], "quality": ["50", None],
               "path": [None, 3], "data": [None, "text", 3], "state": [None, [], 3],
               "prefix": [None, b"", 3]}
        for name in methods():
            for parameter in inspect.signature(getattr(cae.Model, name)).parameters:
                for value in bad.get(parameter, []):
                    if value is None and parameter == "sigma" and name != "denoise":  # no levels
                        continue
                    with self.subTest(name, parameter=parameter, value=value):
                        self.refused(TypeError, f"{parameter} is.*; pass", call, self.model, name,
                                     self.values, **{parameter: value})

    def test_numbers_of_numpy_are_numbers(self):
        images = pictures()
        self.model.denoise(images, np.float32(0.1))
        self.model.decode(self.model.encode(images), np.int64(16), np.uint8(16))
        self.refused(cae.ArgumentError, "sigma", self.model.denoise, images, -0.1)
        self.refused(cae.ArgumentError, "sigma", self.model.denoise, images, float("nan"))
        self.refused(cae.ArgumentError, "sigma", cae.add_noise, images, 1e300)


def claiming(side):
    """A compressed picture of 16 x 16 whose header is made to say side x side."""
    data = cae.Model(GREY).compress(np.zeros((16, 16), np.uint8))
    start = data.index(b"\x10\x10")  # height and width, as in docs/file-formats.md
    number = bytes([side >> 7 * i & 127 | 128 for i in range(3)]) + bytes([side >> 21])
    return data[:start] + number + number + data[start + 2:]


class Errors(Case):
    def test_what_the_library_refuses_carries_its_words(self):
        model = cae.Model(GREY)
        with self.assertRaises(cae.ArchitectureError) as caught:
            cae.Model("input 1 16 16\nconvolve 4\n")
        self.assertEqual(str(caught.exception), cae._lib.cae_last_error().decode())
        self.assertIn("2", str(caught.exception))
        self.refused(cae.ArgumentError, "learning_rate", model.settings.update, learning_rate=-1)
        self.refused(cae.FileError, "nonexistent", cae.Model.load, "/nonexistent/m.safetensors")
        self.refused(cae.FormatError, ".", cae.Model.from_bytes, b"\x05" * 100)
        self.refused(cae.FormatError, ".", cae.Model.from_bytes, b"")
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

    def test_pictures_of_grey_and_of_colour_are_each_other_s_wrong_models(self):
        grey, colour = cae.Model(GREY), cae.Model(COLOUR)
        for model, other, shape in ((grey, colour, (10, 10, 3)), (colour, grey, (10, 10))):
            data = other.compress(np.zeros(shape, np.uint8))
            for out in (None, np.zeros(shape, np.uint8)):
                self.refused(cae.WrongModelError, "another model: channels are", model.decompress,
                             data, out=out)

    def test_no_memory(self):
        """2^48 elements: one picture whose header says so, and arrays whose strides are 0."""
        model, side = cae.Model(GREY), 1 << 24
        floats = np.broadcast_to(np.float32(0.5), (1, 1, side, side))
        pixels = np.broadcast_to(np.uint8(128), (1, side, side))
        for function, *given in (
                (model.denoise, floats), (model.encode, floats), (model.train_step, floats),
                (model.decode, np.broadcast_to(np.float32(0), (1, 4, side // 2, side // 2)),
                 side, side),
                (model.compress, pixels[0]), (model.decompress, claiming(side)),
                (cae.add_noise, floats, 0.1), (cae.images_from_pixels, pixels)):
            with self.subTest(function.__name__):
                self.refused(cae.OutOfMemoryError, "no memory for a .* array of shape", function,
                             *given)

    def test_errors_are_also_python_s_own_and_can_be_pickled(self):
        for status, kind in cae.errors.BY_STATUS.items():
            error = pickle.loads(pickle.dumps(kind("words")))
            self.assertEqual((type(error), str(error), error.status), (kind, "words", status))
        self.assertTrue(issubclass(cae.FileError, OSError))
        self.assertTrue(issubclass(cae.ShapeError, ValueError))

    def test_wrong_dtype(self):
        model = cae.Model(GREY)
        self.refused(TypeError, "float64.*astype", model.encode, pictures().astype(np.float64))
        self.refused(TypeError, "uint8", model.train_step, np.zeros((1, 1, 16, 16), np.uint8))
        self.refused(TypeError, r"noisy is a list.*numpy\.asarray\(noisy, numpy\.float32\)",
                     model.denoise, [[[[0.5]]]])
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
        self.refused(cae.ArgumentError, "read-only", cae.add_noise, read_only, 0.1, out=read_only)
        beside = np.empty(images.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(images.shape)
        self.refused(cae.ArgumentError, "not aligned", model.denoise, images, out=beside)

    def test_wrong_outputs_for_pixels(self):
        model = cae.Model(GREY)
        data, pixels = model.compress(np.zeros((16, 16), np.uint8)), np.zeros((16, 32), np.uint8)
        overlapping = np.lib.stride_tricks.as_strided(pixels, (16, 16), (8, 1))
        for words, out in (("read-only", np.frombuffer(bytes(256), np.uint8).reshape(16, 16)),
                           ("read-only", np.broadcast_to(np.uint8(0), (16, 16))),
                           ("rows that are not contiguous", pixels[:, ::2]),
                           ("its rows in reverse order", pixels[::-1, :16]),
                           ("rows that overlap", overlapping)):
            with self.subTest(words):
                self.refused(cae.ArgumentError, f"out .*{words}", model.decompress, data, out=out)

    def test_advice_for_outputs_makes_no_copy(self):
        """A copy would be filled in place of the array that was meant."""
        model, images = cae.Model(GREY), pictures()
        data, new = model.compress(np.zeros((16, 16), np.uint8)), r"empty\(\(.*16, 16\), numpy\."
        for function, given, dtype in ((model.denoise, images, np.float32),
                                       (model.decompress, data, np.uint8)):
            out = function(given)
            words = new + np.dtype(dtype).name
            self.refused(TypeError, "list.*" + words, function, given, out=out.tolist())
            self.refused(TypeError, "complex.*" + words, function, given, out=out.astype(complex))
            masked = np.ma.masked_array(np.zeros_like(out))
            self.refused(TypeError, r"pass out\.data or leave", function, given, out=masked)
            function(given, out=masked.data)
            np.testing.assert_array_equal(masked.data, out)

    def test_numbers_that_c_would_cut_off(self):
        model = cae.Model(GREY)
        self.refused(cae.ArgumentError, "seed is -1", cae.Model, GREY, -1)
        self.refused(cae.ArgumentError, "seed is", cae.add_noise, pictures(), 0.1, 1 << 64)
        self.refused(cae.ArgumentError, "quality is", model.compress,
                     np.zeros((16, 16), np.uint8), (1 << 32) + 50)
        self.refused(cae.ArgumentError, "height is -16", model.code_shape, -16, 16)
        self.refused(cae.ArgumentError, "NUL", cae.Model, "cae-compress\0")
        self.refused(cae.ArgumentError, "NUL", model.save, "m\0.safetensors")

    def test_tensors_are_told_how_to_become_arrays(self):
        class Tensor:
            def detach(self):
                return self

        self.refused(TypeError, r"images is a Tensor.*images\.detach\(\)\.cpu\(\)\.numpy\(\)",
                     cae.Model(GREY).encode, Tensor())

    def test_pixels_and_images(self):
        self.refused(TypeError, "float32.*0..255", cae.images_from_pixels, pictures())
        self.refused(TypeError, "list", cae.images_from_pixels, [[[1]]])
        # Which pictures these are nobody knows, or they are none.
        for shape, words in (((300, 4, 4), '"NHW"'), ((1, 64, 3), '"HWC"'), ((2, 3, 1), "layout"),
                             ((10, 3, 64, 64), '"NCHW"'), ((10, 1, 64, 64), '"NCHW"'),
                             ((5,), "it needs"), ((1, 1, 1, 1, 1), "it needs"), ((), "it needs")):
            self.refused(cae.ShapeError, words, cae.images_from_pixels, np.zeros(shape, np.uint8))
        picture = np.zeros((8, 8, 3), np.uint8)
        self.refused(cae.ShapeError, "not NHWC", cae.images_from_pixels, picture, "NHWC")
        for layout in ("NHC", "", "nhw", 3, ("H", "W", "C")):
            self.refused(cae.ArgumentError, "pass one of HW, NHW", cae.images_from_pixels, picture,
                         layout)
        self.refused(TypeError, "uint8", cae.pixels_from_images, np.zeros((1, 1, 4, 4), np.uint8))
        self.refused(cae.ShapeError, "4 dimensions", cae.pixels_from_images, pictures()[0])
        self.refused(cae.NonFiniteError, "NaN", cae.pixels_from_images,
                     pictures() * np.float32(np.nan))

    def test_long_text_and_odd_names(self):
        self.refused(cae.ArgumentError, "NUL", cae.Model.load, "a\0b")
        self.refused(cae.ArchitectureError, ".", cae.Model, "größer")
        self.refused(cae.LimitError, ".", cae.Model, "#" * 100000)
        self.refused(cae.FileError, ".", cae.Model.load, os.curdir)
        self.refused(cae.ArgumentError, r"architecture contains '\\udc80'", cae.Model, "\udc80")
        self.refused(cae.ArgumentError, r"path contains '\\ud800'", cae.Model.load, "a\ud800")


class NoiseLevels(Case):
    """What a network that is told the noise level of each image takes, and no other."""

    def setUp(self):
        self.model = cae.Model(TOLD, seed=1)
        self.clean = pictures(3)
        self.noisy = cae.add_noise(self.clean, 0.1, 2)

    def methods(self):
        return self.model.train_step, self.model.train_gradient, self.model.evaluate

    def test_one_for_all_or_one_each(self):
        for method in self.methods():
            with self.subTest(method.__name__):
                other = self.model.copy(training=True)
                one = getattr(other, method.__name__)(self.noisy, self.clean, sigma=0.1)
                each = method(self.noisy, self.clean, sigma=np.full(3, 0.1, np.float32))
                self.assertEqual(one, each)
                self.assertEqual(other.to_bytes(True), self.model.to_bytes(True))
        apart = [float(self.model.evaluate(self.noisy[i:i + 1], self.clean[i:i + 1], sigma=level))
                 for i, level in enumerate((0.05, 0.1, 0.2))]
        levels = np.array([0.05, 0.1, 0.2], np.float32)
        self.assertAlmostEqual(self.model.evaluate(self.noisy, self.clean, sigma=levels),
                               sum(apart) / 3, 6)

    def test_what_is_refused(self):
        before = self.model.to_bytes(True)
        for method in self.methods():
            with self.subTest(method.__name__):
                self.refused(cae.ArgumentError, "pass sigma", method, self.noisy, self.clean)
                for sigma in (0.0, -1.0, float("nan"), float("inf"),
                              np.array([0.1, 0, 0.1], np.float32)):
                    self.refused(cae.ArgumentError, "sigma: value", method, self.noisy, self.clean,
                                 sigma=sigma)
                for count in (0, 2, 4):
                    self.refused(cae.ShapeError, "sigma has shape", method, self.noisy, self.clean,
                                 sigma=np.full(count, 0.1, np.float32))
                for sigma in ("0.1", [0.1, 0.1, 0.1], np.full(3, 0.1)):
                    self.refused(TypeError, "sigma", method, self.noisy, self.clean, sigma=sigma)
        self.assertEqual(self.model.to_bytes(True), before)
        self.refused(cae.ArgumentError, "takes no noise level", trained().train_step, self.noisy,
                     sigma=0.1)


if __name__ == "__main__":
    unittest.main()
