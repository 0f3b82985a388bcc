//! An entry of an image's file tree.

use std::fmt;

use crate::content::Content;
use crate::path::{ImagePath, Spelled};

/// The entry at one path of an image.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The type of the entry, with content or target.
    pub node: Node,
    /// The numeric user and group.
    pub owner: Owner,
    /// The permission bits, at most `0o7777`. Ignored for links.
    pub mode: u32,
    /// The reason why it is in the image.
    pub reason: Reason,
    /// The kind of layer that it is in.
    pub stratum: Stratum,
}

/// The type of an entry.
#[derive(Clone, Debug)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link with its unchanged target.
    Link(Spelled),
    /// A hard link to the file at that path, which is in the same layer and sorts before this path.
    HardLink(ImagePath),
}

/// A numeric user and group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
}

impl Owner {
    /// root:root, the owner of everything that the program does not write to.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// The kinds of layers, ordered by how rarely their contents change. Each kind with entries is one
/// layer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stratum {
    /// The dynamic loader, libraries, and interpreters of scripts.
    Libraries,
    /// Included files.
    Data,
    /// The programs, and the libraries that are moved with them.
    Program,
}

impl Stratum {
    /// All kinds, in the order of their layers.
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

/// The reason why an entry is in the image. `Display` is for users.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It is a program of the recipe.
    Program,
    /// It is the interpreter of this file: its `PT_INTERP`, or from the `#!` line of a script.
    Interpreter(Spelled),
    /// An object needs it (`DT_NEEDED`).
    Needed {
        /// The raw path of the object.
        by: Spelled,
        /// The search rule that found it.
        rule: String,
    },
    /// An object opens it at run time (`dlopen`).
    Opened {
        /// The raw path of the object.
        by: Spelled,
        /// The purpose.
        why: String,
    },
    /// A program or library reads it, for this purpose.
    Need(String),
    /// It is a link or directory on the path to another entry.
    OnTheWay,
    /// It was included from this host path.
    Included(String),
    /// It is `/etc/passwd` or `/etc/group`, generated for the numeric user.
    Accounts,
    /// It is the program's working directory.
    WorkingDirectory,
    /// Configuration or a Secret is mounted there.
    MountPoint,
    /// It is a state directory, which the program writes to.
    State,
    /// It is `ld.so.cache` of glibc.
    LoaderCache,
    /// It is the path file (`ld-musl-*.path`) of musl.
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
