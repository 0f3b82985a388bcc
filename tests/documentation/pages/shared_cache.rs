//! Two programs with the same libraries.

use super::{NONE, Page};
use crate::desk::Desk;

pub(super) const PAGE: Page = Page { path: "docs/shared-cache.md", engines: NONE, prepare, checks: &[] };

fn prepare(desk: &Desk) {
    desk.programs(["shop", "cart"]);
}
