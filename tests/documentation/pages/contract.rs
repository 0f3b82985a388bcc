//! Two images with contracts, and manifests.

use super::{NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/contract.md", engines: NONE, prepare, checks: &[] };

fn prepare(runner: &DocRunner) {
    runner.programs(["shop"]).file("config/shop.toml", "port = 1\n").file(
        "coracle.toml",
        "[image]\nname = \"shop\"\nprograms = [\"shop\"]\n[[config]]\nmount = \"/etc/shop\"\ntemplates = [\"config/shop.toml\"]\n",
    );
    runner.done(
        "coracle build -q; mkdir -p deploy overlays/prod; coracle manifests > deploy/shop.yaml
        cp deploy/shop.yaml overlays/prod; echo 'resources: [shop.yaml]' > overlays/prod/kustomization.yaml",
    );
    for (word, meaning) in [
        ("NAME=IMAGE", "shop=oci:shop.oci"),
        ("IMAGE", "oci:shop.oci"),
        ("MANIFEST…", "deploy/"),
        ("OLD NEW", "oci:shop.oci oci:shop.oci"),
        ("FILE…", "deploy/shop.yaml"),
    ] {
        runner.word(word, meaning);
    }
}
