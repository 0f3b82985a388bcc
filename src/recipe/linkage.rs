//! The required linkage of programs: `linkage` and `--linkage`.

use std::str::FromStr;

use coracle_core::hint::Hint;

/// The required linkage of every ELF program.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug)]
pub enum Linkage {
    /// Any; a hint is given if another linkage suits better.
    #[default]
    Auto,
    /// Without a dynamic loader.
    Static,
    /// With a dynamic loader.
    Dynamic,
}

/// An invalid value of `linkage`.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is none of `auto`, `static` and `dynamic`", coracle_core::path::escape_bytes(.0.as_bytes()))]
pub struct ParseLinkageError(String);

impl Hint for ParseLinkageError {
    fn hint(&self) -> Option<String> {
        Some("`static` and `dynamic` reject programs that are linked otherwise, `auto` allows both".into())
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
