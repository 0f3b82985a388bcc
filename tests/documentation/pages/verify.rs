//! An image that is signed, has provenance and can be built again.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;
use crate::registry_hosts;

pub(super) const PAGE: Page = Page {
    path: "docs/verify.md",
    engines: NONE,
    prepare,
    checks: &[("coracle verify oci:other.oci --rebuild", Check::Exits(&[4]))],
};

fn prepare(runner: &DocRunner) {
    runner
        .programs(["app"])
        .file("coracle.toml", "[image]\nname = \"shop\"\nprograms = [\"app\"]\n")
        .file("other.toml", "[image]\nname = \"shop\"\nprograms = [\"app\"]\nuser = 7\n");
    runner.done("coracle key generate --unencrypted -o release; coracle build -q -o oci:shop.oci");
    if registry_hosts::missing().is_empty() {
        runner.done(
            "coracle build -q -t ghcr.io/acme/shop:1.2 --push --sign-key release.key --provenance -o oci:signed.oci",
        );
    }
}
