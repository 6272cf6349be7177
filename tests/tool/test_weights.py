# SPDX-License-Identifier: BSD-2-Clause
"""`cae train --from`: weights of another program or another model, with and without training; the
ranges of the code are fitted to the images; `cae eval --quality` measures the files themselves."""

import json
import math
import os
import signal
import struct
import subprocess
import time
import unittest

import tool


def load(path):
    """{name: (dtype, shape, bytes)} of a safetensors file, and its metadata."""
    data = tool.read(path)
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    return {name: (t["dtype"], t["shape"], data[8 + size:][slice(*t["data_offsets"])])
            for name, t in header.items()}, metadata


def store(path, tensors, metadata=None):
    """A plain safetensors file, as other programs write them."""
    header, body = {} if metadata is None else {"__metadata__": metadata}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    tool.write(path, struct.pack("<Q", len(text)) + text + body)


def weights(path):
    return {name: t for name, t in load(path)[0].items() if not name.startswith(("train.", "codec."))}


def floats(tensor):
    return struct.unpack(f"<{len(tensor[2]) // 4}f", tensor[2])


def in_half(tensor):
    """Its values in F16, and what they are as F32."""
    half = struct.pack(f"<{len(tensor[2]) // 4}e", *floats(tensor))
    back = struct.pack(f"<{len(half) // 2}f", *struct.unpack(f"<{len(half) // 2}e", half))
    return ("F16", tensor[1], half), ("F32", tensor[1], back)


def ranges(path):
    tensors = load(path)[0]
    return list(zip(floats(tensors["codec.min"]), floats(tensors["codec.max"])))


class From(tool.Case):
    def test_weights_of_another_program(self):
        self.model("m", steps=30)
        halves = {name: in_half(tensor) for name, tensor in weights("m").items()}
        foreign = {"module._orig_mod." + name: half for name, (half, _) in halves.items()}
        foreign["module._orig_mod.9.num_batches_tracked"] = ("I64", [], struct.pack("<q", 5))
        store("foreign", foreign, {"format": "pt"})
        self.ok("train", "--model", "m.txt", "--from", "foreign", "--data", "data", "--steps", "0",
                "--out", "n")
        self.assertEqual(weights("n"), {name: exact for name, (_, exact) in halves.items()})
        picture = os.path.join("data", sorted(os.listdir("data"))[0])
        self.ok("compress", "n", picture, "p.cae")
        self.ok("decompress", "n", "p.cae", "p.png")
        # Without pictures there are no ranges, and the message of compressing says what to do.
        self.ok("train", "--model", "m.txt", "--from", "foreign", "--steps", "0", "--out", "bare")
        self.assertEqual(weights("bare"), weights("n"))
        done = self.fails("compress", "bare", picture, "q.cae", naming="cae_fit_code")
        self.assertIn("--steps 0 --data", done.stderr)
        self.assertIsNone(json.loads(self.ok("eval", "bare", "data", "--json").stdout)["bytes"])
        self.ok("train", "--from", "bare", "--steps", "0", "--data", "data", "--out", "again")
        self.ok("compress", "again", picture, "q.cae")
        self.assertEqual(tool.read("q.cae"), tool.read("p.cae"))
        # Its architecture is nowhere but in --model, and a model is what the others want.
        self.fails("train", "--from", "foreign", "--steps", "0", "--out", "x", naming="--model")
        self.fails("eval", "foreign", "data", naming="cae train --from")
        del foreign["module._orig_mod.0.bias"]
        store("foreign", foreign)
        done = self.fails("train", "--model", "m.txt", "--from", "foreign", "--steps", "0",
                          "--out", "x", naming="'0.bias' is missing")
        self.assertIn("module._orig_mod.0.weight", done.stderr)
        self.assertFalse(os.path.exists("x"))

    def test_training_goes_on_from_a_model(self):
        self.model("m", steps=20, noise=10)
        tool.write("plain.txt", tool.GREY.encode())
        store("plain", weights("m"))
        command = ["train", "--data", "data", "--noise", "10", "--seed", "3", "--batch", "2"]
        self.ok(*command, "--from", "m", "--steps", "4", "--out", "a")
        self.ok(*command, "--from", "plain", "--model", "plain.txt", "--steps", "4", "--out", "b")
        self.assertEqual(tool.read("a"), tool.read("b"))
        self.assertNotEqual(weights("a"), weights("m"))
        self.assertEqual(struct.unpack("<q", load("a")[0]["train.step"][2]), (4,))
        # In parts as in one; on resuming, weights and architecture are those of --out.
        self.ok(*command, "--from", "m", "--steps", "3", "--out", "c")
        self.fails(*command, "--from", "m", "--steps", "4", "--out", "c", "--resume", code=2,
                   naming="--from and --resume")
        self.ok(*command, "--steps", "4", "--out", "c", "--resume")
        self.assertEqual(tool.read("a"), tool.read("c"))
        self.ok("train", "--from", "m", "--steps", "0", "--out", "copy")
        self.assertEqual(load("copy")[1]["cae.noise"], load("m")[1]["cae.noise"])
        self.assertEqual(weights("copy"), weights("m"))
        self.assertEqual(ranges("copy"), ranges("m"))

    def test_weights_through_a_pipe(self):
        self.model("m", noise=10)
        store("plain", weights("m"), {"format": "pt"})
        os.mkdir("tmp")
        os.mkfifo("pipe")
        for source, model in (("m", []), ("plain", ["--model", "m.txt"])):
            words = ["train", *model, "--steps", "0", "--out"]
            self.ok(*words, "a", "--from", source)
            for name in ("-", "/dev/stdin", "pipe"):
                with self.subTest((source, name)), subprocess.Popen(
                        ["cat", source], stdout=subprocess.PIPE) as cat:
                    data = cat.stdout
                    if name == "pipe":
                        data = subprocess.DEVNULL
                        writer = subprocess.Popen(["sh", "-c", f"cat {source} >pipe"])
                        self.addCleanup(writer.wait, 60)
                    said = self.ok(*words, "b", "--from", name, stdin=data,
                                   env={**os.environ, "TMPDIR": "tmp"}).stderr
                    self.assertIn(name.replace("-", "standard input"), said)
                    self.assertEqual(tool.read("b"), tool.read("a"))
        with open("m", "rb") as file:
            self.ok("train", "--from", "-", "--steps", "0", "--out", "a", stdin=file)
        self.assertEqual(weights("a"), weights("m"))
        self.assertEqual(os.listdir("tmp"), [])
        done = self.fails("train", "--from", "-", "--steps", "0", "--out", "x", input="no model",
                          naming="standard input: not a model")
        self.assertNotIn("/fd/", done.stderr)
        self.fails("train", "--from", "-", "--steps", "0", "--out", "x", input="m", code=1,
                   env={**os.environ, "TMPDIR": "nowhere"}, naming="cannot be kept")

    def test_the_line_to_resume_with_has_no_from(self):
        self.model("m")
        words = ["train", "--data", "data", "--steps", str(10 ** 9), "--log", "l.csv"]
        for begin in (["--from", "m"], ["--from=m"], ["--model", "m.txt", "--from", "m"]):
            out = ["--out", f"--from{len(begin)}"]
            with self.subTest(begin), subprocess.Popen(
                    [tool.TOOL, *words, *begin, *out], stderr=subprocess.PIPE, text=True) as process:
                while not os.path.exists("l.csv") or tool.read("l.csv").count(b"\n") < 3:
                    time.sleep(0.005)
                process.send_signal(signal.SIGINT)
                line = process.communicate(timeout=60)[1].splitlines()[-1]
                rest = [word for word in begin if word not in ("--from", "m", "--from=m")]
                self.assertEqual(line.split(), ["cae", *words, *rest, *out, "--resume"])
                rows = str(tool.read("l.csv").count(b"\n") + 2)
                self.ok(*[rows if word == words[4] else word for word in line.split()[1:]])
                os.remove("l.csv")
        self.fails("train", "--data", "data", "--steps", 1, "--out", "none", "--resume",
                   naming="leave --resume out to start")

    def test_wrong_usage(self):
        self.model("m")
        for words, naming in (
                (["--from", "m", "--out", "x"], "--data"),
                (["--steps", "0", "--out", "x", "--model", "m.txt", "--data", "data"], "--from"),
                (["--steps", "1", "--out", "x", "--data", "data"], "--model"),
                (["--from", "m", "--steps", "0", "--resume", "--out", "x"], "--steps 0"),
                (["--from", "m", "--steps", "0", "--epochs", "1", "--out", "x", "--data", "data"],
                 "--steps")):
            self.fails("train", *words, naming=naming, code=2)
        self.fails("train", "--from", "nowhere", "--steps", "0", "--out", "x", naming="nowhere")
        tool.write("wide.txt", tool.GREY.replace("conv 4", "conv 5").encode())
        done = self.fails("train", "--model", "wide.txt", "--from", "m", "--steps", "0", "--out",
                          "x", naming="[4]")
        self.assertIn("[5]", done.stderr)


class Ranges(tool.Case):
    def setUp(self):
        super().setUp()
        tool.write("net.txt", tool.GREY.replace("maxpool 2", "maxpool 2\nconv 4 kernel 1").encode())
        self.ok("synth", "--count", "20", "--size", "16", "--out", "data")
        os.mkdir("pale")
        flat = bytes([0] + 16 * [128]) * 16
        tool.write("pale/1.png", tool.png(16, 16, 8, 0, [flat[1:17]] * 16))

    def train(self, data, out, *more):
        self.ok("train", "--model", "net.txt", "--data", data, "--batch", "10", "--lr", "0.01",
                "--out", out, *more)

    def score(self, model, *more):
        return json.loads(self.ok("eval", model, "data", "--json", *more).stdout)

    def test_one_pale_image_does_not_decide(self):
        """21 images in batches of 10: the last batch of an epoch is one image."""
        os.link("pale/1.png", "data/pale.png")
        for steps in (150, 151):
            self.train("data", "m", "--steps", steps)
            whole, coded = self.score("m"), self.score("m", "--quality", "100")
            self.assertLess(whole["psnr"] - coded["psnr"], 0.3, steps)
        self.ok("train", "--from", "m", "--steps", "0", "--data", "pale", "--out", "alone")
        self.assertGreater(whole["psnr"] - self.score("alone", "--quality", "100")["psnr"], 3)

    def test_ranges_are_fitted_at_every_save(self):
        self.train("data", "m", "--steps", 25)
        self.train("data", "n", "--epochs", 10, "--save-every", 1)
        self.ok("train", "--from", "m", "--steps", "0", "--data", "data", "--out", "fitted")
        self.assertEqual(ranges("m"), ranges("fitted"))
        self.ok("train", "--from", "m", "--steps", "0", "--data", "pale", "--out", "flat")
        self.assertNotEqual(ranges("m"), ranges("flat"))

    def test_eval_measures_the_files(self):
        self.train("data", "m", "--epochs", 30)
        before = None
        for quality in (1, 30, 80):
            score = self.score("m", "--quality", quality)
            total, size, names = 0.0, 0, sorted(os.listdir("data"))
            for name in names:
                self.ok("compress", "m", "data/" + name, "p.cae", "--quality", quality)
                self.ok("decompress", "m", "p.cae", "p.png")
                a, b = (tool.read_png(tool.read(path))[3] for path in ("data/" + name, "p.png"))
                square = sum((x - y) ** 2 for x, y in zip(a, b)) / len(a)
                total += 10 * math.log10(255 ** 2 / square)
                size += os.path.getsize("p.cae")
            self.assertAlmostEqual(score["psnr"], total / len(names), 9)
            self.assertEqual(score["bytes"], size / len(names))
            self.assertEqual(score["quality"], quality)
            self.assertTrue(before is None or score["bytes"] > before["bytes"])
            before = score
        # With noise the file is that of the noisy picture.
        noisy = self.score("m", "--quality", "80", "--noise", "60")
        self.assertLess(noisy["psnr"], before["psnr"])
        self.assertIsNotNone(noisy["input_psnr"])
        self.assertNotIn("quality", self.score("m"))
        for quality in ("0", "101", "x"):
            self.fails("eval", "m", "data", "--quality", quality, code=2, naming="--quality")
        self.model("skip", text=tool.SKIP)
        self.fails("eval", "skip", "data", "--quality", "50", naming="skip crosses")


if __name__ == "__main__":
    unittest.main()
