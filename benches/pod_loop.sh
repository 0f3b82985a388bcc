#!/usr/bin/env bash
# The time from a saved source file to a ready pod on a node of this machine, with Coracle (`containerd:`) and with Buildah
# and a registry. Usage: benches/pod_loop.sh [RUNS]. Needs KUBECONFIG, CONTAINERD_ADDRESS (the node's socket), coracle, gcc and
# kubectl; with buildah and REGISTRY=HOST:PORT, which the node's containerd has to reach without TLS, also the comparison.
set -euo pipefail
runs=${1:-5}
: "${KUBECONFIG:?the cluster}" "${CONTAINERD_ADDRESS:?socket of the containerd of the node}"
work=$(mktemp -d); trap 'kubectl delete --ignore-not-found --wait=false deployment/loop service/loop >/dev/null; rm -rf "$work"' EXIT
cd "$work"

cat >coracle.toml <<'TOML'
[image]
name = "docker.io/library/loop:1"
programs = ["loop"]
expose = [8080]
[kubernetes]
probes = { tcp = 8080 }
TOML
cat >Dockerfile <<'FILE'
FROM scratch
COPY loop /app/loop
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app/loop"]
FILE

save() {
    cat >loop.c <<C
#include <arpa/inet.h>
#include <unistd.h>
int main(void) {
    struct sockaddr_in at = {AF_INET, htons(8080)};
    int server = socket(AF_INET, SOCK_STREAM, 0), client;
    bind(server, (void *)&at, sizeof at), listen(server, 8);
    while ((client = accept(server, 0, 0)) >= 0) write(client, "$1\n", sizeof "$1"), close(client);
}
C
}
now() { date +%s%N; }
ms() { echo $((($2 - $1) / 1000000)); }

coracle_once() {
    coracle build -q --no-sync -o containerd:k8s.io@docker.io/library/loop:1 >/dev/null; t2=$(now)
    coracle manifests -q | kubectl apply --server-side --force-conflicts -f - >/dev/null; t3=$(now)
    kubectl rollout status deployment/loop --timeout=120s >/dev/null; t4=$(now)
}
buildah_once() {
    buildah bud -q --layers=false -t "$REGISTRY/loop:$1" . >/dev/null
    buildah push -q --tls-verify=false "$REGISTRY/loop:$1" >/dev/null; t2=$(now)
    coracle manifests -q | sed "s|image: .*|image: $REGISTRY/loop:$1|" | kubectl apply --server-side --force-conflicts -f - >/dev/null; t3=$(now)
    kubectl rollout status deployment/loop --timeout=120s >/dev/null; t4=$(now)
}
measure() {
    printf '%-8s %8s %8s %8s %8s %8s\n' "$1" compile send apply ready total
    for run in $(seq "$runs"); do
        save "$1 $run $RANDOM"; t0=$(now)
        gcc -O1 -static -s -o loop loop.c; t1=$(now)
        "$1_once" "$run"
        printf '%-8s %5d ms %5d ms %5d ms %5d ms %5d ms\n' "$run" "$(ms "$t0" "$t1")" "$(ms "$t1" "$t2")" "$(ms "$t2" "$t3")" "$(ms "$t3" "$t4")" "$(ms "$t0" "$t4")"
    done
}

measure coracle
if [ -n "${REGISTRY:-}" ]; then measure buildah; fi
