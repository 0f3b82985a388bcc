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

# Each has something to compile.
package twenty
for number in {01..20}; do
    {
        echo 'use std::collections::BTreeMap; use std::io::Read;'
        for function in {1..40}; do
            echo "fn f$function(text: &str) -> BTreeMap<String, usize> { let mut map = BTreeMap::new();"
            echo "    for word in text.split($function as u8 as char) { *map.entry(word.repeat($number)).or_insert($function) += 1; } map }"
        done
        echo 'fn main() { let mut text = String::new(); std::io::stdin().read_to_string(&mut text).unwrap();'
        for function in {1..40}; do echo "    println!(\"{:?}\", f$function(&text));"; done
        echo '}'
    } >"twenty/src/bin/program$number.rs"
done
images="cargo coracle build --cache-dir target/cache"
compare "twenty programs, from clean" \
    "cargo build --release" "cd twenty; cargo build --release" twenty/target \
    "cargo coracle build" "cd twenty; $images" twenty/target \
    "cargo build, then cargo coracle build" "cd twenty; cargo build --release; $images" twenty/target
