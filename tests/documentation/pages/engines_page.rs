//! Podman, Docker and containerd, and an image at a registry.

use super::{ALL, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/engines.md", engines: ALL, prepare, checks: &[] };

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
    if crate::registry_hosts::missing().is_empty() {
        runner.done("coracle build -q ./app -o docker://ghcr.io/acme/shop:1.2");
    }
}
