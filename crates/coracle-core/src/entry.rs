//! One entry of an image's tree.

use std::fmt;

use crate::content::Content;
use crate::path::{ImagePath, Spelled};

/// What stands at one path of an image.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Directory, file or link.
    pub node: Node,
    /// User and group, numeric.
    pub owner: Owner,
    /// Permission bits, `0o7777` at most; links have none of their own.
    pub mode: u32,
    /// Why it is there.
    pub reason: Reason,
    /// How often it changes, which decides its layer.
    pub stratum: Stratum,
}

/// The kinds of entries.
#[derive(Clone, Debug)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link and its target, kept as it was written.
    Link(Spelled),
    /// A second name of the file at that path, which stands in the same layer and sorts before this one.
    HardLink(ImagePath),
}

/// A numeric user and group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Owner {
    /// root:root, which owns everything that the program has no business to change.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// The parts of an image by how often they change; a layer for each that has entries, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stratum {
    /// The loader, libraries, interpreters of scripts.
    Libraries,
    /// Included files.
    Data,
    /// The programs, and the libraries that move along with them.
    Program,
}

impl Stratum {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Libraries, Self::Data, Self::Program];
}

impl fmt::Display for Stratum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Libraries => "libraries",
            Self::Data => "data",
            Self::Program => "program",
        })
    }
}

/// Why an entry is there, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It was named as a program.
    Program,
    /// The kernel starts it for this file: `PT_INTERP`, or the `#!` line of a script.
    Interpreter(Spelled),
    /// An object needs it, by this name, and this rule found it.
    Needed {
        /// The object, as its loader spells it.
        by: Spelled,
        /// The rule that found it.
        rule: String,
    },
    /// An object opens it while the program runs.
    Opened {
        /// The object, as its loader spells it.
        by: Spelled,
        /// What for.
        why: String,
    },
    /// A program or library reads it, for this.
    Need(String),
    /// It leads to something else that is needed.
    OnTheWay,
    /// It was included from this place.
    Included(String),
    /// Accounts for the numeric user.
    Accounts,
    /// The program starts there.
    WorkingDirectory,
    /// Something is mounted there.
    MountPoint,
    /// The program writes to it.
    State,
    /// Where the loader looks up libraries outside its default directories.
    LoaderCache,
    /// Where the loader reads its directories.
    PathFile,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("program"),
            Self::Interpreter(of) => write!(f, "interpreter of {of}"),
            Self::Needed { by, rule } => write!(f, "needed by {by}, {rule}"),
            Self::Opened { by, why } => write!(f, "opened by {by}, {why}"),
            Self::Need(what) => f.write_str(what),
            Self::OnTheWay => f.write_str("on the way"),
            Self::Included(from) => write!(f, "included from {from}"),
            Self::WorkingDirectory => f.write_str("working directory"),
            Self::MountPoint => f.write_str("mount point"),
            Self::State => f.write_str("state of the program"),
            Self::Accounts => f.write_str("accounts of the user"),
            Self::LoaderCache => f.write_str("the loader's cache"),
            Self::PathFile => f.write_str("the loader's path file"),
        }
    }
}
