#!/usr/bin/env python3
"""Prints names, doc lines and messages of the code, chosen by a seed, for a reader who does not know it.

    python3 benches/reading_sample.py [SEED]

The reader writes down what each type, function and file is, from what is printed alone, and whether each doc line and
message is understood at first read. The code is opened afterwards, to count the right answers. Tests are left out.
Methods and associated types are printed with the `impl` or `trait` that contains them, doc lines as whole sentences.
A message that only forwards another one has no text of its own and is left out.
"""

import random
import re
import subprocess
import sys

TYPE = re.compile(r"^\s*pub(?:\([^)]*\))? (?:struct|enum|trait|type) (\w+).*|^    type (\w+) = .*")
FUNCTION = re.compile(r"^\s*(?:pub(?:\([^)]*\))? )?(?:const )?fn (\w+)")
BLOCK = re.compile(r"^(?:unsafe )?(?:impl\b|(?:pub(?:\([^)]*\))? )?trait )")
MESSAGE = re.compile(r'#\[error\(\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
USAGE = re.compile(r'CliError::usage\(\s*(?:format!\(\s*)?"((?:[^"\\]|\\.)*)"', re.DOTALL)


def sources():
    paths = subprocess.run(["git", "ls-files", "*.rs"], capture_output=True, text=True, check=True).stdout.split()
    for path in paths:
        if path.startswith(("src/", "crates/")) and not re.search(r"coracle-testing|/tests?(/|\.rs)|_tests\.rs", path):
            yield path, open(path, encoding="utf-8").read().split("#[cfg(test)]\nmod tests {")[0]


def declaration(lines, start):
    """The lines of a declaration up to its body, as one line."""
    text = ""
    for line in lines[start : start + 12]:
        text += " " + line.strip()
        if line.rstrip().endswith(("{", ";", "}")):
            break
    return text.strip().rstrip("{").strip()


def sentences(lines, start, prefix):
    """The sentences of the doc paragraph around a line that the line is part of."""
    def is_text(number):
        return 0 <= number < len(lines) and re.match(rf"{prefix} \S", lines[number].strip()) is not None

    first, last = start, start
    while is_text(first - 1):
        first -= 1
    while is_text(last + 1):
        last += 1
    paragraph, begin, end = "", 0, 0
    for number in range(first, last + 1):
        if number == start:
            begin = len(paragraph)
        paragraph += lines[number].strip()[len(prefix) :].strip() + " "
        if number == start:
            end = len(paragraph)
    stops = [0] + [match.end() for match in re.finditer(r"[.:!?]`?\)? ", paragraph)] + [len(paragraph)]
    return paragraph[max(stop for stop in stops if stop <= begin) : min(stop for stop in stops if stop >= end)].strip()


def main():
    chosen = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 17)
    types, functions, files, docs, messages = [], [], [], [], []
    for path, text in sources():
        files.append(path)
        lines = text.split("\n")
        block = ""
        for number, line in enumerate(lines):
            if BLOCK.match(line):
                block = declaration(lines, number)
            elif line.startswith("}"):
                block = ""
            inside = f"{block}: " if block and line.startswith(" ") else ""
            if TYPE.match(line):
                types.append(f"{path}: {inside}{line.strip().rstrip('{').strip()}")
            elif FUNCTION.match(line):
                functions.append(f"{path}: {inside}{declaration(lines, number)}")
            doc = line.strip()
            if re.match(r"//[/!] [^#\[]", doc) and len(doc) > 24:
                docs.append(f"{path}: {doc[:3]} {sentences(lines, number, doc[:3])}")
        for found in MESSAGE.findall(text) + USAGE.findall(text):
            found = re.sub(r"\\\n\s*", "", found)
            if not re.fullmatch(r"\{\w*\}", found):
                messages.append(f"{path}: {found}")
    for title, found, count in (
        ("types", types, 40),
        ("functions", functions, 40),
        ("files", files, 40),
        ("doc lines", docs, 40),
        ("messages", messages, 25),
    ):
        print(f"\n{title}: {count} of {len(found)}\n")
        for number, item in enumerate(sorted(chosen.sample(found, min(count, len(found)))), 1):
            print(f"{number:3}  {item}")


main()
