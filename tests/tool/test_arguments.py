# SPDX-License-Identifier: BSD-2-Clause
"""Right and wrong arguments of every subcommand, exit codes, help, the manual, and output that cannot
be written."""

import os
import re
import resource
import signal
import unittest

import tool
from tool import run

COMMANDS = ["train", "eval", "compress", "decompress", "denoise", "noise", "info", "synth",
            "sample", "interpolate"]

# Arguments that are wrong by themselves, whatever the files are.
WRONG = [
    ([], "usage"),
    (["bogus"], "bogus"),
    (["--bogus"], "--bogus"),
    (["help", "bogus"], "bogus"),
    (["help", "train", "more"], "\"more\" is one word too many"),
    (["--help", "help", "more"], "\"more\" is one word too many"),
    (["--version", "more"], "\"more\" is one word too many"),
    (["info", "--quiet=1", "x"], "--quiet takes no argument\n"),
    (["info", "-q=1", "x"], "-q takes no argument\n"),
    (["info", "--help=1", "x"], "--help takes no argument\n"),
    (["train"], "--out"),
    (["train", "--out", "o"], "--model"),
    (["train", "--out", "o", "--model", "cae-compress"], "--data"),
    (["train", "--model", "m", "--data", "d", "--out", "o"], "--epochs"),
    (["train", "--model", "m", "--data", "d", "--out", "o", "--epochs", "1", "--steps", "1"],
     "either"),
    (["train", "--model", "m", "--data", "d", "--out", "o", "--epochs", "0"], "--epochs"),
    (["train", "--model", "m", "--data", "d", "--out", "o", "--epochs", "1.5"], "1.5"),
    (["train", "--model", "m", "--data", "d", "--out", "o", "--epochs", "-1"], "-1"),
    (["train", "--model", "m", "--data", "d", "--out", "o", "--steps", "99999999999999999999"],
     "--steps"),
    (["train", "--steps", "1", "--noise", "256"], "256"),
    (["train", "--steps", "1", "--noise", "-1"], "--noise"),
    (["train", "--steps", "1", "--noise", "nan"], "nan"),
    (["train", "--steps", "1", "--noise", "1x"], "1x"),
    (["train", "--noise", "5-5"], '--noise: "5-5" is not a level'),
    (["train", "--noise", "75-5"], "75-5"),
    (["train", "--noise", "0-5"], "0-5"),
    (["train", "--noise", "5-256"], "5-256"),
    (["train", "--noise", "0x5"], "0x5"),
    (["train", "--noise="], '--noise: ""'),
    (["train", "--schedule", "step"], '--schedule: "step" is not one of constant, linear, cosine'),
    (["train", "--schedule"], "--schedule"),
    (["train", "--warmup", "1.5"], '--warmup: "1.5"'),
    (["train", "--warmup", "-0.1"], "-0.1"),
    (["train", "--symmetries=8"], "--symmetries"),
    (["train", "--lr", "inf"], "inf"),
    (["train", "--lr", "-0.1"], "--lr"),
    (["train", "--lr", "0x1p-3"], "0x1p-3"),
    (["train", "--batch", "0"], "--batch"),
    (["train", "--threads", "1025"], "--threads"),
    (["train", "--seed", "18446744073709551616"], "--seed"),
    (["train", "--seed", "x"], "--seed"),
    (["train", "--save-every", "0"], "--save-every"),
    (["train", "--resume=yes"], "--resume"),
    (["train", "--model"], "--model"),
    (["train", "--model", ""], "--model"),
    (["train", "--limit", "0"], "--limit"),
    (["train", "word"], "word"),
    (["eval", "m"], "DIR"),
    (["eval", "m", "d", "e"], "e"),
    (["eval", "m", "d", "--noise", "300"], "--noise"),
    (["eval", "m", "d", "-x"], "-x"),
    (["compress", "m", "a.png"], "OUT.cae"),
    (["compress", "m", "a.png", "b", "--quality", "0"], "--quality"),
    (["compress", "m", "a.png", "b", "--quality", "101"], "--quality"),
    (["decompress", "m"], "IN.cae"),
    (["denoise"], "MODEL"),
    (["denoise", "m", "", "o"], "\"\""),
    (["noise", "a.png", "b.png"], "--sigma"),
    (["noise", "a.png", "b.png", "--sigma", "1e9"], "1e9"),
    (["noise", "--sigma=", "a.png", "b.png"], "--sigma"),
    (["info"], "FILE"),
    (["info", "a", "b"], "b"),
    (["sample", "m"], "--out"),
    (["sample", "--out", "o.png"], "MODEL"),
    (["sample", "m", "--out", "o.png", "-n"], "-n needs"),
    (["sample", "m", "--out", "o.png", "-n", "0"], "-n: \"0\""),
    (["sample", "m", "--out", "o.png", "-n", "65537"], "-n"),
    (["sample", "m", "--out", "o.png", "-n=x"], "-n: \"x\""),
    (["sample", "m", "--out", "o.png", "--n", "3"], "--n"),
    (["sample", "m", "-out", "o.png"], "-out"),
    (["sample", "m", "---out", "o.png"], "---out"),
    (["sample", "m", "--out", "o.png", "-xquiet"], "-xquiet"),
    (["sample", "m", "more", "--out", "o.png"], "more"),
    (["interpolate", "m", "a.png", "--out", "o.png"], "B.png"),
    (["interpolate", "m", "a.png", "b.png"], "--out"),
    (["interpolate", "m", "a.png", "b.png", "--out", "o.png", "--steps", "1"], "--steps"),
    (["train", "--kl-weight", "-1"], "--kl-weight"),
    (["synth", "--count", "3"], "--out"),
    (["synth", "--out", "d"], "--count"),
    (["synth", "--out", "d", "--count", "1000000"], "--count"),
    (["synth", "--out", "d", "--count", "1", "--size", "8"], "--size"),
]


class Arguments(tool.Case):
    def test_wrong_arguments_are_usage_errors(self):
        for arguments, word in WRONG:
            with self.subTest(arguments):
                done = run(*arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(word, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertEqual(os.listdir("."), [])

    def test_help_is_on_standard_output(self):
        for arguments in [["--help"], ["-h"]] + [[name, "--help"] for name in COMMANDS]:
            with self.subTest(arguments):
                done = run(*arguments)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertTrue(done.stdout.startswith("usage: cae"))
                self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)
        self.assertEqual([name for name in COMMANDS if name not in run("--help").stdout], [])
        for words in (["help"], ["help", "help"], ["help", "--help"], ["help", "-h"]):
            self.assertEqual(self.ok(*words).stdout, self.ok("--help").stdout)
        self.assertEqual(self.ok("help", "eval").stdout, self.ok("eval", "--help").stdout)
        # Help wins over errors; behind -- it is a word like others.
        self.assertEqual(run("eval", "--bogus", "--help").returncode, 0)
        self.assertEqual(run("info", "--", "--help").returncode, 1)

    def test_version(self):
        for words in (["--version"], ["-V"], ["help", "--version"]):
            self.assertRegex(self.ok(*words).stdout, r"\Acae \d+\.\d+\.\d+\n\Z")

    def test_manual_has_every_command_and_option(self):
        path = os.environ.get("CAE_MANUAL", "")
        if not os.path.exists(path):
            self.skipTest("CAE_MANUAL names no file")
        manual = tool.read(path).decode().replace("\\-", "-")
        for name in COMMANDS:
            self.assertIn(f"cae {name}", manual.replace("\n.Nm ", "\ncae "), name)
            for option in set(re.findall(r"--?[a-z][a-z-]*", run(name, "--help").stdout)):
                self.assertIn(option, manual, f"cae {name} {option}")

    def test_arguments_may_come_in_any_order(self):
        tool.make_images("d", 1, 8, 8)
        self.ok("noise", "d/000.png", "--sigma", 3, "a.pgm", "--seed", 2)
        self.ok("noise", "--seed=2", "--sigma=3", "--", "d/000.png", "b.pgm")
        self.assertEqual(tool.read("a.pgm"), tool.read("b.pgm"))

    def test_missing_files_are_named(self):
        model = self.model("m")
        tool.make_images("d", 1, 16, 16)
        os.mkdir("empty")
        tool.write("junk", b"nothing that anybody knows")
        self.fails("train", "--model", "nowhere.txt", "--data", "d", "--steps", 1, "--out", "o",
                   naming="nowhere.txt")
        self.fails("train", "--model", "junk", "--data", "d", "--steps", 1, "--out", "o",
                   naming="junk")
        self.fails("train", "--model", "m.txt", "--data", "nowhere", "--steps", 1, "--out", "o",
                   naming="nowhere")
        self.fails("train", "--model", "m.txt", "--data", "empty", "--steps", 1, "--out", "o",
                   naming="empty")
        self.fails("train", "--model", "m.txt", "--data", "d", "--steps", 1, "--out",
                   "nowhere/o", naming="nowhere")
        self.fails("train", "--model", "m.txt", "--data", "d", "--steps", 1, "--out", "empty",
                   naming="empty")
        self.fails("train", "--model", "m.txt", "--data", "d", "--steps", 1, "--out", "o", "--log",
                   "nowhere/l", naming="nowhere/l")
        for command in (["eval", "M", "d"], ["compress", "M", "d/000.png", "o"],
                        ["denoise", "M", "d/000.png", "o"], ["decompress", "M", "junk", "o"]):
            for bad in ("nowhere", "junk", "empty"):
                self.fails(*[bad if word == "M" else word for word in command], naming=bad)
        for bad in ("nowhere", "junk", "empty"):
            self.fails("compress", model, bad, "o", naming=bad)
            self.fails("decompress", model, bad, "o", naming=bad)
            self.fails("denoise", model, bad, "o", naming=bad)
            self.fails("noise", "--sigma", 1, bad, "o", naming=bad)
            self.fails("info", bad, naming=bad)
        self.fails("eval", model, "nowhere", naming="nowhere")
        self.fails("synth", "--count", 1, "--out", "nowhere/d", naming="nowhere/d")
        self.fails("synth", "--count", 1, "--out", "junk", naming="junk")
        self.assertNotIn("o", os.listdir("."))

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_a_full_disk_is_an_error(self):
        model = self.model("m")
        self.ok("compress", model, "data/000.png", "c.cae")
        for command in (["compress", model, "data/000.png", "/dev/full"],
                        ["decompress", model, "c.cae", "/dev/full"],
                        ["denoise", model, "data/000.png", "/dev/full"],
                        ["noise", "--sigma", 1, "data/000.png", "/dev/full"],
                        ["interpolate", model, "data/000.png", "data/001.png", "--out",
                         "/dev/full"],
                        ["train", "--model", "m.txt", "--data", "data", "--steps", 1, "--out", "o",
                         "--log", "/dev/full"]):
            with self.subTest(command):
                self.fails(*command, naming="/dev/full")
        self.fails("train", "--model", "m.txt", "--data", "data", "--steps", 1, "--out",
                   "/dev/full", naming="/dev/full")
        for command in (["--help"], ["info", model], ["eval", model, "data"],
                        ["eval", model, "data", "--json"]):
            with self.subTest(command), open("/dev/full", "wb") as full:
                done = tool.subprocess.run([tool.TOOL, *command], stdout=full, check=False,
                                           stderr=tool.subprocess.PIPE, text=True, timeout=100)
                self.assertEqual(done.returncode, 1)
                self.assertIn("standard output", done.stderr)

    def test_a_write_that_fails_half_way_leaves_the_old_file(self):
        model = self.model("m")
        tool.make_images("large", 1, 60, 60)
        self.ok("compress", model, "large/000.png", "c.cae")
        before = {name: tool.read(name) for name in ("m", "c.cae", "large/000.png")}

        def limit():  # no file may grow beyond this; the signal that would kill is ignored
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        for command, out in ((["compress", model, "large/000.png", "c.cae"], "c.cae"),
                             (["noise", "--sigma", 9, "large/000.png", "large/000.png"],
                              "large/000.png"),
                             (["decompress", model, "c.cae", "new.pgm"], "new.pgm"),
                             (["train", "--model", "m.txt", "--data", "data", "--steps", 9, "--out",
                               "m"], "m"),
                             (["train", "--model", "m.txt", "--data", "data", "--steps", 9, "--out",
                               "n", "--log", "l.csv"], "n"),
                             (["synth", "--count", 2, "--out", "faces"], "faces/face-000001.png")):
            with self.subTest(command):
                self.fails(*command, naming=out, preexec_fn=limit)
        self.assertEqual({name: tool.read(name) for name in before}, before)
        self.assertEqual(os.listdir("faces"), [])
        self.assertEqual({"n", "new.pgm"} & set(os.listdir(".")), set())
        self.assertEqual([name for name in os.listdir(".") if name.startswith(".")], [])

    def test_a_failure_leaves_the_old_file(self):
        model = self.model("m")
        tool.write("old", b"old")
        tool.write("junk", b"P5 4 4 255\n")
        for command in (["compress", model, "junk", "old"], ["decompress", model, "junk", "old"],
                        ["denoise", model, "junk", "old"], ["noise", "--sigma", 1, "junk", "old"]):
            self.fails(*command, naming="junk")
        self.fails("noise", "--sigma", 0, "data/000.png", "old.ppm", naming="old.ppm")
        self.assertEqual(tool.read("old"), b"old")
        self.assertEqual([name for name in os.listdir(".") if name.startswith(".")], [])

    def test_a_new_file_keeps_mode_and_link(self):
        tool.make_images("d", 1, 8, 8)
        tool.write("real.png", b"old")
        os.chmod("real.png", 0o640)
        os.symlink("real.png", "link.png")
        self.ok("noise", "--sigma", 0, "d/000.png", "link.png")
        self.assertTrue(os.path.islink("link.png"))
        self.assertEqual(os.stat("real.png").st_mode & 0o777, 0o640)
        self.assertEqual(tool.read_png(tool.read("real.png"))[:2], (8, 8))

    def test_a_pipe_can_be_read_and_written(self):
        tool.make_images("d", 1, 8, 8)
        with open("d/000.png", "rb") as source:
            done = tool.subprocess.run(
                [tool.TOOL, "noise", "--sigma", "0", "/dev/stdin", "/dev/stdout"], stdin=source,
                capture_output=True, check=True, timeout=100)
        self.assertEqual(tool.read_png(done.stdout), tool.read_png(tool.read("d/000.png")))


if __name__ == "__main__":
    unittest.main()
