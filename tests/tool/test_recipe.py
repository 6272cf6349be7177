# SPDX-License-Identifier: BSD-2-Clause
"""How training is done: noise of several levels, symmetries, a schedule of the rate, the best model kept.
With all of them on, a run that was stopped or killed ends with the bytes of one that was not."""

import csv
import json
import math
import os
import subprocess
import time
import unittest

import tool

# One that is told the noise level.
TOLD = """input 1 16 16 noise
mark noisy
conv 4 kernel 3 pad 1 relu
conv 1 kernel 3 pad 1
add noisy
"""
ALL = ["--noise", "5-75", "--texture", "2", "--symmetries", "--schedule", "cosine",
       "--warmup", "0.2", "--keep-best",
       "--save-every", "1"]


def measured(log):
    with open(log, newline="", encoding="ascii") as file:
        return {int(row["step"]): float(row["val_mse"]) for row in csv.DictReader(file)
                if row["val_mse"]}


class Recipe(tool.Case):
    def setUp(self):
        super().setUp()
        tool.write("net.txt", tool.GREY.encode())
        tool.write("told.txt", TOLD.encode())
        tool.make_images("data", 10, 21, 19)
        tool.make_images("val", 2, 16, 16)

    def command(self, out, *more, model="told.txt"):
        return ["train", "--model", model, "--data", "data", "--batch", "4", "--seed", "9", "--out",
                out, "--val", "val", "--log", out + ".csv", *map(str, more)]

    def train(self, out, *more, **options):
        environment = options.pop("env", None)
        return self.ok(*self.command(out, *more, **options),
                       **({"env": environment} if environment else {}))

    def notes(self, path):
        return json.loads(self.ok("info", path, "--json").stdout)["notes"]

    def weights(self, out, *more, **options):
        self.train(out, *more, **options)
        return tool.read(out)

    def test_each_option_changes_what_is_learned(self):
        plain = self.weights("a", "--noise", 25, "--steps", 6)
        self.assertEqual(plain, self.weights("b", "--noise", 25, "--steps", 6, "--schedule",
                                             "constant", "--warmup", 0))
        seen = {plain}
        for more in [["--noise", "5-75"], ["--noise", 25, "--symmetries"],
                     ["--noise", 25, "--warmup", 0.5], ["--noise", 25, "--schedule", "linear"],
                     ["--noise", 25, "--texture", 3], ["--noise", 25, "--schedule", "cosine"]]:
            seen.add(self.weights("c", *more, "--steps", 6))
        self.assertEqual(len(seen), 7)

    def test_notes_say_what_a_run_depends_on(self):
        self.train("a", *ALL, "--epochs", 4)
        notes = self.notes("a")
        self.assertEqual(notes["cae.noise"], "5-75")
        self.assertEqual(notes["cae.symmetries"], "8")
        self.assertEqual(notes["cae.texture"], "2")
        self.assertEqual(notes["cae.schedule"], "cosine, warm-up 0.2, 12 steps")
        settings = json.loads(self.ok("info", "a", "--json").stdout)["settings"]
        self.assertEqual(settings["learning_rate"], 0.001)  # the base, which a resumed run takes
        self.train("b", "--noise", 25, "--epochs", 4)
        self.assertNotIn("cae.schedule", self.notes("b"))
        self.assertNotIn("cae.symmetries", self.notes("b"))
        self.assertNotIn("cae.best", self.notes("b"))

    def test_another_recipe_is_another_run(self):
        def refused(*more, naming):
            self.fails(*self.command("a", "--resume", *more), naming=naming)

        recipe = ["--noise", "5-75", "--schedule", "linear", "--symmetries"]
        self.train("a", *recipe, "--epochs", 4)
        # The rate of each step would be another.
        refused(*recipe, "--epochs", 5,
                naming="--schedule: linear, warm-up 0, 12 steps before, linear, warm-up 0, 15 steps now")
        refused(*recipe, "--steps", 13, naming="13 steps now")
        refused(*recipe[:-1], "--steps", 12, naming="--symmetries: 8 before, none now")
        refused("--noise", "5-74", *recipe[2:], "--steps", 12, naming="--noise: 5-75 before, 5-74 now")
        refused("--noise", "5", *recipe[2:], "--steps", 12, naming="--noise: 5-75 before, 5 now")
        refused(*recipe, "--warmup", "0.1", "--steps", 12, naming="warm-up 0.1, 12 steps now")
        self.ok(*self.command("a", "--resume", *recipe, "--steps", 12))
        said = self.ok(*self.command("a", "--resume", *recipe, "--steps", 13, "--force")).stderr
        self.assertIn("goes on as another run: --schedule", said)
        # A run without them is no run with them, nor the other way round.
        self.train("a", "--noise", 25, "--epochs", 4)
        refused("--noise", 25, "--symmetries", "--epochs", 5, naming="--symmetries: none before, 8 now")
        refused("--noise", 25, "--texture", 2, "--epochs", 5, naming="--texture: none before, 2 now")
        refused("--noise", 25, "--warmup", "0.5", "--epochs", 5,
                naming="--schedule: none before, constant, warm-up 0.5, 15 steps now")
        self.ok(*self.command("a", "--resume", "--noise", 25, "--epochs", 5))

    def stopped(self, out, signal, after):
        """Starts a run and ends it once its log has so many rows."""
        command = [tool.TOOL, *self.command(out, *ALL, "--epochs", 40)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                if os.path.exists(out + ".csv") and tool.read(out + ".csv").count(b"\n") > after:
                    process.send_signal(signal)
                    break
                time.sleep(0.0005)
            process.wait(60)
        return process.returncode

    def test_stopped_and_killed_runs_end_with_the_same_bytes(self):
        self.train("a", *ALL, "--epochs", 40)
        files = tool.read("a"), tool.read("a.best"), measured("a.csv")
        stopped = 0
        for number in (2, 9, 15, 9):
            # Which of its steps one is stopped at is chance; each must do.
            for name in ("b", "b.best", "b.csv"):
                if os.path.exists(name):
                    os.remove(name)
            for after in (10, 40):
                stopped += self.stopped("b", number, after) != 0
                if not os.path.exists("b"):
                    break
                self.ok(*self.command("b", *ALL, "--epochs", 40, "--resume"))
            if os.path.exists("b"):
                self.assertEqual((tool.read("b"), tool.read("b.best"), measured("b.csv")), files)
        self.assertGreater(stopped, 0)

    def test_threads_and_processors_do_not_matter(self):
        def bytes_of(**environment):
            self.train("a", *ALL, "--reproducible", "--epochs", 6, *threads,
                       env={**os.environ, **environment})
            return tool.read("a"), tool.read("a.best")

        threads = ["--threads", "1"]
        first = bytes_of()
        for tier in ("c", "sse2", "avx2", "avx512"):
            self.assertEqual(bytes_of(CAE_CPU=tier) if self.has(tier) else first, first, tier)
        for count in (2, 3):
            threads = ["--threads", str(count)]
            self.assertEqual(bytes_of(), first, count)

    @unittest.skipUnless(hasattr(os, "sched_setaffinity"), "Linux only")
    def test_a_single_processor_gives_the_same(self):
        self.train("a", *ALL, "--epochs", 4)
        mine = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, mine)
        os.sched_setaffinity(0, {min(mine)})  # which the command inherits; no second thread there
        self.train("b", *ALL, "--epochs", 4)
        self.assertEqual(tool.read("a"), tool.read("b"))

    def has(self, tier):
        """Whether this machine can be told to use it."""
        done = tool.run(*self.command("probe", "--steps", 1), env={**os.environ, "CAE_CPU": tier})
        return "CAE_CPU" not in done.stderr

    def test_the_measure_of_several_levels_is_a_geometric_mean(self):
        self.train("a", "--noise", "5-80", "--epochs", 2)
        (value,) = list(measured("a.csv").values())[-1:]
        scores = [json.loads(self.ok("eval", "a", "val", "--json", "--seed", 9, "--noise",
                                     repr(5 * math.sqrt(2) * 2**i)).stdout)["mse"] for i in range(4)]
        self.assertAlmostEqual(value, math.prod(scores) ** 0.25, delta=1e-6 * value)

    def test_the_best_is_kept(self):
        # A rate so large that the error goes up and down.
        self.train("m.safetensors", "--noise", 25, "--keep-best", "--epochs", 30, "--lr", 0.1)
        errors = measured("m.safetensors.csv")
        step, best = min(errors.items(), key=lambda item: item[1])
        self.assertLess(step, max(errors))
        note = self.notes("m.best.safetensors")["cae.best"]
        self.assertEqual(float(note.split(" at step ")[0]), best)
        self.assertIn(f" at step {step}; noise 25, 2 images, crc32 ", note)
        score = self.ok("eval", "m.best.safetensors", "val", "--json", "--seed", 9, "--noise", 25)
        self.assertEqual(json.loads(score.stdout)["mse"], best)
        self.assertEqual(self.notes("m.safetensors")["cae.best"], note)

    def test_the_best_of_other_images_is_not_compared(self):
        self.train("m", "--noise", 25, "--keep-best", "--epochs", 4)
        before = self.notes("m")["cae.best"]
        tool.make_images("other", 3, 18, 16)
        said = self.ok(*self.command("m", "--noise", 25, "--keep-best", "--epochs", 8, "--resume",
                                     "--val", "other"))
        self.assertIn("its best is not compared", said.stderr)
        self.assertIn("3 images", self.notes("m")["cae.best"])
        self.assertNotEqual(self.notes("m")["cae.best"], before)

    def test_what_keeping_the_best_needs(self):
        plain = ["train", "--model", "net.txt", "--data", "data", "--steps", "2", "--keep-best"]
        self.fails(*plain, "--out", "m", naming="--keep-best", code=2)
        self.fails(*plain, "--val", "val", "--out", "-", naming="--keep-best", code=2)
        tool.write("m.best", tool.png(1, 1, 8, 0, [b"\0"]))
        self.fails(*plain, "--val", "val", "--out", "m", naming="m.best: this is a PNG image")
        self.assertEqual(os.path.exists("m"), False)

    def test_a_network_that_is_told_the_level_needs_one(self):
        self.fails(*self.command("a", "--noise", 0, "--steps", 1), naming="told.txt")
        self.fails(*self.command("a", "--noise", 0.001, "--steps", 1), naming="0.001")
        self.train("a", "--steps", 1)
        self.assertEqual(self.notes("a")["cae.noise"], "5-75")
        self.train("b", "--noise", "5-75", "--steps", 2, model="net.txt")  # any other may have several

    def test_several_levels_are_measured_at_once(self):
        self.train("a", "--noise", "5-75", "--epochs", 4, model="net.txt")

        def score(levels, *more):
            return json.loads(self.ok("eval", "a", "val", "--json", "--noise", levels, *more).stdout)

        apart = [score(level) for level in ("0", "15", "25", "50.5")]
        self.assertEqual(score("0,15,25,50.5"), apart)
        self.assertEqual([one["noise"] for one in apart], [0, 15, 25, 50.5])
        self.assertLess(apart[3]["input_psnr"], apart[1]["input_psnr"])
        table = self.ok("eval", "a", "val", "--noise", "15,50.5").stdout.splitlines()
        self.assertEqual(table[0], "2 images")
        self.assertEqual(table[1].split(), ["noise", "psnr", "ssim", "mse", "bytes", "input_psnr",
                                            "input_ssim"])
        for line, one in zip(table[2:], (apart[1], apart[3])):
            level, psnr, ssim, mse, _, input_psnr, _ = line.split()
            self.assertEqual(float(level), one["noise"])
            for text, name in ((psnr, "psnr"), (ssim, "ssim"), (mse, "mse"),
                               (input_psnr, "input_psnr")):
                self.assertAlmostEqual(float(text), one[name], delta=1e-4)
        self.assertEqual(len(table), 4)
        for noise, level in (("5-75", 25), ("30-75", 30), ("5-20.5", 20.5), ("12", 12)):
            self.train("told", "--noise", noise, "--epochs", 1)
            said = self.ok("eval", "told", "val", "--json")  # at one that it was trained with
            self.assertEqual(json.loads(said.stdout)["noise"], level)
            self.assertIn(f"told: with noise of {level}", said.stderr)

    def test_wrong_levels(self):
        for text in ("15,", ",15", "15,,25", "15 25", "15;25", "256,1", "1,-1", "0x5", "nan", "",
                     ",".join(["1"] * 17)):
            self.fails("eval", "m", "val", f"--noise={text}", code=2, naming=f'--noise: "{text}"')
        self.train("a", "--noise", "25", "--steps", 1)
        self.assertEqual(len(json.loads(self.ok("eval", "a", "val", "--json", "--noise",
                                                ",".join(["25"] * 16)).stdout)), 16)


if __name__ == "__main__":
    unittest.main(verbosity=2)
