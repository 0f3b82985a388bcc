//! Warnings and hints for the user.
//!
//! All crates return them and print nothing; the command line shows them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A message for the user about a run that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// Something was left out, or the image may not work.
    Warning(String),
    /// A suggested improvement.
    Hint(String),
    /// Something that the program may need and that the image lacks.
    Dependency(DependencyNote),
}

/// Something that a program may need and that its image lacks, and the arguments that add it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DependencyNote {
    /// `file`, `directory`, `library`, `command` or `data`.
    pub kind: String,
    /// The missing paths, the name of the library, or a description of the data.
    pub subject: String,
    /// Why it may be needed.
    pub reason: String,
    /// The size of the missing files in bytes, without the files that they need in turn. `None` if
    /// it is unknown.
    pub size: Option<u64>,
    /// The arguments of `coracle build` that add it. Empty if no argument adds it.
    pub args: Vec<String>,
    /// The advice for the user, if no argument adds the missing files.
    pub advice: Option<String>,
}

impl fmt::Display for DependencyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.reason)
    }
}

impl Note {
    /// Returns the note if it is about something that the image may lack.
    pub fn dependency(&self) -> Option<&DependencyNote> {
        match self {
            Self::Dependency(note) => Some(note),
            Self::Warning(_) | Self::Hint(_) => None,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warning(text) | Self::Hint(text) => f.write_str(text),
            Self::Dependency(dependency) => dependency.fmt(f),
        }
    }
}
