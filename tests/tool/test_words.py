# SPDX-License-Identifier: BSD-2-Clause
"""What the command says and understands: help, short options, what was probably meant, files in the
wrong place, names that hold control characters, reasons of failures, progress in a log file."""

import os
import re
import shlex
import signal
import subprocess
import time
import unittest

import tool
from tool import run

COMMANDS = ["train", "eval", "compress", "decompress", "denoise", "noise", "info", "synth",
            "sample", "interpolate"]


class Understands(tool.Case):
    def test_help_of_every_command_fits_80_columns(self):
        names = re.findall(r"^  (\w+) ", self.ok("--help").stdout, re.M)
        self.assertEqual(names, COMMANDS)
        self.assertEqual(run("help").stdout, run("--help").stdout)
        for name in names:
            text = self.ok("help", name).stdout
            self.assertEqual(text, self.ok(name, "--help").stdout)
            self.assertEqual([line for line in text.splitlines() if len(line) > 80], [], name)
            self.assertIn("-q, --quiet", text)
        self.assertLessEqual(max(map(len, run("--help").stdout.splitlines())), 80)
        self.fails("help", "trian", naming="did you mean train?", code=2)

    def test_version_in_short(self):
        self.assertEqual(self.ok("-V").stdout, self.ok("--version").stdout)

    def test_short_options(self):
        tool.make_images("d", 1, 8, 8)
        long = self.ok("synth", "--count", 2, "--size", 16, "--out", "long", "--seed", 7)
        self.assertEqual(long.stderr, "")
        for number, words in enumerate((["-n2", "-s7"], ["-n", "2", "-s", "7"], ["-n=2", "-s=7"],
                                        ["-qn2", "-s7"], ["-q", "-n2", "--seed=7"])):
            self.ok("synth", *words, f"-o{number}", "--size", 16)
            self.assertEqual(tool.read(f"{number}/face-000002.png"),
                             tool.read("long/face-000002.png"))
        for words, said in ((["-n"], "--count needs"), (["-nx", "-o", "o"], '"x"'),
                            (["-qx"], "-qx"), (["-out", "o"], "did you mean --out?"),
                            (["-count=2"], "did you mean --count?"), (["-q=2"], "-q takes no argument")):
            self.fails("synth", *words, naming=said, code=2)
        self.assertFalse(os.path.exists("ut"))

    def test_what_was_probably_meant(self):
        for words, meant in ((["trian"], "train"), (["compres"], "compress"), (["denoize"], "denoise"),
                             (["verison"], "--version"), (["train", "--epoch", "3"], "--epochs"),
                             (["train", "--modle", "x"], "--model"), (["train", "--quite"], "--quiet"),
                             (["train", "--learning-rate=1"], None), (["xyzzy"], None),
                             (["compress", "--qual=3"], "--quality"),
                             (["sample", "--n", "3"], "-n"), (["train", "--splitbyperson"],
                                                              "--split-by-person")):
            with self.subTest(words):
                said = self.fails(*words, naming="unknown", code=2).stderr
                self.assertEqual(re.findall(r"did you mean (\S+)\?", said), [meant] if meant else [])
        os.mkdir("d")
        self.fails("train", "--model", "cae-denoize", "--data", "d", "--steps", 1, "--out", "m",
                   naming="did you mean cae-denoise?")

    def test_files_in_the_wrong_place(self):
        self.model("m")
        self.ok("compress", "m", "data/000.png", "c")
        tool.write("j", b"\xff\xd8\xff\xe0\0\x10JFIF")
        tool.write("torch.pt", b"PK\3\4" + bytes(60))
        for words, said in (
                (["compress", "data/000.png", "m", "o"],
                 "data/000.png: this is a PNG image, not a model; the order is MODEL IN.png OUT.cae"),
                (["denoise", "j", "m", "o"], "j: this is a JPEG image, not a model; the order is"),
                (["decompress", "c", "m", "o"], "c: this is a compressed image, not a model"),
                (["decompress", "m", "data/000.png", "o"], "this is a PNG image, not a compressed"),
                (["compress", "m", "m", "o"], "m: this is a model, not a PNG"),
                (["denoise", "m", "c", "o"], "c: this is a compressed image, not a PNG"),
                (["eval", "data", "m"], "data: this is a folder, not a model; the order is MODEL DIR"),
                (["eval", "m.txt", "data"], "m.txt: this is an architecture text, not a model"),
                (["info", "j"], "this is a JPEG image"),
                (["info", "torch.pt"], "torch.save"),
                (["sample", "torch.pt", "--out", "o"], "torch.save"),
                (["train", "--model", "data/000.png", "--data", "data", "--steps", 1, "--out", "o"],
                 "this is a PNG image, not an architecture text"),
                (["train", "--model", "m", "--data", "data", "--steps", 1, "--out", "o"],
                 "this is a model")):
            with self.subTest(words):
                self.assertNotRegex(self.fails(*words, naming=said).stderr, r"header of \d{9}")
        self.assertNotIn("o", os.listdir("."))


class Says(tool.Case):
    def harmless(self, said):
        self.assertNotRegex(said, "[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]")

    def test_control_characters_of_names_are_escaped(self):
        self.model("m")
        os.mkdir("evil")
        # The third byte is a control character in 8 bits, and no UTF-8.
        name = os.fsencode("a\x1b]0;x\x07\n") + b"\x9b" + os.fsencode("\u202e\xe9b.png")
        tool.write(b"evil/" + name, b"junk")
        shown = r"a\x1b]0;x\x07\x0a\x9b\xe2\x80\xaeéb.png"
        for command in (["info", b"evil/" + name], ["compress", "m", b"evil/" + name, "o"],
                        ["compress", b"evil/" + name, "x", "o"],
                        ["train", "--model", "m.txt", "--data", "evil", "--steps", "1", "--out", "o"],
                        ["eval", "m", b"no-" + name], [b"no-" + name], ["train", b"--" + name],
                        ["train", "--model", name, "--data", "data", "--steps", "1", "--out", "o"],
                        ["train", "--model", "m.txt", "--data", "data", "--steps", "1", "--out",
                         b"no/" + name], ["synth", "-n1", "-o", b"no/" + name]):
            with self.subTest(command):
                done = subprocess.run([tool.TOOL, *command], capture_output=True, check=False,
                                      timeout=60)
                said = (done.stdout + done.stderr).decode()
                self.assertIn(shown, said)
                self.harmless(said.replace("\n", ""))
        tool.write(b"evil/" + name, tool.read("m"))
        done = subprocess.run([tool.TOOL, "info", b"evil/" + name], capture_output=True, check=True,
                              timeout=60)
        self.assertIn(shown, done.stdout.decode())

    def test_every_writer_says_why(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        self.model("m", text=tool.SAMPLED)
        tool.make_images("large", 2, 96, 96)
        why = "/dev/full: cannot write: No space left on device\n"
        self.model("n")
        self.ok("compress", "n", "data/000.png", "c")
        for command in (["noise", "--sigma", 1, "large/000.png", "/dev/full"],
                        ["noise", "--sigma", 1, "large/000.png", "/dev/full", "-fpnm"],
                        ["denoise", "n", "large/000.png", "/dev/full"],
                        ["decompress", "n", "c", "/dev/full"],
                        ["compress", "n", "large/000.png", "/dev/full"],
                        ["sample", "m", "-o", "/dev/full"],
                        ["interpolate", "n", "large/000.png", "large/001.png", "-o", "/dev/full"],
                        ["train", "--model", "m.txt", "--data", "data", "--steps", 1, "--out", "o",
                         "--log", "/dev/full"]):
            with self.subTest(command):
                said = self.fails(*command, naming="full").stderr
                self.assertEqual(said.splitlines(True)[-1], "cae: " + why)

    def test_the_log_has_each_row_at_once(self):
        self.model("m")
        with subprocess.Popen([tool.TOOL, "train", "--model", "m.txt", "--data", "data", "--steps",
                               "1000000000", "--out", "n", "--log", "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            self.assertEqual(process.stdout.readline(), b"epoch,step,loss,val_mse,seconds\n")
            self.assertEqual(process.stdout.readline()[:4], b"1,1,")
            # Whoever read the log may leave: the training goes on.
            process.stdout.close()
            time.sleep(0.1)
            self.assertIsNone(process.poll())
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(60), 1)
        self.assertIn("model", self.ok("info", "n").stdout)

    def resume_line(self, *command):
        """What an interrupted run prints last."""
        with subprocess.Popen([tool.TOOL, *command], stderr=subprocess.PIPE) as process:
            log = command[command.index("--log") + 1]
            while not os.path.exists(log) or tool.read(log).count(b"\n") < 3:
                time.sleep(0.005)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 1)
        line = said.decode().splitlines()[-1]
        self.harmless(line)
        return line

    def test_the_line_to_resume_with_works(self):
        """With names that a shell or the command itself would take for something else, and `--`."""
        self.model("m")
        many = "1000000000"
        for number, (out, more) in enumerate((("n", ["--"]), ("-dash", []), ("-dash2", ["--"]),
                                              ("a $(b) 'c'", ["--"]), ("tab\tnew\nline\x1b", []),
                                              ("~x", []), ("--", []))):
            with self.subTest(out):
                log = f"{number}.csv"
                line = self.resume_line("train", "--model", "m.txt", "--data", "data", "--log", log,
                                        "--steps", many, "--out", out, *more)
                line = line.strip().replace("cae ", shlex.quote(tool.TOOL) + " ", 1)
                rows = tool.read(log).count(b"\n")
                shell = "bash" if "$'" in line else "sh"
                done = subprocess.run([shell, "-c", line.replace(many, str(rows + 3))], check=False,
                                      capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, line + done.stderr)
                self.assertEqual(tool.read(log).count(b"\n"), rows + 4)

    def test_progress_where_there_is_no_terminal(self):
        """A line in ten seconds; the clock goes on while the process is stopped."""
        self.model("m")
        command = [tool.TOOL, "train", "--model", "m.txt", "--data", "data", "--noise", "5", "--steps",
                   "1000000000"]
        with open("said", "wb") as said, open("quiet", "wb") as quiet:
            processes = [subprocess.Popen([*command, "--out", "a"], stderr=said),
                         subprocess.Popen([*command, "--out", "b", "-q"], stderr=quiet)]
        time.sleep(0.5)
        for number, wait in ((signal.SIGSTOP, 10), (signal.SIGCONT, 0.5), (signal.SIGKILL, 0)):
            for process in processes:
                process.send_signal(number)
            time.sleep(wait)
        for process in processes:
            process.wait(60)
        said = tool.read("said").decode()
        self.assertRegex(said, r"\A(cae: note: .*\n)*"
                         r"cae: epoch \d+, step \d+ of 1000000000, loss 0\.\d+, .* left\n\Z")
        self.assertEqual(tool.read("quiet"), b"")


if __name__ == "__main__":
    unittest.main()
