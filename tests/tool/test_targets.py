# SPDX-License-Identifier: BSD-2-Clause
"""Where results go: targets that a save would refuse are refused before the first step, links are
followed, standard streams and other descriptors are written and not replaced, no file is destroyed by
another name of it, and a result is kept in any case."""

import os
import resource
import shutil
import signal
import stat
import subprocess
import time
import unittest

import tool


class Targets(tool.Case):
    def setUp(self):
        super().setUp()
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 6, 16, 16)

    def train(self, out, *more):
        return ["train", "--model", "net.txt", "--data", "data", "--batch", "3", "--out", out,
                *map(str, more)]

    def refuses(self, out, words, **options):
        """Not one step is taken, nothing is made."""
        before = sorted(os.listdir("."))
        done = self.fails(*self.train(out, "--steps", 3, "--log", "steps.csv"), naming=words,
                          **options)
        self.assertEqual(sorted(os.listdir(".")), before)
        self.assertNotIn("will be replaced", done.stderr)

    def test_links_are_followed(self):
        self.ok(*self.train("m", "--steps", 1))
        os.symlink("m", "latest")
        os.makedirs("runs/7")
        os.symlink("runs/7", "run")
        os.symlink("run/new", "dangling")
        self.ok(*self.train("latest", "--steps", 4))
        self.ok(*self.train("dangling", "--steps", 4))
        self.ok(*self.train("dangling", "--steps", 5, "--resume"))
        self.assertEqual((os.readlink("latest"), os.readlink("dangling")), ("m", "run/new"))
        self.assertIn("step             4", self.ok("info", "m").stdout)
        self.assertIn("step             5", self.ok("info", "runs/7/new").stdout)
        # Other outputs too.
        os.symlink("runs/7/picture.png", "picture.png")
        os.symlink("runs/7/log.csv", "log.csv")
        self.ok("noise", "--sigma", 1, "data/000.png", "picture.png")
        self.ok(*self.train("m", "--steps", 2, "--log", "log.csv"))
        self.assertTrue(os.path.islink("picture.png") and os.path.islink("log.csv"))
        self.assertEqual(sorted(os.listdir("runs/7")), ["log.csv", "new", "picture.png"])

    def test_what_a_save_would_refuse_is_refused_before_the_first_step(self):
        os.mkdir("folder")
        os.symlink("folder", "to-folder")
        os.symlink("nowhere/m", "astray")
        os.symlink("round", "round")
        for out, words in (("folder", "directory"), ("to-folder", "directory"),
                           ("astray", "no such file"), ("astray", "leads to, nowhere/"), ("round", "too many"),
                           ("nowhere/m", "no such file"), ("n" * 256, "name too long"),
                           ("folder/" * 700 + "m", "name too long"),
                           ("net.txt/m", "not a folder"),
                           ("data/000.png", "a PNG image")):
            with self.subTest(out[:20]):
                self.refuses(out, words)
        self.ok(*self.train("n" * 255, "--steps", 1))
        self.fails("noise", "--sigma", 1, "data/000.png", "astray",
                   naming="astray: cannot write: it leads to nowhere/m: No such")
        self.fails(*self.train("m", "--steps", 1, "--log", "astray"),
                   naming="astray: cannot write: it leads to nowhere/m: No such")

    @unittest.skipUnless(os.geteuid() == 0, "only root can become two users")
    def test_files_of_others_in_a_sticky_folder(self):
        os.chmod(".", 0o755)
        os.mkdir("shared")
        os.chmod("shared", 0o1777)
        tool.write("shared/m", b"theirs")
        os.chmod("shared/m", 0o666)
        os.mkdir("locked", 0o755)

        def nobody():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

        os.chmod("net.txt", 0o644)
        for out, words in (("shared/m", "not permitted"), ("locked/m", "permission denied")):
            self.fails("train", "--model", "net.txt", "--data", "data", "--steps", 1, "--out", out,
                       naming=words, preexec_fn=nobody)
        self.assertEqual(tool.read("shared/m"), b"theirs")
        self.assertEqual(os.listdir("shared") + os.listdir("locked"), ["m"])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare"), "only root can mount")
    def test_a_file_that_is_a_mount_point(self):
        """As a container has it of which one file is mounted."""
        tool.write("m", b"")
        tool.write("elsewhere", b"")
        script = 'mount --bind elsewhere m || exit 77\n"$@"\n'
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", tool.TOOL,
             *self.train("m", "--steps", 1, "--log", "l.csv")],
            capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 77 or "unshare" in done.stderr:
            self.skipTest("mounts are not allowed here")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("mount point", done.stderr)
        self.assertFalse(os.path.exists("l.csv"))

    def test_no_room_is_found_before_the_first_step(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        self.refuses("m", "file too large", preexec_fn=limit)

    def wait_for_rows(self, log, number):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if os.path.exists(log) and tool.read(log).count(b"\n") > number:
                return
            time.sleep(0.002)
        self.fail("no rows")

    def run_and(self, command, change, number=signal.SIGINT):
        """Starts a run, changes something while it trains, interrupts it; its code and words."""
        with subprocess.Popen([tool.TOOL, *command], stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "TMPDIR": os.path.abspath("tmp")}) as process:
            self.wait_for_rows("l.csv", 5)
            change()
            process.send_signal(number)
            said = process.communicate(timeout=60)[1]
        return process.returncode, said

    def test_a_result_that_cannot_be_saved_is_kept_elsewhere(self):
        """Whatever happens to the target meanwhile; a folder in its place stops root too."""
        os.mkdir("tmp")
        tool.write("m.1", b"another's")

        def spoil():
            os.mkdir("m")

        code, said = self.run_and(self.train("m", "--steps", 10 ** 9, "--log", "l.csv"), spoil)
        self.assertEqual(code, 1)
        self.assertIn("m could not be written; the model is kept in m.2", said)
        self.assertEqual(tool.read("m.1"), b"another's")
        self.assertIn("model", self.ok("info", "m.2").stdout)
        os.remove("l.csv")

        def remove():
            shutil.rmtree("gone")

        os.mkdir("gone")
        code, said = self.run_and(self.train("gone/k", "--steps", 10 ** 9, "--log", "l.csv"),
                                  remove)
        self.assertEqual(code, 1)
        self.assertIn("kept in k.1", said)
        self.assertIn("model", self.ok("info", "k.1").stdout)

    def test_a_log_that_fails_loses_no_model(self):
        """The log outgrows a limit that the model does not reach."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

        done = self.fails(*self.train("m", "--steps", 300, "--log", "l.csv"), naming="l.csv",
                          preexec_fn=limit)
        self.assertEqual(done.stderr.count("File too large"), 1, done.stderr)
        self.assertIn("step             300", self.ok("info", "m").stdout)
        if not os.path.exists("/dev/full"):
            return
        self.fails(*self.train("/dev/full", "--steps", 2), naming="/dev/full: cannot write: No space")
        self.assertIn("step             2", self.ok("info", "model.safetensors.1").stdout)

    def test_a_save_on_the_way_that_fails_ends_nothing(self):
        def spoil_and_mend():
            os.mkdir("m")
            self.wait_for_rows("l.csv", tool.read("l.csv").count(b"\n") + 20)
            os.rmdir("m")

        command = self.train("m", "--steps", 10 ** 9, "--log", "l.csv", "--save-every", 10 ** 6)
        code, said = self.run_and(command, spoil_and_mend)
        self.assertEqual(code, 1)
        self.assertIn("interrupted: saved m", said)

    def test_no_output_is_another_file_of_the_command(self):
        self.ok(*self.train("m", "--steps", 1))
        self.ok("compress", "m", "data/000.png", "c.cae")
        os.symlink("net.txt", "link.txt")
        os.link("data/000.png", "hard.png")
        before = {name: tool.read(name) for name in ("net.txt", "m", "c.cae", "data/000.png")}
        base = ["--data", "data", "--steps", "1"]
        for command in (
                ["train", "--model", "net.txt", *base, "--out", "net.txt"],
                ["train", "--model", "net.txt", *base, "--out", "link.txt"],
                ["train", "--model", "net.txt", *base, "--out", "x", "--log", "x"],
                ["train", "--model", "net.txt", *base, "--out", "x", "--log", "./data/../x"],
                ["train", "--model", "net.txt", *base, "--out", "x", "--log", "net.txt"],
                ["train", "--model", "net.txt", *base, "--out", "m", "--log", "m"],
                ["train", "--model", "net.txt", *base, "--out", "-", "--log", "-"],
                ["train", "--model", "net.txt", *base, "--out", "-", "--log", "/dev/stdout"],
                ["compress", "m", "data/000.png", "m"],
                ["compress", "m", "data/000.png", "hard.png"],
                ["decompress", "m", "c.cae", "c.cae"],
                ["denoise", "m", "data/000.png", "./m"],
                ["sample", "m", "--out", "m"],
                ["interpolate", "m", "data/000.png", "data/001.png", "--out", "hard.png"]):
            with self.subTest(command):
                done = self.fails(*command, naming="same file", code=2)
                self.assertEqual(done.stdout, "")
        # A new file in the place of one that is neither.
        self.fails(*self.train("x", "--steps", 1, "--log", "data/001.png"), naming="not a log")
        self.fails(*self.train("data/001.png", "--steps", 1), naming="a PNG image")
        self.assertEqual({name: tool.read(name) for name in before}, before)
        # An image may be changed in place, /dev/null be everything.
        self.ok("noise", "--sigma", 3, "hard.png", "hard.png")
        self.ok(*self.train("/dev/null", "--steps", 1, "--log", "/dev/null"))


class Streams(tool.Case):
    def setUp(self):
        super().setUp()
        self.model("m")
        self.ok("compress", "m", "data/000.png", "c.cae")
        self.ok("decompress", "m", "c.cae", "d.png")

    def pipe(self, *command, data=b"", code=0, **options):
        """The bytes that a command makes of bytes."""
        done = subprocess.run([tool.TOOL, *map(str, command)], input=data, check=False, timeout=60,
                              stdout=options.pop("stdout", subprocess.PIPE),
                              stderr=subprocess.PIPE, **options)
        self.assertEqual(done.returncode, code, f"{command}: {done.stderr}")
        self.said = done.stderr.decode()
        return done.stdout

    def test_dash_is_standard_input_and_output(self):
        image, model = tool.read("data/000.png"), tool.read("m")
        small = self.pipe("compress", "m", "-", "-", data=image)
        self.assertEqual(small, tool.read("c.cae"))
        self.assertEqual(self.pipe("decompress", "m", "-", "-", data=small), tool.read("d.png"))
        self.assertEqual(self.pipe("compress", "-", "data/000.png", "-", data=model), small)
        self.assertIn(b"standard input: model", self.pipe("info", "-", data=model))
        self.assertIn(b"compressed image", self.pipe("info", "-", data=small))
        self.ok("denoise", "m", "data/000.png", "e.pgm")
        for more, reader in (([], tool.read_png), (["--format", "pgm"], tool.read_pnm),
                             (["-fpnm"], tool.read_pnm), (["--format=png"], tool.read_png)):
            with self.subTest(more):
                made = self.pipe("denoise", "m", "-", "-", *more, data=tool.read("data/000.png"))
                self.assertEqual(reader(made), tool.read_pnm(tool.read("e.pgm")))
        self.assertIn(b"psnr", self.pipe("eval", "-", "data", data=model))
        trained = self.pipe("train", "--model", "-", "--data", "data", "--steps", 3, "--out", "-",
                            data=tool.GREY.encode())
        self.assertEqual(trained, model)
        rows = self.pipe("train", "--model", "m.txt", "--data", "data", "--steps", 3, "--out", "n",
                         "--log", "-")
        self.assertEqual(rows.count(b"\n"), 4)
        self.assertNotIn("-", os.listdir("."))
        self.assertEqual(tool.read("n"), model)

    def test_wrong_uses_of_dash(self):
        self.pipe("compress", "-", "-", "x", data=tool.read("m"), code=1)
        self.assertIn("was read already", self.said)
        self.pipe("denoise", "m", "-", "-", data=b"junk", code=1)
        self.assertIn("standard input: not a PNG", self.said)
        self.fails("denoise", "m", "d.png", "x", "--format", "jpeg", naming="jpeg", code=2)
        self.fails("train", "--model", "m.txt", "--data", "data", "--steps", 1, "--out", "-",
                   "--resume", naming="a regular file, not standard output", code=2)
        self.fails("synth", "--count", 1, "--out", "-", naming="./- is the folder", code=2)
        self.assertEqual([name for name in os.listdir(".") if name in "x-"], [])

    def test_messages_say_standard_input_and_output(self):
        for words, data, said in (
                (["compress", "m", "-", "p.cae"], b"P6\n16 16\n255\n" + bytes(768), "input"),
                (["sample", "-", "--out", "g.png"], tool.read("m"), "input: not a variational"),
                (["interpolate", "m", "d.png", "-", "--out", "g.png"], b"P5\n8 8\n255\n" + bytes(64),
                 "input 8 x 8")):
            done = subprocess.run([tool.TOOL, *words], input=data, capture_output=True, check=False,
                                  timeout=60)
            self.assertIn("standard " + said, done.stderr.decode())
        self.fails("train", "--model", "m.txt", "--data", "data", "--steps", 1, "--out", "-",
                   "--log", "-", naming="same file, standard output", code=2)
        self.ok("synth", "--count", 1, "--out", "./-")

    def test_advice_where_files_are_in_the_wrong_place(self):
        self.fails("decompress", "m", "m", "x.png",
                   naming="a model, not a compressed image; the order is MODEL IN.cae OUT.png")
        self.fails("train", "--model", "m", "--data", "data", "--steps", 1, "--out", "x",
                   naming="a model, not an architecture text; --from")
        self.fails("train", "--model", "m.txt", "--data", "data", "--steps", 1, "--out", "x.st",
                   "--from", "data/000.png", naming="a PNG image")
        self.pipe("train", "--model", "-", "--data", "data", "--steps", 1, "--out", "x",
                  data=tool.read("m"), code=1)
        self.assertIn("standard input: this is a model, not an architecture text", self.said)
        for out in ("x.png", "x.ppm", "-"):
            self.fails("noise", "--sigma", 1, "d.png", out, "-fppm",
                       naming="--format ppm is for colour, and this picture is grey")
        self.fails("noise", "--sigma", 1, "d.png", "x.ppm", naming="name it .pgm or .png")

    def test_a_file_called_dash(self):
        self.ok("noise", "--sigma", 0, "d.png", "./-")
        self.assertEqual(tool.read_png(tool.read("-")), tool.read_png(tool.read("d.png")))
        self.ok("noise", "--sigma", 0, "./-", "copy.png")
        # It is none of standard input's business.
        self.pipe("train", "--model", "-", "--data", "data", "--steps", 1, "--out", "x",
                  data=tool.GREY.encode())

    def test_descriptors_are_written_and_not_replaced(self):
        """What stood there stays, for >> and behind what was written before."""
        small = tool.read("c.cae")
        names = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        os.symlink("/dev/stdout", "link")
        for name in names + ["link"]:
            if name[0] == "/" and not os.path.exists(name):
                continue
            with self.subTest(name):
                tool.write("out", b"before ")
                number = os.stat("out").st_ino
                with open("out", "ab") as out:
                    self.pipe("compress", "m", "data/000.png", name, stdout=out)
                self.assertEqual(tool.read("out"), b"before " + small)
                self.assertEqual(os.stat("out").st_ino, number)
                with open("out", "r+b") as out:  # without truncation, behind the first byte
                    out.seek(1)
                    self.pipe("compress", "m", "data/000.png", name, stdout=out)
                self.assertEqual(tool.read("out")[1:1 + len(small)], small)
        with open("log", "ab") as log:
            log.write(b"before\n")
            log.flush()
            self.pipe("train", "--model", "m.txt", "--data", "data", "--steps", 2, "--out",
                      "/dev/fd/1", "--log", "/dev/fd/2", stdout=log)
        self.assertEqual(tool.read("log")[:7], b"before\n")
        self.assertIn("epoch,step", self.said)
        self.pipe("noise", "--sigma", 1, "d.png", "/dev/fd/77", code=1)
        self.assertEqual(self.said, "cae: /dev/fd/77: cannot write: Bad file descriptor\n")

    def test_pipes_and_devices(self):
        os.mkfifo("pipe")
        with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE) as reader:
            self.ok("compress", "m", "data/000.png", "pipe")
            self.assertEqual(reader.communicate(timeout=60)[0], tool.read("c.cae"))
        self.assertTrue(stat.S_ISFIFO(os.stat("pipe").st_mode))
        with subprocess.Popen([tool.TOOL, "decompress", "m", "pipe", "e.png"]) as reader:
            with open("pipe", "wb") as pipe:
                pipe.write(tool.read("c.cae"))
            self.assertEqual(reader.wait(60), 0)
        self.assertEqual(tool.read("e.png"), tool.read("d.png"))
        self.ok("noise", "--sigma", 1, "d.png", "/dev/null")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        if shutil.which("bash"):
            done = subprocess.run(
                ["bash", "-c", '"$0" compress <(cat m) <(cat data/000.png) >(cat >p.cae; :>ended)',
                 tool.TOOL], check=True, timeout=60, stderr=subprocess.PIPE)
            self.assertEqual(done.stderr, b"")
            for _ in range(2000):
                if os.path.exists("ended"):
                    break
                time.sleep(0.005)
            self.assertEqual(tool.read("p.cae"), tool.read("c.cae"))

    def test_a_run_that_resumes_wants_a_regular_file(self):
        os.mkfifo("pipe")
        for out in ("-", "/dev/stdout", "pipe", "/dev/null"):
            for more in (["--resume"], ["--save-every", 1]):
                with self.subTest((out, more)):
                    self.fails("train", "--model", "m.txt", "--data", "nowhere", "--steps", 4,
                               "--out", out, *more, naming="want a regular file", code=2)

    def test_a_pipe_that_nobody_reads_yet_is_waited_for(self):
        os.mkfifo("pipe")
        train = ["train", "--model", "m.txt", "--data", "data", "--steps", "3", "--out"]
        for command, rest in ((["noise", "--sigma", "1", "d.png", "pipe", "-fpng"], b"\x89PNG"),
                              ([*train, "pipe"], tool.read("m")),
                              ([*train, "n", "--log", "pipe"], b"epoch,step")):
            for reads in (False, True):
                with self.subTest((command, reads)), subprocess.Popen(
                        [tool.TOOL, *command], stderr=subprocess.PIPE, text=True) as process:
                    said = process.stderr.readline()
                    while "learns to copy" in said:
                        said = process.stderr.readline()
                    self.assertEqual(said, "cae: note: pipe: waiting for a reader\n")
                    if reads:
                        self.assertTrue(tool.read("pipe").startswith(rest))
                        self.assertEqual(process.wait(60), 0)
                    else:
                        process.send_signal(signal.SIGINT)
                        self.assertEqual(process.wait(60), -signal.SIGINT)
        self.assertFalse(os.path.exists("model.safetensors.1"))

    def test_closed_descriptors_get_no_file(self):
        """A message or a picture must not end up in a file that got number 1 or 2."""
        train = ["train", "--model", "m.txt", "--data", "data", "--steps", "2", "--out", "n",
                 "--log", "l.csv"]
        self.ok(*train)
        log, model = tool.read("l.csv"), tool.read("n")
        for closed in ((0,), (1,), (2,), (0, 1, 2)):
            with self.subTest(closed):
                words = " ".join(f"{number}>&-" for number in closed)
                subprocess.run(["sh", "-c", f'exec "$@" {words}', "sh", tool.TOOL, *train],
                               check=True, timeout=60, capture_output=True)
                self.assertEqual(tool.read("n"), model)
                shape = [row.split(b",")[:3] for row in tool.read("l.csv").splitlines()]
                self.assertEqual(shape, [row.split(b",")[:3] for row in log.splitlines()])
        done = subprocess.run(["sh", "-c", 'exec "$0" info m >&-', tool.TOOL], check=False,
                              timeout=60, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", done.stderr)


if __name__ == "__main__":
    unittest.main()
