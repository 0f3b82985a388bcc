#!/usr/bin/env bash
# The figures in docs/performance.md: ours beside the tools that others use, on the same work, in one run, in turn.
#
#   bash benches/figures.sh target/dist/coracle [RUNS] [WORKLOAD…]
#
# Needs cc, gzip, tar, GNU time and curl. zstd, libdeflate-gzip, node, buildah, podman, umoci and gnoci take part where
# they are installed. Other tools are given the files of the closure in a directory, which they could not have found.
# Prints medians of RUNS runs (5) after a warm-up; the last three columns are ratios to the first row.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
coracle=$(realpath "$1")
runs=${2:-5}
workloads=${*:3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
. "$here/compare.sh"

# With a cache that has nothing in it, as the first build of a user.
cold="rm -rf cold; '$coracle' build --quiet --cache-dir cold"

# `rootfs PROGRAM`: the files of its image, in `rootfs/` and in the list `files`.
rootfs() {
    "$coracle" build "$1" --dry-run --format json --quiet >plan.json
    grep -o '"path":"[^"]*"' plan.json | cut -d'"' -f4 | sed 's|^/||' | grep -vx 'etc/passwd\|etc/group' >files
    rm -rf rootfs
    mkdir rootfs
    # A program that is not installed has another path there, and is added by who needs it.
    tar -C / -c --no-recursion --ignore-failed-read -T files 2>/dev/null | tar -C rootfs -x
}

# The tools that make an image of `rootfs/` with a gzip layer; `peers` gets those that are installed. gnoci finds the
# libraries of PROGRAM itself.
peers() {
    peers=("tar and gzip -6" "tar -C rootfs -c . | gzip -6 -n >o.tar.gz" o.tar.gz)
    if has gnoci; then
        printf '[[entries]]\nsource = "%s"\ntarget = "%s"\n' "$1" "$1" >gnoci.toml
        peers+=(gnoci "gnoci -t x gnoci.oci" gnoci.oci)
    fi
    if has buildah; then
        peers+=(buildah "b() { buildah --root \$PWD/store --runroot \$PWD/run \"\$@\"; }
            c=\$(b from scratch) && b copy \$c rootfs / && b commit --rm --disable-compression=false \$c oci:buildah.oci:x; rm -rf store" buildah.oci)
    fi
    if has podman; then
        printf 'FROM scratch\nCOPY rootfs /\n' >Containerfile
        peers+=(podman "p() { podman --root \$PWD/store --runroot \$PWD/run \"\$@\"; }
            p build --no-cache -t x . && p push x oci:podman.oci:x; rm -rf store" podman.oci)
    fi
    if has umoci; then
        peers+=(umoci "umoci init --layout umoci.oci && umoci new --image umoci.oci:x &&
            umoci insert --image umoci.oci:x rootfs /" umoci.oci)
    fi
}

# The largest program there is.
largest() {
    if has node; then
        realpath "$(command -v node)"
    else
        find /usr/bin -type f -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2
    fi
}

megabytes() { echo "$(($(bytes "$@") / 1000000)) MB"; }

work_hello() {
    static_hello
    local rows=(coracle "$cold ./hello -o oci:o.oci" o.oci)
    rows+=("the program alone, gzip -9" "gzip -9 -n -c hello >9.gz" 9.gz)
    if has libdeflate-gzip; then
        rows+=("the program alone, libdeflate-gzip -12" "libdeflate-gzip -12 -c hello >12.gz" 12.gz)
    fi
    compare "static hello" "${rows[@]}"
}

static_hello() {
    cc -O2 -static -s -o hello -x c - <<<'int puts(const char *); int main(void) { puts("hello"); return 0; }'
}

work_curl() {
    rootfs /usr/bin/curl
    peers /usr/bin/curl
    compare "curl and its libraries, $(megabytes rootfs)" coracle "$cold /usr/bin/curl -o oci:o.oci" o.oci "${peers[@]}" \
        "tar and gzip -9" "tar -C rootfs -c . | gzip -9 -n >9.tar.gz" 9.tar.gz
}

work_largest() {
    rootfs "$largest"
    peers "$largest"
    compare "$name and its libraries, $(megabytes rootfs), gzip" \
        coracle "$cold $largest -o oci:o.oci" o.oci \
        "coracle --no-cache" "'$coracle' build --quiet --no-cache $largest -o oci:o.oci" o.oci "${peers[@]}"
    if has zstd; then
        compare "the same, zstd" \
            coracle "$cold --compression zstd $largest -o oci:o.oci" o.oci \
            "tar and zstd -3" "tar -C rootfs -c . | zstd -3 -q -o o.tar.zst" o.tar.zst \
            "tar and zstd -3 -T0" "tar -C rootfs -c . | zstd -3 -T0 -q -o o.tar.zst" o.tar.zst
    fi
}

work_changed() {
    cp "$largest" program
    local warm="'$coracle' build --quiet --cache-dir warm ./program -o oci:changed.oci"
    bash -c "$warm" >/dev/null
    local alone=("the program alone, tar and gzip -6" "tar -c program | gzip -6 -n >o.tar.gz" o.tar.gz)
    if has libdeflate-gzip; then
        alone+=("the program alone, libdeflate-gzip -5" "libdeflate-gzip -5 -c program >o.gz" o.gz)
    fi
    compare "only $name changed" coracle "printf x >>program; $warm" "" \
        "coracle --no-cache" "printf x >>program; '$coracle' build --quiet --no-cache ./program -o oci:o.oci" o.oci \
        "${alone[@]}"
    compare "only the times of $name changed" coracle "touch program; $warm" "" \
        "sha256sum" "sha256sum program" ""
}

work_fifty() {
    local number recipes=()
    mkdir fifty
    for number in $(seq 50); do
        cc -O2 -o "fifty/p$number" -x c - -Wl,--no-as-needed -l:libcurl.so.4 <<<"
            int puts(const char *);
            int main(void) { return puts(\"$number\"); }"
        printf '[image]\nname = "p%s"\nprograms = ["p%s"]\n' "$number" "$number" >"fifty/$number.toml"
        recipes+=(-f "fifty/$number.toml")
    done
    rootfs "fifty/p1"
    local rows=(coracle "$cold ${recipes[*]} -o oci:o.oci" o.oci)
    rows+=("coracle, 50 calls" "rm -rf cold; for i in {1..50}; do
        '$coracle' build --quiet --cache-dir cold -f fifty/\$i.toml -o oci:o.oci; done" o.oci)
    if has zstd; then
        rows+=("tar and zstd -3" "mkdir images; for i in {1..50}; do
            tar -c -C rootfs . -C ../fifty p\$i | zstd -3 -q -o images/\$i; done" images)
    fi
    compare "fifty programs that share $(megabytes rootfs) of libraries" "${rows[@]}"
}

work_nothing() {
    local loop="for i in {1..20}; do" warm="build --quiet --cache-dir warm"
    "$coracle" $warm /usr/bin/curl -o oci:curl.oci >/dev/null
    "$coracle" $warm "$largest" -o oci:largest.oci >/dev/null
    compare "nothing to do, 20 times" \
        "/bin/true" "$loop /bin/true; done" "" \
        "coracle --version" "$loop '$coracle' --version; done" "" \
        "coracle, curl unchanged" "$loop '$coracle' $warm /usr/bin/curl -o oci:curl.oci; done" "" \
        "coracle, $name unchanged" "$loop '$coracle' $warm $largest -o oci:largest.oci; done" ""
}

# A small program with pieces of the largest one behind it, which no segment covers.
work_sizes() {
    local size rows=()
    static_hello
    for size in 1 10 100 1000; do
        { cat hello; while cat "$largest"; do :; done; } 2>/dev/null | head -c "${size}MB" >"p$size" || true
        chmod 755 "p$size"
        rows+=("coracle, $size MB" "$cold ./p$size -o oci:$size.oci" "$size.oci")
    done
    compare "programs of 1 MB to 1 GB" "${rows[@]}"
}

work_limits() {
    local rows=("cat" "cat $largest >copy" copy "sha256sum" "sha256sum $largest" "")
    if has libdeflate-gzip; then rows+=("libdeflate-gzip -5" "libdeflate-gzip -5 -c $largest >o.gz" o.gz); fi
    if has zstd; then rows+=("zstd -3" "zstd -3 -q -c $largest >o.zst" o.zst); fi
    compare "what the machine can do: $name, $(megabytes "$largest")" "${rows[@]}"
}

largest=$(largest)
name=$(basename "$largest")
echo "machine: $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs), $(nproc) cores; load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "medians of $runs runs in turn, after a warm-up; warm page cache; cold build cache, unless the row says otherwise"
for workload in ${workloads:-hello curl largest changed fifty nothing sizes limits}; do "work_$workload"; done
