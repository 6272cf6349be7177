# SPDX-License-Identifier: BSD-2-Clause
"""`cae train`: a run that was interrupted or killed and then resumed ends like one that was not, byte
for byte; what is left out is named; the log says what happened."""

import csv
import os
import pty
import re
import signal
import subprocess
import time
import unittest

import tool


def rows(path, columns=4):
    """The log without its seconds."""
    with open(path, newline="", encoding="ascii") as file:
        return [row[:columns] for row in csv.reader(file)]


class Train(tool.Case):
    def setUp(self):
        super().setUp()
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 10, 21, 19)
        tool.make_images("val", 3, 16, 16)

    def command(self, out, *more):
        return ["train", "--model", "net.txt", "--data", "data", "--batch", "4", "--noise", "20",
                "--seed", "9", "--out", out, "--log", out + ".csv", "--val", "val", *map(str, more)]

    def stop(self, command, number, is_time):
        """Starts a run and sends a signal as soon as is_time() says so; its exit code and words."""
        with subprocess.Popen([tool.TOOL, *command], stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                if is_time():
                    process.send_signal(number)
                    break
                time.sleep(0.0005)
            said = process.communicate(timeout=60)[1]
        return process.returncode, said

    def interrupt(self, command, number, rows_wanted):
        """Stops a run once its log has about so many rows more."""
        log = command[command.index("--out") + 1] + ".csv"
        wanted = 20 * rows_wanted + (os.path.getsize(log) if os.path.exists(log) else 0)
        return self.stop(command, number,
                         lambda: os.path.exists(log) and os.path.getsize(log) > wanted)

    def kill_after_saves(self, command, saves):
        """Kills a run as soon as its model file was replaced so many times."""
        seen = set()

        def is_time():
            try:
                seen.add(os.stat("killed").st_mtime_ns)
            except FileNotFoundError:
                pass
            return len(seen) > saves

        return self.stop(command, signal.SIGKILL, is_time)

    def check_same(self, out):
        self.assertEqual(tool.read(out), tool.read("whole"))
        self.assertEqual(rows(out + ".csv"), rows("whole.csv"))

    def test_runs_in_parts_equal_a_whole_one(self):
        self.ok(*self.command("whole", "--epochs", 12))
        # 3 steps an epoch: 7 and 20 lie within one.
        self.ok(*self.command("parts", "--steps", 7))
        self.ok(*self.command("parts", "--steps", 20, "--resume", "--threads", 1))
        self.ok(*self.command("parts", "--epochs", 12, "--resume"))
        self.assertEqual(tool.read("parts"), tool.read("whole"))
        # The log too, but that each part ended with a measurement of its own.
        extra = [(a, b) for a, b in zip(rows("parts.csv"), rows("whole.csv")) if a != b]
        self.assertEqual([a[:3] for a, _ in extra], [b[:3] for _, b in extra])
        self.assertEqual({a[1] for a, _ in extra}, {"7", "20"})

    def test_a_killed_run_equals_a_whole_one(self):
        self.ok(*self.command("whole", "--epochs", 400, "--save-every", 7))
        command, kills = self.command("killed", "--epochs", 400, "--save-every", 7), 0
        code = None
        while code != 0 and kills < 40:
            resume = ["--resume"] if os.path.exists("killed") else []
            code, said = self.kill_after_saves(command + resume, 3 + kills % 5)
            self.assertIn(code, (0, -signal.SIGKILL), said)
            kills += code != 0
        self.assertGreater(kills, 0)
        self.check_same("killed")

    def test_an_interrupted_run_saves_and_says_how_to_resume(self):
        self.ok(*self.command("whole", "--epochs", 400))
        command, stops, resume = self.command("stopped", "--epochs", 400), 0, []
        while stops < 40:
            number = (signal.SIGINT, signal.SIGTERM)[stops % 2]
            code, said = self.interrupt(command + resume, number, 150)
            if code == 0:
                break
            self.assertEqual(code, 1, said)
            self.assertIn("stopped", said)
            words = said.splitlines()[-1].split()
            self.assertEqual(words, ["cae", *command, "--resume"])
            stops, resume = stops + 1, ["--resume"]
        self.assertGreater(stops, 0)
        self.check_same("stopped")

    def test_words_are_quoted_for_the_shell(self):
        os.mkdir("it's a folder")
        command = self.command("it's a folder/$m", "--steps", 1000000)
        code, said = self.interrupt(command, signal.SIGINT, 5)
        self.assertEqual(code, 1)
        line = said.splitlines()[-1].strip()
        printed = subprocess.run(["sh", "-c", line.replace("cae ", "printf '%s\\n' ", 1)],
                                 capture_output=True, text=True, check=True).stdout
        self.assertEqual(printed.splitlines(), [*command, "--resume"])

    def test_seeds_threads_and_reproducible(self):
        self.ok(*self.command("a", "--steps", 5, "--threads", 1))
        self.ok(*self.command("b", "--steps", 5, "--threads", 1))
        self.ok(*self.command("c", "--steps", 5, "--threads", 1, "--seed", 10))
        self.ok(*self.command("d", "--steps", 5, "--threads", 1, "--reproducible"))
        self.assertEqual(tool.read("a"), tool.read("b"))
        self.assertNotEqual(rows("a.csv"), rows("c.csv"))
        self.assertIn("reproducible   1", self.ok("info", "d").stdout)
        self.ok(*self.command("a", "--steps", 5, "--threads", 3))
        self.assertEqual(tool.read("a"), tool.read("b"))

    def test_the_log(self):
        self.ok(*self.command("a", "--epochs", 8))
        header, *body = rows("a.csv", 5)
        self.assertEqual(header, ["epoch", "step", "loss", "val_mse", "seconds"])
        self.assertEqual([row[1] for row in body], [str(n + 1) for n in range(24)])
        self.assertEqual([row[0] for row in body], [str(n // 3 + 1) for n in range(24)])
        # 3 images to measure, 10 to train on: every second epoch keeps to one for four.
        self.assertEqual([row[1] for row in body if row[3]], ["6", "12", "18", "24"])
        seconds = [float(row[4]) for row in body]
        self.assertEqual(seconds, sorted(seconds))
        score = self.ok("eval", "a", "val", "--noise", 20, "--seed", 9, "--json").stdout
        self.assertEqual(tool.json.loads(score)["mse"], float(body[-1][3]))

    def test_training_teaches(self):
        self.ok(*self.command("a", "--epochs", 60, "--noise", 0, "--lr", 0.01))
        losses = [float(row[2]) for row in rows("a.csv")[1:]]
        self.assertLess(sum(losses[-9:]), 0.5 * sum(losses[:9]))

    def test_small_images_are_left_out_and_named(self):
        tool.make_images("mixed", 4, 16, 16)
        tool.write("mixed/small.pgm", b"P5 16 15 255\n" + bytes(240))
        tool.write("mixed/no-image.txt", b"text")
        tool.write("mixed/.hidden.png", b"junk")
        done = self.ok("train", "--model", "net.txt", "--data", "mixed", "--epochs", 2, "--out", "m",
                       "--log", "m.csv", "--batch", 2)
        self.assertIn("mixed/small.pgm: 16 x 15 is smaller", done.stderr)
        self.assertEqual(len(rows("m.csv")), 1 + 4)
        os.mkdir("only")
        os.rename("mixed/small.pgm", "only/small.pgm")
        self.fails("train", "--model", "net.txt", "--data", "only", "--epochs", 2, "--out", "n",
                   naming="only")
        tool.write("only/zero.png", b"junk")
        self.fails("train", "--model", "net.txt", "--data", "only", "--epochs", 2, "--out", "n",
                   naming="only/zero.png")
        self.assertFalse(os.path.exists("n"))

    def test_limit_takes_the_first_names(self):
        for name in ("999.png", "Z.png", "a.png"):
            tool.write("data/" + name, b"junk")
        self.ok(*self.command("m", "--epochs", 1, "--limit", 10))
        self.assertEqual(len(rows("m.csv")), 1 + 3)
        done = self.ok(*self.command("m", "--epochs", 1, "--limit", 11)) # one of them is no image
        self.assertIn("cae: data/999.png: not a PNG", done.stderr)
        self.assertIn("data: 1 of 11 images are left out", done.stderr)

    def test_colour_becomes_grey_once_said(self):
        tool.make_images("rgb", 3, 16, 16, 3)
        done = self.ok("train", "--model", "net.txt", "--data", "rgb", "--steps", 1, "--out", "m")
        self.assertEqual(done.stderr.count("grey"), 1)
        tool.write("rgb.txt", tool.COLOUR.encode())
        done = self.ok("train", "--model", "rgb.txt", "--data", "val", "--steps", 1, "--out", "m")
        self.assertNotIn("grey", done.stderr)

    def test_resume_wants_its_own_file(self):
        self.fails(*self.command("none", "--steps", 1, "--resume"), naming="none")
        self.ok(*self.command("m", "--steps", 8))
        before = tool.read("m")
        self.fails(*self.command("m", "--steps", 20, "--resume", "--batch", 2), naming="--batch")
        tool.write("net.txt", tool.DENSE.encode())
        self.fails(*self.command("m", "--steps", 20, "--resume"), naming="m")
        tool.write("net.txt", tool.GREY.encode())
        tool.write("m.csv", b"something else\n")
        self.fails(*self.command("m", "--steps", 20, "--resume"), naming="m.csv")
        self.assertEqual(tool.read("m.csv"), b"something else\n")
        self.assertEqual(tool.read("m"), before)
        os.remove("m.csv")
        done = self.ok(*self.command("m", "--steps", 8, "--resume"))
        self.assertIn("nothing to do", done.stderr)
        self.ok(*self.command("m", "--steps", 9, "--resume"))
        self.assertEqual([row[1] for row in rows("m.csv")], ["step", "9"])

    def test_a_half_written_log_is_cut(self):
        self.ok(*self.command("whole", "--steps", 12))
        self.ok(*self.command("m", "--steps", 5))
        log = tool.read("m.csv").replace(tool.read("m.csv").splitlines()[-1] + b"\n", b"")
        tool.write("m.csv", log + b"2,5,0.25,,0.1\n2,6,0.5,,0.1\n3,7,0.")
        self.ok(*self.command("m", "--steps", 12, "--resume"))
        self.assertEqual([row[1] for row in rows("m.csv")][1:], [str(n) for n in range(1, 13)])
        self.assertEqual(rows("m.csv")[6:], rows("whole.csv")[6:])

    def test_models_of_other_channels_are_refused(self):
        tool.write("net.txt", tool.GREY.replace("input 1", "input 2").replace("tconv 1", "tconv 2")
                   .encode())
        self.fails(*self.command("m", "--steps", 1), naming="2 channels")
        tool.write("net.txt", b"input 1 16 16\nconv 4 kernal 3\ncode\n")
        said = self.fails(*self.command("m", "--steps", 1), naming="net.txt").stderr
        self.assertIn("line 2", said)
        tool.write("net.txt", tool.GREY.encode() + b"\0")
        self.fails(*self.command("m", "--steps", 1), naming="net.txt")

    def test_divergence_is_said(self):
        # Four linear layers: weights of a million each give squares beyond float.
        tool.write("net.txt", b"input 1 16 16\nconv 4 kernel 1\ncode\n" + 3 * b"conv 4 kernel 1\n" +
                   b"conv 1 kernel 1\n")
        said = self.fails(*self.command("m", "--steps", 500, "--lr", 1e6), naming="step").stderr
        self.assertIn("diverged", said)

    def test_progress_is_for_a_terminal_alone(self):
        self.assertNotIn("\r", self.ok(*self.command("m", "--steps", 3)).stderr)
        for quiet in ([], ["--quiet"]):
            ours, theirs = pty.openpty()
            subprocess.run([tool.TOOL, *self.command("m", "--steps", 3), *quiet], stderr=theirs,
                           check=True, timeout=60)
            os.close(theirs)
            said = b""
            try:
                while part := os.read(ours, 4096):
                    said += part
            except OSError:
                pass  # how Linux ends a terminal whose other side is closed
            os.close(ours)
            self.assertEqual(re.search(rb"\repoch 1, step 1 of 3, loss 0\.\d+", said) is None,
                             bool(quiet), said)

    def test_quiet_says_nothing_but_errors(self):
        self.assertEqual(self.ok(*self.command("m", "--steps", 1, "--quiet")).stderr, "")
        self.assertEqual(self.ok(*self.command("m", "--steps", 1, "--quiet")).stdout, "")
        self.fails(*self.command("m", "--steps", 1, "--quiet", "--model", "none"), naming="none")


if __name__ == "__main__":
    unittest.main()
