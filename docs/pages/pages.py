# SPDX-License-Identifier: BSD-2-Clause
"""Makes HTML pages of the interface: reads include/cae/cae.h, writes the same header with Doxygen's
marks, and runs Doxygen on that.

    python3 docs/pages/pages.py --source ROOT --out FOLDER [--doxygen PROGRAM] [--strict]

The header is a manual to be read in an editor, so it has no marks. These forms stand for them:
  /* ---- Title ---- */    begins a subject; a comment by itself behind it is about the subject
  a comment                is about the declarations behind it, up to the next empty line
  #define X 1 /* words */  are about that one
  rows "name   words"      with two or more spaces between are a table, or parameters if a name is
                           one; what goes on stands further right
  four spaces              begin what is shown as it stands, in the opening comment code
  CAPITALS                 at the beginning of a line of the opening comment head what stands two
                           spaces further right
  Returns, Since 0.1.      begin the end of a comment
Exit status: 1 when Doxygen fails or, with --strict, warns of anything.
"""

import argparse
import html
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import List, NamedTuple

PAGES = ["architecture-text.md", "file-formats.md", "numerics.md"]
PARTS = ["Doxyfile", "layout.xml", "header.html", "footer.html", "style.css"]
ROW = re.compile(r"( *)(\S+(?: \S+)*) {2,}(\S.*)")
FUNCTION = re.compile(r"^CAE_API [^(;]*?\b(cae_\w+)\(([^;]*)\);", re.M)


class Failed(Exception):
    """Doxygen did not end well; the message is its own."""


class Block(NamedTuple):
    """A comment and the declarations that it is about; either may be empty."""
    comment: List[str]
    code: str


class Subject(NamedTuple):
    name: str
    title: str
    about: List[str]
    blocks: List[Block]


# ---- the header, taken apart --------------------------------------------------------------------

def frameless(comment):
    """The lines of a comment without its frame."""
    lines = comment.strip()[2:-2].strip().split("\n")
    return [re.sub(r"^ ?\*(?: |$)", "", line).rstrip() for line in lines]


def block_of(text):
    match = re.match(r"/\*.*?\*/", text, re.S)
    return Block(frameless(match.group()), text[match.end():].strip()) if match else Block([], text)


def taken_apart(text):
    """The opening comment's lines, the code behind it, and the subjects."""
    start, *parts = re.split(r"/\* -{4} (.*?) -+ \*/\n", text)
    first = block_of(start)
    subjects = []
    for title, part in zip(parts[::2], parts[1::2]):
        blocks = [block_of(piece.strip()) for piece in re.split(r"\n\s*\n", part) if piece.strip()]
        about = blocks.pop(0).comment if blocks[0].comment and not blocks[0].code else []
        subjects.append(Subject(re.sub(r"\W+", "-", title.lower()), title, about, blocks))
    return first.comment, first.code, subjects


# ---- words --------------------------------------------------------------------------------------

class Words:
    """Comments in Doxygen's language, with links to what `text`, the header, declares."""

    def __init__(self, text):
        self.linked = set(name for name, _ in FUNCTION.findall(text))
        self.linked |= set(re.findall(r"^#define (CAE_(?:OK|E_\w+|SAVE_\w+))", text, re.M))

    def link(self, match):
        name = match.group()
        return f"@link {name} {name}@endlink" if name in self.linked else name

    def plain(self, text):
        text = re.sub(r"([@\\#%$])", r"\\\1", html.escape(text, quote=False))
        text = re.sub(r"\bdocs/([a-z-]+\.md)\b", r"@ref \1", text)
        text = re.sub(r"(?<![\w`])_([A-Z]+)\b", r"CAE_E_\1", text)
        return re.sub(r"\b(?:cae|CAE)_\w+", self.link, text)

    def prose(self, text):
        parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
        return "".join(part if part.startswith("`") else self.plain(part) for part in parts)

    def paragraph(self, text):
        """Prose, in which Returns and Since begin paragraphs of their own."""
        text, *since = re.split(r"\s*\bSince\s+(\d+\.\d+)\.$", text.strip())
        text, *returns = re.split(r"(?:^|(?<=[.:]) )Returns(?= CAE_OK| as )", text, maxsplit=1)
        out = [self.prose(text)] if text else []
        out += ["", "@return " + self.prose(returns[0])] if returns else []
        return out + (["", "@since " + since[0]] if since else []) + [""]

    def table(self, rows, parameters):
        if any(set(row[0].split(", ")) & set(parameters) for row in rows):
            return [f"@param {row[0].replace(', ', ',')} {self.prose(row[1])}" for row in rows]
        cells = [[self.prose(f"`{row[0]}`" if row[0].islower() else row[0])] +
                 [unbroken(self.prose(cell)) for cell in row[1:]] for row in rows]
        return ["", "<table>"] + ["<tr><td>" + "</td><td>".join(row) + "</td></tr>"
                                  for row in cells] + ["</table>", ""]

    def body(self, lines, parameters=(), shown="verbatim"):
        """Doxygen's lines for those of a comment."""
        out = []
        for kind, piece in pieces(lines):
            if kind == "prose":
                out += self.paragraph(" ".join(piece))
            elif kind == "rows":
                out += self.table(piece, parameters)
            else:
                end = re.match(r"\w+", shown).group()
                out += ["", "@" + shown, *piece, "@end" + end, ""]
        return out


def unbroken(cell):
    return cell if len(cell) > 16 else cell.replace(" ", "&nbsp;")


def depth(line):
    return len(line) - len(line.lstrip())


def rows_of(lines):
    """The table that the lines begin with: rows of cells, and how many lines it takes."""
    indent, rows, taken = depth(lines[0]), [], 0
    for line in lines:
        if line and depth(line) == indent and ROW.fullmatch(line):
            rows.append(re.split(r" {2,}", line.strip()))
        elif line and depth(line) > indent and len(rows[-1]) < max(map(len, rows)):
            rows[-1].append(line.strip())
        elif line and depth(line) > indent:
            rows[-1][-1] += " " + line.strip()
        else:
            break
        taken += 1
    return rows, taken


def pieces(lines):
    """A comment's lines as ("prose", lines), ("rows", rows) and ("shown", lines)."""
    at = 0
    while at < len(lines):
        start = at
        if ROW.fullmatch(lines[at]):
            rows, taken = rows_of(lines[at:])
            at += taken
            yield "rows", rows
        elif lines[at].startswith("    "):
            while at < len(lines) and (lines[at].startswith("    ") or not lines[at]):
                at += 1
            yield "shown", "\n".join(line[4:] for line in lines[start:at]).rstrip().split("\n")
        else:
            while at < len(lines) and lines[at] and not ROW.fullmatch(lines[at]) \
                    and not lines[at].startswith("    "):
                at += 1
            if at > start:
                yield "prose", lines[start:at]
            else:
                at += 1


# ---- the header, with marks ---------------------------------------------------------------------

def comment(lines):
    return "\n".join(["/**", *lines, "*/", ""])


def sections(lines):
    """The opening comment: [(heading, lines)], the first without a heading."""
    found = [("", [])]
    for line, following in zip(lines, lines[1:] + [""]):
        if re.match(r"[A-Z]{2,}\b", line) and following.startswith("  "):
            found.append((line.rstrip(":"), []))
        elif not re.match(r"Copyright |SPDX-", line):
            found[-1][1].append(line[2:] if len(found) > 1 else line)
    return found


def main_page(words, lines):
    """The opening comment."""
    title, rest = lines[0].split(" - ", 1) if " - " in lines[0] else (lines[0], "")
    out = ["@mainpage " + title, "", rest[:1].upper() + rest[1:]]
    for heading, part in sections(lines[1:]):
        if heading:
            capitals = re.match(r"[A-Z]{2,}(?: [A-Z]{2,})*", heading).group()
            out += [f"@section {capitals.lower().replace(' ', '-')} "
                    f"{capitals.capitalize()}{heading[len(capitals):]}", ""]
        out += words.body(part, shown="code{.c}")
    return out


def with_marks(words, block):
    """A block's declarations, each behind the comment."""
    if not block.comment:
        return block.code + "\n"
    own = re.sub(r"/\*(?= )(.*?) ?\*/", lambda m: f"/**< {words.prose(m.group(1))} */", block.code)
    if own != block.code:  # each has words of its own: the comment is about all
        title, _, rest = " ".join(block.comment).partition(". ")
        return comment(["@name " + title, "", words.prose(rest), "@{"]) + own + "\n/** @} */\n"
    out, first = "", None
    for declaration in re.findall(r"^\S[^\n]*(?:\n[ \t][^\n]*)*", block.code, re.M):
        function = FUNCTION.match(declaration)
        if first and function:
            brief = re.match(r".*?\.(?= |$)", " ".join(block.comment)).group()
            lines = words.body([brief, "", f"{first} says more about both."])
        else:
            first = function and function.group(1)
            declared = function.group(2) if function else ""
            parameters = re.findall(r"(\w+)(?:\[\d+\])?(?:,|$)", declared)
            lines = words.body(block.comment, parameters)
        out += comment(lines) + declaration + "\n\n"
    return out


def marked(text):
    """The header `text` with Doxygen's marks."""
    words = Words(text)
    lines, code, subjects = taken_apart(text)
    out = [comment(main_page(words, lines)), code, ""]
    for subject in subjects:
        names = [name for block in subject.blocks for name, _ in FUNCTION.findall(block.code)]
        out.append(comment([f"@defgroup {subject.name} {subject.title}",
                            "@brief " + words.prose(", ".join(names)), "", "@details",
                            *words.body(subject.about), "@{"]))
        out += [with_marks(words, block) for block in subject.blocks]
        out.append("/** @} */\n")
    return "\n".join(out)


# ---- the pages ----------------------------------------------------------------------------------

def without_backslashes(page):
    """Markdown in which no code has a backslash or a quotation mark, which Doxygen counts there."""
    def escaped(match):
        text = html.escape(match.group(1))
        return "<code>" + text.replace("\\", "\\\\") + "</code>"
    return re.sub(r"`([^`\n]*\\[^`\n]*)`", escaped, page)


def write_pages(source, out, doxygen):
    """Runs Doxygen in a folder of its own, so that no page can name a path; its warnings."""
    text = (source / "include" / "cae" / "cae.h").read_text(encoding="utf-8")
    version = ".".join(re.findall(r"^#define CAE_VERSION_\w+ (\d+)", text, re.M))
    with tempfile.TemporaryDirectory(prefix="cae-pages-") as scratch:
        folder = pathlib.Path(scratch)
        for part in PARTS:
            shutil.copy(source / "docs" / "pages" / part, folder)
        for page in PAGES:
            text_of_page = (source / "docs" / page).read_text(encoding="utf-8")
            (folder / page).write_text(without_backslashes(text_of_page), encoding="utf-8")
        (folder / "cae.h").write_text(marked(text), encoding="utf-8")
        with open(folder / "Doxyfile", "a", encoding="utf-8") as settings:
            settings.write(f"PROJECT_NUMBER = {version}\n")
        done = subprocess.run([doxygen, "Doxyfile"], cwd=folder, capture_output=True, text=True)
        warnings = done.stderr.replace(f"{folder}/", "").strip()
        if done.returncode != 0:
            raise Failed(warnings or f"{doxygen} ended with {done.returncode}")
        keep_what_is_used(folder / "html")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(folder / "html", out)
    return warnings


def keep_what_is_used(folder):
    """Doxygen adds scripts and pictures whether or not a page asks for them."""
    pages = "".join(page.read_text(encoding="utf-8") for page in folder.glob("*.html"))
    for file in folder.iterdir():
        if file.suffix != ".html" and f'="{file.name}"' not in pages:
            file.unlink()


def main():
    parser = argparse.ArgumentParser(description="Makes HTML pages of libcae's interface.")
    parser.add_argument("--source", type=pathlib.Path, required=True, help="the sources' root")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the folder to write")
    parser.add_argument("--doxygen", default="doxygen")
    parser.add_argument("--strict", action="store_true", help="a warning is an error")
    args = parser.parse_args()
    try:
        warnings = write_pages(args.source, args.out, args.doxygen)
    except (Failed, OSError) as reason:
        sys.exit(f"pages.py: {reason}")
    if warnings:
        print(warnings, file=sys.stderr)
    return 1 if warnings and args.strict else 0


if __name__ == "__main__":
    sys.exit(main())
