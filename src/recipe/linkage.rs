//! How the programs of an image have to be linked: `linkage` and `--linkage`.

use std::str::FromStr;

/// What is asked of every ELF program.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Linkage {
    /// Nothing; where another linkage would serve better, a hint says so.
    #[default]
    Auto,
    /// No loader starts it.
    Static,
    /// A loader starts it.
    Dynamic,
}

/// A word that is no linkage.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is none of `auto`, `static` and `dynamic`", crate::path::printable(.0.as_bytes()))]
pub struct ParseLinkageError(String);

impl ParseLinkageError {
    /// The next step.
    pub fn hint(&self) -> String {
        "`static` and `dynamic` reject programs that are linked otherwise, `auto` allows both".into()
    }
}

impl FromStr for Linkage {
    type Err = ParseLinkageError;

    fn from_str(word: &str) -> Result<Self, ParseLinkageError> {
        match word {
            "auto" => Ok(Self::Auto),
            "static" => Ok(Self::Static),
            "dynamic" => Ok(Self::Dynamic),
            other => Err(ParseLinkageError(other.into())),
        }
    }
}
