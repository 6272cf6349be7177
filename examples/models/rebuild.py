#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a shipped model again from its training images by the command in its recipe, and compares it
with what was recorded: to the last bit, on any machine.

    python3 rebuild.py denoise PHOTOS            hours; writes denoise.safetensors to --out
    python3 rebuild.py denoise PHOTOS --first    the first steps alone: seconds

First the images are compared with their list: each must be there with its SHA-256, and no other. What
a killed run has saved in --out, the next one goes on from. With --first the SHA-256 of the weights
after the recorded number of steps is compared, without it that of the whole file. --record writes the
one that was found into the recipe instead, for whoever changes it. Exits with 0 if all is equal.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shlex
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
IMAGES = (".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".pnm")  # what `cae train` would take
KEYS = ("images", "train", "note", "first", "file", "machine")


class Wrong(Exception):
    """Something is not as it was recorded."""


def read_recipe(path):
    """{key: [values]} of the recipe's lines."""
    recipe = {key: [] for key in KEYS}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, _, value = line.partition(" ")
        if key not in recipe or not value.strip():
            raise Wrong(f"{path}, line {number}: {line!r} is no key with a value")
        recipe[key].append(value.strip())
    for key in ("images", "train"):
        if len(recipe[key]) != 1:
            raise Wrong(f"{path}: it needs one line {key!r}")
    return recipe


def write_recipe(path, key, value):
    """Replaces the line of that key, or adds one."""
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition(" ")[0] != key]
    path.write_text("\n".join(kept + [f"{key} {value}"]) + "\n", encoding="utf-8")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def check_images(path, folder):
    """The images in the folder are those of the list, no more and no less."""
    listed = dict(re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line).group(2, 1)
                  for line in path.read_text(encoding="utf-8").splitlines()
                  if line and not line.startswith("#"))
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*")
             if file.suffix.lower() in IMAGES}
    for name in sorted(listed.keys() | there):
        if name not in there:
            raise Wrong(f"{folder}: {name} is missing")
        if name not in listed:
            raise Wrong(f"{folder}: {name} is not in {path.name}")
        if sha256((folder / name).read_bytes()) != listed[name]:
            raise Wrong(f"{folder}: {name} is not the image in {path.name}: another SHA-256")
    return len(listed)


def weights_hash(path):
    """The SHA-256 of the weights alone: of the data of all tensors but codec.* and train.*, in the
    file's order."""
    data = path.read_bytes()
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    found = hashlib.sha256()
    for name, tensor in sorted(header.items()):
        if name != "__metadata__" and not name.startswith(("codec.", "train.")):
            begin, end = tensor["data_offsets"]
            found.update(data[8 + size + begin:8 + size + end])
    return found.hexdigest()


def run(cae, *arguments):
    print("$", shlex.join(map(str, (cae, *arguments))), flush=True)
    if subprocess.run([cae, *map(str, arguments)], check=False).returncode != 0:
        raise Wrong("the command failed")


def train_first(args, recipe, folder):
    """(steps, weights after them); how many is recorded, or --record says it."""
    steps = args.record or (recipe["first"] or [""])[0].split(" ")[0]
    if not steps:
        raise Wrong(f"{args.recipe}: no line 'first'; --record 200 writes it")
    file = pathlib.Path(folder) / "first.safetensors"
    run(args.cae, "train", *shlex.split(recipe["train"][0]), "--data", args.data, "--stop-after",
        steps, "--out", file)
    return f"{steps} {weights_hash(file)}"


def train_all(args, recipe):
    """The SHA-256 of the file that ships: small, with its notes."""
    name = args.recipe.stem
    args.out.mkdir(parents=True, exist_ok=True)
    long, file = args.out / f"{name}-training.safetensors", args.out / f"{name}.safetensors"
    resume = ["--resume"] if long.exists() else []
    run(args.cae, "train", *shlex.split(recipe["train"][0]), "--data", args.data, "--save-every",
        "20", *resume, "--out", long)
    notes = [*recipe["note"], "recipe=cae train " + recipe["train"][0]]
    run(args.cae, "train", "--from", long, "--steps", "0", "--half",
        *(word for note in notes for word in ("--note", note)), "--out", file)
    return sha256(file.read_bytes())


def compare(args, recipe, key, found):
    if args.record:
        write_recipe(args.recipe, key, found)
        print(f"{args.recipe}: {key} {found}")
        return
    recorded = recipe[key][0] if recipe[key] else "nothing"
    if found != recorded:
        raise Wrong(f"{args.recipe.stem}: the result is {found}, recorded is {recorded}")
    print(f"{args.recipe.stem}: as recorded, {found}")


def parse(arguments):
    parser = argparse.ArgumentParser(
        description="Makes a shipped model again and compares it with what was recorded.")
    parser.add_argument("model", help="denoise, denoise-rgb, or the path of a recipe")
    parser.add_argument("data", type=pathlib.Path, help="the folder with the training images")
    parser.add_argument("--first", action="store_true", help="only the first steps")
    parser.add_argument("--record", nargs="?", type=int, const=200, metavar="STEPS",
                        help="write the recipe's line `first` (with --first; 200 steps unless "
                        "given) or `file`")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("rebuilt"),
                        help="folder for the files [rebuilt]")
    parser.add_argument("--cae", default=os.environ.get("CAE_TOOL", "cae"), help="the command")
    args = parser.parse_args(arguments)
    path = pathlib.Path(args.model)
    args.recipe = path if path.suffix == ".recipe" else HERE / f"{args.model}.recipe"
    return args


def main(arguments):
    args = parse(arguments)
    try:
        recipe = read_recipe(args.recipe)
        count = check_images(args.recipe.parent / recipe["images"][0], args.data)
        print(f"{args.data}: the {count} images of {recipe['images'][0]}")
        if args.first:
            with tempfile.TemporaryDirectory(prefix="cae-rebuild-") as folder:
                compare(args, recipe, "first", train_first(args, recipe, folder))
        else:
            compare(args, recipe, "file", train_all(args, recipe))
    except (Wrong, OSError) as error:
        print(f"rebuild.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
