//! The keys of a recipe, which need no files.

use super::{Check, NONE, Page};

pub(super) const PAGE: Page = Page {
    path: "docs/recipe.md",
    engines: NONE,
    prepare: |_| (),
    checks: &[
        ("coracle recipe keys", Check::Prints("[image]")),
        ("coracle recipe keys image.user", Check::Prints("65532")),
    ],
};
