//! A job with a login, and an image that has grown since the last one.

use super::{Check, NONE, Page};
use crate::doc_runner::DocRunner;
use crate::registry_hosts;

pub(super) const PAGE: Page = Page {
    path: "docs/ci.md",
    engines: NONE,
    prepare,
    checks: &[("coracle build", Check::Example(4, "over the budget of 5 %"))],
};

fn prepare(runner: &DocRunner) {
    runner.hello("shop").done("export CI_USER=ada CI_TOKEN=hunter22");
    if registry_hosts::missing().is_empty() {
        runner.done("coracle build -q ./shop -o docker://ghcr.io/acme/shop:1.2");
        runner.done("coracle build -q ./shop -o docker://registry.acme.example/shop:latest");
    }
    runner.programs(["app"]);
    runner.file("coracle.toml", "[image]\nprograms = [\"app\"]\n\n[budget]\ngrowth = \"5%\"\n");
}
