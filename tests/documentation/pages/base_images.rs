//! Images at registries that others stand on.

use super::{NONE, Page};
use crate::doc_runner::DocRunner;

pub(super) const PAGE: Page = Page { path: "docs/base-images.md", engines: NONE, prepare, checks: &[] };

fn prepare(runner: &DocRunner) {
    runner.programs(["app"]);
    runner.done(
        "coracle build -q /usr/bin/env -o docker://debian:12-slim -o docker://gcr.io/distroless/static:nonroot \
         -o oci:base",
    );
}
