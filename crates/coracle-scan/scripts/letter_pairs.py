"""Writes src/data/letter_pairs.rs: how many bits written text needs for a letter after another one.

    python3 scripts/letter_pairs.py DIRECTORY... > src/data/letter_pairs.rs

The directories have source code, documentation and translations. Only words of letters, digits and
`_` count, each once, so that frequent words do not hide the others.
"""

import math
import pathlib
import re
import sys

SYMBOLS = "abcdefghijklmnopqrstuvwxyz0_"
MAX_SIZE = 1 << 20


def symbol(character):
    """The index of a character: letters without case, all digits, everything else."""
    if character.isdigit():
        return 26
    index = ord(character.lower()) - ord("a")
    return index if 0 <= index < 26 else 27


def words(directories):
    found = set()
    for directory in directories:
        for path in pathlib.Path(directory).rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < MAX_SIZE:
                text = path.read_bytes()
                if b"\0" not in text:
                    found.update(re.findall(r"[A-Za-z][A-Za-z0-9_]{2,40}", text.decode("latin-1")))
    # Longer words with many digits are hashes and encoded data.
    return (word for word in found if sum(map(str.isdigit, word)) * 4 <= len(word))


def main():
    counts = [[1.0] * len(SYMBOLS) for _ in SYMBOLS]
    for word in sorted(words(sys.argv[1:])):
        if len(word) > 16 and not re.search(r"_|[a-z]{5}", word):
            continue
        padded = "_" + word + "_"
        for first, second in zip(padded, padded[1:]):
            counts[symbol(first)][symbol(second)] += 1
    print("//! The cost of a character after another one in written text, in tenths of a bit. This file is")
    print("//! written by `scripts/letter_pairs.py`: do not edit it.")
    print()
    print("/// Rows are the first character, columns the second: `a` to `z` without case, a digit, another")
    print("/// character.")
    print("#[rustfmt::skip]")
    print(f"pub(crate) const LETTER_PAIR_COSTS: [[u8; {len(SYMBOLS)}]; {len(SYMBOLS)}] = [")
    for row in counts:
        total = sum(row)
        costs = [min(150, round(-10 * math.log2(count / total))) for count in row]
        print("    [" + ", ".join(map(str, costs)) + "],")
    print("];")


main()
