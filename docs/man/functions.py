# SPDX-License-Identifier: BSD-2-Clause
"""Makes a manual page for each function of include/cae/cae.h, with what the header says of it: of
the function itself, of its subject, and of others that its words lean on ("The same from ...").

    python3 docs/man/functions.py --source ROOT --out FOLDER

docs/pages/pages.py takes the header apart and says how it must look. A function needs a line in
BRIEFS.
"""

import argparse
import pathlib
import re
import sys
import textwrap
from typing import Dict, List, NamedTuple, Tuple

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "pages"))

import pages  # noqa: E402

BRIEFS = {
    "cae_add_noise": "add Gaussian noise to images",
    "cae_code_shape": "shape of the code of an image",
    "cae_compress": "compress an image",
    "cae_compress_bound": "capacity that is enough for a compressed image",
    "cae_compressed_info": "size of a compressed image, from its header",
    "cae_decode": "decode codes to images",
    "cae_decompress": "restore a compressed image",
    "cae_denoise": "run the whole network of a model",
    "cae_denoise_pixels": "de-noise interleaved pixels",
    "cae_encode": "encode images to codes",
    "cae_estimate_noise": "estimate the noise of images",
    "cae_evaluate": "loss of a model on images, without training",
    "cae_evaluate_sigma": "the same with noise levels",
    "cae_fit_code": "gather the ranges of a model's code from images",
    "cae_gradient_get": "read the pending gradient of a model",
    "cae_gradient_set": "replace the pending gradient of a model",
    "cae_last_error": "message of the last failure of this thread",
    "cae_model_architecture": "architecture of a model as text",
    "cae_model_copy": "copy a model",
    "cae_model_free": "free a model",
    "cae_model_get": "read a setting of a model",
    "cae_model_import_weights": "take weights from another program",
    "cae_model_kernels": "instruction set that a model uses",
    "cae_model_load": "load a model from a file",
    "cae_model_load_memory": "load a model from memory",
    "cae_model_load_shipped": "load a model that came with the library",
    "cae_model_load_weights": "take the weights of a plain safetensors file",
    "cae_model_new": "make a model with initial weights",
    "cae_model_note": "read a note of a model",
    "cae_model_note_info": "list the notes of a model",
    "cae_model_note_set": "set or remove a note of a model",
    "cae_model_save": "save a model to a file",
    "cae_model_save_memory": "save a model to memory",
    "cae_model_set": "change a setting of a model",
    "cae_model_shape": "channels, height and width of the training size",
    "cae_preset_name": "names of the presets",
    "cae_preset_text": "architecture text of a preset",
    "cae_setting_info": "names, ranges and initial values of the settings",
    "cae_strerror": "short text for a status",
    "cae_tensor_count": "number of weight tensors of a model",
    "cae_tensor_get": "copy a weight tensor out of a model",
    "cae_tensor_info": "name and shape of a weight tensor",
    "cae_tensor_set": "copy a weight tensor into a model",
    "cae_train_apply": "update weights from the pending gradient",
    "cae_train_gradient": "compute and store a gradient",
    "cae_train_gradient_sigma": "the same with noise levels",
    "cae_train_step": "take a step of training",
    "cae_train_step_sigma": "the same with noise levels",
    "cae_version": "version of the library as a number",
    "cae_version_string": "version of the library as text",
}

# Words that another function's page would have to be read for.
LEANS = [re.compile(r"\b(?:as in|valid as) (cae_\w+)")]
STEP = re.compile(r"The (?:first|second) half\b")  # of cae_train_step

WIDTH = 78  # of a line of roff; mandoc warns beyond 80


class Function(NamedTuple):
    name: str
    prototype: str
    comment: List[str]
    subject: pages.Subject
    together: Tuple[str, ...]  # names of the functions that share the comment
    before: str  # the name of the function before its comment


def functions_of(subjects):
    found: Dict[str, Function] = {}
    last = ""
    for subject in subjects:
        for block in subject.blocks:
            declared = re.findall(r"^CAE_API ([^;]*;)", block.code, re.M)
            named = [(re.search(r"\b(cae_\w+)\(", code).group(1), " ".join(code.split()))
                     for code in declared]
            for name, code in named:
                found[name] = Function(name, code, block.comment, subject,
                                       tuple(other for other, _ in named), last)
            last = named[0][0] if named else last
    return found


def statuses_of(text):
    return dict(re.findall(r"^#define (CAE_\w+) +\(?-?\d+\)? +/\* (.*?) \*/$", text, re.M))


# ---- roff ---------------------------------------------------------------------------------------

def escaped(text):
    text = text.replace("\\", "\\e").replace("`", "")
    text = re.sub(r"(?<![A-Za-z])-|-(?![A-Za-z])", r"\\-", text)
    return text.replace("^", "\\(ha").replace("~", "\\(ti")


def bold(text):
    return f"\\fB{escaped(text)}\\fR"


class Page:
    """The page of one function, in the language of man(7)."""

    def __init__(self, function, functions, statuses):
        self.function, self.functions, self.statuses = function, functions, statuses
        arguments = re.search(r"\((.*)\)", function.prototype).group(1)
        self.parameters = set(re.findall(r"(\w+)(?:\[\d+\])?(?:,|$)", arguments))
        self.mentioned, self.lines, self.returns = set(function.together), [], []

    # ---- words ----

    def word(self, match):
        text = match.group()
        if text.startswith("`"):
            inner = text[1:-1]
            slanted = inner.lstrip("*") in self.parameters
            return f"\\fI{escaped(inner)}\\fR" if slanted else bold(inner)
        if text in self.functions:
            self.mentioned.add(text)
            return f"\\fB{text}\\fR" + ("" if text == self.function.name else "(3)")
        return bold(text)

    def inline(self, text):
        text = re.sub(r"(?<![\w`])_([A-Z]+)\b", r"CAE_E_\1", " ".join(text.split()))
        parts = re.split(r"(`[^`]*`|\b(?:cae|CAE)_[A-Za-z_]+)", text)
        return "".join(re.sub(r".+", self.word, part) if i % 2 else escaped(part)
                       for i, part in enumerate(parts))

    def prose(self, text):
        """Sentences, each on lines of its own: so roff wants it."""
        lines = []
        for sentence in re.split(r"(?<=[^.][.!?]) (?=\S)|(?<=[.!?]\)) (?=\S)", self.inline(text)):
            lines += textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)
        return ["\\&" + line if line[0] in ".'" else line for line in lines]

    def paragraph(self, text):
        text = re.sub(r"\s*\bSince\s+\d+\.\d+\.$", "", text.strip())
        text, *returns = re.split(r"(?:^|(?<=[.:]) )Returns(?= CAE_OK| as )", text, maxsplit=1)
        self.returns += [part.strip() for part in returns]
        return [".PP", *self.prose(text)] if text.strip() else []

    def rows(self, rows):
        lines = []
        for row in rows:
            tags = [f"\\fI{name}\\fR" if name in self.parameters else self.inline(f"`{name}`")
                    for name in row[0].split(", ")]
            lines += [".TP", ", ".join(tags) + "".join("  " + escaped(cell) for cell in row[1:-1]),
                      *self.prose(row[-1])]
        return lines

    def body(self, comment):
        lines = []
        for kind, piece in pages.pieces(comment):
            if kind == "prose":
                lines += self.paragraph(" ".join(piece))
            elif kind == "rows":
                lines += self.rows(piece)
            else:
                shown = [part for line in piece for part in textwrap.wrap(
                    line, 68, subsequent_indent="    ", drop_whitespace=True) or [""]]
                lines += [".PP", ".in +4n", ".EX", *map(escaped, shown), ".EE", ".in"]
        return lines

    # ---- the sections ----

    def section(self, title, lines):
        if lines:
            self.lines += [f".SH {title}", *(lines[1:] if lines[0] == ".PP" else lines)]

    def synopsis(self):
        lines = [".B #include <cae/cae.h>", ".PP", ".nf"]
        for name in sorted(self.function.together, key=lambda name: name != self.function.name):
            lines += prototype(self.functions[name].prototype)
        return lines + [".fi"]

    def leans_on(self):
        """The functions that the comment leaves a part of its meaning to."""
        text = " ".join(self.function.comment)
        names = [self.function.before] if text.startswith("The same") else []
        names += ["cae_train_step"] if STEP.match(text) else []
        for pattern in LEANS:
            names += pattern.findall(text)
        return [name for name in dict.fromkeys(names) if name not in self.function.together]

    def description(self):
        lines = self.body(self.function.comment)
        own = list(self.returns)
        for name in self.leans_on():
            self.mentioned.add(name)
            lines += [f".SS What is said of {name}", *self.body(self.functions[name].comment)[1:]]
        self.returns = own
        for words in own:  # "as cae_model_load; ...", which may say the same again
            name = re.match(r"as (cae_\w+)", words)
            if name:
                self.body(self.functions[name.group(1)].comment)  # adds what that returns, read next
        self.is_borrowed = not own
        if self.is_borrowed:
            self.returns = self.of_others() or self.of_subject()
        if self.function.subject.about:
            lines += [".SS " + self.function.subject.title,
                      *self.body(self.function.subject.about)[1:]]
        return lines

    def of_others(self):
        """What the functions return that this one is said to be like."""
        for name in self.leans_on():
            self.body(self.functions[name].comment)
        return self.returns[:1]

    def of_subject(self):
        about = " ".join(self.function.subject.about)
        found = re.search(r"Each returns (CAE_OK.*?\.)(?= |$)", about)
        return [found.group(1)] if found else []

    def return_value(self):
        if not self.function.prototype.startswith("int "):
            return []
        lines = []
        for words in self.returns:
            lines += [".PP", *self.prose(words[:1].upper() + words[1:])]
        if not lines:
            lines += [".PP", *self.prose("CAE_OK (0), or a negative status.")]
        return lines + [".PP", *self.prose(
            "After a failure cae_last_error has a sentence that says what is wrong and where; "
            "inputs are untouched, the model is as it was before the call, and the contents of "
            "output buffers are unspecified.")]

    def errors(self, lines):
        """What the statuses mean that the lines name."""
        text = " ".join(lines)
        return [] if not lines else [
            line for status, words in self.statuses.items()
            if re.search(rf"{status}(?!\w)", text) and status != "CAE_OK"
            for line in (".TP", bold(status), *self.prose(words[:1].upper() + words[1:] + "."))]

    def threads(self):
        code = self.function.prototype
        if "const cae_model *" in code.split("(", 1)[1]:
            words = ("Any number of threads may call this on one model at once, as long as none "
                     "changes or frees it.")
        elif re.search(r"\(cae_model \*\w", code):
            words = "The model must not be used by another thread meanwhile."
        else:
            return []
        return [".PP", *self.prose(words)]

    def text(self, title):
        f = self.function
        description = self.description()
        returns = self.return_value()
        since = re.search(r"Since\s+(\d+\.\d+)", " ".join(f.comment))
        self.lines = [f'.\\" Made of cae.h by docs/man/functions.py.',
                      '.\\" SPDX-License-Identifier: BSD-2-Clause',
                      f'.TH {f.name.upper()} 3 {title[0]} "{title[1]}" "Library Functions Manual"']
        self.section("NAME", [f"{f.name} \\- {BRIEFS[f.name]}"])
        self.section("LIBRARY", [".RI ( libcae \", \" \\-lcae ;",
                                 ".IR \"pkg-config \\-\\-cflags \\-\\-libs libcae\" )"])
        self.section("SYNOPSIS", self.synopsis())
        self.section("DESCRIPTION", description)
        self.section("RETURN VALUE", returns)
        self.section("ERRORS", self.errors(returns + description * self.is_borrowed if returns
                                           else []))
        self.section("NOTES", self.threads())
        self.section("HISTORY", [f"{bold(f.name)} came with libcae {since.group(1)}."]
                     if since else [])
        others = sorted(self.mentioned - {f.name}) + ["libcae"]
        self.section("SEE ALSO", [f".BR {name} (3)" + "," * (name != others[-1])
                                  for name in others])
        return "\n".join(self.lines) + "\n"


def prototype(code):
    """The lines of a synopsis, as libcae.3 has them: parameters slanted, the rest bold."""
    head, arguments = re.fullmatch(r"(.*?\()(.*)\);", code).groups()
    if arguments == "void":
        return [f'.B "{code}"']
    pieces = [re.fullmatch(r"(.*? \(\*|.*?)(\w+)(\[\d+\]|\)\(.*\))?", part).groups()
              for part in re.split(r", (?![^()]*\))", arguments)]  # not inside of a callback's
    rows, row, column = [], [head], len(head)
    for i, (kind, name, size) in enumerate(pieces):
        rest = (size or "") + (");" if i == len(pieces) - 1 else ",")
        if column + len(kind + name + rest) > 72 and len(row) > 1:
            row[-1] = row[-1].rstrip()
            rows.append(row)
            row, column = ["    "], 4
        row[-1] += kind
        row += [name, rest + " " * (i < len(pieces) - 1)]
        column += len(kind + name + rest) + 1
    rows.append(row)
    return [".BI " + " ".join(f'"{word}"' for word in row) for row in rows]


def main():
    parser = argparse.ArgumentParser(description="Makes a manual page for each function.")
    parser.add_argument("--source", type=pathlib.Path, required=True, help="the sources' root")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the folder to write")
    args = parser.parse_args()
    text = (args.source / "include" / "cae" / "cae.h").read_text(encoding="utf-8")
    libcae = (args.source / "docs" / "man" / "libcae.3").read_text(encoding="utf-8")
    title = re.search(r'^\.TH \S+ 3 (\S+) "(.*?)"', libcae, re.M).groups()
    functions, statuses = functions_of(pages.taken_apart(text)[2]), statuses_of(text)
    if not set(functions) <= set(BRIEFS):
        sys.exit("docs/man/functions.py: BRIEFS lacks "
                 + ", ".join(sorted(set(functions) - set(BRIEFS))))
    args.out.mkdir(parents=True, exist_ok=True)
    for name, function in functions.items():
        page = Page(function, functions, statuses).text(title)
        (args.out / f"{name}.3").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
