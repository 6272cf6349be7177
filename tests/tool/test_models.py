# SPDX-License-Identifier: BSD-2-Clause
"""Models that come with the library: their names in the place of MODEL, how small files are written,
and examples/models: what is there, and that it can be made again. The weights themselves are trained
for hours; here a model of a few steps stands in for them, and where CAE_TEST_DATA has the photographs
in `photos`, the first steps of the real recipes run.
"""

import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import unittest

from tool import GREY, TOOL, Case, make_images, read, write

MODELS = pathlib.Path(os.environ["CAE_MODELS"])
PHOTOS = os.path.join(os.environ.get("CAE_TEST_DATA", "/nonexistent"), "photos")
NAMES = ("denoise", "denoise-rgb")


def header(path):
    data = read(path)
    size, = struct.unpack_from("<Q", data)
    return json.loads(data[8:8 + size])


class Names(Case):
    def setUp(self):
        super().setUp()
        os.makedirs("models")
        self.model("long.safetensors", steps=3)
        self.ok("train", "--from", "long.safetensors", "--steps", 0, "--half", "--note",
                "license=CC-BY-SA-4.0", "--note", "origin=a=b, \u00e4", "--out",
                "models/small.safetensors")
        os.environ["CAE_MODEL_PATH"] = os.path.abspath("models")
        self.addCleanup(os.environ.pop, "CAE_MODEL_PATH")

    def test_every_command_takes_a_name(self):
        image, file = "data/" + sorted(os.listdir("data"))[0], "models/small.safetensors"
        for words, out in ((["compress", "M", image], "out.cae"),
                           (["decompress", "M", "file.cae"], "out.png"),
                           (["denoise", "M", image], "out.png")):
            results = []
            for name in (file, "small"):
                self.ok(*[name if word == "M" else word for word in words], out)
                results.append(read(out))
            self.assertEqual(*results)
            if words[0] == "compress":
                os.rename("out.cae", "file.cae")
        self.assertEqual(self.ok("eval", "small", "data", "--json").stdout,
                         self.ok("eval", file, "data", "--json").stdout)
        by_name = json.loads(self.ok("info", "small", "--json").stdout)
        self.assertEqual(by_name, json.loads(self.ok("info", file, "--json").stdout))
        self.assertEqual(by_name["notes"]["license"], "CC-BY-SA-4.0")
        text = self.ok("info", "small").stdout
        self.assertIn("small: model", text)
        self.assertRegex(text, r"license +CC-BY-SA-4\.0\n")
        self.ok("train", "--from", "small", "--steps", 0, "--out", "a.safetensors")
        self.ok("train", "--from", file, "--steps", 0, "--out", "b.safetensors")
        self.assertEqual(read("a.safetensors"), read("b.safetensors"))
        write("net.txt", GREY.encode())
        self.ok("train", "--model", "net.txt", "--from", "small", "--data", "data", "--steps", 2,
                "--out", "c.safetensors")
        self.assertEqual(self.notes("c.safetensors").get("license"), None)

    def notes(self, path):
        return json.loads(self.ok("info", path, "--json").stdout)["notes"]

    def test_a_file_of_that_name_wins(self):
        write("small", b"not a model")
        self.fails("info", "small", naming="neither a model")
        self.fails("eval", "small", "data", naming="small")
        os.remove("small")
        os.symlink("nowhere", "small")  # a name that is taken is no shipped model's
        self.fails("eval", "small", "data", naming="no such file")
        os.remove("small")
        self.ok("eval", "small", "data")
        self.fails("eval", "./small", "data", naming="./small")

    def test_what_is_missing_is_said(self):
        for words in (["info", "nothing"], ["eval", "nothing", "data"],
                      ["denoise", "nothing", "data", "out.png"],
                      ["train", "--from", "nothing", "--steps", 0, "--out", "new.safetensors"]):
            done = self.fails(*words, naming="nothing: no such file, and no model 'nothing'")
            self.assertIn(os.environ["CAE_MODEL_PATH"], done.stderr)
        self.fails("eval", "unet-denoise", "data", naming="preset")
        for name in ("nothing.safetensors", "a/b", "a_b"):
            self.assertNotIn("no model '", self.fails("info", name, naming=name).stderr)
        write("models/small.safetensors", read("models/small.safetensors")[:-1])
        self.fails("info", "small", naming="models/small.safetensors")


class Small(Case):
    def test_half(self):
        self.model("m.safetensors", steps=3)
        self.ok("train", "--from", "m.safetensors", "--steps", 0, "--half", "--out", "h.safetensors")
        tensors = {name: entry["dtype"] for name, entry in header("h.safetensors").items()
                   if name != "__metadata__"}
        self.assertEqual({dtype for name, dtype in tensors.items() if name[0].isdigit()}, {"F16"})
        self.assertEqual({name for name, dtype in tensors.items() if dtype != "F16"},
                         {"codec.max", "codec.min"})
        self.assertLess(os.path.getsize("h.safetensors"), os.path.getsize("m.safetensors") / 3)
        self.ok("eval", "h.safetensors", "data")
        self.fails("train", "--resume", "--data", "data", "--steps", 9, "--half", "--out",
                   "m.safetensors", naming="--half", code=2)
        self.fails("train", "--from", "m.safetensors", "--data", "data", "--steps", 9, "--half",
                   "--out", "n.safetensors", naming="--half", code=2)
        # Through a pipe, as a stream.
        with open("piped", "wb") as out:
            subprocess.run([TOOL, "train", "--from", "m.safetensors", "--steps", "0", "--half",
                            "--out", "-"], stdout=out, stderr=subprocess.DEVNULL, check=True)
        self.assertEqual(read("piped"), read("h.safetensors"))

    def test_notes(self):
        self.model("m.safetensors", steps=2, note="a=1")
        notes = json.loads(self.ok("info", "m.safetensors", "--json").stdout)["notes"]
        self.assertEqual(notes["a"], "1")
        self.ok("train", "--resume", "--data", "data", "--steps", 4, "--note", "b=", "--note",
                "a=2=3", "--out", "m.safetensors")
        notes = json.loads(self.ok("info", "m.safetensors", "--json").stdout)["notes"]
        self.assertEqual((notes["a"], notes["b"]), ("2=3", ""))
        for text, code, naming in (("x", 2, "KEY=VALUE"), ("=x", 1, "note's key"),
                                   ("a b=x", 1, "note's key"), ("libcae.a=x", 1, "libcae."),
                                   ("cae.seed=7", 2, "cae."), ("a=" + 4097 * "x", 1, "4097")):
            self.fails("train", "--resume", "--data", "data", "--steps", 5, "--note", text, "--out",
                       "m.safetensors", naming=naming, code=code)
        many = [word for i in range(33) for word in ("--note", f"n{i}=x")]
        self.fails("train", "--from", "m.safetensors", "--steps", 0, *many, "--out",
                   "n.safetensors", naming="32", code=2)

    def test_stop_after(self):
        """Two runs with a stop between them are one: with a schedule, which counts all steps."""
        write("net.txt", GREY.encode())
        make_images("data", 5, 16, 16, 1)
        line = ["train", "--model", "net.txt", "--data", "data", "--batch", 2, "--schedule", "cosine",
                "--warmup", 0.5, "--steps", 20, "--noise", "5-75", "--symmetries", "--out"]
        self.ok(*line, "whole.safetensors")
        done = self.ok(*line, "parts.safetensors", "--stop-after", 7)
        self.assertIn("stopped after step 7 of 20", done.stderr)
        self.assertEqual(json.loads(self.ok("info", "parts.safetensors", "--json").stdout)["step"], 7)
        self.assertIn("nothing to do", self.ok(*line, "parts.safetensors", "--resume",
                                               "--stop-after", 5).stderr)
        self.ok(*line, "parts.safetensors", "--resume", "--stop-after", 8)
        self.ok(*line, "parts.safetensors", "--resume", "--stop-after", 100)
        self.assertEqual(read("parts.safetensors"), read("whole.safetensors"))
        self.fails(*line, "x.safetensors", "--stop-after", 0, naming="--stop-after", code=2)
        self.fails("train", "--from", "whole.safetensors", "--steps", 0, "--stop-after", 1, "--out",
                   "x.safetensors", naming="--stop-after", code=2)


class Rebuilding(Case):
    def rebuild(self, *arguments, code=0, naming=""):
        done = subprocess.run([sys.executable, "-B", MODELS / "rebuild.py", *map(str, arguments)],
                              capture_output=True, text=True, check=False, timeout=280,
                              env={**os.environ, "CAE_TOOL": TOOL})
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertIn(naming, done.stdout + done.stderr)
        return done

    def recipe(self, more=""):
        write("net.txt", GREY.encode())
        if not os.path.exists("data"):
            make_images("data", 4, 16, 16, 1)
        lines = [f"{hashlib.sha256(read('data/' + name)).hexdigest()}  {name}\n"
                 for name in sorted(os.listdir("data"))]
        write("list.txt", ("# a comment\n" + "".join(lines)).encode())
        net = os.path.abspath("net.txt")
        write("m.recipe", ("# a comment\nimages list.txt\n"
                           f"train --model {net} --batch 2 --steps 12 --noise 10 --reproducible "
                           f"--schedule linear{more}\nnote license=CC0-1.0\nnote origin=x=y z\n"
                           ).encode())

    def test_first_steps(self):
        self.recipe()
        self.rebuild("m.recipe", "data", "--first", code=1, naming="no line 'first'")
        self.rebuild("m.recipe", "data", "--first", "--record", 5)
        self.assertRegex(read("m.recipe").decode(), r"\nfirst 5 [0-9a-f]{64}\n\Z")
        self.rebuild("m.recipe", "data", "--first", naming="as recorded")
        good = read("m.recipe")
        for old, new, naming in ((b"--noise 10", b"--noise 10.001", "recorded is"),
                                 (b"--steps 12", b"--steps 13", "recorded is"),
                                 (b"first 5", b"first 4", "recorded is"),
                                 (b"--batch 2", b"--batch 0", "the command failed"),
                                 (b"note origin", b"origin", "line 5"),
                                 (b"images list.txt", b"images none.txt", "none.txt"),
                                 (b"images list.txt", b"", "images")):
            self.assertIn(old, good)
            write("m.recipe", good.replace(old, new))
            self.rebuild("m.recipe", "data", "--first", code=1, naming=naming)
        self.rebuild("nothing", "data", "--first", code=1, naming="nothing.recipe")

    def test_other_images_are_refused(self):
        self.recipe()
        name = sorted(os.listdir("data"))[1]
        data = read("data/" + name)
        write("data/one-more.PNG", data)
        self.rebuild("m.recipe", "data", "--first", "--record", 3, code=1, naming="one-more.PNG")
        os.remove("data/one-more.PNG")
        write("data/" + name, data + b"\0")
        self.rebuild("m.recipe", "data", "--first", "--record", 3, code=1, naming=name)
        os.remove("data/" + name)
        self.rebuild("m.recipe", "data", "--first", "--record", 3, code=1,
                     naming=name + " is missing")
        self.assertNotIn(b"first", read("m.recipe"))

    def test_the_whole_file(self):
        self.recipe()
        self.rebuild("m.recipe", "data", code=1, naming="recorded is nothing")
        self.rebuild("m.recipe", "data", "--record", naming="file ")
        data = read("rebuilt/m.safetensors")
        self.assertIn(hashlib.sha256(data).hexdigest().encode(), read("m.recipe"))
        self.rebuild("m.recipe", "data", "--out", "again", naming="as recorded")
        self.assertEqual(read("again/m.safetensors"), data)
        # A run that was stopped goes on.
        self.ok("train", "--model", "net.txt", "--batch", 2, "--steps", 12, "--noise", 10,
                "--reproducible", "--schedule", "linear", "--data", "data", "--stop-after", 5, "--out",
                "m-training.safetensors")
        self.rebuild("m.recipe", "data", "--out", ".", naming="--resume")
        self.assertEqual(read("m.safetensors"), data)
        notes = header("m.safetensors")["__metadata__"]
        self.assertEqual((notes["license"], notes["origin"]), ("CC0-1.0", "x=y z"))
        self.assertTrue(notes["recipe"].startswith("cae train --model "))


class Shipped(Rebuilding):
    """The folder examples/models as it is."""

    def test_each_model_has_what_it_needs(self):
        there = {path.stem for path in MODELS.glob("*.safetensors")}
        recipes = {path.stem for path in MODELS.glob("*.recipe")}
        self.assertLessEqual(there, recipes)
        self.assertEqual(recipes, set(NAMES))
        readme = read(MODELS / "README.md").decode()
        for name in recipes:
            self.assertIn(f"`{name}`", readme)
            text = read(MODELS / f"{name}.recipe").decode()
            self.assertRegex(text, r"\nfirst [0-9]+ [0-9a-f]{64}\n")
            self.assertIn("--reproducible", text)
            self.assertIn("\nnote license=CC-BY-SA-4.0\n", text)
        for name in there:
            path, text = MODELS / f"{name}.safetensors", read(MODELS / f"{name}.recipe").decode()
            self.assertIn(f"\nfile {hashlib.sha256(read(path)).hexdigest()}\n", text)
            notes = header(path)["__metadata__"]
            command = re.search(r"\ntrain (.*)\n", text)[1]
            self.assertEqual(notes["recipe"], "cae train " + command)
            self.assertEqual(notes["license"], "CC-BY-SA-4.0")
            model = json.loads(self.ok("info", path, "--json").stdout)
            self.assertIn(f"--model {model['preset']} ", command)
            make_images("clean", 1, 40, 33, model["input"][0])
            self.ok("denoise", path, "clean/" + os.listdir("clean")[0], "out.png")

    def test_the_list_of_photographs(self):
        lines = [line for line in read(MODELS / "photos.txt").decode().splitlines()
                 if not line.startswith("#")]
        self.assertEqual(len(lines), 178)
        self.assertTrue(all(re.fullmatch(r"[0-9a-f]{64}  [\w-]+\.png", line) for line in lines))
        self.assertEqual(len({line[:64] for line in lines}), 178)

    @unittest.skipUnless(os.path.isdir(PHOTOS), "CAE_TEST_DATA has no photographs in `photos`")
    @unittest.skipIf("CAE_TEST_SANITIZED" in os.environ, "it takes minutes with a sanitizer")
    def test_the_first_steps_of_the_recipes(self):
        for name in NAMES:
            with self.subTest(name):
                self.rebuild(name, PHOTOS, "--first", naming="as recorded")


if __name__ == "__main__":
    unittest.main()
