# SPDX-License-Identifier: BSD-2-Clause
"""The hashes in docs/paper.md: its commands are run word for word, in every tier that promises the
same bits, with one thread and with three. CAE_TOOL names the command.
"""

import os
import re
import shlex
import subprocess
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/tool"))

from tool import Case  # noqa: E402

TEXT = (ROOT / "docs/paper.md").read_text(encoding="utf-8")
PART = TEXT[TEXT.index("## A hash that anyone can check"):]
PROGRAM = re.search(r"```python\n(.*?)```", PART, re.S)[1]
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^    (cae .*)$", PART, re.M)]
HASHES = dict(re.findall(r"^\| `([a-z-]+)` \| `([0-9a-f]{64})` \|$", PART, re.M))


class Hash(Case):
    def test_every_tier(self):
        self.assertEqual(set(HASHES), {"cae-compress", "sae-compress"})
        self.ok(*COMMANDS[0])
        for tier in os.environ.get("CAE_CPU", os.environ["CAE_TIERS"]).split():
            for command, threads in zip(COMMANDS[1:], (3, 1)):
                with self.subTest((tier, command)):
                    name = command[command.index("--model") + 1]
                    self.ok(*command, "--threads", threads, env={**os.environ, "CAE_CPU": tier})
                    done = self.python(command[command.index("--out") + 1])
                    self.assertEqual(done, HASHES[name])

    def test_another_seed_gives_another_hash(self):
        self.ok(*COMMANDS[0])
        self.ok(*COMMANDS[1], "--seed", "2")
        command = COMMANDS[1]
        self.assertNotIn(self.python(command[command.index("--out") + 1]), HASHES.values())

    def python(self, model):
        """What the program in the text prints for a model."""
        Path("hash.py").write_text(PROGRAM, encoding="utf-8")
        done = subprocess.run([sys.executable, "hash.py", model], capture_output=True, text=True,
                              check=True, timeout=60)
        return done.stdout.strip()


if __name__ == "__main__":
    unittest.main()
