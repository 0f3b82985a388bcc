#!/usr/bin/env bash
# Compares what it costs to build and to work on two commits, and the figures of their sources, in one run.
#
#     bash benches/workspace.sh BEFORE [AFTER]
#
# CPU seconds are user + system of all processes (bash's `times`, GNU time's %U and %S). Builds start from a clean clone with
# an empty target directory; crates are downloaded before the clock starts.
set -euo pipefail
before=${1:?usage: benches/workspace.sh BEFORE [AFTER]}
after=${2:-HEAD}
repository=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CARGO_TARGET_DIR
mkdir -p "$work/bin"

# CPU seconds and wall seconds of a command, as "CPU WALL"; its output goes to $work/log.
timed() {
    /usr/bin/time --format '%U %S %e' --output "$work/time" "$@" >>"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; return 1; }
    awk '{ printf "%.1f %.1f", $1 + $2, $3 }' "$work/time"
}

# The command of README.md below the comment `<!-- ci: main job -->`.
main_job() {
    awk '$0 == "<!-- ci: main job -->" { fence = NR + 1 }
         inside && $0 == "```" { exit }
         inside
         NR == fence && $0 == "```sh" { inside = 1 }' README.md
}

rust_files() { git ls-files '*.rs' | grep -E "$1" || true; }
median_lines() { xargs -r wc -l | awk '$2 != "total" { print $1 }' | sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

measure() {
    local commit=$1 name=$2
    git clone --quiet "$repository" "$work/$name"
    cd "$work/$name"
    git checkout --quiet "$commit"
    cargo fetch --quiet --locked
    record() { printf '%s\t%s\n' "$1" "$2" >>"$work/$name.tsv"; }

    record "main job: CPU s, wall s" "$(timed bash -euo pipefail -c "$(main_job)")"
    record "size of target/release/coracle, bytes" "$(stat --format %s target/release/coracle)"
    record "version: CPU ms, mean of 200" "$(timed bash -c 'for i in {1..200}; do target/release/coracle --version; done' | awk '{ printf "%.2f", $1 * 5 }')"
    timed cargo build >/dev/null
    local pause
    for pause in 1 2 3; do
        sleep 1
        touch src/cli/mod.rs
        record "cargo build after a change in src/cli, run $pause: CPU s, wall s" "$(timed cargo build)"
    done
    timed cargo test --no-run >/dev/null
    for pause in 1 2 3; do
        sleep 1
        touch src/cli/mod.rs
        record "cargo test --no-run after a change in src/cli, run $pause: CPU s, wall s" "$(timed cargo test --no-run)"
    done
    sleep 1
    touch src/lib.rs
    record "cargo test --no-run after a change in src/lib.rs: CPU s, wall s" "$(timed cargo test --no-run)"
    record "crates in Cargo.lock" "$(grep -c '^name = ' Cargo.lock)"
    record "crates compiled by the main job" "$(cargo tree --edges normal,build --prefix none --no-dedupe | awk '{ print $1, $2 }' | sort -u | wc -l)"
    record "Rust files outside of tests" "$(rust_files '^(src|crates/[^/]*/src)/' | grep -v '^crates/coracle-testing/' | wc -l)"
    record "their lines" "$(rust_files '^(src|crates/[^/]*/src)/' | grep -v '^crates/coracle-testing/' | xargs cat | wc -l)"
    record "their median length" "$(rust_files '^(src|crates/[^/]*/src)/' | grep -v '^crates/coracle-testing/' | median_lines)"
    record "public items" "$(rust_files '^(src|crates/[^/]*/src)/' | grep -v '^crates/coracle-testing/' | xargs grep -hE '^\s*pub (const |async |unsafe )?(fn|struct|enum|trait|type|const|static|mod) ' | wc -l)"
    record "types named Error" "$(rust_files '^(src|crates/[^/]*/src)/' | xargs grep -hE '^\s*pub(\([a-z() ]*\))? (enum|struct) Error\b' | wc -l)"
    record "test executables" "$(cargo test --no-run --message-format json 2>/dev/null | grep -c '"executable":"[^"]*/deps/')"
    cd "$repository"
}

measure "$before" before
measure "$after" after
printf '%-70s %18s %18s\n' figure before after
join -t "$(printf '\t')" <(sort "$work/before.tsv") <(sort "$work/after.tsv") |
    awk -F '\t' '{ printf "%-70s %18s %18s\n", $1, $2, $3 }'
