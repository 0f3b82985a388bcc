#!/usr/bin/env bash
# What pushes cost, beside skopeo and beside the bare transfer: docs/performance.md, "Registries".
#
#   bash benches/registry.sh target/dist/coracle [RUNS]
#
# Needs docker-registry, skopeo, curl, GNU time and node. The registry listens on 127.0.0.1 and ends with the script.
# Prints medians of RUNS runs (5) after a warm-up; the last three columns are ratios to the first row.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
coracle=$(realpath "$1")
runs=${2:-5}
work=$(mktemp -d)
cd "$work"
. "$here/compare.sh"

port=5917
storage=$work/storage
blobs=$storage/docker
cat >registry.yml <<YAML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $storage}}
http: {addr: "127.0.0.1:$port"}
YAML
docker-registry serve registry.yml >registry.log 2>&1 &
registry=$!
trap 'kill $registry; rm -rf "$work"' EXIT
for _ in $(seq 50); do
    curl -fs "http://127.0.0.1:$port/v2/" >/dev/null && break
    sleep 0.1
done

at=127.0.0.1:$port
node=$(realpath "$(command -v node)")
"$coracle" build "$node" --quiet --no-cache -t node:1 -o oci:node.oci >/dev/null
[ -z "$(command -v skopeo)" ] || skopeo --version

# Each blob in one request, with nothing asked before and nothing said behind.
cat >raw.sh <<'SH'
set -e
for blob in node.oci/blobs/sha256/*; do
    [ "$(stat -c %s "$blob")" -gt 4000 ] || continue
    place=$(curl -fsS -X POST -o /dev/null -D - "http://$1/v2/raw/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -fsS -X PUT -H 'Content-Type: application/octet-stream' -T "$blob" "$place&digest=sha256:$(basename "$blob")"
done
SH

compare "First push of node's image, $(bytes node.oci) bytes" \
    "coracle copy" "'$coracle' copy -q oci:node.oci docker://$at/node:1" "$blobs" \
    "the bare transfer (curl)" "bash raw.sh $at" "$blobs" \
    "skopeo copy" "skopeo copy -q --dest-tls-verify=false oci:node.oci:1 docker://$at/node:1" "$blobs"

"$coracle" copy -q oci:node.oci "docker://$at/node:1" >/dev/null
compare "The same again, nothing changed" \
    "coracle copy" "'$coracle' copy -q oci:node.oci docker://$at/node:1" "" \
    "coracle build --push, unchanged" "'$coracle' build '$node' -q --cache-dir warm -t $at/node:1 --push -o oci:warm.oci" "" \
    "skopeo copy" "skopeo copy -q --dest-tls-verify=false oci:node.oci:1 docker://$at/node:1" ""

compare "Built and pushed, no cache" \
    "coracle build -o docker://" "'$coracle' build '$node' -q --no-cache -o docker://$at/node:1" "$blobs" \
    "coracle build, then coracle copy" \
    "'$coracle' build '$node' -q --no-cache -t node:1 -o oci:new.oci && '$coracle' copy -q oci:new.oci docker://$at/node:1" "$blobs" \
    "coracle build, then skopeo copy" \
    "'$coracle' build '$node' -q --no-cache -t node:1 -o oci:new.oci && skopeo copy -q --dest-tls-verify=false oci:new.oci:1 docker://$at/node:1" "$blobs"

"$coracle" build "$node" -q --no-cache -o "docker://$at/seed:1" --cache-to "$at/cache" >/dev/null
compare "Built and pushed by a machine whose cache is empty, while others have packed it" \
    "--cache-from, trusted" "'$coracle' build '$node' -q --no-cache -o docker://$at/\$RANDOM:1 --cache-from $at/cache --trust-cache" "" \
    "--cache-from" "'$coracle' build '$node' -q --no-cache -o docker://$at/\$RANDOM:1 --cache-from $at/cache" "" \
    "without" "'$coracle' build '$node' -q --no-cache -o docker://$at/\$RANDOM:1" ""

# A program like one with 1 GB of data that can't be compressed.
cp "$(command -v env)" big
head -c 1000000000 /dev/urandom >>big
"$coracle" build ./big -q --no-cache -t big:1 -o oci:big.oci >/dev/null
compare "First push of a layer of 1 GB" \
    "coracle copy" "'$coracle' copy -q oci:big.oci docker://$at/big:1" "$blobs" \
    "skopeo copy" "skopeo copy -q --dest-tls-verify=false oci:big.oci:1 docker://$at/big:1" "$blobs"
