# SPDX-License-Identifier: BSD-2-Clause
"""cae-train-mpi on one machine: one file whatever the number of ranks, stopped and killed jobs that
go on, errors of one rank that end all, and docs/mpi.md's words about its options.

    python3 tests/mpi/test_train.py [CLASS]
"""

import os
import re
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import jobs
import tool

FACES = os.path.join(os.environ.get("CAE_TEST_DATA", ""), "faces", "train")
ROOT = Path(__file__).resolve().parents[2]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
LARGE_DENSE = "input 1 64 64\ndense 48 relu\ncode\ndense 1 64 64 sigmoid\n"
# Its loss has no upper bound, and grows faster for bright images than for dark ones.
LINEAR = "input 1 16 16\ndense 12\ncode\ndense 12\ndense 1 16 16\n"


def options(text):
    """The options that a --help explains."""
    return set(re.findall(r"^  (?:-\w, |    )(--[a-z-]+)", text, re.M))


def listed(page, words):
    """The options in the paragraph that begins with these words."""
    return set(OPTION.findall(re.search(rf"^{words}.*?(?=\n\n)", page, re.M | re.S).group()))


def largest_difference(a, b):
    return max(abs(x - y) / abs(x) for x, y in zip(a, b))


class Same(jobs.Case):
    """What does not depend on the number of ranks."""

    def faces(self, count):
        if os.path.isdir(FACES):
            os.makedirs("faces", exist_ok=True)
            for name in sorted(os.listdir(FACES))[:count]:
                os.symlink(os.path.join(FACES, name), os.path.join("faces", name))
        else:
            self.ok("synth", "--count", count, "--out", "faces")
        return "faces"

    def check_ranks(self, name, model, counts, *arguments):
        """The same file and, to the last digit, the same losses."""
        for ranks in counts:
            self.jobs_losses(name, model, ranks, *arguments)
        first = f"{name}.{counts[0]}"
        for ranks in counts[1:]:
            other = f"{name}.{ranks}"
            self.assertLess(largest_difference(jobs.losses(first + ".csv"),
                                               jobs.losses(other + ".csv")), 1e-5, other)
            self.assertEqual(jobs.rows(first + ".csv"), jobs.rows(other + ".csv"))
            self.assertEqual(tool.read(first), tool.read(other), other)

    def jobs_losses(self, name, model, ranks, *arguments):
        out = f"{name}.{ranks}"
        # One rank has a thread for each processor: the number of threads does not matter either.
        self.trains(ranks, "--model", model, "--threads", 0 if ranks == 1 else 1, "--out", out,
                    "--log", out + ".csv", *arguments)
        return jobs.losses(out + ".csv")

    def test_1_2_and_4_ranks_over_50_steps(self):
        # 14 images in 4 parts: 4, 4, 3, 3; the last batch of an epoch has 2, for 2 parts.
        data = ("--data", self.faces(100), "--batch", 14, "--steps", 50)
        for preset in ("cae-compress", "cae-denoise"):
            with self.subTest(preset):
                self.check_ranks(preset, preset, (1, 2, 4), *data)
                values = jobs.losses(preset + ".1.csv")
                self.assertEqual(len(values), 50)
                self.assertLess(sum(values[-5:]), 0.8 * sum(values[:5]), "it learns nothing")
        tool.write("dense.txt", LARGE_DENSE.encode())
        self.check_ranks("dense", "dense.txt", (1, 2, 4), *data, "--noise", 10)

    def test_the_sae(self):
        counts, parts = ((1, 2, 4), 4) if tool.LONG else ((1, 2), 2)
        self.check_ranks("sae", "sae-compress", counts, "--data", self.faces(8), "--batch", 8,
                         "--steps", 2, "--parts", parts)

    def test_sampled_codes(self):
        tool.write("net.txt", tool.SAMPLED.encode())
        tool.make_images("data", 13, 19, 17)
        self.check_ranks("vae", "net.txt", (1, 2, 4), "--data", "data", "--batch", 6, "--steps", 30)
        # Parts draw their own numbers: with one seed for all they would not matter so much.
        one = self.jobs_losses("one", "net.txt", 1, "--data", "data", "--batch", 6, "--steps", 1,
                               "--parts", 1)
        self.assertNotEqual(one, jobs.losses("vae.1.csv")[:1])

    def test_one_rank_is_cae_train(self):
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 7, 21, 19)
        arguments = ("--model", "net.txt", "--data", "data", "--batch", 1, "--noise", 20,
                     "--seed", 5, "--steps", 40)
        self.ok("train", *arguments, "--out", "cae", "--log", "cae.csv")
        self.trains(1, *arguments, "--out", "mpi", "--log", "mpi.csv")
        self.assertEqual(tool.read("cae"), tool.read("mpi"))
        self.assertEqual(jobs.rows("cae.csv"), jobs.rows("mpi.csv"))
        # Without mpirun it is a job of one rank.
        done = jobs.run([jobs.PROGRAM, *map(str, arguments), "--out", "alone"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(tool.read("alone"), tool.read("mpi"))

    def test_parts_add_up_to_the_batch(self):
        """Weights that stay the same: loss and codec's ranges of the parts are the batch's."""
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 11, 16, 16)
        steps = ("--data", "data", "--batch", 11, "--steps", 1)
        plain = ("--lr", 0, *steps)
        whole = self.jobs_losses("whole", "net.txt", 1, *plain, "--parts", 1)
        for ranks, parts in ((1, 8), (2, 2), (3, 3), (3, 6), (4, 16), (5, 5)):
            with self.subTest(ranks=ranks, parts=parts):
                parted = self.jobs_losses("parted", "net.txt", ranks, *plain, "--parts", parts)
                self.assertLess(largest_difference(whole, parted), 1e-6)
                for tensor in ("codec.min", "codec.max", "0.weight"):
                    self.assertEqual(self.tensor("whole.1", tensor),
                                     self.tensor(f"parted.{ranks}", tensor))
        # The moments after one step are the gradient: each image counts once.
        self.jobs_losses("whole", "net.txt", 1, *steps, "--parts", 1)
        self.jobs_losses("parted", "net.txt", 3, *steps)
        moments = [self.tensor(name, "train.m.0.weight") for name in ("whole.1", "parted.3")]
        for a, b in zip(*moments):
            self.assertAlmostEqual(a, b, delta=1e-6)

    def tensor(self, path, name):
        data = tool.read(path)
        size, = tool.struct.unpack_from("<Q", data)
        begin, end = tool.json.loads(data[8:8 + size])[name]["data_offsets"]
        return tool.struct.unpack(f"<{(end - begin) // 4}f", data[8 + size + begin:8 + size + end])

    def test_any_order(self):
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 12, 16, 16)
        arguments = ("--data", "data", "--batch", 9, "--steps", 12)
        fixed = self.jobs_losses("fixed", "net.txt", 3, *arguments)
        free = self.jobs_losses("free", "net.txt", 3, *arguments, "--any-order")
        self.assertLess(largest_difference(fixed, free), 1e-5)

    def test_few_images(self):
        """Ranks without an image in a batch, or in any."""
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 3, 16, 16)
        for batch in (1, 2, 3, 50):
            with self.subTest(batch=batch):
                arguments = ("--data", "data", "--batch", batch, "--epochs", 4, "--parts", 4)
                self.check_ranks(f"batch{batch}", "net.txt", (1, 2, 4), *arguments)
        done = self.trains(4, "--model", "net.txt", *arguments, "--out", "m")
        self.assertIn("have nothing to do", done.stderr)
        self.assertEqual(done.stderr.count("have nothing to do"), 1)


class Stopped(jobs.Case):
    """Jobs that end early, and go on."""

    def setUp(self):
        super().setUp()
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 10, 21, 19)

    def arguments(self, out, *more):
        return ["--model", "net.txt", "--data", "data", "--batch", 4, "--noise", 20, "--threads", 1,
                "--out", out, "--log", out + ".csv", *more]

    def start(self, ranks, *arguments):
        # A group of its own, as a shell gives it: signals that are sent to it are a terminal's.
        return subprocess.Popen(jobs.command(ranks, *arguments), stderr=subprocess.PIPE, text=True,
                                env=jobs.ENVIRONMENT, start_new_session=True)

    def check_same(self, out):
        self.assertEqual(tool.read(out), tool.read("whole"))
        self.assertEqual(jobs.rows(out + ".csv"), jobs.rows("whole.csv"))

    def saves(self, out):
        """Waits until the file has been saved a few times more."""
        seen = set()

        def enough():
            try:
                seen.add(os.stat(out).st_mtime_ns)
            except FileNotFoundError:
                pass
            return len(seen) > 3
        self.assertTrue(jobs.wait_for(enough), "no save came")

    def test_a_killed_rank_ends_the_job(self):
        more = ("--epochs", 6000, "--save-every", 5)
        for number, rank in enumerate((1, 0)):
            resume = ("--resume",) if number > 0 else ()
            with self.start(3, *self.arguments("killed", *more, *resume)) as job:
                self.assertTrue(jobs.wait_for(lambda: len(jobs.ranks_here()) == 3))
                self.saves("killed")
                os.kill(jobs.ranks_here()[rank], signal.SIGKILL)
                start = time.monotonic()
                said = job.communicate(timeout=30)[1]
            self.assertLess(time.monotonic() - start, 15)
            self.assertNotEqual(job.returncode, 0)
            self.assertRegex(said, rf"rank {rank} .*signal 9")
            self.assertTrue(jobs.wait_for(lambda: jobs.ranks_here() == {}), "ranks are left behind")
            self.ok("info", "killed")
        step = int(self.ok("info", "killed", "--json").stdout.split('"step":')[1].split(",")[0])
        more = ("--steps", step + 40)
        self.trains(3, *self.arguments("whole", *more))
        self.trains(3, *self.arguments("killed", *more, "--resume"))
        self.check_same("killed")

    def test_a_killed_mpirun_leaves_nobody(self):
        with self.start(2, *self.arguments("m", "--epochs", 100000, "--save-every", 5)) as job:
            self.saves("m")
            job.kill()
            job.communicate(timeout=30)
        self.assertTrue(jobs.wait_for(lambda: jobs.ranks_here() == {}), "ranks are left behind")
        self.ok("info", "m")

    def test_interrupted_jobs_save_and_go_on(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.start(2, *self.arguments("m", "--epochs", 100000)) as job:
                self.assertTrue(jobs.wait_for(lambda: os.path.exists("m.csv") and
                                              os.path.getsize("m.csv") > 4000))
                os.kill(job.pid, number)
                said = job.communicate(timeout=30)[1]
            self.assertNotEqual(job.returncode, 0)
            self.assertRegex(said, r"interrupted: saved m after step \d+ of .*--resume")
            step = int(said.split("after step ")[1].split()[0])
            more = ("--steps", step + 5)
            self.trains(2, *self.arguments("whole", *more))
            self.trains(2, *self.arguments("m", *more, "--resume"))
            self.check_same("m")
            os.remove("m.csv")

    def test_parts_of_a_run_on_other_numbers_of_ranks(self):
        self.trains(1, *self.arguments("whole", "--epochs", 9))
        for ranks, steps in ((2, 7), (4, 20), (1, 27)):
            resume = ("--resume",) if steps > 7 else ()
            self.trains(ranks, *self.arguments("m", "--steps", steps, *resume))
        self.check_same("m")
        self.assertIn("nothing to do", self.trains(2, *self.arguments("m", "--steps", 27,
                                                                      "--resume")).stderr)

    def test_a_full_disk(self):
        """On a file system for one save but not for two the first one stays whole."""
        self.trains(2, *self.arguments("first", "--epochs", 1))
        pages = -(-os.path.getsize("first") // 4096)
        kilobytes = 4 * (2 * pages - 1)
        script = ('mount -t tmpfs -o size=$0k full full || exit 77; "$@"; code=$?; '
                  'cp full/m kept || exit 99; exit $code')
        os.mkdir("full")
        words = jobs.command(2, *self.arguments("full/m", "--epochs", 3, "--save-every", 1))
        words[words.index("full/m.csv")] = "m.csv"
        done = jobs.run(["unshare", "--mount", "sh", "-c", script, str(kilobytes), *words])
        if done.returncode == 77 or "unshare" in done.stderr:
            self.skipTest("mounting is not allowed here")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "cae-train-mpi: rank 0 on .*: full/m: .*[Nn]o space")
        self.assertEqual(tool.read("kept"), tool.read("first"))


class Refused(jobs.Case):
    """What one rank cannot do ends the job, with a message."""

    def setUp(self):
        super().setUp()
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 9, 16, 16)

    def arguments(self, *more, data="data", out="m"):
        return ["--model", "net.txt", "--data", data, "--batch", 4, "--out", out, *more]

    def apart(self, first, second, *options):
        """A job of two ranks with arguments, and options of mpirun, of their own."""
        words = jobs.command(1, *first)
        return words + [":", "-n", "1", *options, jobs.PROGRAM, *map(str, second)]

    def test_usage_is_said_once(self):
        for ranks, words in ((0, ["--steps"]), (2, ["--bogus"]), (0, ["--steps", 2, "--epochs", 2]),
                             (0, []), (2, ["--steps", 1, "--parts", 3]),
                             (0, ["--steps", 1, "--parts", 3]), (0, ["--steps", 1, "--batch", 0])):
            with self.subTest(words):
                lines = self.refuses(ranks, *self.arguments(*words), naming=[""], code=2)
                self.assertEqual(len(lines), 1, lines)
        done = self.trains(2, "--help")
        self.assertEqual(done.stdout.count("usage:"), 1)
        self.assertEqual(self.trains(2, *self.arguments("--steps", 1, "--quiet")).stderr, "")

    def test_an_image_that_one_rank_cannot_read(self):
        whole = tool.read("data/003.png")
        for data in (whole[:-20], b"", tool.png(15, 16, 8, 0, [bytes(15)] * 16)):
            tool.write("data/003.png", data)
            lines = self.refuses(4, *self.arguments("--steps", 2),
                                 naming=["rank 3 on ", "data/003.png"])
            self.assertFalse([line for line in lines if "rank 3" not in line], lines)
        self.assertFalse(os.path.exists("m"))

    def test_folders_that_differ(self):
        shutil.copytree("data", "other")
        os.remove("other/005.png")
        done = jobs.run(self.apart(self.arguments("--steps", 1),
                                   self.arguments("--steps", 1, data="other")))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "rank 1 on .*other: holds other files than rank 0")
        done = jobs.run(self.apart(self.arguments("--steps", 1),
                                   self.arguments("--steps", 1, data="nowhere")))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "rank 1 on .*nowhere: No such file")
        self.refuses(2, *self.arguments("--steps", 1, data="nowhere"), naming=["rank 0", "nowhere"])

    def test_settings_are_rank_0s(self):
        self.trains(2, *self.arguments("--steps", 3, out="a"))
        other = self.arguments("--steps", 9, "--batch", 2, "--seed", 8, out="b")
        done = jobs.run(self.apart(self.arguments("--steps", 3, out="b"), other))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(tool.read("a"), tool.read("b"))
        done = jobs.run(self.apart(self.arguments("--steps", 3), ["--bogus"]))
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown option --bogus", done.stderr)

    def test_processors_that_differ(self):
        first, words = self.arguments("--steps", 3), ["-x", "CAE_CPU=c"]
        done = jobs.run(self.apart(first, first, *words))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "rank 1 on .*kernels c, rank 0 has .*--reproducible")
        self.trains(2, *first, "--reproducible")
        same = tool.read("m")
        os.remove("m")
        done = jobs.run(self.apart([*first, "--reproducible"], [*first, "--reproducible"], *words))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(tool.read("m"), same)

    @unittest.skipUnless(jobs.FAULT, "no library to make a fault with")
    def test_weights_that_differ_are_not_saved(self):
        arguments = self.arguments("--epochs", 4, "--save-every", 1)  # 3 steps an epoch
        fault = ["-x", "LD_PRELOAD=" + jobs.FAULT, "-x", "CAE_TEST_FAULT=1 5"]
        self.trains(2, *self.arguments("--epochs", 1, out="first"))
        self.refuses(2, *arguments, options=fault, naming=["rank 1 on ", "step 6", "not those of"])
        self.assertEqual(tool.read("m"), tool.read("first"))

    def test_a_loss_that_overflows_on_one_rank(self):
        tool.write("net.txt", LINEAR.encode())
        os.mkdir("mixed")
        for name, value in (("0.png", 0), ("1.png", 255)):
            tool.write("mixed/" + name, tool.png(16, 16, 8, 0, [bytes([value] * 16)] * 16))
        arguments = self.arguments("--batch", 2, "--parts", 2, "--reproducible", data="mixed")
        self.trains(2, *arguments, "--steps", 1)
        before = tool.read("m")
        lines = self.refuses(2, *arguments, "--lr", 3e5, "--steps", 9, "--resume",
                             naming=["rank 1 on ", "step 3", "diverged"])
        self.assertFalse([line for line in lines if "rank 0" in line], lines)
        self.assertEqual(tool.read("m"), before)

    def test_what_cannot_be_resumed(self):
        more = self.arguments("--steps", 9, "--resume")
        self.refuses(2, *more, naming=["rank 0 on ", "m: nothing to resume"])
        self.trains(2, *self.arguments("--steps", 8))
        before = tool.read("m")
        self.refuses(2, *more, "--batch", 2, naming=["rank 0 on ", "--batch"])
        self.refuses(0, *more, "--seed", 77, "--parts", 1,
                     naming=["--seed: ", "--parts: 4 before, none now"])
        tool.write("net.txt", tool.DENSE.encode())
        self.refuses(0, *more, naming=["m: cannot resume"])
        tool.write("net.txt", tool.GREY.encode())
        for ranks, damaged in ((2, before[:-1]), (0, before[:100]), (0, b""),
                               (0, before[:-9] + b"x" + before[-8:])):
            tool.write("m", damaged)
            self.refuses(ranks, *more, naming=["rank 0 on ", "m: "])
            self.assertEqual(tool.read("m"), damaged)
        os.remove("m")
        os.mkdir("m")
        self.refuses(2, *self.arguments("--steps", 1), naming=["rank 0 on ", "m: "])
        self.refuses(2, *self.arguments("--steps", 1, "--log", "/dev/full", out="n"),
                     naming=["rank 0 on ", "/dev/full"])


class Documented(jobs.Case):
    """docs/mpi.md lists what this program's options have beyond those of `cae train`, and lack."""

    def test_options(self):
        page = (ROOT / "docs" / "mpi.md").read_text(encoding="utf-8")
        here = options(jobs.run([jobs.PROGRAM, "--help"]).stdout)
        there = options(self.ok("train", "--help").stdout)
        self.assertEqual(listed(page, "Its own options"), here - there)
        self.assertEqual(listed(page, "Options that it lacks"), there - here)
        foreign = {"--mca", "--host", "--bind-to", "--allow-run-as-root", "--oversubscribe"}
        self.assertEqual(set(OPTION.findall(page)) - here - there - foreign, set())


if __name__ == "__main__":
    jobs.need_mpirun()
    unittest.main()
