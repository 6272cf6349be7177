# SPDX-License-Identifier: BSD-2-Clause
"""The ABI of the shared library, kept beside the sources: the baseline is what the last release
promised, and every later library under the same soname must keep it.

    python3 tests/abi/abi.py compare    the tree with the baseline
    python3 tests/abi/abi.py write      the baseline anew, for a release (docs/releasing.md)

The baseline of libcae.so.N is two files. libcae.so.N.abi is written by `abidw`: the exported
functions with their symbol versions and the types they reach, sorted, so that it is the same for
any compiler, flags and folder. libcae.so.N.constants holds the values that the header defines,
which no library shows. Both commands build the library alone, unoptimised and with debug
information, in a folder that they remove again. CC names the compiler, MESON another meson.

Exit status: 0 kept or written, 1 not, 77 abidiff or meson is missing or cannot compare here.
"""

import argparse
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from rules import SKIPPED, Skip, header_functions  # noqa: E402

SOURCES = ["include", "lib", "meson.build", "meson_options.txt"]
DUMP = ["abidw", "--no-show-locs", "--no-parameter-names", "--no-corpus-path", "--no-comp-dir-path",
        "--no-elf-needed", "--drop-private-types", "--exported-interfaces-only",
        "--type-id-style", "hash"]
FLAGS = ("CFLAGS", "CPPFLAGS", "LDFLAGS", "CC_LD", "DESTDIR")  # a build of ours takes none


class Broken(Exception):
    """The ABI is not kept; the message says what changed and what to do."""


class Failed(Exception):
    """A program that is needed to tell failed."""


def needed():
    """Skips where the comparison cannot be made."""
    for program, package in [("abidw", "abigail-tools"), ("abidiff", "abigail-tools"),
                             (os.environ.get("MESON", "meson"), "meson")]:
        if shutil.which(program) is None:
            raise Skip(f"no {program} (Debian: apt-get install {package})")
    if platform.libc_ver()[0] != "glibc" or sys.maxsize < 2**32:
        raise Skip("the baseline is that of a 64-bit Linux with the GNU C library")


# ---- a library to look at -----------------------------------------------------------------------

class Build:
    """The library alone, from copies of the sources below `folder`, which may be edited."""

    def __init__(self, folder, source=ROOT):
        self.folder = pathlib.Path(folder)
        self.tree = self.folder / "subprojects" / "libcae"
        self.tree.mkdir(parents=True)
        for name in SOURCES:
            copy = shutil.copytree if (source / name).is_dir() else shutil.copy
            copy(source / name, self.tree / name)
        # As a subproject libcae builds neither command nor tests nor pages.
        (self.folder / "meson.build").write_text("project('abi', 'c')\nsubproject('libcae')\n")
        self.environment = {k: v for k, v in os.environ.items() if k not in FLAGS}
        self.meson("setup", "build", ".", "-Dbuildtype=debug", "-Dlibcae:default_library=shared",
                   "-Dlibcae:simd=false")

    def meson(self, *arguments):
        done = subprocess.run([os.environ.get("MESON", "meson"), *arguments], cwd=self.folder,
                              env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"meson {arguments[0]}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")

    def library(self):
        """Builds what has changed; the shared library."""
        self.meson("compile", "-C", "build")
        link = self.folder / "build" / "subprojects" / "libcae" / "lib" / "libcae.so"
        return link.parent / os.readlink(link)  # named by its soname

    @property
    def header(self):
        return self.tree / "include" / "cae" / "cae.h"


# ---- what is kept -------------------------------------------------------------------------------

def dump(build):
    """The ABI in abidw's words, without what depends on the compiler and the folder."""
    done = subprocess.run(DUMP + ["--headers-dir", build.header.parent, build.library()],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"abidw: {done.stderr}")
    corpus = ET.fromstring(done.stdout)
    merged = ET.Element("abi-instr",
                        {"address-size": "64", "path": "cae.h", "language": "LANG_C11"})
    known = set()
    for unit in corpus.findall("abi-instr"):
        corpus.remove(unit)
        for item in unit:
            if item.get("id") not in known:
                merged.append(item)
                known.update({item.get("id")} - {None})
    merged[:] = sorted(merged, key=lambda i: (i.tag == "function-decl", i.tag, i.get("name", ""),
                                              i.get("id", "")))
    corpus.append(merged)
    ET.indent(corpus)
    return ET.tostring(corpus, encoding="unicode") + "\n"


def symbols(text):
    """{exported symbol: its version} of an ABI in abidw's words."""
    return {symbol.get("name"): symbol.get("version", "")
            for symbol in ET.fromstring(text).iter("elf-symbol")}


def constants(header):
    """{name: value} of what the header defines, but for its own version and what is no number."""
    found = {}
    for name, value in re.findall(r"^#define (CAE_\w+)[ \t]+(\S+)", header, re.M):
        number = re.fullmatch(r"\(?(-?\w+?)u?\)?", value)
        if number and not name.startswith("CAE_VERSION_") and name != "CAE_API":
            found[name] = int(number.group(1), 0)
    return found


def baseline(folder, soname):
    """The baseline's two files and the constants of the second; Broken where there is none."""
    abi, table = folder / f"{soname}.abi", folder / f"{soname}.constants"
    if not abi.exists():
        raise Broken(f"{soname} has no baseline: if the soname changed on purpose, "
                     "`python3 tests/abi/abi.py write` makes it")
    rows = [line.split() for line in table.read_text(encoding="utf-8").splitlines()]
    return abi, {name: int(value) for name, value in rows}


# ---- comparing ----------------------------------------------------------------------------------

def changes(old, build):
    """abidiff's words for what left or changed; "" when nothing did.

    Its status is a set of bits: 1 and 2 errors, 4 some change, 8 a symbol that left. A changed type
    is 4 alone, as an addition is, so additions are left out and then every bit counts. To it a lost
    `const` is harmless; to us it says which calls may share a model."""
    done = subprocess.run(["abidiff", "--no-added-syms", "--harmless", "--fail-no-debug-info",
                           "--no-architecture", "--drop-private-types",
                           "--headers-dir2", build.header.parent, old, build.library()],
                          capture_output=True, text=True)
    if done.returncode & ~12:
        raise Failed(f"abidiff ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip() if done.returncode else ""


def additions(old, new, header):
    """One sentence for each exported symbol that came in the wrong way."""
    declared = header_functions(header)
    found = [f"{name} is exported, but the header does not declare it"
             for name in sorted(new) if name not in declared]
    found += [f"the header declares {name}, but the library does not export it"
              for name in declared if name not in new]
    found += [f"{name} came under {new[name]}, which the baseline has already: a program that "
              "needs it would start with a library that lacks it; give it a new node in lib/cae.map"
              for name in sorted(set(new) - set(old)) if new[name] in old.values()]
    return found


def moved(old, new):
    """One sentence for each constant that left or changed."""
    return [f"{name} was {value} and is {new.get(name, 'gone')}" for name, value in old.items()
            if new.get(name) != value]


def compare(build, folder):
    """Broken when the built tree does not keep the baseline."""
    library, header = build.library(), build.header.read_text(encoding="utf-8")
    abi, values = baseline(folder, library.name)
    text = abi.read_text(encoding="utf-8")
    found = [changes(abi, build)] + moved(values, constants(header))
    found += additions(symbols(text), symbols(dump(build)), header)
    found = [sentence for sentence in found if sentence]
    if found:
        raise Broken("the ABI is not kept under this soname:\n" + "\n".join(found))


def write(build, folder):
    """Writes the baseline anew, unless it would break a promise."""
    soname = build.library().name
    others = [p for p in folder.glob("libcae.so.*") if p.stem != soname]
    if (folder / f"{soname}.abi").exists():
        try:
            compare(build, folder)
        except Broken as reason:
            raise Broken(f"{reason}\nNothing written. Mend the tree, or break on purpose: raise "
                         "soversion in meson.build. If no release has promised this yet, delete "
                         f"tests/abi/{soname}.* first.") from None
    rows = constants(build.header.read_text(encoding="utf-8")).items()
    (folder / f"{soname}.abi").write_text(dump(build), encoding="utf-8")
    (folder / f"{soname}.constants").write_text(
        "".join(f"{name} {value}\n" for name, value in rows), encoding="utf-8")
    for old in others:
        old.unlink()


def main():
    parser = argparse.ArgumentParser(description="Keeps the ABI of libcae's shared library.")
    parser.add_argument("command", choices=["compare", "write"])
    command = parser.parse_args().command
    try:
        needed()
        with tempfile.TemporaryDirectory(prefix="cae-abi-") as folder:
            {"compare": compare, "write": write}[command](Build(folder), ROOT / "tests" / "abi")
    except Skip as reason:
        print(f"abi: skipped: {reason}")
        return SKIPPED
    except (Broken, Failed) as reason:
        print(f"abi: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
