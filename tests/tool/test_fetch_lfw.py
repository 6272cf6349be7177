# SPDX-License-Identifier: BSD-2-Clause
"""examples/fetch_lfw.sh with small archives in place of the real one: good ones, damaged ones, and such
as would write where they must not. Served from a local file and by a server that breaks off.

CAE_FETCH_LFW names the script. CAE_TEST_SHELL may name a shell other than sh.
"""

import hashlib
import http.server
import io
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import tarfile
import threading
import unittest

import tool

SCRIPT = os.environ["CAE_FETCH_LFW"]
SHELL = os.environ.get("CAE_TEST_SHELL", "sh")
PROGRAMS = ["sh", "sed", "tar", "gzip", "grep", "find", "wc", "mktemp", "chmod", "mv", "rm", "cat",
            "sha256sum", "dirname"]


def entry(name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def archive(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def faces(people=3):
    """Entries like those of lfw.tgz."""
    found = [entry("lfw", type=tarfile.DIRTYPE, mode=0o755)]
    for person in range(people):
        found.append(entry(f"lfw/P_{person}", type=tarfile.DIRTYPE, mode=0o755))
        if tool.READS_JPEG:
            data = tool.jpeg(25, 25, "sub", tool.face(person, 25, 25), 90)
        else:
            data = b"\xff\xd8\xff\xe0" + random.Random(person).randbytes(600)
        found.append(entry(f"lfw/P_{person}/P_{person}_0001.jpg", data))
    return found


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one body; breaks off after `most` bytes of each answer, and knows byte ranges."""
    body, most, ranges = b"", 1 << 30, []

    def do_GET(self):
        found = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(found.group(1)) if found else 0
        self.ranges.append(start)
        self.send_response(206 if found else 200)
        if found:
            self.send_header("Content-Range",
                             f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        self.send_header("Content-Length", str(len(self.body) - start))
        self.end_headers()
        self.wfile.write(self.body[start:start + self.most])
        self.close_connection = True

    def log_message(self, *arguments):
        pass


class FetchLfw(tool.Case):
    def script(self, *arguments, path=None, **options):
        environment = dict(os.environ, LC_ALL="C")
        if path is not None:
            environment["PATH"] = path
        return subprocess.run([shutil.which(SHELL), SCRIPT, *map(str, arguments)], text=True,
                              capture_output=True, timeout=100, env=environment, check=False,
                              **options)

    def fetch(self, data, *arguments, url=None, digest=None, **options):
        if url is None:
            tool.write("served.tgz", data)
            url = "file://" + os.path.abspath("served.tgz")
        digest = digest or hashlib.sha256(data).hexdigest()
        return self.script("--url", url, "--sha256", digest, *arguments, **options)

    def refused(self, done, words, left=("served.tgz",)):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(sorted(os.listdir(".")), sorted(left))

    def path_without(self, *missing):
        """A folder of links to the programs that the script needs, but for some."""
        os.mkdir("bin")
        for program in PROGRAMS + ["curl", "wget"]:
            found = shutil.which(program)
            if program not in missing and found:
                os.symlink(found, "bin/" + program)
        return os.path.abspath("bin")

    def serve(self, body, most=1 << 30):
        Server.body, Server.most, Server.ranges = body, most, []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/lfw.tgz"

    def check_faces(self, folder, people=3):
        self.assertEqual(sorted(os.listdir(folder)), [f"P_{n}" for n in range(people)])
        self.assertEqual(tool.read(f"{folder}/P_1/P_1_0001.jpg"), faces()[4][1])
        self.assertEqual(os.stat(folder).st_mode & 0o777, 0o755)

    def test_a_good_archive_becomes_a_folder(self):
        done = self.fetch(archive(*faces()))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_faces("lfw")
        self.assertIn("lfw: 3 images", done.stdout)
        self.assertEqual(sorted(os.listdir(".")), ["lfw", "served.tgz"])
        # What it says next is right.
        command = re.search(r"cae (train [^\n]*)\\\n *([^\n]*)", done.stdout)
        words = (command.group(1) + command.group(2)).split()
        if tool.READS_JPEG:
            for before, now in (("83,92,84x84", "2,3,20x20"), ("64x64", "16x16"), ("10", "1")):
                words[words.index(before)] = now
            tool.write("m.txt", tool.GREY.encode())
            words[words.index("cae-compress")] = "m.txt"
            self.ok(*words)

    def test_a_second_run_does_nothing(self):
        os.mkdir("lfw")
        done = self.fetch(b"never read")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("there already", done.stdout)
        self.assertEqual(os.listdir("lfw"), [])
        tool.write("file", b"")
        self.refused(self.fetch(b"", "file"), "is no folder", ("file", "lfw", "served.tgz"))

    def test_folders_of_any_name(self):
        os.mkdir("a b")
        for name in ("a b/faces", "-x", os.path.abspath("c"), "d/"):
            if name == "-x":
                done = self.fetch(archive(*faces()), "./-x")
            else:
                done = self.fetch(archive(*faces()), name)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.check_faces(name)

    def test_without_a_folder_of_its_own(self):
        flat = [entry(i.name[4:], d, type=i.type, mode=i.mode) for i, d in faces()[1:]]
        done = self.fetch(archive(*flat))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_faces("lfw")

    def test_wrong_usage(self):
        for words in (["--bogus"], ["a", "b"], ["--url"], ["--sha256"], [""]):
            done = self.script(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("usage:", done.stderr)
        self.assertEqual(os.listdir("."), [])
        done = self.script("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--sha256", done.stdout)
        self.assertNotIn("#", done.stdout)

    def test_a_wrong_checksum_is_refused(self):
        good = archive(*faces())
        self.refused(self.fetch(good, digest="0" * 64), "not the right one")
        self.refused(self.fetch(good[:-9], digest=hashlib.sha256(good).hexdigest()),
                     "not the right one")
        self.refused(self.fetch(b"", digest=hashlib.sha256(b"").hexdigest()), "")

    def test_a_damaged_archive_is_refused(self):
        good = archive(*faces())
        for bad in (good[:len(good) // 2], good[:-9], b"no archive", archive(entry("lfw/readme"))):
            done = self.fetch(bad)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertRegex(done.stderr, "damaged|no .jpg")
            self.assertEqual(sorted(os.listdir(".")), ["lfw.tgz.part", "served.tgz"])
            os.remove("lfw.tgz.part")

    def test_nothing_is_written_outside(self):
        link = tarfile.SYMTYPE
        outside = os.path.abspath("evil")
        for entries in ([entry("../evil", b"x")], [entry("lfw/../../evil", b"x")],
                        [entry(outside, b"x")], [entry("lfw/..", type=tarfile.DIRTYPE)],
                        [entry("lfw/l", type=link, linkname=".."), entry("lfw/l/evil", b"x")],
                        [entry("lfw/l", type=link, linkname=outside), entry("lfw/l", b"x")],
                        [entry("lfw/h.jpg", type=tarfile.LNKTYPE, linkname="served.tgz")],
                        [entry("lfw/p", type=tarfile.FIFOTYPE)],
                        [entry("lfw/d", type=tarfile.CHRTYPE, devmajor=1, devminor=3)]):
            for place in (0, 3, 7):
                whole = faces()
                whole[place:place] = entries
                with self.subTest(f"{entries[0][0].name} {entries[0][0].type} {place}"):
                    done = self.fetch(archive(*whole))
                    self.refused(done, "not unpacked", ("lfw.tgz.part", "served.tgz"))
                    self.assertIn(os.path.basename(entries[0][0].name), done.stderr)
                    os.remove("lfw.tgz.part")

    def test_modes_and_odd_names_do_no_harm(self):
        odd = [entry("lfw/P_0/a\nb_1.jpg", b"x"), entry("lfw/P_0/set.jpg", b"x", mode=0o6777),
               entry("lfw/P_0/-rf.jpg", b"x", mode=0), entry("lfw/P_0/..x.jpg", b"x")]
        done = self.fetch(archive(*faces(), *odd))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({os.stat("lfw/P_0/" + name).st_mode & 0o7777
                          for name in os.listdir("lfw/P_0")} - {0o755}, {0o644})

    def test_without_a_program_to_fetch(self):
        path = self.path_without("curl", "wget")
        self.refused(self.fetch(b"x", path=path), "curl or wget is needed", ("bin", "served.tgz"))

    def test_without_a_checksum(self):
        path = self.path_without("sha256sum")
        self.refused(self.fetch(b"x", path=path), "is needed to check", ("bin", "served.tgz"))

    def test_a_folder_that_cannot_be_written(self):
        self.refused(self.fetch(archive(*faces()), "nowhere/lfw"), "nowhere: no such folder")
        os.mkdir("lfw.tgz.part")
        self.refused(self.fetch(archive(*faces())), "cannot be written",
                     ("lfw.tgz.part", "served.tgz"))

    def test_a_full_disk(self):
        def limit():  # no file may grow beyond this; the signal that would kill is ignored
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

        done = self.fetch(archive(*faces()), preexec_fn=limit)
        self.assertEqual(done.returncode, 1)
        self.assertIn("download failed", done.stderr)
        self.assertFalse(os.path.exists("lfw"))
        # A file of the archive that is too large when the archive itself is not.
        large = archive(*faces(), entry("lfw/P_0/zero.jpg", bytes(1 << 20)))

        def more():
            limit_size = max(len(large), 8192)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_size, limit_size))

        os.remove("lfw.tgz.part")
        self.refused(self.fetch(large, preexec_fn=more), "cannot be unpacked",
                     ("lfw.tgz.part", "served.tgz"))

    def goes_on(self, missing):
        path = self.path_without(missing)
        if not shutil.which("curl" if missing == "wget" else "wget"):
            self.skipTest("one of curl and wget is not there")
        data = archive(*faces())
        url = self.serve(data, most=200)
        for _ in range(20):
            done = self.fetch(data, url=url, path=path)
            if done.returncode == 0:
                break
            self.assertIn("run this again", done.stderr)
            Server.most *= 4
        self.check_faces("lfw")
        self.assertIn(200, Server.ranges)  # not from the start

    def test_a_broken_download_goes_on_with_curl(self):
        self.goes_on("wget")

    def test_a_broken_download_goes_on_with_wget(self):
        self.goes_on("curl")

    def test_a_whole_download_is_not_fetched_again(self):
        data = archive(*faces())
        tool.write("lfw.tgz.part", data)
        done = self.fetch(data, url="file:///nowhere")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_faces("lfw")
        self.assertFalse(os.path.exists("lfw.tgz.part"))

    def test_an_address_that_is_not_there(self):
        self.refused(self.fetch(b"x", url="file:///nowhere/lfw.tgz"), "the download failed", ())


if __name__ == "__main__":
    if not shutil.which("curl"):
        print("SKIP: no curl, which reads file:// addresses")
        raise SystemExit(77)
    unittest.main()
