//! A program that opens things.

use super::{Check, NONE, Page};
use crate::desk::Desk;

pub(super) const PAGE: Page = Page {
    path: "docs/runtime.md",
    engines: NONE,
    prepare,
    checks: &[("coracle build ./app --dry-run", Check::Prints("REASON"))],
};

fn prepare(desk: &Desk) {
    desk.programs(["app"]);
}
