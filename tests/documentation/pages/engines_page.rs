//! Podman, Docker and containerd, and an image at a registry.

use super::{ALL, Page};
use crate::desk::Desk;

pub(super) const PAGE: Page = Page { path: "docs/engines.md", engines: ALL, prepare, checks: &[] };

fn prepare(desk: &Desk) {
    desk.programs(["app"]);
    if crate::registry::missing().is_empty() {
        desk.done("coracle build -q ./app -o docker://ghcr.io/acme/shop:1.2");
    }
}
