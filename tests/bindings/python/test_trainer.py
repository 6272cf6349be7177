# SPDX-License-Identifier: BSD-2-Clause
"""The Trainer of the Python package: the steps of `cae train`, resumption bit for bit, interrupts,
checkpoints, progress, and what it refuses. CAE_TOOL names the command, if it was built.
"""

import contextlib
import glob
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import unittest
import warnings
from unittest import mock

from common import COLOUR, GREY, PACKAGE, SAMPLED, TOLD, Case, cae, np, pictures

TOOL = os.environ.get("CAE_TOOL", "")
NOISE = 25 / 255


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Interrupting(cae.Model):
    """Ctrl-C comes during the step number `interrupt_at`."""

    interrupt_at = None

    def train_step(self, input, target=None):
        if self.step + 1 == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)
        return super().train_step(input, target)


PROGRAM = f"""import os, sys
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from common import cae, pictures
path = sys.argv[1]
model = cae.Model.load(path) if os.path.exists(path) else cae.Model("cae-denoise", seed=1)
trainer = cae.Trainer(model, pictures(4, 1, 64, 64), noise={NOISE!r}, batch_size=4, checkpoint=path,
                      save_every=10**6)
trainer.run(10**6, callback=lambda epoch: print(epoch.step, flush=True))
"""


def write_pgm(path, pixels):
    with open(path, "wb") as file:
        file.write(b"P5\n%d %d\n255\n" % pixels.shape[::-1] + pixels.tobytes())


class Steps(Case):
    def test_the_same_file_as_cae_train(self):
        if not TOOL:
            self.skipTest("the command cae was not built (it needs libpng)")
        folder = self.make_folder()
        data, out = os.path.join(folder, "data"), os.path.join(folder, "out.safetensors")
        text = os.path.join(folder, "net.txt")
        os.mkdir(data)
        with open(text, "w", encoding="ascii") as file:
            file.write(GREY)
        rng = np.random.default_rng(4)
        sizes = [(16, 16), (16, 30), (40, 17), (20, 20), (16, 16), (33, 34), (16, 17)]
        pixels = [rng.integers(0, 256, size, np.uint8) for size in sizes]
        for i, picture in enumerate(pixels):
            write_pgm(os.path.join(data, f"{i}.pgm"), picture)
        for steps in (1, 4, 11):  # in the first, the second and the fourth epoch of three steps
            subprocess.run([TOOL, "train", "--model", text, "--data", data, "--steps", str(steps),
                            "--batch", "3", "--noise", "25", "--seed", "6", "--lr", "0.01",
                            "--out", out, "--quiet"], check=True, timeout=60)
            images = [cae.images_from_pixels(picture[np.newaxis])[0] for picture in pixels]
            model = cae.Model(GREY, seed=6, learning_rate=0.01)
            trainer = cae.Trainer(model, images, noise=NOISE, batch_size=3, seed=6)
            for step in range(steps):
                model.train_step(*trainer._batches.of_step(step)[:2])
                trainer._note_run()
            trainer._save(True)
            with open(out, "rb") as file:
                self.assertEqual(file.read(), model.to_bytes(training=True), steps)

    def test_the_same_file_as_cae_train_with_every_option(self):
        if not TOOL:
            self.skipTest("the command cae was not built (it needs libpng)")
        folder = self.make_folder()
        data, out = os.path.join(folder, "data"), os.path.join(folder, "out.safetensors")
        text = os.path.join(folder, "net.txt")
        os.mkdir(data)
        rng = np.random.default_rng(4)
        pixels = [rng.integers(0, 256, size, np.uint8)
                  for size in [(16, 16), (16, 30), (40, 17), (20, 20), (33, 34)]]
        for i, picture in enumerate(pixels):
            write_pgm(os.path.join(data, f"{i}.pgm"), picture)
        images = [cae.images_from_pixels(picture[np.newaxis])[0] for picture in pixels]
        for net, noise, of255 in ((TOLD, (5 / 255, 75 / 255), "5-75"), (TOLD, NOISE, "25"),
                                  (GREY, (2.5 / 255, 0.3), "2.5-76.5"),
                                  (TOLD.replace("input 1 16 16", "input 1 16 12"), NOISE, "25")):
            with open(text, "w", encoding="ascii") as file:
                file.write(net)
            for schedule, warmup in (("cosine", 0.3), ("linear", 0.0), ("constant", 1 / 3)):
                subprocess.run([TOOL, "train", "--model", text, "--data", data, "--epochs", "6",
                                "--batch", "3", "--noise", of255, "--symmetries", "--schedule",
                                schedule, "--warmup", repr(warmup), "--seed", "6", "--out", out,
                                "--quiet"], check=True, timeout=60)
                model = cae.Model(net, seed=6)
                cae.Trainer(model, images, noise=noise, symmetries=True, schedule=schedule,
                            warmup=warmup, batch_size=3, seed=6).run(6)
                with open(out, "rb") as file:
                    self.assertEqual(file.read(), model.to_bytes(training=True),
                                     (net, of255, schedule))

    def test_symmetries_are_eight(self):
        images = np.arange(256, dtype=np.float32).reshape(1, 1, 16, 16) / 255
        ways = set()
        batches = cae.Trainer(cae.Model(GREY), images, symmetries=True)._batches
        for step in range(80):
            _, target, _ = batches.of_step(step)
            self.assertEqual(sorted(target.ravel()), sorted(images.ravel()))
            ways.add(target.tobytes())
        self.assertEqual(len(ways), 8)

    def test_each_image_once_an_epoch_in_another_order(self):
        images = np.repeat(np.arange(10, dtype=np.float32) / 16, 256).reshape(10, 1, 16, 16)
        batches = cae.Trainer(cae.Model(GREY), images, batch_size=4)._batches
        orders = []
        for epoch in range(5):
            parts = [batches.of_step(3 * epoch + i)[1][:, 0, 0, 0].copy() for i in range(3)]
            self.assertEqual([len(part) for part in parts], [4, 4, 2])
            orders.append(tuple(16 * np.concatenate(parts)))
            self.assertEqual(sorted(orders[-1]), list(range(10)))
        self.assertEqual(len(set(orders)), 5)

    def test_noise_is_fresh_and_of_the_size_that_was_asked_for(self):
        images = pictures(64)
        batches = cae.Trainer(cae.Model(GREY), images, noise=0.1, batch_size=64)._batches
        differences = []
        for step in (0, 1):
            noisy, target, _ = batches.of_step(step)
            differences.append(np.sort((noisy - target).ravel()))
            self.assertAlmostEqual(float((noisy - target).std()), 0.1, 2)
        self.assertFalse(np.allclose(*differences))
        noisy, target, _ = cae.Trainer(cae.Model(GREY), images)._batches.of_step(0)
        self.assertTrue(np.shares_memory(noisy, target))

    def test_cuts_stay_inside_and_differ(self):
        large = np.arange(24 * 40, dtype=np.float32).reshape(1, 1, 24, 40) / 1000
        batches = cae.Trainer(cae.Model(GREY), large)._batches
        seen = set()
        for epoch in range(30):
            corner = int(np.rint(batches.of_step(epoch)[1][0, 0, 0, 0] * 1000))
            top, left = divmod(corner, 40)
            np.testing.assert_array_equal(batches.of_step(epoch)[1][0, 0],
                                          large[0, 0, top:top + 16, left:left + 16])
            seen.add((top, left))
        self.assertGreater(len(seen), 20)

    def test_global_random_state_is_left_alone(self):
        np.random.seed(1)
        before = np.random.get_state()[1].copy()
        cae.Trainer(cae.Model(GREY), pictures(), noise=NOISE).run(2)
        np.testing.assert_array_equal(np.random.get_state()[1], before)


class Recipe(Case):
    def trainer(self, model, **more):
        return cae.Trainer(model, pictures(7), **{
            "noise": (5 / 255, 75 / 255), "batch_size": 3, "symmetries": True,
            "schedule": "cosine", "warmup": 0.2, "validation": pictures(2, seed=5), **more})

    def test_resumed_ends_with_the_same_bytes(self):
        folder = self.make_folder()
        whole, best = (os.path.join(folder, name) for name in ("whole", "best"))
        model = cae.Model(TOLD, seed=1)
        self.trainer(model, checkpoint=whole, keep_best=best).run(8)
        with open(best, "rb") as file:
            expected = model.to_bytes(True), file.read()
        for stop in (1, 4, 7):
            path = os.path.join(folder, f"part{stop}")
            os.remove(best)
            for epoch in self.trainer(cae.Model(TOLD, seed=1), checkpoint=path,
                                      keep_best=best).epochs(8):
                if epoch.number == stop:
                    break
            again = cae.Model.load(path)
            self.assertEqual(again.settings.learning_rate, 0.001)
            self.trainer(again, checkpoint=path, keep_best=best).run(8)
            with open(best, "rb") as file:
                self.assertEqual((again.to_bytes(True), file.read()), expected, stop)

    def test_the_best_is_kept(self):
        path = os.path.join(self.make_folder(), "best")
        model = cae.Model(TOLD, seed=1, learning_rate=0.1)
        trainer = self.trainer(model, keep_best=path, schedule="constant", warmup=0)
        losses = [epoch.validation_loss for epoch in trainer.run(20)]
        with cae.Model.load(path) as best:
            self.assertIn(f"{min(losses)!r} at step", best.notes["cae.best"])
            other = self.trainer(best.copy())
            self.assertEqual(other._measure(), min(losses))
        self.assertNotEqual(losses[-1], min(losses))

    def test_of_several_levels_the_geometric_mean(self):
        model = cae.Model(TOLD, seed=1)
        images = pictures(2, seed=5)
        trainer = self.trainer(model, noise=(5 / 255, 80 / 255), seed=3)
        product = 1.0
        for i in range(4):
            level = 5 / 255 * 2**0.5 * 2**i
            product *= model.evaluate(cae.add_noise(images, level, 3), images, sigma=level)
        self.assertAlmostEqual(trainer._measure() / product**0.25, 1, 5)

    def test_another_recipe_is_another_training(self):
        model = cae.Model(TOLD, seed=1)
        self.trainer(model).run(2)
        self.refused(cae.ArgumentError, "schedule: cosine, warm-up 0.2, 6 steps before, cosine, "
                     "warm-up 0.2, 9 steps now", self.trainer(model).run, 3)
        self.trainer(model).run(2)  # nothing to do, and nothing refused
        for more, words in (({"symmetries": False}, "symmetries: 8 before, none now"),
                            ({"noise": 0.1}, "noise \\(of 255\\): 5-75 before, 25.5 now")):
            self.refused(cae.ArgumentError, words, self.trainer, model, **more)
        self.refused(cae.ArgumentError, "schedule: .* 6 steps before, none now",
                     self.trainer(model, schedule="constant", warmup=0).run, 2)
        fresh = model.copy()  # which begins a new training
        self.trainer(fresh, symmetries=False, schedule="constant", warmup=0).run(1)
        self.assertNotIn("cae.schedule", fresh.notes)
        self.assertNotIn("cae.symmetries", fresh.notes)

    def test_what_is_refused(self):
        model = cae.Model(TOLD, seed=1)
        for more, words in (({"noise": 0.0}, "takes a noise level"), ({"noise": -1}, "noise is -1"),
                            ({"noise": (0.0, 0.1)}, "noise is"), ({"noise": (0.1, 0.1)}, "noise is"),
                            ({"noise": (0.2, 0.1)}, "noise is"), ({"noise": (0.1, 1.1)}, "noise is"),
                            ({"noise": (0.1,)}, "noise is"), ({"noise": (0.1, float("nan"))}, "noise"),
                            ({"schedule": "step"}, "schedule is 'step'"), ({"warmup": 1.5}, "warmup"),
                            ({"warmup": -0.1}, "warmup"), ({"warmup": float("nan")}, "warmup"),
                            ({"validation": None, "keep_best": "x"}, "keep_best needs validation")):
            with self.subTest(more):
                self.refused(cae.ArgumentError, words, self.trainer, model, **more)
        self.refused(TypeError, "noise", self.trainer, model, noise=("a", 1))
        self.refused(TypeError, "warmup", self.trainer, model, warmup="0.1")
        self.refused(cae.FileError, "nonexistent", self.trainer, model, keep_best="/nonexistent/x")


class Runs(Case):
    def setUp(self):
        self.path = os.path.join(self.make_folder(), "checkpoint.safetensors")
        self.images = pictures(10, 1, 16, 18)
        self.images.flags.writeable = False  # and so it stays

    def trainer(self, model=None, **changed):
        options = {"noise": NOISE, "batch_size": 4, "seed": 3, **changed}
        model = cae.Model(GREY, seed=1, learning_rate=1e-2) if model is None else model
        return cae.Trainer(model, self.images, **options)

    def uninterrupted(self, epochs=6):
        trainer = self.trainer()
        trainer.run(epochs)
        return trainer.model.to_bytes(training=True)

    def test_history(self):
        trainer, called = self.trainer(validation=pictures(5, seed=9)), []
        history = trainer.run(20, callback=called.append)
        self.assertEqual(history, called)
        self.assertIs(history, trainer.history)
        self.assertEqual([epoch.number for epoch in history], list(range(1, 21)))
        self.assertEqual([epoch.step for epoch in history], list(range(3, 61, 3)))
        self.assertLess(history[-1].loss, history[0].loss)
        self.assertLess(history[-1].validation_loss, history[0].validation_loss)
        self.assertTrue(all(e.seconds > 0 and e.images_per_second > 0 for e in history))
        self.assertEqual(trainer.model.settings.epoch, 20)
        self.assertEqual(trainer.run(20), history)  # nothing to do
        self.assertEqual(trainer.model.step, 60)

    def test_loss_is_the_mean_over_images(self):
        trainer, losses = self.trainer(), []
        copy = trainer.model.copy()
        for step in range(3):
            noisy, target, _ = trainer._batches.of_step(step)
            losses.append((copy.train_step(noisy, target), len(noisy)))
        expected = sum(loss * count for loss, count in losses) / 10
        self.assertAlmostEqual(trainer.run(1)[0].loss, expected, 12)

    def test_validation_has_the_same_noise_each_time(self):
        trainer = self.trainer(cae.Model(GREY, learning_rate=0), validation=self.images)
        first, second = (epoch.validation_loss for epoch in trainer.run(2))
        self.assertEqual(first, second)
        noisy = cae.add_noise(self.images, NOISE, seed=3)
        self.assertEqual(first, trainer.model.evaluate(noisy, self.images))

    def test_resumed_at_every_step(self):
        expected = self.uninterrupted(3)
        for stop in range(1, 9):
            model = Interrupting(GREY, seed=1, learning_rate=1e-2)
            model.interrupt_at = stop
            with self.assertRaises(KeyboardInterrupt):
                self.trainer(model, checkpoint=self.path, save_every=2).run(3)
            self.assertGreaterEqual(model.step, stop - 1)
            again = cae.Model.load(self.path) if os.path.exists(self.path) else cae.Model(
                GREY, seed=1, learning_rate=1e-2)
            self.assertEqual(again.step, model.step)
            self.trainer(again, checkpoint=self.path).run(3)
            self.assertEqual(again.to_bytes(training=True), expected, stop)
            with open(self.path, "rb") as file:
                self.assertEqual(file.read(), expected)
            os.unlink(self.path)

    def test_a_real_ctrl_c(self):
        script = os.path.join(os.path.dirname(self.path), "program.py")
        with open(script, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        command = [sys.executable, script, self.path]
        environment = {**os.environ, "PYTHONPATH": PACKAGE}
        for _ in range(3):
            process = subprocess.Popen(command, env=environment, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.readline()  # an epoch is over
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            self.assertIn("KeyboardInterrupt", errors)
            self.assertEqual(process.returncode, -signal.SIGINT)
        step = cae.Model.load(self.path).step
        self.assertGreaterEqual(step, 3)
        with cae.Model("cae-denoise", seed=1) as model:
            trainer = cae.Trainer(model, pictures(4, 1, 64, 64), noise=NOISE, batch_size=4)
            for i in range(step):
                model.train_step(*trainer._batches.of_step(i)[:2])
                trainer._note_run()
            trainer._save(True)
            self.assertEqual(pathlib.Path(self.path).read_bytes(), model.to_bytes(training=True))

    def test_leaving_the_loop_saves(self):
        trainer = self.trainer(checkpoint=self.path, save_every=100)
        for epoch in trainer.epochs(6):
            if epoch.number == 2:
                break
        with cae.Model.load(self.path) as model:
            self.assertEqual((model.step, model.settings.epoch), (6, 2))
            self.trainer(model).run(6)
            self.assertEqual(model.to_bytes(training=True), self.uninterrupted())

    def test_an_error_in_the_loop_saves(self):
        try:
            self.trainer(checkpoint=self.path, save_every=100).run(6, callback=lambda _: 1 / 0)
        except ZeroDivisionError:  # not after it, when its frames are gone
            self.assertEqual(cae.Model.load(self.path).step, 3)
        else:
            self.fail("the error was lost")

    def test_leaving_with_the_model_closed_is_quiet(self):
        loop = self.trainer(checkpoint=self.path).epochs(6)
        next(loop)
        model = loop.gi_frame.f_locals["self"].model
        model.close()
        loop.close()

    def test_checkpoints_come_when_they_should(self):
        saved = []
        with mock.patch.object(cae.Model, "save", lambda self, path, training: saved.append(
                (os.fsdecode(path), self.settings.epoch, training))):
            self.trainer(checkpoint=self.path, save_every=3).run(7)
        self.assertEqual(saved, [(self.path, epoch, True) for epoch in (3, 6, 7)])

    def test_links_lead_to_the_checkpoint(self):
        folder = os.path.dirname(self.path)
        for name, target in (("link", self.path), ("dangling", os.path.join(folder, "new"))):
            link = os.path.join(folder, name)
            os.symlink(os.path.basename(target), link)
            model = self.trainer(checkpoint=link).model
            self.assertFalse(os.path.exists(target) and name == "dangling")  # it was only tried
            self.trainer(model, checkpoint=link).run(1)
            self.assertTrue(os.path.islink(link))
            self.assertEqual(cae.Model.load(target).step, 3)

    def test_a_program_that_goes_elsewhere(self):
        before, folder = os.getcwd(), os.path.dirname(self.path)
        self.addCleanup(os.chdir, before)
        os.chdir(folder)
        trainer = self.trainer(checkpoint="m")
        trainer.run(1, callback=lambda _: os.chdir(before))
        trainer.run(2)
        self.assertEqual((os.listdir(folder), trainer.checkpoint), (["m"], "m"))
        self.assertEqual(cae.Model.load(os.path.join(folder, "m")).step, 6)

    def test_a_last_save_that_fails_keeps_the_model(self):
        folder, elsewhere = os.path.dirname(self.path), self.make_folder()
        before, kept = os.getcwd(), os.path.join(elsewhere, "m.1")
        os.chdir(elsewhere)
        self.addCleanup(os.chdir, before)
        place = os.path.join(folder, "place")
        os.mkdir(place)
        trainer = self.trainer(checkpoint=os.path.join(place, "m"), save_every=1)
        with self.assertWarnsRegex(RuntimeWarning, "the training goes on"):
            with self.assertRaisesRegex(cae.FileError, f"place/m; the model is kept in {kept}"):
                trainer.run(3, callback=lambda _: shutil.rmtree(place, ignore_errors=True))
        self.assertEqual(cae.Model.load(kept).to_bytes(training=True),
                         trainer.model.to_bytes(training=True))
        os.mkdir(place)  # now in an interrupted one, where a name is taken
        model = Interrupting(GREY, seed=1)
        model.interrupt_at = 2
        trainer = self.trainer(model, checkpoint=os.path.join(place, "m"))
        os.rmdir(place)
        with self.assertRaisesRegex(cae.FileError, "the model is kept in .*/m.2"):
            trainer.run(1)
        self.assertEqual(sorted(os.listdir(elsewhere)), ["m.1", "m.2"])

    def test_a_folder_of_its_own_holds_the_checkpoint_alone(self):
        self.trainer(checkpoint=self.path).run(3)
        self.assertEqual(glob.glob(os.path.dirname(self.path) + "/*"), [self.path])

    def test_in_another_thread(self):
        trainer = self.trainer()
        thread = threading.Thread(target=trainer.run, args=(6,))
        thread.start()
        thread.join(60)
        self.assertEqual(trainer.model.to_bytes(training=True), self.uninterrupted())

    def test_fine_tuning(self):
        trainer = self.trainer()
        trainer.run(2)
        model = trainer.model.copy()
        more = cae.Trainer(model, pictures(30), batch_size=10)
        self.assertEqual([epoch.number for epoch in more.run(1)], [1])
        self.assertEqual((model.step, model.settings.epoch), (3, 1))

    def test_a_sampled_code_and_colour(self):
        cae.Trainer(cae.Model(SAMPLED), pictures(4), noise=0.1).run(2)
        cae.Trainer(cae.Model(COLOUR), list(pictures(4, 3, 20, 30)), noise=0.1).run(2)


class Progress(Case):
    def shown(self, stream, progress, epochs=3):
        with contextlib.redirect_stderr(stream), \
                mock.patch.object(cae.trainer._Progress, "INTERVAL", 0):
            cae.Trainer(cae.Model(GREY), pictures(10), batch_size=4, progress=progress).run(epochs)
        return stream.getvalue()

    def test_on_a_terminal_alone_unless_asked_for(self):
        line = (r"\repoch 1 of 3, step 2 of 9, loss 0\.\d{6}, \d+ images/s, \d+:\d\d left")
        self.assertRegex(self.shown(Terminal(), None), line)
        self.assertRegex(self.shown(io.StringIO(), True), line)
        self.assertEqual(self.shown(io.StringIO(), None), "")
        self.assertEqual(self.shown(Terminal(), False), "")

    def test_the_line_is_ended_and_fits(self):
        words = self.shown(Terminal(), None)
        self.assertTrue(words.endswith(" left\n"), words)
        self.assertEqual(words.count("\n"), 1)
        self.assertLess(max(map(len, words.split("\r"))), 80)

    def test_the_last_step_stays(self):
        stream = Terminal()
        with contextlib.redirect_stderr(stream):  # all within one interval
            cae.Trainer(cae.Model(GREY), pictures(10), batch_size=4).run(3)
        self.assertRegex(stream.getvalue(), r"\repoch 3 of 3, step 9 of 9, .*, 0:00 left *\n$")

    def test_nothing_to_do_shows_nothing(self):
        self.assertEqual(self.shown(Terminal(), None, 0), "")

    def test_without_standard_error(self):
        closed = io.StringIO()
        closed.close()
        for stream in (None, closed, object()):  # the last has no isatty()
            with mock.patch.object(sys, "stderr", stream):
                cae.Trainer(cae.Model(GREY), pictures()).run(1)

    def test_interrupted(self):
        path = os.path.join(self.make_folder(), "m.safetensors")
        for checkpoint, words in ((path, "m.safetensors has it all"), (None, "not saved")):
            model, stream = Interrupting(GREY), Terminal()
            model.interrupt_at = 2
            with contextlib.redirect_stderr(stream), self.assertRaises(KeyboardInterrupt):
                cae.Trainer(model, pictures(10), batch_size=4, checkpoint=checkpoint).run(2)
            self.assertRegex(stream.getvalue(), f"\rinterrupted after step . of 6: .*{words}.*\n$")


def with_nan(index):
    images = pictures()
    images[index, 0, 5, 5] = np.nan
    return images


class Refused(Case):
    def make(self, model=None, images=None, **options):
        return cae.Trainer(cae.Model(GREY) if model is None else model,
                           pictures() if images is None else images, **options)

    def test_images(self):
        good = pictures()
        for kind, words, images in (
                (TypeError, "uint8.*images_from_pixels", np.zeros((3, 16, 16), np.uint8)),
                (TypeError, "float64", good.astype(float)),
                (TypeError, r"images\[1\] is a list", [good[0], [[1.0]]]),
                (TypeError, r"images\[1\] has dtype float64", [good[0], good[1].astype(float)]),
                (TypeError, "generator.*list of", (image for image in good)),
                (cae.ShapeError, "4 dimensions", good[0]),
                (cae.ShapeError, r"images\[0\].*\(1, height, width\)", pictures(3, 3)),
                (cae.ShapeError, "16 x 16, the model's training size", pictures(3, 1, 15, 30)),
                (cae.ShapeError, r"images\[2\]", [*good[:2], good[2, 0]]),
                (cae.ArgumentError, "empty", good[:0]), (cae.ArgumentError, "empty", []),
                (cae.NonFiniteError, r"images\[2\]", with_nan(2))):
            with self.subTest(words):
                self.refused(kind, words, self.make, images=images)

    def test_options(self):
        closed = cae.Model(GREY)
        closed.close()
        for kind, words, options in (
                (TypeError, "model is a str", {"model": "cae-denoise"}),
                (cae.ArgumentError, "closed", {"model": closed}),
                (cae.ArgumentError, "batch_size is 0", {"batch_size": 0}),
                (cae.ArgumentError, "batch_size is -1", {"batch_size": -1}),
                (TypeError, "batch_size is a float", {"batch_size": 2.5}),
                (cae.ArgumentError, "save_every is 0", {"save_every": 0}),
                (cae.ArgumentError, "seed is", {"seed": 1 << 64}),
                (cae.ArgumentError, "noise is -1", {"noise": -1}),
                (cae.ArgumentError, "noise is nan", {"noise": float("nan")}),
                (TypeError, "noise is '25'", {"noise": "25"}),
                (cae.ShapeError, "validation has shape", {"validation": pictures(2, 3)}),
                (cae.ArgumentError, "validation is empty", {"validation": pictures()[:0]}),
                (TypeError, r"validation has.*float64", {"validation": pictures().astype(float)}),
                (TypeError, r"validation is a list.*asarray\(validation, numpy.float32\)",
                 {"validation": pictures().tolist()}),
                (cae.NonFiniteError, "validation contains NaN", {"validation": with_nan(2)}),
                (TypeError, "path", {"checkpoint": 3}),
                (cae.FileError, "^checkpoint /nonexistent/m: no such",
                 {"checkpoint": "/nonexistent/m"}),
                (cae.FileError, "is a folder", {"checkpoint": os.curdir}),
                (cae.FileError, "a device", {"checkpoint": os.devnull}),
                (cae.FileError, "too long", {"checkpoint": "m" * 300})):
            with self.subTest(words):
                self.refused(kind, words, self.make, **options)
        self.refused(TypeError, "epochs is a float", self.make().run, 1.5)
        self.refused(cae.ArgumentError, "epochs is -1", self.make().epochs, -1)

    def test_images_that_the_network_cannot_give(self):
        """A sigmoid gives 0..1: pixels of 0..255 as floats kill units, and no number tells it."""
        good, linear = pictures(), cae.Model(GREY.replace(" sigmoid", ""))
        for images, words in ((255 * good, "0..255: divide by 255"), (65535 * good, "16 bits"),
                              (good * 6 - 3, "standardised"), (list(255 * good), "0..255")):
            self.refused(cae.ArgumentError, f"^images reach .*sigmoid.*{words}", self.make,
                         images=images)
            self.refused(cae.ArgumentError, "^validation images reach", self.make,
                         validation=np.stack(images))
            self.make(linear, images)
        for images, words in ((good * 2 - 1, r"\(images \+ 1\) / 2"), (good * 1.9, "bring them")):
            with self.assertWarnsRegex(UserWarning, words) as caught:
                cae.Trainer(cae.Model(GREY), images.astype(np.float32))
            self.assertEqual(caught.filename, __file__)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.make(noise=3.0).run(1)  # noise may leave the range, the target stays clean
            cae.Model(GREY).train_step(cae.add_noise(good, 3.0), good)
        for step in ("train_step", "train_gradient"):
            with self.assertWarnsRegex(UserWarning, "divide by 255") as caught:
                getattr(cae.Model(GREY), step)(255 * good)
            self.assertEqual(caught.filename, __file__)

    def test_a_model_trained_with_others(self):
        model = cae.Model(GREY)
        self.make(model, pictures(10), batch_size=4).run(2)
        words = r"6 steps and 2 whole epochs, but 10 images in batches of 3 make 4 .*model\.copy"
        self.refused(cae.ArgumentError, words, self.make, model, pictures(10), batch_size=3)
        trainer = self.make(model, pictures(10), batch_size=4)
        for _ in range(3):
            model.train_step(pictures())
        self.refused(cae.ArgumentError, "it was trained with others", trainer.run, 9)

    def test_another_training_is_refused(self):
        images, model = pictures(10), cae.Model(GREY)
        self.make(model, images, batch_size=4, noise=NOISE, seed=3).run(2)
        saved = model.to_bytes(training=True)
        self.assertEqual(model.notes["cae.noise"], "25")
        self.assertRegex(model.notes["cae.data"], r"^10 images, float32 crc32 [0-9a-f]{8}$")
        same = {"images": images, "batch_size": 4, "noise": NOISE, "seed": 3}
        for changed, words in (({"seed": 4}, "seed: 3 before, 4 now"),
                               ({"noise": 0.05}, r"noise \(of 255\): 25 before, 12.75 now"),
                               ({"batch_size": 5, "images": pictures(15)}, "batch_size: 4 bef"),
                               ({"images": images[::-1]}, "the images: 10 images.* before, 10 im"),
                               ({"images": images * np.float32(0.99)}, "the images")):
            again = cae.Model.from_bytes(saved)
            self.refused(cae.ArgumentError, f"another training: .*{words}.*model.copy", self.make,
                         again, **{**same, **changed})
            self.assertEqual(again.to_bytes(training=True), saved)
        again = cae.Model.from_bytes(saved, learning_rate=0.5, threads=2)  # these may change
        self.make(again, list(images), batch_size=4, noise=NOISE, seed=3).run(3)
        self.make(again.copy(), pictures(7), seed=9).run(1)
        again = cae.Model.from_bytes(saved)
        for key in list(again.notes):  # of an older release, or another program
            del again.notes[key]
        self.make(again, images, batch_size=4, seed=8).run(3)
        self.assertEqual(again.notes["cae.seed"], "8")

    def test_a_training_that_diverges(self):
        path = os.path.join(self.make_folder(), "m.safetensors")
        model = cae.Model("input 1 16 16\nconv 4 kernel 3 pad 1\ncode\nconv 1 kernel 3 pad 1\n")
        trainer = self.make(model, checkpoint=path)
        trainer.run(1)
        before, model.settings.learning_rate = pathlib.Path(path).read_bytes(), 1e6
        self.refused(cae.NonFiniteError, r"step \d+: the training diverged.*smaller learning_rate",
                     self.make(model, checkpoint=path, save_every=10**6).run, 10**5)
        self.assertEqual(pathlib.Path(path).read_bytes(), before)

    def test_images_that_change_during_training_are_no_divergence(self):
        for noise in (0, NOISE):
            images = pictures()
            trainer = self.make(images=images, noise=noise)
            trainer.run(1)
            images[2] = np.inf
            self.refused(cae.NonFiniteError, r"^images\[2\] contains NaN.*changed it meanwhile",
                         trainer.run, 2)


if __name__ == "__main__":
    unittest.main()
