//! Settings where nobody reads them: cargo takes any table below `metadata`, and says little of others.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::at;

/// Something that is wrong in a Cargo.toml.
pub(super) struct Slip {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Where people write the settings by mistake, and where they belong.
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

/// Every table of settings in `tree` that belongs below `right`, and that nobody reads where it is.
pub(super) fn keys(tree: &Spanned<DeTable<'_>>, right: &str) -> Vec<Slip> {
    let slip = |wrong: &str| {
        let value = at(tree, wrong).filter(|value| value.get_ref().is_table())?;
        let message = format!("nothing reads `[{wrong}]`: settings belong below `[{right}]`");
        Some(Slip { span: value.span(), message, hint: None })
    };
    SLIPS.into_iter().filter(|(_, belongs)| *belongs == right).filter_map(|(wrong, _)| slip(wrong)).collect()
}
