//! An image that is sent to registries, and copied from one to the other.

use super::{NONE, Page};
use crate::doc_runner::DocRunner;
use crate::registry_hosts;

pub(super) const PAGE: Page = Page { path: "docs/registries.md", engines: NONE, prepare, checks: &[] };

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
    let digest = runner.done("coracle build -q ./app -t shop:1.2");
    runner.word("sha256:…", digest.split_once('@').unwrap().1);
    platforms(runner);
}

/// Images of two machines under their own tags, and manifests that name the image.
fn platforms(runner: &DocRunner) {
    runner
        .file("hello.c", "int main(void) { return 0; }\n")
        .file("deploy/pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: shop}\nspec: {containers: [{name: shop, image: 'ghcr.io/acme/shop:1.2'}]}\n");
    if registry_hosts::missing().is_empty() {
        runner.done(
            "gcc -static -s -o app-amd64 hello.c; aarch64-linux-gnu-gcc -static -s -o app-arm64 hello.c
            for machine in amd64 arm64; do
                coracle build -q app-$machine:/app/shop -o docker://ghcr.io/acme/shop:1.2-$machine
            done; rm -r hello.c app-amd64 app-arm64",
        );
    }
}
