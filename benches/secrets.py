#!/usr/bin/env python3
"""Recall and precision of the secret scanner.

    benches/secrets.py [--gitleaks gitleaks.toml] [--missed] [DIRECTORY...]

Scans a corpus of random secrets that it generates (benches/secret_corpus.py), with a file for each
rule of gitleaks if its configuration is given, and the directories, such as dependency trees, in
which every finding is listed. Needs cargo, openssl, keytool, gpg and ssh-keygen.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import tempfile
import tomllib

import secret_corpus

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCANNER = ["cargo", "run", "--quiet", "--release", "-p", "coracle-scan", "--example", "scan", "--"]


def scan(directories):
    result = subprocess.run([*SCANNER, *map(str, directories)], cwd=ROOT, capture_output=True, text=True, errors="replace", check=True)
    return result.stdout.splitlines()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--gitleaks", type=pathlib.Path, help="config/gitleaks.toml of gitleaks")
    arguments.add_argument("--missed", action="store_true", help="list the files that are missed")
    arguments.add_argument("directories", nargs="*", type=pathlib.Path)
    options = arguments.parse_args()
    rules = tomllib.loads(options.gitleaks.read_text())["rules"] if options.gitleaks else []
    with tempfile.TemporaryDirectory() as directory:
        corpus = pathlib.Path(directory) / "srv"
        kinds = secret_corpus.write(corpus, rules)
        found = set()
        for line in scan([corpus]):
            match = re.match(rf"error: {re.escape(str(corpus))}/(\d+)/", line)
            if match:
                found.add(match[1])
        totals, hits = collections.Counter(kinds.values()), collections.Counter(kinds[number] for number in found)
        print(f"{'':30} {'files':>6} {'found':>6} {'':>7}")
        for kind, total in totals.items():
            if kind != "none":
                print(f"{kind:30} {total:6} {hits[kind]:6} {hits[kind] / total:7.1%}")
        print(f"{'without secrets':30} {totals['none']:6} {hits['none']:6}")
        print(f"precision {1 - hits['none'] / max(1, len(found)):.1%}")
        if options.missed:
            for number, kind in kinds.items():
                if (number in found) == (kind == "none"):
                    path = next(path for path in (corpus / number).rglob("*") if path.is_file())
                    print(f"{kind}: {path.relative_to(corpus / number)}: {path.read_bytes()[:200]!r}")
    for directory in options.directories:
        *lines, total = scan([directory.resolve()])
        print(f"\n{directory}: {total}")
        print("\n".join(line for line in lines if line.startswith("error")))


if __name__ == "__main__":
    main()
