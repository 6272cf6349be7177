# SPDX-License-Identifier: BSD-2-Clause
"""cae-train-mpi on two hosts, which are network namespaces (two_hosts.sh)."""

import os
import re
import signal
import subprocess
import sys
import time
import unittest

import jobs
import tool

ENVIRONMENT = {**jobs.ENVIRONMENT, "MPIRUN": " ".join(jobs.OPTIONS)}


def hosts(ranks, rate, *words):
    """The words for a job with so many ranks on each host."""
    return ["sh", str(jobs.TWO_HOSTS), str(ranks), rate, *map(str, words)]


def run(ranks, rate, *words):
    return subprocess.run(hosts(ranks, rate, *words), capture_output=True, text=True, timeout=60,
                          check=False, env=ENVIRONMENT)


def namespaces():
    return subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout


class Hosts(jobs.Case):
    def setUp(self):
        super().setUp()
        before = namespaces()
        self.addCleanup(lambda: self.assertEqual(namespaces(), before, "namespaces are left"))
        tool.write("net.txt", tool.GREY.encode())
        tool.make_images("data", 10, 21, 19)

    def arguments(self, out, *more):
        return ["--model", "net.txt", "--data", "data", "--batch", 6, "--noise", 20, "--threads", 1,
                "--out", out, "--log", out + ".csv", *more]

    def test_hosts_are_two(self):
        done = run(1, "full", "hostname")
        self.assertEqual(sorted(done.stdout.split()), ["cae-a", "cae-b"])

    def test_two_hosts_give_what_one_gives(self):
        self.ok("synth", "--count", 60, "--out", "faces")
        for preset in ("cae-compress", "cae-denoise"):
            words = ["--model", preset, "--data", "faces", "--batch", 22, "--steps", 50,
                     "--threads", 1]
            self.trains(1, *words, "--out", "one", "--log", "one.csv")
            done = run(1, "1gbit", jobs.PROGRAM, *words, "--out", "two", "--log", "two.csv")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(jobs.rows("one.csv"), jobs.rows("two.csv"))
            self.assertEqual(tool.read("one"), tool.read("two"))
            # Both send half of 4 bytes a parameter, twice; frames and the start add some.
            sent = int(re.search(r"(\d+) bytes went through", done.stderr).group(1))
            wanted = 50 * 2 * 4 * 109217
            self.assertGreater(sent, wanted)
            self.assertLess(sent, 1.2 * wanted + 5e6)

    def test_two_ranks_on_each(self):
        self.trains(1, *self.arguments("one", "--epochs", 20))
        done = run(2, "full", jobs.PROGRAM, *self.arguments("two", "--epochs", 20))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(tool.read("one"), tool.read("two"))

    def test_an_error_names_the_host(self):
        tool.write("data/001.png", b"junk")
        done = run(1, "full", jobs.PROGRAM, *self.arguments("m", "--epochs", 1, "--parts", 2))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cae-train-mpi: rank 1 on cae-b: data/001.png: not a PNG", done.stderr)

    def test_a_rank_killed_on_the_other_host(self):
        words = self.arguments("m", "--epochs", 100000, "--save-every", 5)
        with subprocess.Popen(hosts(1, "full", jobs.PROGRAM, *words), stderr=subprocess.PIPE,
                              text=True, env=ENVIRONMENT) as job:
            self.assertTrue(jobs.wait_for(lambda: os.path.exists("m")))
            os.kill(jobs.ranks_here()[1], signal.SIGKILL)
            start = time.monotonic()
            said = job.communicate(timeout=30)[1]
        self.assertLess(time.monotonic() - start, 10)
        self.assertNotEqual(job.returncode, 0)
        self.assertRegex(said, r"rank 1 .*on node .*signal 9")
        self.assertTrue(jobs.wait_for(lambda: jobs.ranks_here() == {}), "ranks are left behind")
        self.ok("info", "m")


if __name__ == "__main__":
    jobs.need_mpirun()
    tried = run(1, "full", "true")
    if tried.returncode == 77:
        print("SKIP: " + tried.stderr.strip())
        sys.exit(77)
    unittest.main()
