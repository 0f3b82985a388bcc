//! Settings in tables that Coracle does not read. Cargo accepts any table below `metadata` and
//! ignores most others.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::at;

/// A problem in a Cargo.toml.
pub(super) struct Slip {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Wrong tables for the settings, each with the right one.
const SLIPS: [(&str, &str); 8] = [
    ("coracle", super::OF_PACKAGE),
    ("metadata.coracle", super::OF_PACKAGE),
    ("package.coracle", super::OF_PACKAGE),
    ("package.metadata.Coracle", super::OF_PACKAGE),
    ("package.metadata.cargo-coracle", super::OF_PACKAGE),
    ("workspace.coracle", super::OF_WORKSPACE),
    ("workspace.package.metadata.coracle", super::OF_WORKSPACE),
    ("workspace.metadata.Coracle", super::OF_WORKSPACE),
];

/// Returns a problem for every wrong table in `tree` whose right table is `right`.
pub(super) fn keys(tree: &Spanned<DeTable<'_>>, right: &str) -> Vec<Slip> {
    let slip = |wrong: &str| {
        let value = at(tree, wrong).filter(|value| value.get_ref().is_table())?;
        let message = format!("`[{wrong}]` has no effect: settings belong below `[{right}]`");
        Some(Slip { span: value.span(), message, hint: None })
    };
    SLIPS.into_iter().filter(|(_, belongs)| *belongs == right).filter_map(|(wrong, _)| slip(wrong)).collect()
}
