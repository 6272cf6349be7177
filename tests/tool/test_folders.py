# SPDX-License-Identifier: BSD-2-Clause
"""What a folder means: strays beside people's folders, what is no regular file, endings that are not
read, folders that lie deeper or cannot be listed, pictures of a size that the model cannot take."""

import json
import os
import resource
import shutil
import socket
import threading
import unittest

import tool


class Folders(tool.Case):
    def setUp(self):
        super().setUp()
        self.trained = self.model("m")
        tool.make_people("lfw", 3, 2, "png", 16, 16)

    def users(self, folder):
        """Every command that takes a folder, with this one."""
        train = ["train", "--model", "m.txt", "--steps", 1, "--out", "o"]
        return (["eval", self.trained, folder], [*train, "--data", folder],
                [*train, "--data", "data", "--val", folder],
                [*train, "--data", folder, "--split-by-person"])

    def count(self, folder="lfw"):
        done = self.ok("eval", self.trained, folder, "--json", timeout=30)
        return json.loads(done.stdout)["count"], done.stderr

    def test_strays_beside_peoples_folders_are_refused(self):
        def refused(naming, folder="lfw"):
            for command in self.users(folder):
                done = self.fails(*command, "--quiet", naming=f"{folder}: has ")
                self.assertIn(naming, done.stderr)
                self.assertIn("move the pictures elsewhere", done.stderr)
                self.assertFalse(os.path.exists("o"))

        shutil.copy("data/000.png", "lfw/stray.png")
        refused("1 picture of its own (stray.png) beside folders with pictures (P00/P00_0001.png)")
        shutil.copy("data/000.png", "lfw/Another.PNG")
        refused("2 pictures of its own (Another.PNG)")
        os.remove("lfw/Another.PNG")
        os.remove("lfw/stray.png")
        os.symlink("../data/000.png", "lfw/link.jpe")
        refused("(link.jpe)")
        os.remove("lfw/link.jpe")
        os.symlink("nowhere", "lfw/broken.ppm")
        refused("(broken.ppm)")
        os.remove("lfw/broken.ppm")
        # Deeper folders with pictures, and links to folders, are no less meant.
        os.makedirs("top/all")
        os.rename("lfw", "top/all/lfw")
        shutil.copy("data/000.png", "top/stray.png")
        refused("(top/all/lfw/P00)", "top")
        os.mkdir("linked")
        shutil.copy("data/000.png", "linked/stray.png")
        os.symlink("../top/all/lfw/P01", "linked/P01")
        refused("(P01/P01_0001.png)", "linked")

    def test_folders_without_pictures_beside_pictures_are_no_matter(self):
        os.makedirs("data/notes/more")
        tool.write("data/notes/a.txt", b"words")
        os.symlink(".", "data/self")
        self.assertEqual(self.count("data")[0], 4)

    @unittest.skipIf(os.getuid() == 0 and not hasattr(os, "setresuid"), "needs another user")
    def test_a_folder_that_cannot_be_listed_is_named_and_left_out(self):
        def as_other():  # root may list everything
            if os.getuid() == 0:
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)

        os.chmod(".", 0o777)
        os.chmod("m", 0o644)
        os.chmod("lfw/P01", 0)
        probe = tool.run("--version", preexec_fn=as_other)
        self.addCleanup(os.chmod, "lfw/P01", 0o700)
        self.assertEqual(probe.returncode, 0)
        done = self.ok("eval", self.trained, "lfw", "--json", preexec_fn=as_other)
        self.assertEqual(json.loads(done.stdout)["count"], 4)
        self.assertIn("cae: lfw/P01: Permission denied", done.stderr)
        self.assertIn("lfw: 1 of 3 folders are left out", done.stderr)
        shutil.copy("data/000.png", "lfw/stray.png")
        for name in ("P00", "P02"):
            shutil.rmtree("lfw/" + name)
        done = self.fails("eval", self.trained, "lfw", naming="lfw: has ", preexec_fn=as_other)
        self.assertIn("(P01: Permission denied)", done.stderr)

    def test_what_is_no_regular_file_is_named_and_left_out(self):
        os.mkfifo("lfw/p.png")
        os.mkfifo("lfw/P00/p.JPG")
        os.symlink("/dev/zero", "lfw/P01/zero.jfif")
        with socket.socket(socket.AF_UNIX) as ear:
            ear.bind("lfw/P02/s.ppm")
        os.mkdir("lfw/P02/x.png")
        for command in self.users("lfw"):
            done = self.ok(*command, "--quiet", timeout=30)
            for name, kind in (("p.png", "a pipe"), ("P00/p.JPG", "a pipe"),
                               ("P01/zero.jfif", "a device"), ("P02/s.ppm", "a socket")):
                self.assertIn(f"cae: lfw/{name}: is {kind}", done.stderr)
            self.assertNotIn("x.png", done.stderr)
        count, said = self.count()
        self.assertEqual(count, 6)
        self.assertIn("lfw: 4 of 10 images are left out", said)
        tool.write("lfw/P00/bad.png", b"")
        self.assertIn("lfw: 5 of 11 images are left out", self.count()[1])

    def test_a_folder_named_like_an_image_is_a_folder(self):
        os.rename("lfw/P00", "lfw/P00.png")
        self.assertEqual(self.count(), (6, self.count()[1]))
        self.assertNotIn("P00.png:", self.count()[1])
        self.fails("noise", "--sigma", 0, "lfw/P00.png", "o.png", naming="lfw/P00.png: is a folder")

    def test_devices_and_silent_pipes_are_no_input(self):
        os.mkfifo("pipe")
        self.fails("noise", "--sigma", 0, "pipe", "o.png", naming="pipe: is a pipe that nothing",
                   timeout=30)
        for command in (["noise", "--sigma", 0, "/dev/zero", "o.png"],
                        ["decompress", self.trained, "/dev/zero", "o.png"],
                        ["denoise", "/dev/zero", "data/000.png", "o.png"],
                        ["info", "/dev/zero"],
                        ["train", "--model", "/dev/zero", "--data", "data", "--steps", 1, "--out",
                         "o"]):
            self.fails(*command, naming="/dev/zero", timeout=30)
        for command in (["info", "pipe"], ["eval", "pipe", "data"], ["eval", self.trained, "pipe"]):
            self.fails(*command, naming="pipe", timeout=30)

    def test_pipes_that_are_written_to_are_read_to_their_limit(self):
        os.mkfifo("pipe")

        def feed(data):
            thread = threading.Thread(target=tool.write, args=("pipe", data))
            thread.start()
            self.addCleanup(thread.join)

        feed(tool.read("data/000.png"))
        self.ok("noise", "--sigma", 0, "pipe", "o.png", timeout=30)
        self.assertEqual(tool.read_png(tool.read("o.png")),
                         tool.read_png(tool.read("data/000.png")))
        feed(tool.GREY.encode())
        self.ok("train", "--model", "pipe", "--data", "data", "--steps", 3, "--out", "o")
        self.assertEqual(tool.read("o"), tool.read(self.trained))
        with open("/dev/zero", "rb") as zeros:
            endless = tool.subprocess.Popen(["cat"], stdin=zeros, stdout=tool.subprocess.PIPE)
            self.addCleanup(endless.wait)
            with endless.stdout as pipe:
                self.fails("noise", "--sigma", 0, "/dev/stdin", "o.png", naming="not a PNG",
                           stdin=pipe, timeout=30)

    def test_a_large_file_that_is_no_image_is_not_read_whole(self):
        with open("data/huge.png", "wb") as file:
            file.truncate(2 << 30)

        def limit():  # of memory, with what the program and its threads take
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

        if not os.environ.get("CAE_TEST_SANITIZED"):
            done = self.ok("eval", self.trained, "data", preexec_fn=limit)
            self.assertIn("data/huge.png: not a PNG", done.stderr)

    def test_endings_that_are_not_read_are_counted(self):
        for name in ("a.webp", "P00/b.WEBP", "P00/c.gif", "P01/d.TIFF", "e.heic", "P02/f.jxl",
                     "g.tar.gz", "README", "h.too long an ending", ".hidden.webp", "i."):
            tool.write("lfw/" + name, b"something")
        wanted = ("cae: note: lfw: left out for their endings: 2 .webp, 1 .gif, 1 .gz, 1 .heic, "
                  "1 .jxl, 1 .tiff, 3 others\n")
        count, said = self.count()
        self.assertEqual(count, 6)
        self.assertIn(wanted, said)
        self.assertNotIn("ending", self.ok("eval", self.trained, "lfw", "--quiet").stderr)
        os.mkdir("photos")
        for name in ("a.webp", "b.webp", "c.bmp"):
            tool.write("photos/" + name, b"something")
        for command in self.users("photos"):
            done = self.fails(*command, naming="photos: no .png, .jpg")
            self.assertIn("files with other endings: 2 .webp, 1 .bmp", done.stderr)
        for n in range(40):  # many endings are still one line
            tool.write(f"lfw/x.e{n}", b"")
        said = [line for line in self.count()[1].splitlines() if "endings" in line]
        self.assertRegex(said[0], r": 2 \.webp, 1 \.e0, .*, 41 others$")

    def test_jpe_and_jfif_are_jpegs(self):
        self.assertEqual(self.count()[0], 6)
        for name in ("a.jpe", "b.JFIF", "c.JPE"):
            data = (tool.jpeg(16, 16, "grey", bytes(256), 90) if tool.READS_JPEG
                    else b"\xff\xd8\xff\xe0")
            tool.write("lfw/P00/" + name, data)
        count, said = self.count()
        self.assertEqual(count, 9 if tool.READS_JPEG else 6)
        self.assertEqual("3 JPEG files are left out" in said, not tool.READS_JPEG)

    def test_pictures_that_lie_deeper_are_said(self):
        os.makedirs("lfw/P00/more/and/more")
        shutil.copy("data/000.png", "lfw/P00/more/a.png")
        shutil.copy("data/000.png", "lfw/P00/more/and/more/b.png")
        os.symlink("../..", "lfw/P00/more/back")
        os.symlink("..", "lfw/P01/up")
        os.symlink("loop", "lfw/P01/loop")
        count, said = self.count()
        self.assertEqual(count, 6)
        self.assertIn("lfw: 2 pictures are too deep to be read", said)
        self.assertIn("not lfw/P00/more", said)
        os.makedirs("top/all")
        os.rename("lfw", "top/all/lfw")
        for command in self.users("top"):
            self.fails(*command, naming="they are deeper, as in top/all/lfw/P0")

    def test_pictures_of_a_size_that_the_model_cannot_take_are_left_out(self):
        dense = self.model("dense", tool.DENSE)
        score = json.loads(self.ok("eval", dense, "data", "--json").stdout)
        shutil.copytree("data", "val")
        tool.write("val/000a.pgm", b"P5 8 9 255\n" + bytes(72))
        tool.write("val/zz.pgm", b"P5 17 16 255\n" + bytes(272))
        train = ["train", "--model", "dense.txt", "--data", "data", "--steps", 1, "--log"]
        for command in (["eval", dense, "val"], [*train, "l.csv", "--out", "o", "--val", "val"]):
            done = self.ok(*command, "--quiet")
            for name in ("000a", "zz"):
                self.assertIn(f"cae: val/{name}.pgm: ", done.stderr)
            self.assertIn("val: 2 of 6 images are left out for their size", self.ok(*command).stderr)
        self.assertEqual(json.loads(self.ok("eval", dense, "val", "--json").stdout), score)
        self.ok(*train, "n.csv", "--out", "o", "--val", "data")
        self.assertEqual([row.split(b",")[3] for row in tool.read("l.csv").splitlines()],
                         [row.split(b",")[3] for row in tool.read("n.csv").splitlines()])
        for name in os.listdir("data"):
            os.remove("val/" + name)
        for command in (["eval", dense, "val"], [*train, "l.csv", "--out", "o2", "--val", "val"]):
            self.fails(*command, naming="val: not one of 2 images has a size that the model takes")
        self.assertFalse(os.path.exists("o2"))


if __name__ == "__main__":
    unittest.main()
