//! An archive that a node's containerd imports, and the manifests of its image.

use super::{ALL, Check, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/local-clusters.md", engines: ALL, prepare, checks: CHECKS };

const CHECKS: &[(&str, Check)] = &[
    ("coracle build -o docker-archive:", Check::Prints("shop:1.2@sha256:")),
    ("ctr -n k8s.io images import", Check::PrintsToRoot("docker.io/library/shop@sha256:")),
    ("coracle manifests", Check::Asks("deployments/shop")),
    ("ctr -n k8s.io images tag", Check::PrintsToRoot("")),
    ("coracle build -o containerd:", Check::Prints("containerd:k8s.io@shop:1.2: unchanged")),
    ("coracle copy", Check::Prints("containerd:k8s.io@shop:1.2: unchanged")),
    ("coracle build -q -o containerd:", Check::Asks("deployments/shop")),
    ("IMAGE=shop:1.2", Check::PrintsToRoot("shop:1.2@sha256:")),
    ("kubectl describe pod", Check::Prints("Volumes:")),
    ("ctr -n k8s.io images ls", Check::PrintsToRoot("docker.io/library/shop:1.2")),
];

fn prepare(runner: &DocRunner) {
    runner.programs(["shop"]);
    runner.file("coracle.toml", "[image]\nname = \"shop:1.2\"\nprograms = [\"shop\"]\n");
    let digest = runner.done("coracle build -q -o oci:shop.oci");
    // Tagging needs a name that is not there yet.
    runner.word("sha256:…", format!("{} --force", digest.split_once('@').unwrap().1));
}
