# SPDX-License-Identifier: BSD-2-Clause
"""A model of the Python package as an object: what it is, its settings, its weights, and its ways
into files, bytes, copies and back.
"""

import copy
import os
import pathlib
import pickle
import shutil
import subprocess
import unittest
from unittest import mock

from common import COLOUR, GREY, Case, cae, np, pictures, run_code, trained
import plain_safetensors
from cae import _library


class Describing(Case):
    def test_presets(self):
        self.assertEqual(set(cae.presets()),
                         {"sae-compress", "sae-denoise", "cae-compress", "cae-denoise", "vae",
                          "unet-denoise-fast", "unet-denoise", "unet-denoise-best",
                          "unet-denoise-rgb", "unet-denoise-best-rgb"})
        for name, text in cae.presets().items():
            with cae.Model(text) as model:
                self.assertEqual(model.architecture, text, name)

    def test_properties(self):
        with cae.Model("cae-compress", seed=3) as model:
            self.assertEqual(model.shape, (1, 64, 64))
            self.assertEqual(model.parameters, 109217)
            self.assertEqual(model.step, 0)
            self.assertRegex(model.kernels, "^[a-z0-9]+$")
            self.assertEqual(model.code_shape(64, 64), (32, 8, 8))
            self.assertEqual(model.code_shape(65, 1), (32, 9, 1))
            self.assertIn("109217", repr(model))

    def test_init_again_frees_the_first(self):
        with mock.patch.object(_library.lib, "cae_model_free") as free:
            model = cae.Model(GREY)
            first = model._handle._address[0]
            model.__init__(COLOUR)
        free.assert_called_with(first)
        _library.lib.cae_model_free(first)
        self.assertEqual(model.shape, (3, 16, 16))
        self.refused(cae.ArchitectureError, ".", model.__init__, "nonsense")
        self.refused(cae.ArgumentError, "closed", lambda: model.shape)

    def test_seed(self):
        one, same, other = cae.Model(GREY, 1), cae.Model(GREY, 1), cae.Model(GREY, 2)
        self.assertEqual(one.to_bytes(), same.to_bytes())
        self.assertNotEqual(one.to_bytes(), other.to_bytes())


class Notes(Case):
    def test_as_a_mapping(self):
        model = cae.Model(GREY)
        model.notes.update({"b": "zwei \u00e9\U0001f600\n\x01", "a.note": ""})
        model.notes["c"] = "three"
        del model.notes["c"]
        wanted = {"a.note": "", "b": "zwei \u00e9\U0001f600\n\x01"}
        for same in (model, cae.Model.from_bytes(model.to_bytes()), copy.copy(model),
                     pickle.loads(pickle.dumps(model))):
            self.assertEqual(list(same.notes.items()), list(wanted.items()))
            self.assertEqual((len(same.notes), "b" in same.notes, "c" in same.notes), (2, True, False))
        self.assertEqual(repr(model.notes), f"Notes({wanted})")
        notes = model.notes
        for key in ("c", "", "libcae.x"):
            with self.assertRaises(KeyError):
                notes[key]
            with self.assertRaises(KeyError):
                del notes[key]
        notes.clear()
        self.assertEqual(dict(model.notes), {})
        model.close()
        self.refused(cae.ArgumentError, "closed", len, notes)
        self.refused(cae.ArgumentError, "closed", lambda: model.notes)

    def test_what_no_note_can_be(self):
        notes = cae.Model(GREY).notes
        for key, value, error in (("libcae.x", "", cae.ArgumentError), ("", "", cae.ArgumentError),
                                  ("a b", "", cae.ArgumentError), ("a", "\0", cae.ArgumentError),
                                  ("a", "\ud800", cae.ArgumentError), ("a", 1, TypeError),
                                  (1, "a", TypeError), ("a", "x" * 4097, cae.LimitError)):
            self.refused(error, ".", notes.__setitem__, key, value)
        self.assertEqual(dict(notes), {})


class Settings(Case):
    def setUp(self):
        self.model, self.ranges = cae.Model(GREY), cae.setting_ranges()
        self.settings = self.model.settings

    def test_every_setting_both_ways(self):
        self.assertEqual(set(self.settings), set(self.ranges))
        self.assertEqual(len(self.settings), len(self.ranges))
        for key, (low, high, initial) in self.ranges.items():
            with self.subTest(key):
                self.assertEqual(getattr(self.settings, key), initial)
                for value in (low, high):
                    setattr(self.settings, key, value)
                    self.assertEqual(self.settings[key], value)
                self.settings[key] = initial
                self.assertEqual(getattr(self.settings, key), initial)
                past = np.nextafter(high, np.inf)
                for bad in (low - 1, past, float("nan")):
                    self.refused(cae.ArgumentError, key, setattr, self.settings, key, bad)
                    self.assertEqual(self.settings[key], initial)
                for bad in ("1", None, [1]):
                    self.refused(TypeError, f"{key} is .*; pass a number", setattr, self.settings,
                                 key, bad)

    def test_what_type_checkers_are_told(self):
        annotated = {key: kind for key, kind in cae.Settings.__annotations__.items()
                     if key[0] != "_"}
        self.assertEqual(set(annotated), set(self.ranges))
        for key, (low, high, _) in self.ranges.items():
            try:
                self.settings[key] = (low + min(high, low + 1)) / 2
                kind = "float"
            except cae.ArgumentError:
                kind = "int"
            self.assertEqual(annotated[key], kind, key)
            self.assertEqual(type(self.settings[key]).__name__, kind)
            self.assertRegex(cae.Settings.__doc__, rf"\n    ([\w, ]+, )?{key}\b")

    def test_misspelt(self):
        for action in (lambda: self.settings.learning_rat,
                       lambda: setattr(self.settings, "learning_rat", 1)):
            self.refused(AttributeError, "'learning_rat'; there are learning_rate, ", action)
        for action in (lambda: self.settings["rate"],
                       lambda: self.settings.__setitem__("rate", 1), lambda: self.settings[3]):
            self.refused(KeyError, "'rate'|3.*learning_rate", action)
        for action in (lambda: self.model.threads, lambda: setattr(self.model, "threads", 2)):
            self.refused(AttributeError, r"a setting: use model\.settings\.threads", action)
        self.refused(AttributeError, "no attribute 'thread'", lambda: self.model.thread)
        self.refused(AttributeError, "no attribute 'thread'", setattr, self.model, "thread", 2)
        self.refused(AttributeError, "step cannot be set", setattr, self.model, "step", 2)
        self.refused(TypeError, "deleted", self.settings.clear)
        self.assertFalse(hasattr(self.settings, "__array__"))

    def test_dir_and_mapping(self):
        self.assertLessEqual(set(self.ranges), set(dir(self.settings)))
        self.assertIn("update", dir(self.settings))
        self.settings.update(threads=2, beta1=np.float32(0.5), reproducible=True)
        self.assertEqual((self.settings.threads, self.settings.beta1), (2, 0.5))
        self.assertEqual(dict(self.settings), {**{k: r[2] for k, r in self.ranges.items()},
                                               "threads": 2, "beta1": 0.5, "reproducible": 1})
        self.assertIn("'threads': 2", repr(self.settings))
        self.assertEqual(self.model.settings, self.settings)

    def test_at_construction(self):
        data, path = self.model.to_bytes(), os.path.join(self.make_folder(), "m")
        self.model.save(path)
        for make in (lambda **k: cae.Model(GREY, **k), lambda **k: cae.Model.from_bytes(data, **k),
                     lambda **k: cae.Model.load(path, **k)):
            with make(threads=0, learning_rate=1e-2) as model:
                self.assertEqual((model.settings.threads, model.settings.learning_rate), (0, 1e-2))
            self.refused(TypeError, "'thread'; there are .*threads", make, thread=2)
            self.refused(cae.ArgumentError, "beta1", make, beta1=1)
            self.refused(TypeError, "beta1", make, beta1="0.5")

    def test_copies_have_them_too(self):
        self.settings.update(threads=2, learning_rate=0.5)
        self.settings.memory_limit = 1 << 20
        for model in (copy.copy(self.model), copy.deepcopy(self.model), self.model.copy(),
                      pickle.loads(pickle.dumps(self.model))):
            self.assertEqual(model.settings, self.settings)


class Files(Case):
    def setUp(self):
        self.path = os.path.join(self.make_folder(), "modèle.safetensors")

    def test_half(self):
        model = trained()
        model.save(self.path, half=True)
        data = model.to_bytes(half=True)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), data)
        self.assertLess(len(data), len(model.to_bytes()))
        rounded = cae.Model.load(self.path)
        for name, weight in model.state_dict().items():
            np.testing.assert_array_equal(
                rounded.state_dict()[name], weight.astype(np.float16).astype(np.float32))
        self.assertEqual(rounded.to_bytes(half=True), data)
        with self.assertRaisesRegex(cae.ArgumentError, "half=True and training=True"):
            model.save(self.path, training=True, half=True)
        model.load_state_dict({**model.state_dict(), "0.bias": np.full(4, 7e4, np.float32)})
        with self.assertRaisesRegex(cae.NonFiniteError, "0.bias"):
            model.to_bytes(half=True)

    def test_shipped(self):
        model = trained()
        model.notes["license"] = "CC-BY-SA-4.0"
        folder, before = os.path.dirname(self.path), os.environ.get("CAE_MODEL_PATH")
        model.save(os.path.join(folder, "by-name.safetensors"), half=True)
        os.environ["CAE_MODEL_PATH"] = folder  # which calls putenv
        try:
            found = cae.Model.shipped("by-name", threads=2)
        finally:
            os.environ.pop("CAE_MODEL_PATH")
            if before is not None:
                os.environ["CAE_MODEL_PATH"] = before
        self.assertEqual(found.notes["license"], "CC-BY-SA-4.0")
        self.assertEqual(found.settings.threads, 2)
        self.assertEqual(found.to_bytes(), cae.Model.from_bytes(model.to_bytes(half=True)).to_bytes())
        with self.assertRaisesRegex(cae.FileError, "no-such-model"):
            cae.Model.shipped("no-such-model")
        with self.assertRaisesRegex(cae.ArgumentError, "Model.load"):
            cae.Model.shipped(self.path)
        with self.assertRaises(TypeError):
            cae.Model.shipped(1)

    def test_save_and_load(self):
        model = trained()
        model.save(self.path)
        with cae.Model.load(self.path) as again:
            np.testing.assert_array_equal(model.denoise(pictures()), again.denoise(pictures()))
            self.assertEqual(again.step, 0)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), model.to_bytes())

    def test_training_goes_on_where_it_stopped(self):
        model = trained()
        model.save(self.path, training=True)
        others = [cae.Model.load(self.path), pickle.loads(pickle.dumps(model)),
                  copy.deepcopy(model), model.copy(training=True)]
        model.train_step(pictures(8, seed=99))
        for other in others:
            self.assertEqual(other.step, 20)
            other.train_step(pictures(8, seed=99))
            self.assertEqual(other.to_bytes(training=True), model.to_bytes(training=True))

    def test_from_any_bytes(self):
        data = trained().to_bytes(training=True)
        for form in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
            with cae.Model.from_bytes(form) as model:
                self.assertEqual(model.to_bytes(training=True), data)

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

    def test_load_weights_with_prefixes_and_what_other_layers_have(self):
        model, other = trained(), cae.Model(GREY, seed=5)
        state = {"module._orig_mod." + name: array for name, array in model.state_dict().items()}
        state["module._orig_mod.1.num_batches_tracked"] = np.array(7, np.float32)
        plain_safetensors.write(self.path, state)
        before = other.to_bytes()
        for options in ({}, {"strip": True}, {"skip": True}):
            self.refused(cae.WrongModelError, ".", other.load_weights, self.path, **options)
            self.assertEqual(other.to_bytes(), before)
        other.load_weights(self.path, strip=True, skip=True)
        np.testing.assert_array_equal(model.denoise(pictures()), other.denoise(pictures()))
        picture = np.zeros((16, 16), np.uint8)
        self.refused(cae.UnsupportedError, "fit_code gathers", other.compress, picture)
        other.fit_code(pictures())
        self.assertEqual(other.decompress(other.compress(picture)).shape, picture.shape)

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
        before = model.to_bytes()
        bad_nan = {**state, "3.weight": state["3.weight"] * np.float32(np.inf)}
        bad_shape = {**state, "3.weight": state["3.weight"][..., :1]}
        bad_type = {**state, "3.weight": state["3.weight"].astype(np.float64)}
        missing = {name: array for name, array in state.items() if name != "3.weight"}
        for kind, bad in ((cae.NonFiniteError, bad_nan), (cae.WrongModelError, bad_shape),
                          (TypeError, bad_type), (cae.WrongModelError, missing),
                          (TypeError, {**state, "0.bias": [1.0, 2.0, [3.0]]}),
                          (cae.WrongModelError, {**state, "9.bias": state["0.bias"]})):
            with self.assertRaises(kind):
                model.load_state_dict(bad)
            self.assertEqual(model.to_bytes(), before)

    def test_paths_of_every_kind(self):
        model = trained()
        os.chdir(os.path.dirname(self.path))
        self.addCleanup(os.chdir, os.path.dirname(os.path.abspath(__file__)))
        for path in (self.path, pathlib.Path(self.path), os.fsencode(self.path),
                     "gesichter für später.safetensors", b"\xff\xfe.safetensors"):
            model.save(path)
            self.assertTrue(os.path.exists(path))
            with cae.Model.load(path) as again:
                self.assertEqual(again.to_bytes(), model.to_bytes())

    def test_subclasses_stay_what_they_are(self):
        class Mine(cae.Model):
            def twice(self, images):
                return self.denoise(self.denoise(images))

        model = Mine(GREY, seed=1)
        model.note = "a subclass has attributes of its own"
        for other in (model.copy(), Mine.from_bytes(model.to_bytes()), copy.copy(model)):
            self.assertIsInstance(other, Mine)
            np.testing.assert_array_equal(other.twice(pictures()), model.twice(pictures()))

    def test_a_comma_in_numbers_changes_nothing(self):
        folder = self.make_folder()
        with open(os.path.join(folder, "source"), "w", encoding="ascii") as file:
            file.write('LC_NUMERIC\ndecimal_point ","\nthousands_sep "."\ngrouping 3\n'
                       "END LC_NUMERIC\n")
        if shutil.which("localedef") is None:
            self.skipTest("no localedef (Debian: apt-get install libc-bin)")
        # It warns of what is missing; -c makes it go on.
        subprocess.run(["localedef", "-c", "-i", os.path.join(folder, "source"), "-f",
                        "ANSI_X3.4-1968", os.path.join(folder, "comma")], capture_output=True,
                       check=False)
        result = run_code(
            "import locale, sys\nlocale.setlocale(locale.LC_ALL, 'comma')\n"
            "assert locale.localeconv()['decimal_point'] == ','\nimport cae, numpy\n"
            f"m = cae.Model({GREY!r}, seed=1, learning_rate=0.0015)\n"
            "m.train_step(numpy.full((2, 1, 16, 16), 0.25, 'f4'))\n"
            "again = cae.Model.from_bytes(m.to_bytes(training=True))\n"
            "print(again.settings.learning_rate, m.to_bytes(training=True).hex())",
            LOCPATH=folder)
        self.assertEqual(result.stderr, "")
        model = cae.Model(GREY, seed=1, learning_rate=0.0015)
        model.train_step(np.full((2, 1, 16, 16), 0.25, "f4"))
        self.assertEqual(result.stdout.split(), ["0.0015", model.to_bytes(training=True).hex()])

    def test_state_dict_with_a_prefix(self):
        model, other, state = trained(), cae.Model(GREY, seed=5), trained().state_dict()
        larger = {"head.weight": np.zeros(3), **{"net." + k: v for k, v in state.items()}}
        self.refused(cae.WrongModelError, r"only the model has 0\.bias.*pass prefix='net\.'",
                     other.load_state_dict, larger)
        other.load_state_dict(larger, prefix="net.")
        self.assertEqual(other.to_bytes(), with_weights_of(model))
        self.refused(cae.WrongModelError, "only the model has", other.load_state_dict, larger, "x.")
        self.refused(TypeError, "names are str", other.load_state_dict, {0: 1})

    def test_state_dict_from_npz(self):
        path, state = self.path + ".npz", trained().state_dict()
        np.savez(path, **state)
        model = cae.Model(GREY)
        with np.load(path) as file:
            model.load_state_dict(file)
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, state[name])


def with_weights_of(model):
    """The bytes of a fresh model with another's weights."""
    fresh = cae.Model(model.architecture, seed=5)
    fresh.load_state_dict(model.state_dict())
    return fresh.to_bytes()


if __name__ == "__main__":
    unittest.main()
