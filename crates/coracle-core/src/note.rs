//! What the user should know although nothing failed: values, so that the library prints nothing.

use std::fmt;

/// Something to tell the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// Something was left out or may not work.
    Warning(String),
    /// Something could be better.
    Hint(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Warning(text) | Self::Hint(text)) = self;
        f.write_str(text)
    }
}
