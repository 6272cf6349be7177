# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of cae-train-mpi share: starting jobs, finding and killing their ranks, reading
what they leave.

CAE_TRAIN_MPI names the program under test, CAE_TEST_FAULT_LIBRARY the library fault.c;
CAE_TEST_DATA, if it is set, a folder with real faces in faces/train.
"""

import csv
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tool"))

import tool  # noqa: E402 (found by the line above)

PROGRAM = os.environ.get("CAE_TRAIN_MPI", "cae-train-mpi")
FAULT = os.environ.get("CAE_TEST_FAULT_LIBRARY", "")
TWO_HOSTS = Path(__file__).resolve().with_name("two_hosts.sh")
# More ranks than processors, in places that a container or a user of another kind may have.
OPTIONS = ["--oversubscribe", "--bind-to", "none"] + (["--allow-run-as-root"]
                                                     if os.geteuid() == 0 else [])
# The ranks of these tests share few processors, with each other and with other tests: one that
# waits gives way. Where there is no /sys, Open MPI's look at the processors warns of that.
ENVIRONMENT = {**os.environ, "OMPI_MCA_rmaps_base_oversubscribe": "1",
               "OMPI_MCA_mpi_yield_when_idle": "1", "HWLOC_HIDE_ERRORS": "2"}
# When a rank has failed, mpirun gives the others a second. Nothing here needs it but a job that is
# interrupted: who fails says so first.
HASTY = {**ENVIRONMENT, "OMPI_MCA_odls_base_sigkill_timeout": "0"}


def need_mpirun():
    if shutil.which("mpirun") is None:
        print("SKIP: there is no mpirun (Debian: openmpi-bin)")
        sys.exit(77)


def command(ranks, *arguments, options=()):
    """The words that start a job; 0 ranks: the program alone, without mpirun."""
    if ranks == 0:
        return [PROGRAM, *map(str, arguments)]
    return ["mpirun", *OPTIONS, *options, "-n", str(ranks), PROGRAM, *map(str, arguments)]


def run(words, timeout=60, **options):
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False,
                          env=HASTY, **options)


def rows(path):
    """The log without its seconds."""
    with open(path, newline="", encoding="ascii") as file:
        return [row[:4] for row in csv.reader(file)]


def losses(path):
    return [float(row[2]) for row in rows(path)[1:]]


def ranks_here():
    """{rank: process id} of the programs that run in this folder, of which other hosts may see
    another path."""
    found = {}
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.path.samefile(f"/proc/{entry}/cwd", ".") and \
                    os.path.basename(os.readlink(f"/proc/{entry}/exe")) == \
                    os.path.basename(PROGRAM):
                words = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                rank = [word for word in words if word.startswith(b"OMPI_COMM_WORLD_RANK=")]
                found[int(rank[0].split(b"=")[1])] = int(entry)
        except (OSError, IndexError):
            pass
    return found


def wait_for(is_true, seconds=30):
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


class Case(tool.Case):
    def trains(self, ranks, *arguments, **options):
        done = run(command(ranks, *arguments, **options))
        self.assertEqual(done.returncode, 0, f"{ranks} ranks, {arguments}: {done.stderr}")
        return done

    def refuses(self, ranks, *arguments, naming, code=1, **options):
        """The job must end soon, with this code, after one line that holds all of `naming`."""
        start = time.monotonic()
        done = run(command(ranks, *arguments, **options))
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        lines = [line for line in done.stderr.splitlines() if line.startswith("cae-train-mpi: ")]
        self.assertTrue([line for line in lines if all(word in line for word in naming)],
                        f"{naming} not in one of {lines}")
        self.assertLess(time.monotonic() - start, 30, "the job hung")
        return lines
