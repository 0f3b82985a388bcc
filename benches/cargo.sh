#!/usr/bin/env bash
# What images cost beside `cargo build`: docs/performance.md, "Cargo".
#
#   bash benches/cargo.sh target/dist/coracle [RUNS]
#
# Needs cargo, GNU time, and `cargo-coracle` beside `coracle`. Prints medians of RUNS runs (5) after a warm-up; the last
# three columns are ratios to the first row.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PATH="$(dirname "$(realpath "$1")"):$PATH"
runs=${2:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
. "$here/compare.sh"
export CARGO_NET_OFFLINE=true XDG_CACHE_HOME=$work/cache

# `package FOLDER`: one with a program that prints a line.
package() {
    mkdir -p "$1/src/bin"
    printf '[package]\nname = "%s"\nversion = "1.0.0"\nedition = "2024"\n\n[workspace]\n' "$1" >"$1/Cargo.toml"
}

package small
echo 'fn main() { println!("hello"); }' >small/src/main.rs
# Of what was linked this very moment no record is kept.
(cd small && cargo coracle build -q && sleep 4 && cargo coracle build -q) >/dev/null
loop="cd small; for i in {1..20}; do"
compare "a small crate with nothing to do, 20 times" \
    "cargo build --release" "$loop cargo build --release; done" "" \
    "cargo coracle build" "$loop cargo coracle build; done" "" \
    "cargo, which runs a command of its own" "$loop cargo coracle --version; done" ""

# `program FILE FUNCTIONS`: with so many functions to compile.
program() {
    local function
    {
        echo 'use std::collections::BTreeMap; use std::io::Read;'
        for function in $(seq "$2"); do
            echo "fn f$function(text: &str) -> BTreeMap<String, usize> { let mut map = BTreeMap::new();"
            echo "    for word in text.split(char::from(($function % 128) as u8)) { *map.entry(word.repeat($function)).or_insert($function) += 1; } map }"
        done
        echo 'fn main() { let mut text = String::new(); std::io::stdin().read_to_string(&mut text).unwrap();'
        for function in $(seq "$2"); do echo "    println!(\"{:?}\", f$function(&text));"; done
        echo '}'
    } >"$1"
}

# `from_clean TITLE FOLDER`: cargo alone, with images meanwhile, and with images behind it.
from_clean() {
    local clean="cd $2; rm -rf target; cargo build --release" images="cargo coracle build --cache-dir target/cache"
    compare "$1, from clean" \
        "cargo build --release" "$clean" "" \
        "cargo coracle build" "cd $2; rm -rf target; $images" "" \
        "cargo build, then cargo coracle build" "$clean; $images" ""
}

package twenty
for number in {01..20}; do program "twenty/src/bin/program$number.rs" 8; done
from_clean "twenty programs" twenty

# Its last seconds are one program's: one core compiles, the others have nothing to do.
package late
printf '\n[profile.release]\ncodegen-units = 1\n' >>late/Cargo.toml
for number in {1..9}; do program "late/src/bin/program$number.rs" 1; done
program late/src/bin/slow.rs 200
from_clean "nine small programs and one that takes long" late
