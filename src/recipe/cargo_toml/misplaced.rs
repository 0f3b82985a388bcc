//! Settings in tables that Coracle does not read. Cargo accepts any table below `metadata` and
//! ignores most others.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::value_at;

/// A problem in a Cargo.toml.
pub(super) struct CargoTomlProblem {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Wrong tables for the settings, each with the right one.
const WRONG_TABLES: [(&str, &str); 8] = [
    ("coracle", super::PACKAGE_TABLE),
    ("metadata.coracle", super::PACKAGE_TABLE),
    ("package.coracle", super::PACKAGE_TABLE),
    ("package.metadata.Coracle", super::PACKAGE_TABLE),
    ("package.metadata.cargo-coracle", super::PACKAGE_TABLE),
    ("workspace.coracle", super::WORKSPACE_TABLE),
    ("workspace.package.metadata.coracle", super::WORKSPACE_TABLE),
    ("workspace.metadata.Coracle", super::WORKSPACE_TABLE),
];

/// Returns a problem for every wrong table in `tree` whose right table is `right`.
pub(super) fn misplaced_tables(tree: &Spanned<DeTable<'_>>, right: &str) -> Vec<CargoTomlProblem> {
    let slip = |wrong: &str| {
        let value = value_at(tree, wrong).filter(|value| value.get_ref().is_table())?;
        let message = format!("`[{wrong}]` has no effect: settings belong below `[{right}]`");
        Some(CargoTomlProblem { span: value.span(), message, hint: None })
    };
    WRONG_TABLES
        .into_iter()
        .filter(|(_, belongs)| *belongs == right)
        .filter_map(|(wrong, _)| slip(wrong))
        .collect()
}
