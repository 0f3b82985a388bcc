//! An image that is sent to registries, and copied from one to the other.

use super::{NONE, Page};
use crate::desk::Desk;

pub(super) const PAGE: Page = Page { path: "docs/registries.md", engines: NONE, prepare, checks: &[] };

fn prepare(desk: &Desk) {
    desk.programs(["app"]);
    let digest = desk.done("coracle build -q ./app -t shop:1.2");
    desk.word("sha256:…", digest.split_once('@').unwrap().1);
}
