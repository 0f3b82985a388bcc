//! Images at registries that others stand on.

use super::{NONE, Page};
use crate::desk::Desk;

pub(super) const PAGE: Page = Page { path: "docs/base-images.md", engines: NONE, prepare, checks: &[] };

fn prepare(desk: &Desk) {
    desk.programs(["app"]);
    desk.done(
        "coracle build -q /usr/bin/env -o docker://debian:12-slim -o docker://gcr.io/distroless/static:nonroot \
         -o oci:base",
    );
}
