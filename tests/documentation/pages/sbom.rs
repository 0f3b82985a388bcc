//! The SBOM of an image, by what is in it.

use super::{NONE, Page};

pub(super) const PAGE: Page = Page { path: "docs/sbom.md", engines: NONE, prepare: |_| {}, checks: &[] };
