//! The tables of a Cargo.toml with the recipe's keys, and settings in tables that Coracle does not
//! read: cargo accepts any table below `metadata` and ignores most others.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The tables with the recipe's keys: of a package, and of a workspace for all its packages.
pub(super) const PACKAGE_TABLE: &str = "package.metadata.coracle";
pub(super) const WORKSPACE_TABLE: &str = "workspace.metadata.coracle";

/// A problem in a Cargo.toml.
pub(super) struct CargoTomlProblem {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Wrong tables for the settings, each with the right one.
const WRONG_TABLES: [(&str, &str); 8] = [
    ("coracle", PACKAGE_TABLE),
    ("metadata.coracle", PACKAGE_TABLE),
    ("package.coracle", PACKAGE_TABLE),
    ("package.metadata.Coracle", PACKAGE_TABLE),
    ("package.metadata.cargo-coracle", PACKAGE_TABLE),
    ("workspace.coracle", WORKSPACE_TABLE),
    ("workspace.package.metadata.coracle", WORKSPACE_TABLE),
    ("workspace.metadata.Coracle", WORKSPACE_TABLE),
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

/// Returns the value at `path`, dotted keys.
pub(super) fn value_at<'t, 'a>(
    tree: &'t Spanned<DeTable<'a>>,
    path: &str,
) -> Option<&'t Spanned<DeValue<'a>>> {
    let mut words = path.split('.');
    let first = tree.get_ref().get(words.next()?)?;
    words.try_fold(first, |value, word| value.get_ref().as_table()?.get(word))
}

/// Returns the table at `path`, or an empty one.
pub(super) fn settings_table<'a>(
    tree: Option<&Spanned<DeTable<'a>>>,
    path: &str,
    wrong: &mut Vec<CargoTomlProblem>,
) -> Spanned<DeTable<'a>> {
    let nothing = || Spanned::new(0..0, DeTable::new());
    let Some(value) = tree.and_then(|tree| value_at(tree, path)) else { return nothing() };
    match value.get_ref() {
        DeValue::Table(table) => Spanned::new(value.span(), table.clone()),
        _ => {
            let message = format!("`{path}` is not a table");
            wrong.push(CargoTomlProblem { span: value.span(), message, hint: None });
            nothing()
        }
    }
}
