# What the figures are made with: commands run in turn, medians, ratios to the first. Sourced by `figures.sh`.

# `measure COMMAND`: "CPU-seconds wall-seconds peak-kilobytes" of one run; the peak is that of the largest process.
measure() {
    sync
    /usr/bin/time -o time -f '%M' bash -c "TIMEFORMAT='%3U %3S %3R'; { time { $1; } >/dev/null 2>&1; } 2>clock" ||
        { echo "failed: $1" >&2; exit 1; }
    awk -v peak="$(tail -1 time)" '{ printf "%.3f %.3f %d\n", $1 + $2, $3, peak }' clock
}

median() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

# The bytes of files and directories.
bytes() { find "$@" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }'; }

has() { command -v "$1" >/dev/null; }

# `compare TITLE [NAME COMMAND OUTPUT]…`: a row for each. OUTPUT is what the command leaves, maybe nothing; it is removed
# before each run, and its bytes are told. The first run of each is a warm-up.
compare() {
    printf '\n### %s\n\n' "$1"
    echo "| command | CPU s | wall s | peak MB | bytes | CPU | wall | bytes |"
    echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
    shift
    local run row result rows=("$@")
    for run in $(seq 0 "$runs"); do
        for ((row = 0; row < $#; row += 3)); do
            [ -z "${rows[row + 2]}" ] || rm -rf "${rows[row + 2]}"
            result=$(measure "${rows[row + 1]}")
            [ "$run" = 0 ] || echo "$result" >>"run.$row"
        done
    done
    for ((row = 0; row < $#; row += 3)); do
        printf '%s\t%s\t%s\t%s\t%s\n' "${rows[row]}" "$(cut -d' ' -f1 "run.$row" | median)" \
            "$(cut -d' ' -f2 "run.$row" | median)" "$(cut -d' ' -f3 "run.$row" | sort -n | tail -1)" \
            "$([ -z "${rows[row + 2]}" ] || bytes "${rows[row + 2]}")"
        rm "run.$row"
    done | awk -F'\t' '
        function ratio(a, b) { return a != "" && b > 0 ? sprintf("%.2f", a / b) : "" }
        NR == 1 { cpu = $2; wall = $3; size = $5 }
        { printf "| %s | %s | %s | %d | %s | %s | %s | %s |\n",
              $1, $2, $3, $4 / 1024, $5, ratio($2, cpu), ratio($3, wall), ratio($5, size) }'
}
