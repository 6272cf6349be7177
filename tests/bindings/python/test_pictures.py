# SPDX-License-Identifier: BSD-2-Clause
"""Model.denoise_pixels: dtypes, channels, rows that lie apart, in place, progress, refusals."""

import gc
import os
import signal
import tempfile
import threading
import unittest
import weakref

from common import GREY, Case, cae, np

LEVELS = """input 1 16 16 noise
mark noisy
conv 4 kernel 2 stride 2 relu
tconv 1 kernel 2 stride 2
add noisy
"""
COLOURS = LEVELS.replace("input 1", "input 3").replace("tconv 1", "tconv 3")
MOST = {np.uint8: 255, np.uint16: 65535, np.float32: 1}


def picture(dtype, *shape, seed=1):
    values = np.random.default_rng(seed).uniform(0, MOST[dtype], shape)
    return values.astype(dtype) if dtype is np.float32 else np.rint(values).astype(dtype)


def expected(model, array, sigma):
    """By Model.denoise, for a picture without alpha of (height, width, channels)."""
    dtype = array.dtype.type
    values = np.moveaxis(array.astype(np.float32) / np.float32(MOST[dtype]), 2, 0)[:, np.newaxis]
    if model.shape[0] == 3:
        values = np.moveaxis(values, 0, 1)
    clean = model.denoise(np.ascontiguousarray(values), sigma)
    clean = np.moveaxis(clean.reshape(array.shape[2], *array.shape[:2]), 0, 2)
    if dtype is np.float32:
        return clean
    most = MOST[dtype]
    return np.clip(np.floor(clean.astype(np.float64) * most + 0.5), 0, most).astype(dtype)


class Pictures(Case):
    def setUp(self):
        self.grey, self.colour = cae.Model(LEVELS, seed=2), cae.Model(COLOURS, seed=2)

    def test_the_result_is_that_of_denoise(self):
        for dtype in MOST:
            for model, channels in ((self.grey, 1), (self.grey, 3), (self.grey, 5),
                                    (self.colour, 3)):
                array = picture(dtype, 13, 9, channels)
                before, wanted = array.copy(), expected(model, array, 0.1)
                result = model.denoise_pixels(array, 0.1)
                self.assertEqual(result.dtype, dtype)
                np.testing.assert_array_equal(result, wanted)
                np.testing.assert_array_equal(array, before)
                self.assertIs(model.denoise_pixels(array, 0.1, out=array), array)
                np.testing.assert_array_equal(array, wanted)
            flat = picture(dtype, 13, 9)
            np.testing.assert_array_equal(self.grey.denoise_pixels(flat, 0.1),
                                          expected(self.grey, flat[:, :, np.newaxis], 0.1)[:, :, 0])

    def test_alpha(self):
        for dtype in MOST:
            for model, channels in ((self.grey, 2), (self.grey, 4), (self.colour, 4)):
                array = picture(dtype, 7, 5, channels)
                result = model.denoise_pixels(array, 0.1)
                np.testing.assert_array_equal(result[:, :, -1], array[:, :, -1])
                np.testing.assert_array_equal(
                    result[:, :, :-1],
                    model.denoise_pixels(np.ascontiguousarray(array[:, :, :-1]), 0.1))

    def test_crops_and_other_views(self):
        whole = picture(np.uint16, 40, 30, 3)
        for view in (whole[3:24, 7:25], whole[::-1], whole[:, ::-1], whole.transpose(1, 0, 2),
                     whole[::2, ::3], whole[5:6], np.broadcast_to(whole[:1], (8, 30, 3))):
            wanted = self.colour.denoise_pixels(view.copy(), 0.1)
            np.testing.assert_array_equal(self.colour.denoise_pixels(view, 0.1), wanted)
        before, crop = whole.copy(), whole[3:24, 7:25]
        wanted = self.colour.denoise_pixels(crop.copy(), 0.1)
        self.colour.denoise_pixels(crop, 0.1, out=crop)
        np.testing.assert_array_equal(crop, wanted)
        whole[3:24, 7:25] = before[3:24, 7:25]
        np.testing.assert_array_equal(whole, before)

    def test_strength_and_gain(self):
        array = picture(np.float32, 13, 9)
        np.testing.assert_array_equal(self.grey.denoise_pixels(array, strength=0), array)
        full = self.grey.denoise_pixels(array, 0.1)
        np.testing.assert_allclose(self.grey.denoise_pixels(array, 0.1, strength=0.25),
                                   array + 0.25 * (full - array), atol=1e-6)
        np.testing.assert_array_equal(self.grey.denoise_pixels(array, 0.125, strength=2),
                                      self.grey.denoise_pixels(array, 0.25))
        self.assertFalse(np.array_equal(self.grey.denoise_pixels(array, 0.1, gain=0.01), full))

    def test_progress(self):
        array, told = picture(np.uint8, 300, 40), []
        result = self.grey.denoise_pixels(array, 0.1, progress=told.append)
        np.testing.assert_array_equal(result, self.grey.denoise_pixels(array, 0.1))
        self.assertEqual((told[0], told[-1], sorted(told)), (0, 1, told))
        self.refused(cae.CancelledError, "stop", self.grey.denoise_pixels, array, 0.1,
                     progress=lambda done: True)

    def test_what_progress_raises_comes_out(self):
        array = picture(np.uint8, 300, 40)

        def fails(done):
            raise LookupError(f"at {done}")

        with self.assertRaisesRegex(LookupError, "at 0"):
            self.grey.denoise_pixels(array, 0.1, progress=fails)
        with self.assertRaises(KeyboardInterrupt):
            self.grey.denoise_pixels(array, 0.1,
                                     progress=lambda done: signal.raise_signal(signal.SIGINT))
        self.refused(TypeError, "progress is a int", self.grey.denoise_pixels, array, 0.1,
                     progress=3)

    def test_progress_may_use_the_model_and_close_it(self):
        array = picture(np.uint8, 30, 40)
        wanted = self.grey.denoise_pixels(array, 0.1)
        inner = []

        def again(done):
            inner.append(self.grey.denoise_pixels(array, 0.1))
            self.grey.close() if done == 1 else None

        np.testing.assert_array_equal(self.grey.denoise_pixels(array, 0.1, progress=again), wanted)
        np.testing.assert_array_equal(inner[0], wanted)
        self.refused(cae.ArgumentError, "closed", self.grey.denoise_pixels, array, 0.1)

    def test_threads(self):
        array, results = picture(np.uint16, 300, 40), []
        wanted = self.grey.denoise_pixels(array, 0.1)
        threads = [threading.Thread(target=lambda: results.append(
            self.grey.denoise_pixels(array, 0.1, progress=lambda done: None))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(results), 4)
        for result in results:
            np.testing.assert_array_equal(result, wanted)

    def test_nothing_stays_behind(self):
        def tell(done):
            pass

        array = picture(np.uint8, 8, 8)
        seen = weakref.ref(tell)
        self.grey.denoise_pixels(array, 0.1, progress=tell)
        del tell
        gc.collect()
        self.assertIsNone(seen())

    def test_what_is_refused(self):
        array, call = picture(np.uint8, 8, 8), self.colour.denoise_pixels
        for wrong in (None, array.tolist(), array.astype(np.int32), array.astype(np.float64),
                      array.astype(">u2"), array.astype(bool), np.ma.masked_array(array),
                      memoryview(array)):
            self.refused(TypeError, "pass", call, wrong, 0.1)
        for shape in ((8,), (8, 8, 3, 1), ()):
            self.refused(cae.ShapeError, "shape", call, np.zeros(shape, np.uint8), 0.1)
        for shape in ((8, 8), (8, 8, 2), (8, 8, 5)):
            self.refused(cae.ShapeError, "3, or 4 with alpha", call, np.zeros(shape, np.uint8), 0.1)
        for shape in ((0, 8, 3), (8, 0, 3), (8, 8, 0)):
            self.refused(cae.ArgumentError, "is 0", call, np.zeros(shape, np.uint8), 0.1)
        good = picture(np.float32, 8, 8, 3)
        for name in ("sigma", "gain", "strength"):
            for value in (-1, float("nan"), float("inf")):
                self.refused(cae.ArgumentError, name, call, good, **{"sigma": 0.1, name: value})
            self.refused(TypeError, name, call, good, **{name: "1"})
        good[3, 2, 1] = np.nan
        self.refused(cae.NonFiniteError, "channel 1 of pixel 2 of row 3", call, good, 0.1)
        good = picture(np.float32, 8, 8, 3)
        self.refused(TypeError, "out", call, good, 0.1, out=np.empty((8, 8, 3), np.uint8))
        self.refused(cae.ShapeError, "out", call, good, 0.1, out=np.empty((8, 8, 4), np.float32))
        self.refused(cae.ArgumentError, "overlaps", call, good, 0.1, out=good[:])
        self.refused(cae.ArgumentError, "reverse", call, good, 0.1, out=good.copy()[::-1])
        read_only = good.copy()
        read_only.flags.writeable = False
        self.refused(cae.ArgumentError, "read-only", call, read_only, 0.1, out=read_only)
        call(read_only, 0.1)

    def test_models_that_came_with_the_library(self):
        """Grey and colour have their own; without the one for colours, each is grey by itself."""
        before = os.environ.get("CAE_MODEL_PATH")
        with tempfile.TemporaryDirectory() as folder:
            os.environ["CAE_MODEL_PATH"] = folder
            try:
                grey, colour = cae.Model(LEVELS, seed=1), cae.Model(COLOURS, seed=2)
                grey.save(os.path.join(folder, "denoise.safetensors"))
                rgb = picture(np.uint8, 9, 11, 3)
                np.testing.assert_array_equal(cae.denoise(rgb, 0.1), grey.denoise_pixels(rgb, 0.1))
                colour.save(os.path.join(folder, "denoise-rgb.safetensors"))
                for model, channels in ((grey, ()), (grey, (1,)), (grey, (2,)), (colour, (3,)),
                                        (colour, (4,)), (grey, (5,))):
                    array = picture(np.uint16, 9, 11, *channels)
                    np.testing.assert_array_equal(cae.denoise(array, 0.1, strength=0.5),
                                                  model.denoise_pixels(array, 0.1, strength=0.5))
                np.testing.assert_array_equal(cae.denoise(rgb), colour.denoise_pixels(rgb))
                self.assertRaises(TypeError, cae.denoise, [[1]])
                os.remove(os.path.join(folder, "denoise.safetensors"))
                os.remove(os.path.join(folder, "denoise-rgb.safetensors"))
                os.environ["CAE_MODEL_PATH"] = "/nonexistent"
                if not os.path.exists("/usr/share/libcae/models/denoise.safetensors"):
                    self.assertRaises(cae.FileError, cae.denoise, rgb)
            finally:
                os.environ.pop("CAE_MODEL_PATH")
                if before is not None:
                    os.environ["CAE_MODEL_PATH"] = before

    def test_networks_without_levels(self):
        model, array = cae.Model(GREY, seed=1), picture(np.uint8, 8, 8)
        np.testing.assert_array_equal(model.denoise_pixels(array),
                                      model.denoise_pixels(array, 0.3, gain=0.1))


if __name__ == "__main__":
    unittest.main()
