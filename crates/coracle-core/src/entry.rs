//! An entry of an image's file tree.

use std::fmt;

use crate::content::Content;
use crate::path::{ImagePath, RawPath};

/// The entry at one path of an image.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The type of the entry, with content or target.
    pub node: EntryNode,
    /// The numeric user and group.
    pub owner: Owner,
    /// The permission bits, at most `0o7777`. Ignored for links.
    pub mode: u32,
    /// The time of the last modification, in seconds since 1970.
    pub modified: u64,
    /// The reason why the entry is in the image.
    pub reason: EntryReason,
    /// The kind of the layer that contains the entry.
    pub layer_kind: LayerKind,
}

impl Entry {
    /// Returns whether a program needs the entry: `false` for included files, of which that is unknown.
    pub fn is_needed(&self) -> bool {
        !matches!(self.reason, EntryReason::Included(_))
    }
}

/// The type of an entry.
#[derive(Clone, Debug)]
pub enum EntryNode {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link with its unchanged target.
    Symlink(RawPath),
    /// A hard link to the file at this path. The file is in the same layer, and its path sorts
    /// before the path of the link.
    HardLink(ImagePath),
}

/// Returns whether `name` is a whiteout in a layer: an engine that applies the layer then deletes files
/// instead of creating a file called `name`. Source: OCI image-spec, `layer.md`, "Whiteouts".
pub fn is_whiteout_name(name: &[u8]) -> bool {
    name.starts_with(b".wh.")
}

/// A numeric user and group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Owner {
    /// The user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
}

impl Owner {
    /// root:root, the owner of everything that the program does not write to.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };

    /// Splits `USER[:GROUP]`, the form of users in image configs and recipes.
    pub fn split(text: &str) -> (&str, Option<&str>) {
        text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)))
    }

    /// Parses `UID[:GID]`. The default GID is the UID. `None` for names.
    pub fn from_numbers(text: &str) -> Option<Self> {
        let number =
            |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let (user, group) = Self::split(text);
        Some(Self { uid: number(user)?, gid: number(group.unwrap_or(user))? })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// The kinds of layers, ordered by how rarely their contents change. Each kind with entries is one
/// layer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LayerKind {
    /// The dynamic loader, libraries, and interpreters of scripts.
    Libraries,
    /// Included files.
    Data,
    /// The programs, and the libraries that are moved with them.
    Program,
}

impl LayerKind {
    /// All kinds, in the order of their layers.
    pub const ALL: [Self; 3] = [Self::Libraries, Self::Data, Self::Program];
}

impl fmt::Display for LayerKind {
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
pub enum EntryReason {
    /// The entry is a program of the recipe.
    Program,
    /// The entry is the interpreter of this file: its `PT_INTERP`, or the program in the `#!` line
    /// of a script.
    Interpreter(RawPath),
    /// The entry is a library that an object needs (`DT_NEEDED`).
    Needed {
        /// The raw path of the object.
        by: RawPath,
        /// The search rule that found it.
        rule: String,
    },
    /// The entry is a library that an object opens at run time (`dlopen`).
    Dlopened {
        /// The raw path of the object.
        by: RawPath,
        /// The purpose.
        why: String,
    },
    /// The entry is a data file that a program or library reads for this purpose.
    DataFile(String),
    /// The entry is a link or directory on the path to another entry.
    ParentOrLink,
    /// The entry was included from this host path.
    Included(String),
    /// The entry is `/etc/passwd` or `/etc/group`, generated for the numeric user.
    Accounts,
    /// The entry is the program's working directory.
    WorkingDirectory,
    /// The entry is a mount point of configuration or a Secret.
    MountPoint,
    /// The entry is a state directory, which the program writes to.
    StateDirectory,
    /// The entry describes the packages of the image, for scanners, or has their licences.
    Inventory,
    /// The entry is glibc's `ld.so.cache`.
    LdSoCache,
    /// The entry is musl's path file (`ld-musl-*.path`).
    MuslPathFile,
}

impl EntryReason {
    /// Returns whether a dynamic loader maps the file, or the kernel as an interpreter.
    pub fn is_mapped_by_loader(&self) -> bool {
        matches!(self, Self::Interpreter(_) | Self::Needed { .. } | Self::Dlopened { .. })
    }
}

impl fmt::Display for EntryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("program"),
            Self::Interpreter(program) => write!(f, "interpreter of {program}"),
            Self::Needed { by, rule } => write!(f, "needed by {by}, {rule}"),
            Self::Dlopened { by, why } => write!(f, "opened by {by}, {why}"),
            Self::DataFile(purpose) => f.write_str(purpose),
            Self::ParentOrLink => f.write_str("on the path to other files"),
            Self::Included(host_path) => write!(f, "included from {host_path}"),
            Self::WorkingDirectory => f.write_str("working directory"),
            Self::MountPoint => f.write_str("mount point"),
            Self::StateDirectory => f.write_str("state of the program"),
            Self::Accounts => f.write_str("accounts of the user"),
            Self::Inventory => f.write_str("inventory of packages"),
            Self::LdSoCache => f.write_str("the loader's cache"),
            Self::MuslPathFile => f.write_str("the loader's path file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_numeric_users_only() {
        for (text, owner) in [
            ("1000", Some((1000, 1000))),
            ("1000:5", Some((1000, 5))),
            ("0:0", Some((0, 0))),
            ("nobody", None),
            ("1000:staff", None),
            ("+1", None),
            ("1:", None),
            ("", None),
        ] {
            let expected = owner.map(|(uid, gid)| Owner { uid, gid });
            assert_eq!(Owner::from_numbers(text), expected, "{text}");
        }
    }
}
