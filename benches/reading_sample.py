#!/usr/bin/env python3
"""Prints names, doc lines and messages of the code, chosen by a seed, for a reader who does not know it.

    python3 benches/reading_sample.py [SEED]

The reader writes down what each type, function and file is, from what is printed alone, and whether each doc line and
message is understood at first read. The code is opened afterwards, to count the right answers. Tests are left out.
"""

import random
import re
import subprocess
import sys

TYPE = re.compile(r"^\s*pub(?:\([^)]*\))? (?:struct|enum|trait|type) (\w+).*")
FUNCTION = re.compile(r"^\s*(?:pub(?:\([^)]*\))? )?(?:const )?fn (\w+)")
MESSAGE = re.compile(r'#\[error\("((?:[^"\\]|\\.)*)"')
USAGE = re.compile(r'CliError::usage\(\s*(?:format!\()?"((?:[^"\\]|\\.)*)"')


def sources():
    paths = subprocess.run(["git", "ls-files", "*.rs"], capture_output=True, text=True, check=True).stdout.split()
    for path in paths:
        if path.startswith(("src/", "crates/")) and not re.search(r"coracle-testing|/tests?(/|\.rs)|_tests\.rs", path):
            yield path, open(path, encoding="utf-8").read().split("#[cfg(test)]\n")[0]


def signature(lines, start):
    text = ""
    for line in lines[start : start + 12]:
        text += " " + line.strip()
        if line.rstrip().endswith(("{", ";")):
            break
    return text.strip().rstrip("{").strip()


def main():
    chosen = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 17)
    types, functions, files, docs, messages = [], [], [], [], []
    for path, text in sources():
        files.append(path)
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if match := TYPE.match(line):
                types.append(f"{path}: {line.strip().rstrip('{').strip()}")
            elif FUNCTION.match(line):
                functions.append(f"{path}: {signature(lines, number)}")
            doc = line.strip()
            if doc.startswith(("/// ", "//! ")) and len(doc) > 24:
                docs.append(f"{path}: {doc}")
        messages += [f"{path}: {found}" for found in MESSAGE.findall(text) + USAGE.findall(text)]
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
