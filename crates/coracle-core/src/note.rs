//! Warnings and hints for the user.
//!
//! All crates return them and print nothing; the command line shows them.

use std::fmt;

/// A message for the user about a run that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// Something was left out, or the image may not work.
    Warning(String),
    /// A suggested improvement.
    Hint(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Warning(text) | Self::Hint(text)) = self;
        f.write_str(text)
    }
}
