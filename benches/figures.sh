#!/usr/bin/env bash
# The figures in docs/performance.md: ours beside the usual tools, on the same work, in one run, interleaved.
#
#   bash benches/figures.sh target/release/coracle [RUNS]
#
# Needs cc, gzip, tar, GNU time and curl. Prints medians of RUNS runs (5) after a warm-up, and ratios.
set -euo pipefail
coracle=$(realpath "$1")
runs=${2:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# `measure COMMAND`: "CPU-seconds wall-seconds peak-kilobytes" of one run.
measure() {
    /usr/bin/time -o time -f '%M' bash -c "TIMEFORMAT='%3U %3S %3R'; { time { $1; } >/dev/null 2>&1; } 2>clock" ||
        { echo "failed: $1" >&2; exit 1; }
    awk -v peak="$(tail -1 time)" '{ printf "%.3f %.3f %d\n", $1 + $2, $3, peak }' clock
}

median() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

# `compare TITLE NAME=COMMAND…`: a row for each, medians, and the ratio of CPU time to the first.
compare() {
    echo; echo "### $1"; echo
    echo "| command | CPU s | wall s | peak MB | CPU ratio |"; echo "| --- | --- | --- | --- | --- |"
    shift
    for run in $(seq 0 "$runs"); do
        for index in $(seq 1 $#); do
            result=$(measure "${!index#*=}")
            [ "$run" = 0 ] || echo "$result" >>"run.$index"
        done
    done
    local base
    base=$(cut -d' ' -f1 run.1 | median)
    for index in $(seq 1 $#); do
        cpu=$(cut -d' ' -f1 "run.$index" | median)
        wall=$(cut -d' ' -f2 "run.$index" | median)
        peak=$(cut -d' ' -f3 "run.$index" | median)
        echo "| ${!index%%=*} | $cpu | $wall | $((peak / 1024)) | $(awk -v a="$cpu" -v b="$base" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }') |"
        rm "run.$index"
    done
}

bytes() { find "$@" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }'; }

echo "machine: $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) cores; load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "medians of $runs interleaved runs after a warm-up; warm page cache; no build cache"

printf '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n' >hello.c
cc -O2 -static -s -o hello hello.c
"$coracle" build ./hello -t hello -o oci:hello.oci --quiet >/dev/null
echo; echo "### static hello, bytes"; echo
echo "| what | bytes |"; echo "| --- | --- |"
echo "| the program | $(bytes hello) |"
echo "| gzip -9 of the program alone | $(gzip -9 -n -c hello | wc -c) |"
echo "| everything in our image layout, JSON included | $(bytes hello.oci) |"

"$coracle" build /usr/bin/curl -o oci:curl.oci --quiet >/dev/null
"$coracle" build /usr/bin/curl --dry-run --format json --quiet >plan.json
grep -o '"path":"[^"]*"' plan.json | cut -d'"' -f4 | sed 's|^/||' >files
tar -C / -cf curl.tar --no-recursion -T files
echo; echo "### curl and its libraries, bytes"; echo
echo "| what | bytes |"; echo "| --- | --- |"
echo "| the same files in a tar | $(bytes curl.tar) |"
echo "| that tar, gzip -6 | $(gzip -6 -n -c curl.tar | wc -c) |"
echo "| our image layout | $(bytes curl.oci) |"

compare "curl, from the program to an image" \
    "coracle build=rm -rf o.oci; '$coracle' build /usr/bin/curl -o oci:o.oci" \
    "tar and gzip -6=tar -C / -c --no-recursion -T files | gzip -6 -n >o.tar.gz" \
    "tar and gzip -9=tar -C / -c --no-recursion -T files | gzip -9 -n >o.tar.gz"

loop() { echo "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do $1; done"; }
compare "start, 20 times" \
    "true=$(loop /bin/true)" \
    "coracle --version=$(loop "'$coracle' --version")"

# A program of 1 GB: a real one with random and compressible data behind it, which no segment covers.
cp hello big
{ head -c 300M /dev/urandom; head -c 700M /dev/zero; } >>big
compare "a program of 1 GB" \
    "coracle build=rm -rf o.oci; '$coracle' build ./big -o oci:o.oci" \
    "gzip -6=gzip -6 -n -c big >big.gz"
