"""The processes that work, behind pipes: the library's worker, and the peers where they are installed.
Each command is a line of words between tabs, each answer a line of JSON. What runs one thread is
tied to one processor, and everything that is compared with it to the same one.

SPDX-License-Identifier: BSD-2-Clause
"""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


class Broken(Exception):
    """The bench itself cannot go on."""


def processors():
    return sorted(os.sched_getaffinity(0))


class Worker:
    def __init__(self, command, threads, env=None):
        allowed = processors()
        cpus = set(allowed[:2]) if threads > 1 else {allowed[-1]}
        self.name = os.path.basename(str(command[-1]))
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})}, preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def ask(self, *words):
        line = '\t'.join(str(word) for word in words)
        try:
            self.process.stdin.write(line + '\n')
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError as error:
            raise Broken(f'{self.name}: {line}: {error}') from error
        if not answer:
            raise Broken(f'{self.name} ended with {self.process.wait()} at: {line}')
        found = json.loads(answer)
        if 'error' in found:
            raise Broken(f'{self.name}: {line}: {found["error"]}')
        return found

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def busy_ticks():
    """Of all processors since the system began; None where that cannot be read."""
    try:
        fields = pathlib.Path('/proc/stat').read_text(encoding='ascii').split('\n')[0].split()[1:]
    except OSError:
        return None
    user, nice, system = (int(field) for field in fields[:3])
    return user + nice + system


def own_ticks(workers):
    """Of this process, of workers that run and of those that have ended."""
    spent = sum(os.times()[:4]) * os.sysconf('SC_CLK_TCK')
    for worker in workers:
        fields = pathlib.Path(f'/proc/{worker.process.pid}/stat').read_text(encoding='ascii')
        spent += sum(int(field) for field in fields.rsplit(')', 1)[1].split()[11:13])
    return spent


def torch_python():
    """A Python that has PyTorch, or None."""
    for python in dict.fromkeys((sys.executable, '/usr/bin/python3')):
        try:
            done = subprocess.run([python, '-c', 'import torch'], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


def find_peers(build):
    """{name: command} of the peers here, {name: why} of the others."""
    found, missing = {}, {}
    python = torch_python()
    if python:
        found['PyTorch'] = [python, HERE / 'peer_torch.py']
    else:
        missing['PyTorch'] = 'no Python here imports torch (Debian: python3-torch)'
    onednn = pathlib.Path(build) / 'tests' / 'bench' / 'peer_onednn'
    if onednn.exists():
        found['oneDNN'] = [onednn]
    else:
        missing['oneDNN'] = ('not built (`meson compile -C BUILD peer_onednn`; it needs a C++ compiler '
                             'and oneDNN 2, Debian: libdnnl-dev)')
    return found, missing
