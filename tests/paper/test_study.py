# SPDX-License-Identifier: BSD-2-Clause
"""The program cae-paper from outside: small studies of drawn faces, stopped, killed and resumed, in
parts and in one go, and all that can be wrong with its input. CAE_PAPER and CAE_TOOL name the
programs.
"""

import base64
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest
from html.parser import HTMLParser
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tool"))

from tool import Case as ToolCase, make_images, read_png, run as run_tool  # noqa: E402

PAPER = os.environ["CAE_PAPER"]
NETWORKS = ("sae-compress", "cae-compress", "sae-denoise", "cae-denoise", "vae")
SMALL = ("--train", "12", "--test", "6", "--batch", "6", "--threads", "1")


def losses(path):
    """The columns of a curve that must not depend on the clock."""
    return [row.split(",")[:3] for row in Path(path).read_text(encoding="ascii").splitlines()]


class Page(HTMLParser):
    """Counts the elements of a page, and that they are closed in order."""

    EMPTY = ("meta", "img", "path", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.count, self.links, self.images = [], {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.links += [value for name, value in attrs if name in ("src", "href")]
        self.images += [dict(attrs)] if tag == "img" else []
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")


class Case(ToolCase):
    @classmethod
    def setUpClass(cls):
        cls.faces = os.path.abspath("drawn-faces")
        done = run_tool("synth", "--count", 24, "--seed", 5, "--out", cls.faces)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.faces)

    def paper(self, *arguments, code=0, naming="", **options):
        words = [PAPER, *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False,
                              **options)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout}{done.stderr}")
        if code != 0:
            self.assertRegex(done.stderr, r"\Acae-paper: ")
            self.assertIn(naming, done.stderr)
        return done

    def study(self, out, *arguments, data=None, **options):
        return self.paper("--data", data or self.faces, "--out", out, *SMALL, *arguments, **options)


class WholeStudy(Case):
    def test_five_epochs_leave_a_report(self):
        self.study("out", "--epochs", 5)
        results = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
        self.assertEqual(tuple(results["networks"]), NETWORKS)
        self.assertEqual(results["study"]["epochs"], 5)
        for name, network in results["networks"].items():
            self.assertEqual(len(losses(f"out/{name}.csv")), 6)
            self.assertEqual(network["epochs"], 5)
            for side in ("train", "unseen"):
                mse, psnr = network[side]["mse"], network[side]["psnr"]
                self.assertTrue(0 < mse < 0.25 and 5 < psnr < 40, f"{name} {side}")
            if name != "vae":
                last = float(losses(f"out/{name}.csv")[-1][2])
                self.assertAlmostEqual(network["unseen"]["mse"] / last, 1, delta=1e-5)
            self.assertEqual(run_tool("info", f"out/{name}.safetensors").returncode, 0)
        self.check_page(Path("out/report.html").read_text(encoding="utf-8"))
        left = [name for name in os.listdir("out") if "checkpoint" in name or name[0] == "."]
        self.assertEqual(left, [])

    def check_page(self, text):
        page = Page(text)
        self.assertEqual(page.open, [])
        self.assertNotRegex(text, r"\$[a-z]")
        self.assertEqual([link for link in page.links if not link.startswith("data:")], [])
        self.assertEqual(page.count["svg"] - text.count("aria-hidden"), 5)
        self.assertEqual(len(page.images), 19)
        for image in page.images:
            kind, data = image["src"].split(",", 1)
            self.assertEqual(kind, "data:image/png;base64")
            width, height, channels, pixels = read_png(base64.b64decode(data, validate=True))
            self.assertEqual((str(width), str(height), channels),
                             (image["width"], image["height"], 1))
            self.assertGreater(len(set(pixels)), 3, image["alt"])

    def test_the_noisy_input_is_as_noisy_as_asked_for(self):
        self.study("out", "--epochs", 1, "--only", "cae-denoise", "--sigma", 51)
        results = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
        for side in ("train", "unseen"):
            mse = results["filters"]["noisy"][side]["mse"]
            self.assertAlmostEqual(mse / 0.04, 1, delta=0.03)  # (51 / 255)^2
            self.assertLess(results["filters"]["blur"][side]["mse"], mse / 2)

    def test_two_folders_are_taken_as_they_are(self):
        os.mkdir("two")
        for kind, seed in (("train", 1), ("val", 2)):
            run_tool("synth", "--count", 13, "--seed", seed, "--out", f"two/{kind}")
        self.study("out", "--epochs", 1, "--only", "cae-compress", data="two")
        settings = Path("out/settings.txt").read_text(encoding="ascii")
        shutil.rmtree("two/val")
        run_tool("synth", "--count", 13, "--seed", 3, "--out", "two/val")
        self.study("other", "--epochs", 1, "--only", "cae-compress", data="two")
        changed = Path("other/settings.txt").read_text(encoding="ascii")
        different = [one.split(" faces")[0] for one, two in
                     zip(settings.splitlines(), changed.splitlines()) if one != two]
        self.assertEqual(different, ["unseen"])

    def test_people_in_both_folders_are_told(self):
        for kind, people in (("train", "abcdefghijklm"), ("val", "klmnopq")):
            make_images(f"both/{kind}", len(people), 64, 64)
            for number, person in enumerate(people):
                os.rename(f"both/{kind}/{number:03}.png", f"both/{kind}/{person}_0001.png")
        done = self.study("out", "--epochs", 1, "--only", "cae-compress", data="both")
        self.assertIn("3 of 7 faces are of people who are in both/train too", done.stderr)

    def test_one_folder_a_person(self):
        """As LFW comes: JPEGs of 250 x 250 in a folder for each person, some with many."""
        writer = os.environ.get("CAE_TEST_JPEG")
        for person in range(16):
            folder = Path(f"lfw/Person_{person:02}")
            folder.mkdir(parents=True)
            for number in range(1 + person % 3):
                seed = 7 * person + number
                grey = bytes((x * (seed + 2) // 5 + y * (9 - seed % 4) // 3) & 255
                             for y in range(250) for x in range(250))
                name = folder / f"Person_{person:02}_{number + 1:04}"
                if writer:
                    words = [writer, "250", "250", "grey", "90"]
                    jpeg = subprocess.run(words, input=grey, capture_output=True, check=True)
                    name.with_suffix(".jpg").write_bytes(jpeg.stdout)
                else:
                    name.with_suffix(".pgm").write_bytes(b"P5 250 250 255\n" + grey)
        self.study("out", "--epochs", 1, "--only", "cae-compress", "--crop", "83,92,84x84",
                   "--size", "64x64", data="lfw")
        faces = json.loads(Path("out/results.json").read_text(encoding="utf-8"))["faces"]
        self.assertEqual((len(faces["train"]), len(faces["unseen"])), (12, 6))
        people = [{name.split("/")[0] for name in faces[side]} for side in ("train", "unseen")]
        self.assertEqual(people[0] & people[1], set())
        self.study("other", "--epochs", 1, "--only", "cae-compress", "--crop", "83,92,84x84",
                   "--size", "64x64", "--seed", 2, data="lfw")
        other = json.loads(Path("other/results.json").read_text(encoding="utf-8"))["faces"]
        self.assertNotEqual(faces["train"], other["train"])

    def test_seeds_and_names_are_told_as_they_are(self):
        shutil.copytree(self.faces, "some")
        names = [b"some/a<b>&\"c\".png", b"some/\xe2\x82\xac.png", b"some/\xff\xe2.png",
                 b"some/\xed\xa0\x80.png"]
        for number, name in enumerate(names, 1):
            os.rename(f"some/face-{number:06}.png", name)
        seed = 2**64 - 1
        self.study("out", "--epochs", 1, "--only", "cae-compress", "--seed", seed, "--train", 20,
                   "--test", 4, "--reproducible", data="some")
        results = json.loads(Path("out/results.json").read_bytes().decode())
        self.assertEqual(results["study"]["seed"], seed)
        self.assertNotIn(results["networks"]["cae-compress"]["kernels"], ("fma", "avx512"))
        faces = {*results["faces"]["train"], *results["faces"]["unseen"]}
        for name in names:
            shown = name[5:].decode(errors="replace")
            self.assertIn(shown, faces)
        self.assertIn(f"from seed {seed}.", Path("out/report.html").read_text(encoding="utf-8"))

    def test_help(self):
        done = self.paper("--help")
        for word in ("--data", "--resume", "sae-compress", "vae"):
            self.assertIn(word, done.stdout)


class Resumed(Case):
    """However a run is stopped, it ends with the same bytes."""

    EPOCHS = 120

    def arguments(self, out):
        return ("--data", self.faces, "--out", out, *SMALL, "--epochs", self.EPOCHS, "--only",
                "cae-compress")

    def stop(self, out, number, *extra):
        """Starts a run, lets it do some epochs and sends it a signal."""
        words = [PAPER, *map(str, self.arguments(out)), *extra]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
            curve = Path(out, "cae-compress.csv")
            while not curve.exists() and process.poll() is None:
                time.sleep(0.005)
            time.sleep(0.3)
            process.send_signal(number)
            words = process.communicate(timeout=60)[1]
        return process.returncode, words

    def test_interrupted_killed_and_resumed(self):
        self.paper(*self.arguments("whole"))
        code, words = self.stop("parts", signal.SIGINT)
        self.assertEqual(code, 1, words)
        self.assertIn("interrupted after epoch", words)
        self.assertIn("--resume", words)
        checkpoint = Path("parts/cae-compress.checkpoint.safetensors")
        self.assertTrue(checkpoint.exists())
        code, words = self.stop("parts", signal.SIGKILL, "--resume")
        self.assertEqual(code, -signal.SIGKILL)
        # Rows that the checkpoint knows nothing of, and half a row.
        curve = Path("parts/cae-compress.csv")
        rows = len(losses(curve))
        with open(curve, "a", encoding="ascii") as file:
            file.write(f"{rows},0.5,,9.0,9.0\n{rows + 1},0.25,,9")
        self.paper(*self.arguments("parts"), "--resume")
        self.compare("whole", "parts", "cae-compress")
        self.assertFalse(checkpoint.exists())

    def test_killed_before_the_first_checkpoint(self):
        self.paper(*self.arguments("whole"))
        code, words = self.stop("parts", signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL, words)
        self.paper(*self.arguments("parts"), "--resume")
        self.compare("whole", "parts", "cae-compress")

    def test_a_full_disk_loses_nothing(self):
        self.paper(*self.arguments("whole"))

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

        self.paper(*self.arguments("parts"), code=1, naming="cae-compress.safetensors",
                   preexec_fn=limit)
        self.paper(*self.arguments("parts"), "--resume")
        self.compare("whole", "parts", "cae-compress")

    def test_killed_between_model_and_checkpoint(self):
        self.study("out", "--epochs", 1, "--only", "cae-compress")
        model = Path("out/cae-compress.safetensors").read_bytes()
        checkpoint = Path("out/cae-compress.checkpoint.safetensors")
        checkpoint.write_bytes(model)
        self.study("out", "--epochs", 1, "--only", "cae-compress", "--resume")
        self.assertFalse(checkpoint.exists())
        self.assertEqual(Path("out/cae-compress.safetensors").read_bytes(), model)

    def test_two_runs_do_not_train_the_same_network(self):
        self.study("out", "--epochs", 1, "--only", "cae-compress")
        with open("out/settings.txt", "r+b") as record:
            fcntl.lockf(record, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, NETWORKS.index("cae-denoise"))
            self.study("out", "--epochs", 1, "--only", "cae-denoise", code=1,
                       naming="another run is training cae-denoise")
            self.assertFalse(Path("out/cae-denoise.csv").exists())
            self.study("out", "--epochs", 1, "--only", "cae-compress", "--resume")
        self.study("out", "--epochs", 1, "--only", "cae-denoise")

    def test_parts_merge(self):
        both = "sae-compress,cae-compress"
        self.study("whole", "--epochs", 3, "--only", both)
        for name in both.split(","):
            self.study("parts", "--epochs", 3, "--only", name)
            self.compare("whole", "parts", name)
        first, second = (json.loads(Path(out, "results.json").read_text(encoding="utf-8"))
                         for out in ("whole", "parts"))
        for results in (first, second):
            del results["command"]
            for network in results["networks"].values():
                del network["seconds"], network["cpu_seconds"]
            results["verdicts"] = {claim: ruling for claim, ruling in results["verdicts"].items()
                                   if "time" not in claim}
        self.assertEqual(first, second)

    def test_threads_do_not_matter(self):
        for threads in (1, 3):
            self.study(f"t{threads}", "--epochs", 2, "--only", "cae-denoise", "--threads", threads)
        self.compare("t1", "t3", "cae-denoise")

    def compare(self, one, other, name):
        self.assertEqual(losses(f"{one}/{name}.csv"), losses(f"{other}/{name}.csv"))
        first, second = (Path(out, f"{name}.safetensors").read_bytes() for out in (one, other))
        self.assertTrue(first == second, f"{name}: the models differ")


class BadInput(Case):
    def refused(self, *arguments, naming, code=1, out="out", **options):
        """Must fail with a message before anything is trained."""
        self.paper(*arguments, code=code, naming=naming, **options)
        files = os.listdir(out) if os.path.isdir(out) else []
        self.assertEqual([name for name in files if name.endswith((".csv", ".safetensors"))], [])

    def test_command_line(self):
        base = ("--data", self.faces, "--out", "out")
        for extra, naming in (
            (("--epochs", "0"), "--epochs"),
            (("--epochs", "many"), "--epochs"),
            (("--train", "1"), "--train"),
            (("--sigma", "-3"), "--sigma"),
            (("--only", "cae"), '"cae" is none of'),
            (("--only", "vae,"), "--only"),
            (("--only", ""), "--only"),
            (("--crop", "1,2"), "--crop"),
            (("--size", "64"), "--size"),
            (("--bogus",), "--bogus"),
            (("word",), "word"),
        ):
            with self.subTest(extra):
                self.refused(*base, *extra, code=2, naming=naming)
        self.refused("--out", "out", code=2, naming="--data")
        self.refused("--data", self.faces, code=2, naming="--out")

    def test_too_few_faces(self):
        base = ("--data", self.faces, "--out", "out", "--epochs", "1")
        self.refused(*base, "--train", 20, "--test", 5, naming="24 usable faces")
        os.mkdir("two")
        for kind, count in (("train", 4), ("val", 3)):
            run_tool("synth", "--count", count, "--out", f"two/{kind}")
        base = ("--data", "two", "--out", "out", "--epochs", "1")
        self.refused(*base, "--train", 5, "--test", 3, naming="two/train: 4 usable faces")
        self.refused(*base, "--train", 4, "--test", 4, naming="two/val: 3 usable faces")

    def test_folders(self):
        base = ("--out", "out", *SMALL)
        self.refused("--data", "nowhere", *base, naming="nowhere")
        os.mkdir("empty")
        self.refused("--data", "empty", *base, naming="empty")
        Path("empty/notes.txt").write_text("no image", encoding="ascii")
        self.refused("--data", "empty", *base, naming="empty")
        self.refused("--data", "empty/notes.txt", *base, naming="notes.txt")

    def test_just_enough_faces(self):
        """No face more is set aside than --test asks for, where everyone has one face."""
        self.study("out", "--epochs", 1, "--only", "cae-compress", "--train", 20, "--test", 4)

    def test_other_sizes(self):
        make_images("small", 20, 16, 16)
        self.refused("--data", "small", "--out", "out", *SMALL, naming="16 x 16")
        self.study("out", "--epochs", 1, "--only", "cae-compress", "--size", "64x64", data="small")

    def test_unreadable_files_are_counted(self):
        shutil.copytree(self.faces, "some")
        for number in (1, 2):
            Path(f"some/broken-{number}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
        done = self.study("out", "--epochs", 1, "--only", "cae-compress", data="some")
        self.assertIn("broken-1.png", done.stderr)
        self.assertIn("2 of 26 images are left out", done.stderr)
        for path in sorted(Path("some").glob("face-*"))[:10]:
            path.write_bytes(b"nothing")
        self.refused("--data", "some", "--out", "more", *SMALL, naming="14 usable faces",
                     out="more")

    def test_out_cannot_be_written(self):
        Path("file").write_text("here", encoding="ascii")
        for out in ("file", "file/below", "/proc/nothing", "missing/below"):
            with self.subTest(out):
                self.refused("--data", self.faces, "--out", out, *SMALL, "--epochs", "1",
                             naming=out)
        os.makedirs("blocked/cae-compress.safetensors")
        self.study("blocked", "--epochs", 1, "--only", "cae-compress", code=1,
                   naming="cae-compress")

    def test_another_study_is_not_overwritten(self):
        self.study("out", "--epochs", 2, "--only", "cae-compress")
        before = Path("out/cae-compress.safetensors").read_bytes()
        for extra, naming in (
            (("--epochs", "2"), "--resume"),
            (("--epochs", "3", "--resume"), '"epochs 2", this run "epochs 3"'),
            (("--epochs", "2", "--seed", "2", "--resume"), "seed"),
            (("--epochs", "2", "--sigma", "3", "--resume"), "sigma"),
        ):
            with self.subTest(extra):
                self.study("out", "--only", "cae-compress", *extra, code=1, naming=naming)
        shutil.copytree(self.faces, "changed")
        shutil.copy("changed/face-000001.png", "changed/face-000002.png")
        shutil.copy("changed/face-000001.png", "changed/face-000003.png")
        shutil.copy("changed/face-000001.png", "changed/face-000004.png")
        self.study("out", "--only", "cae-compress", "--epochs", "2", "--resume", data="changed",
                   code=1, naming="faces")
        self.assertEqual(Path("out/cae-compress.safetensors").read_bytes(), before)

    def test_damaged_leftovers(self):
        self.study("out", "--epochs", 2, "--only", "cae-compress")
        curve = Path("out/cae-compress.csv")
        rows = curve.read_text(encoding="ascii").splitlines(keepends=True)
        for left in ("".join(rows[:2]), rows[0], None):
            curve.unlink()
            if left is not None:
                curve.write_text(left, encoding="ascii")
            self.study("out", "--epochs", 2, "--only", "cae-compress", "--resume", code=1,
                       naming="cae-compress.csv")
            curve.touch()
        model = Path("out/cae-compress.safetensors")
        model.rename("out/cae-compress.checkpoint.safetensors")
        Path("out/cae-compress.csv").write_text("something else\n", encoding="ascii")
        self.study("out", "--epochs", 2, "--only", "cae-compress", "--resume", code=1,
                   naming="cae-compress")
        self.study("other", "--epochs", 2, "--only", "cae-denoise")
        shutil.move("other/cae-denoise.safetensors", "out/cae-compress.checkpoint.safetensors")
        self.study("out", "--epochs", 2, "--only", "cae-compress", "--resume", code=1,
                   naming="not a checkpoint of cae-compress")


if __name__ == "__main__":
    unittest.main()
