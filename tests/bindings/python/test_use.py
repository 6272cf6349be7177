# SPDX-License-Identifier: BSD-2-Clause
"""What the Python package computes, and that it copies no array that need not be copied."""

import unittest
import warnings
from unittest import mock

from common import COLOUR, GREY, SAMPLED, Case, cae, np, pictures, trained
from cae import _library


class Training(Case):
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
        self.assertEqual(one.to_bytes(training=True), two.to_bytes(training=True))
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


class Using(Case):
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

    def test_levels_of_noise(self):
        images = np.full((3, 1, 64, 64), 0.5, np.float32)
        images[1] = cae.add_noise(images[1], 0.1, seed=1)
        images[2] = cae.add_noise(images[2], 0.2, seed=2)
        levels = cae.estimate_noise(images)
        self.assertEqual((levels.shape, levels.dtype, levels[0]), ((3,), np.float32, 0))
        np.testing.assert_allclose(levels[1:], [0.1, 0.2], rtol=0.05)
        np.testing.assert_array_equal(cae.estimate_noise(images[::-1]), levels[::-1])
        for bad, error in ((images[0], cae.ShapeError), (images[:0], cae.ArgumentError),
                           (images * np.nan, cae.NonFiniteError), (images.astype(int), TypeError)):
            with self.assertRaises(error):
                cae.estimate_noise(bad)

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

    def test_pixels_to_images_and_back(self):
        for shape, planar in (((2, 5, 7), (2, 1, 5, 7)), ((2, 5, 7, 1), (2, 1, 5, 7)),
                              ((2, 5, 7, 3), (2, 3, 5, 7)), ((0, 5, 7), (0, 1, 5, 7))):
            pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
            images = cae.images_from_pixels(pixels)
            self.assertEqual((images.shape, images.dtype), (planar, np.float32))
            self.assertTrue(images.flags.c_contiguous and images.flags.writeable)
            again = cae.pixels_from_images(images)
            self.assertTrue(again.flags.c_contiguous)
            np.testing.assert_array_equal(again, pixels[..., 0] if shape[-1] == 1 else pixels)
        every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
        images = cae.images_from_pixels(every)
        np.testing.assert_array_equal(images.ravel(),
                                      np.arange(256, dtype=np.float32) / np.float32(255))
        np.testing.assert_array_equal(cae.pixels_from_images(images), every)
        flipped = every[:, ::-1, ::-1]
        np.testing.assert_array_equal(cae.pixels_from_images(cae.images_from_pixels(flipped)),
                                      flipped)

    def test_pixels_are_rounded_and_clipped(self):
        values = np.array([-3e38, -1, 0, 0.4999 / 255, 0.5001 / 255, 1.5001 / 255, 254.51 / 255, 1,
                           1.7, 3e38], np.float32).reshape(1, 1, 2, 5)
        with np.errstate(all="raise"), self.assertWarns(UserWarning):
            pixels = cae.pixels_from_images(values)
        np.testing.assert_array_equal(pixels.ravel(), [0, 0, 0, 0, 1, 2, 255, 255, 255, 255])

    def test_layouts_of_pixels(self):
        """One picture is one picture; what has two meanings can be said."""
        for shape, layout, wanted in (
                ((512, 768, 3), None, (1, 3, 512, 768)), ((512, 768), None, (1, 1, 512, 768)),
                ((512, 768, 4), None, (1, 4, 512, 768)), ((300, 64, 1), None, (1, 1, 300, 64)),
                ((300, 64, 64), None, (300, 1, 64, 64)), ((1, 64, 64), None, (1, 1, 64, 64)),
                ((9, 64, 80, 3), None, (9, 3, 64, 80)), ((2, 3, 5, 3), None, (2, 3, 3, 5)),
                ((300, 64, 3), "NHW", (300, 1, 64, 3)), ((300, 4, 4), "NHW", (300, 1, 4, 4)),
                ((3, 64, 80), "CHW", (1, 3, 64, 80)), ((3, 64, 80), "NHW", (3, 1, 64, 80)),
                ((1, 64, 3), "HWC", (1, 3, 1, 64)), ((64, 80, 12), "HWC", (1, 12, 64, 80)),
                ((9, 3, 64, 80), "NCHW", (9, 3, 64, 80)), ((9, 3, 64, 8), "NHWC", (9, 8, 3, 64))):
            pixels = np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)
            with self.subTest(shape=shape, layout=layout), warnings.catch_warnings():
                warnings.simplefilter("error")
                images = cae.images_from_pixels(pixels, layout)
                self.assertEqual(images.shape, wanted)
                last = pixels if layout in ("CHW", "NCHW") or wanted[1] == 1 else np.moveaxis(
                    pixels, -1, -3)
                np.testing.assert_array_equal(images.ravel(), last.ravel() / np.float32(255))
        with self.assertWarnsRegex(UserWarning, 'taken for 3 grey.*"CHW"'):
            self.assertEqual(cae.images_from_pixels(np.zeros((3, 64, 64), np.uint8)).shape,
                             (3, 1, 64, 64))

    def test_images_that_are_still_pixels(self):
        pixels = np.random.default_rng(1).integers(0, 256, (2, 1, 8, 8)).astype(np.float32)
        with self.assertWarnsRegex(UserWarning, "becomes white.*divide by 255"):
            cae.pixels_from_images(pixels)

    def test_pixels_as_compress_reads_and_writes_them(self):
        model, pixels = trained(), np.random.default_rng(1).integers(0, 256, (21, 18), np.uint8)
        best = model.decompress(model.compress(pixels, quality=100))
        plain = cae.pixels_from_images(model.denoise(cae.images_from_pixels(pixels[np.newaxis])))
        self.assertLess(np.abs(best.astype(int) - plain[0]).mean(), 3)

    def test_fitting_the_code(self):
        """The ranges of an image decide how it is quantised, and nothing else changes."""
        pixels = np.random.default_rng(1).integers(60, 200, (16, 16), np.uint8)
        images, model = cae.images_from_pixels(pixels), cae.Model(GREY, seed=3)
        before = model.state_dict()
        exact = cae.pixels_from_images(model.denoise(images))[0].astype(int)

        def error():
            return np.abs(model.decompress(model.compress(pixels, 100)).astype(int) - exact).mean()

        plain = error()
        model.fit_code(images)
        self.assertLess(error(), plain / 2)
        for name, weights in model.state_dict().items():
            np.testing.assert_array_equal(weights, before[name])
        self.assertEqual(model.step, 0)

    def test_a_sampled_code(self):
        model = cae.Model(SAMPLED, seed=1)
        first = model.evaluate(pictures(8))
        model.settings.kl_weight = 0.0
        self.assertLess(model.evaluate(pictures(8)), first)
        self.assertEqual(model.encode(pictures(8)).shape, (8, *model.code_shape(16, 16)))


class Copies(Case):
    """What the header of the package says of copies, by the address that reaches C."""

    def addresses(self, function, *arguments, **named):
        real = getattr(_library.lib, function)
        with mock.patch.object(_library.lib, function, side_effect=real) as spy:
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


if __name__ == "__main__":
    unittest.main()
