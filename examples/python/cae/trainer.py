# SPDX-License-Identifier: BSD-2-Clause
"""The training loop: epochs over images, measurements, checkpoints, a line of progress. Where it
stands is the model's own step and epoch, which are saved with it; the batches are _batches.py's.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from math import sqrt
from typing import Any, NamedTuple, Optional, TextIO, Union

from ._arrays import FilePath, Floats, file_path, finite, whole
from ._batches import Batches
from ._best import Best
from ._calls import images_for, takes_noise
from ._checkpoint import save_last, try_save
from ._recipe import noise_of, schedule_of
from ._run import differences, run_notes
from ._targets import check_range
from .errors import ArgumentError, CaeError, NonFiniteError, UnsupportedError
from .images import add_noise
from .model import Model


class Epoch(NamedTuple):
    """What one epoch came to."""

    number: int  # 1 for the first
    step: int  # updates that the weights have had in the end
    loss: float  # mean over the images, each before the update it led to
    validation_loss: Optional[float]  # after the epoch; None without validation images
    seconds: float
    images_per_second: float


def _is_terminal(stream: Optional[TextIO]) -> bool:
    """Not None, which standard error is under pythonw, nor one that is closed, nor any object that
    a program put in its place."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False


class _Progress:
    """One line on standard error that is written over and over."""

    INTERVAL = 0.2  # seconds; faster than this nobody reads

    def __init__(self, wanted: Optional[bool], first: int, last: int) -> None:
        stream = sys.stderr
        self.shown = stream is not None and (_is_terminal(stream) if wanted is None else wanted)
        self.first, self.last, self.width = first, last, 0
        self.start, self.written, self.images = time.monotonic(), 0.0, 0
        self.unwritten: Optional[tuple[str, int, float]] = None

    def update(self, epoch: str, step: int, loss: float, count: int) -> None:
        self.images += count
        self.unwritten = epoch, step, loss
        if self.shown and time.monotonic() - self.written >= self.INTERVAL:
            self._write_step()

    def _write_step(self) -> None:
        if not self.shown or self.unwritten is None:
            return
        epoch, step, loss = self.unwritten
        self.unwritten, self.written = None, time.monotonic()
        elapsed = max(self.written - self.start, 1e-9)
        left = round(elapsed / (step - self.first) * (self.last - step))
        self._write(f"{epoch}, step {step} of {self.last}, loss {loss:.6f}, "
                    f"{self.images / elapsed:.0f} images/s, {left // 60}:{left % 60:02d} left")

    def say(self, words: str) -> None:
        if self.shown:
            self.unwritten = None
            self._write(words)
            self.end()

    def _write(self, words: str) -> None:
        sys.stderr.write("\r" + words.ljust(self.width))
        sys.stderr.flush()
        self.width = len(words)

    def end(self) -> None:
        """Leaves the last step behind, not the last that was worth an update."""
        self._write_step()
        if self.width > 0:
            sys.stderr.write("\n")
        self.width = 0


class Trainer:
    """Trains a model on images: shuffled batches, fresh noise, measurements, checkpoints.

    A step depends on the model, the images, the seed and the step's number alone. So a training
    that was interrupted and goes on from its checkpoint ends with the same weights, bit for bit, as
    one that never stopped; and it is the training of the command `cae train`, which makes the same
    file of the same images and settings. To go on is to run the same program again:

        path = "faces.safetensors"
        model = (cae.Model.load(path, threads=0) if os.path.exists(path)
                 else cae.Model("cae-denoise", seed=1, threads=0))
        trainer = cae.Trainer(model, images, noise=25 / 255, checkpoint=path, save_every=10)
        trainer.run(epochs=100)

    Ctrl-C is heard when the step that runs is done. The checkpoint, if there is one, is then saved,
    and KeyboardInterrupt goes on to whoever called: the model is not yet what the program behind
    the loop expects. The model's notes say what the training depends on: one that goes on with
    another seed, noise, batch_size or other images is refused. Leaving a loop over epochs() early,
    by break or an error of your own, saves as well; a training that diverged (NonFiniteError) does
    not overwrite the last checkpoint.

    Attributes: model; checkpoint, the path or None; history, a list with the Epoch of each epoch
    that this trainer ended.
    """

    def __init__(self, model: Model, images: Union[Floats, Sequence[Floats]], *,
                 noise: Union[float, tuple[float, float]] = 0.0, symmetries: bool = False,
                 schedule: str = "constant", warmup: float = 0.0, batch_size: int = 50,
                 seed: int = 0, validation: Optional[Floats] = None,
                 checkpoint: Optional[FilePath] = None, save_every: int = 1,
                 keep_best: Optional[FilePath] = None, progress: Optional[bool] = None) -> None:
        """Checks everything and takes no step yet.

        model       what is trained; nobody else may change it meanwhile
        images      float32 (count, channels, height, width) on the scale 0..1, or a list of arrays
                    (channels, height, width) of any sizes; neither copied nor changed. From images
                    larger than model.shape a random part of that size is taken, a new one in each
                    epoch
        noise       standard deviation of the noise that is added to the input, >= 0, fresh in each
                    step; the target is the image without it. (low, high): a level of its own for
                    each image, the logarithm uniform, low at least 0.01 / 255. A network whose
                    input line says `noise` is told the levels, which must be as large too
        symmetries  turn and mirror each image, one of 8 ways in each epoch (4 unless the training
                    size is square)
        schedule    of the learning rate, setting learning_rate at its highest: "constant", or
                    "linear" or "cosine" down to 0 at the end of what run() or epochs() is asked for
        warmup      the part of these steps, 0 .. 1, in which the rate first rises in a line
        batch_size  images in a step; the last batch of an epoch may be shorter
        seed        0 .. 2^64 - 1, of order, cuts and noise
        validation  float32 (count, channels, height, width) of a size that the network takes, to
                    measure the loss on after each epoch, with noise that stays the same; of noise
                    (low, high) the geometric mean of the losses at four levels
        checkpoint  file in which the model is saved with its training state, atomically: after
                    every `save_every` epochs, in the end, and when the loop is left early. The
                    save is tried here; if the last one fails all the same, the model is kept in
                    another file, which the FileError names. An earlier one that fails is a warning
        keep_best   file for the weights of the lowest validation_loss, written after each epoch
                    that has it; the note cae.best says what that was
        progress    a line on standard error with epoch, loss, images per second and time left; None
                    means if that is a terminal

        Raises TypeError, ShapeError (an image smaller than the training size), NonFiniteError,
        ArgumentError (no images, a model trained with other images or another batch_size, images
        such as 0..255 for a network whose last layer gives 0..1), FileError (a checkpoint that
        could never be written). Images a little outside 0..1 are a warning.
        """
        if not isinstance(model, Model):
            raise TypeError(f"model is a {type(model).__name__}; pass a cae.Model")
        self.model = model
        self.history: list[Epoch] = []  # of the epochs that this trainer ended
        self.checkpoint = None if checkpoint is None else os.fsdecode(file_path(checkpoint))
        self._save_every = self._positive("save_every", save_every)
        self._progress = progress
        levels, seed = noise_of(noise), whole("seed", seed)
        self._schedule = schedule_of(schedule, warmup)
        architecture = model._open().architecture
        self._takes_noise = takes_noise(architecture)
        if self._takes_noise and not levels.is_enough:
            raise ArgumentError(f"noise is {noise!r}, but the network takes a noise level: pass at "
                                "least 0.01 / 255")
        self._batches = Batches(images, model.shape, self._positive("batch_size", batch_size),
                                levels, bool(symmetries), seed)
        self._notes = run_notes(images, self._batches.size, levels, bool(symmetries), seed)
        check_range("images", images, architecture, 2)
        self._validation: list[tuple[Floats, Floats, dict[str, Any]]] = []
        if validation is not None:
            validation = self._checked(validation)
            check_range("validation images", validation, architecture, 2)
            self._validation = [
                (add_noise(validation, level, seed), validation, self._told(level))
                for level in levels.measured()]
        self._check_position(None)
        self._best: Optional[Best] = None
        if keep_best is not None:
            if validation is None:
                raise ArgumentError("keep_best needs validation images")
            self._best = Best(model, os.fsdecode(file_path(keep_best)), validation, levels)
        self._target = ""  # the checkpoint, wherever the program goes meanwhile
        if self.checkpoint is not None:  # hours of training must not end in a save that cannot be
            self._target = os.path.join(os.getcwd(), self.checkpoint)
            try_save(model, self._target)

    @staticmethod
    def _positive(name: str, value: int) -> int:
        number = whole(name, value)
        if number == 0:
            raise ArgumentError(f"{name} is 0; pass at least 1")
        return number

    def _checked(self, validation: Floats) -> Floats:
        """What is wrong with it shows now, and under its name, not after an epoch."""
        validation = images_for(self.model._open(), "validation", validation)
        if len(validation) == 0:
            raise ArgumentError("validation is empty; pass at least one image or leave it out")
        finite("validation", validation)
        self.model.evaluate(validation[:1], **self._told(0.1))
        return validation

    def _told(self, level: float) -> dict[str, Any]:
        return {"sigma": level} if self._takes_noise else {}

    def _check_position(self, epochs: Optional[int]) -> None:
        """A model that has trained goes on where it stopped; that must be a place in our epochs."""
        step, epoch = self.model.step, self.model.settings.epoch
        if step > 0 and step // self._batches.steps != epoch:
            raise ArgumentError(
                f"the model has trained for {step} steps and {epoch} whole epochs, but "
                f"{len(self._batches.images)} images in batches of {self._batches.size} make "
                f"{self._batches.steps} steps an epoch: it was trained with others. Pass the same "
                "images and batch_size to go on, or model.copy() to begin a new training with "
                "its weights")
        before, now = dict(self.model.notes), dict(self._notes)
        if epochs is None:  # where it ends, and so what the schedule is, shows later
            before.pop("cae.schedule", None)
        else:
            now.update(self._schedule_notes(epochs))
        different = differences(before, now) if step > 0 else ""
        if different:
            raise ArgumentError(
                f"the model comes from another training: {different}. Pass the same to go on, or "
                "model.copy() to begin a new training with its weights")

    def _schedule_notes(self, epochs: int) -> dict[str, str]:
        words = self._schedule.words(epochs * self._batches.steps)
        return {"cae.schedule": words} if words else {}

    def run(self, epochs: int, callback: Optional[Callable[[Epoch], object]] = None
            ) -> list[Epoch]:
        """Trains until every image was seen `epochs` times in all; returns the history.

        epochs    in all: a model that has 40 behind it does 60 more for 100, and nothing for 40.
                  With a schedule or warmup another number is another training, which is refused
        callback  called with the Epoch after each; to stop early, loop over epochs() and break

        Raises KeyboardInterrupt after Ctrl-C, NonFiniteError when the training diverges.

        >>> faces = numpy.full((6, 1, 64, 64), 0.5, numpy.float32)
        >>> trainer = Trainer(Model("cae-denoise"), faces, noise=25 / 255, batch_size=4)
        >>> [(epoch.number, epoch.step) for epoch in trainer.run(epochs=2)]
        [(1, 2), (2, 4)]
        """
        with contextlib.closing(self.epochs(epochs)) as loop:  # an error leaves no loop behind
            for epoch in loop:
                if callback is not None:
                    callback(epoch)
        return self.history

    def epochs(self, epochs: int) -> Generator[Epoch, None, None]:
        """The same as a loop: `for epoch in trainer.epochs(100): print(epoch.loss)`."""
        return self._epochs(whole("epochs", epochs))

    def _epochs(self, epochs: int) -> Generator[Epoch, None, None]:
        self._check_position(epochs)
        steps, step = self._batches.steps, self.model.step
        # Of an earlier training.
        for key in ("cae.schedule", "cae.self", "cae.symmetries", "cae.texture"):
            self.model.notes.pop(key, None)
        self._notes.update(self._schedule_notes(epochs))
        self._note_run()
        progress = _Progress(self._progress, step, epochs * steps)
        saved = step
        try:
            while step < epochs * steps:
                epoch = self._epoch(epochs, progress)
                step = epoch.step
                if epoch.number % self._save_every == 0 or epoch.number == epochs:
                    if self._save(epoch.number == epochs):
                        saved = step
                self.history.append(epoch)
                yield epoch
        except (KeyboardInterrupt, GeneratorExit) as reason:
            self._save_early(progress, saved, isinstance(reason, KeyboardInterrupt))
            raise
        finally:
            progress.end()

    def _epoch(self, epochs: int, progress: _Progress) -> Epoch:
        """The rest of the epoch that the model stands in."""
        steps, step, start = self._batches.steps, self.model.step, time.monotonic()
        number, images, loss = step // steps + 1, 0, 0.0
        while step < number * steps:
            noisy, target, levels = self._batches.of_step(step)
            try:
                step_loss = self._step(noisy, target, levels,
                                       self._schedule.factor(step, epochs * steps))
            except NonFiniteError as error:
                raise NonFiniteError(f"step {step + 1}: the training diverged ({error}); a smaller "
                                     "learning_rate may help") from None
            step, images = step + 1, images + len(noisy)
            loss += step_loss * len(noisy)
            progress.update(f"epoch {number} of {epochs}", step, step_loss, len(noisy))
        self._note_run()
        seconds = max(time.monotonic() - start, 1e-9)
        validation_loss = self._measure()
        if self._best is not None and validation_loss is not None:
            self._best.offer(validation_loss, step, self._fit_code)
        return Epoch(number, step, loss / images, validation_loss, seconds, images / seconds)

    def _step(self, noisy: Floats, target: Floats, levels: Floats, factor: float) -> float:
        """One step at a part of the learning rate, which stays as it is."""
        told: dict[str, Any] = {"sigma": levels} if self._takes_noise else {}
        if factor == 1:
            return self.model.train_step(noisy, target, **told)
        rate = self.model.settings.learning_rate
        try:
            self.model.settings.learning_rate = rate * factor
            return self.model.train_step(noisy, target, **told)
        finally:
            self.model.settings.learning_rate = rate

    def _measure(self) -> Optional[float]:
        losses = [self.model.evaluate(noisy, target, **told)
                  for noisy, target, told in self._validation]
        if len(losses) == 4:
            return sqrt(sqrt(losses[0] * losses[1] * losses[2] * losses[3]))
        return losses[0] if losses else None

    def _note_run(self) -> None:
        """Where the training stands and what it depends on, kept in the model."""
        self.model.settings.epoch = self.model.step // self._batches.steps
        self.model.notes.update(self._notes)

    def _fit_code(self) -> None:
        """What compress() needs, as `cae train` does it: a model is worth keeping without."""
        try:
            self.model.code_shape(*self.model.shape[1:])
        except UnsupportedError:  # a skip crosses `code`: there is nothing to compress
            return
        try:
            self.model.fit_code(self._batches.to_fit())
        except (CaeError, MemoryError) as error:
            warnings.warn(f"the ranges of the code stay as they are: {error}", RuntimeWarning,
                          stacklevel=2)

    def _save(self, is_last: bool) -> bool:
        """False if nothing was saved; the last one then raises, and keeps the model elsewhere."""
        self._note_run()  # an interrupt may have come between a step and its note
        if self.checkpoint is None and not is_last:
            return False
        self._fit_code()
        if self.checkpoint is None:
            return True
        if is_last:
            save_last(self.model, self._target)
            return True
        try:
            self.model.save(self._target, training=True)
        except CaeError as error:
            warnings.warn(f"{error}; the training goes on, and saves when the next save is due",
                          RuntimeWarning, stacklevel=4)
            return False
        return True

    def _save_early(self, progress: _Progress, saved: int, interrupted: bool) -> None:
        if self.model._handle is None:  # the loop is gone, and so is what it trained
            return
        step, words = self.model.step, "not saved, for there is no checkpoint"
        if step != saved:
            self._save(True)
        if self.checkpoint is not None:
            words = f"{self.checkpoint} has it all; load that to go on"
        if interrupted:
            progress.say(f"interrupted after step {step} of {progress.last}: {words}")
