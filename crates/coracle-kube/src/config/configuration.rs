//! A program's configuration, as a recipe describes it and as it is rendered.

use std::path::PathBuf;

use coracle_core::path::ImagePath;

use super::reload::ReloadMethod;
use crate::template::{Delimiters, Format, UsedKeys};
use crate::values::ValueSource;

/// What a program needs at run time in addition to its image.
#[derive(Clone, PartialEq, Eq, Default, Debug, Hash)]
pub struct Configuration {
    /// Mounted directories with rendered files.
    pub mounts: Vec<ConfigMount>,
    /// Mounted directories of Secrets that are created elsewhere.
    pub secrets: Vec<SecretMount>,
    /// Directories that the program writes to.
    pub writable_directories: Vec<WritableDirectory>,
    /// Environment variables whose value is the text of a mounted file.
    pub variables: Vec<FileVariable>,
    /// Sources of values; later ones override earlier ones.
    pub values: Vec<ValueSource>,
    /// The JSON Schema of the values.
    pub schema: Option<PathBuf>,
}

impl Configuration {
    /// Returns whether the program needs nothing but its image.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
            && self.secrets.is_empty()
            && self.writable_directories.is_empty()
            && self.variables.is_empty()
    }
}

/// A mounted directory and the sources of its files.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct ConfigMount {
    /// The mount path in the container.
    pub path: ImagePath,
    /// The files of the directory.
    pub files: Vec<MountFile>,
    /// How a change reaches the running program.
    pub reload: ReloadMethod,
    /// Whether the program starts without it.
    pub is_optional: bool,
}

/// A directory of a Secret that is not rendered here; it may share the path of a
/// [`ConfigMount`].
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct SecretMount {
    /// The mount path in the container.
    pub path: ImagePath,
    /// The Secret's name; `None` for a name made from the program's.
    pub name: Option<String>,
    /// The keys that the program reads.
    pub keys: Vec<String>,
    /// How a change reaches the running program.
    pub reload: ReloadMethod,
    /// Whether the program starts without it.
    pub is_optional: bool,
}

/// A directory that the program writes to.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct WritableDirectory {
    /// The mount path in the container.
    pub path: ImagePath,
    /// The size as a Kubernetes quantity (`10Gi`) of storage that outlives the pod; `None` for
    /// ephemeral storage.
    pub size: Option<String>,
    /// Whether several pods write to it (`ReadWriteMany`).
    pub is_shared: bool,
}

/// An environment variable whose value is the text of a mounted file.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct FileVariable {
    /// The variable's name.
    pub name: String,
    /// The file's path: that of a mount and a key.
    pub file: ImagePath,
    /// Whether the user allowed a secret file, although environment variables are easily exposed.
    pub is_secret_allowed: bool,
}

/// A file of a mount.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct MountFile {
    /// The source file: a template, or a file that is copied unchanged.
    pub source: PathBuf,
    /// The file's name in the mount, which is the key in the ConfigMap or Secret.
    pub key: String,
    /// The template's delimiters; `None` if the file is copied unchanged.
    pub delimiters: Option<Delimiters>,
}

/// A mount with rendered files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderedMount {
    /// The mount path in the container.
    pub path: ImagePath,
    /// How a change reaches the running program.
    pub reload: ReloadMethod,
    /// Whether the program starts without it.
    pub is_optional: bool,
    /// The files, sorted by key.
    pub files: Vec<RenderedFile>,
}

/// A rendered file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderedFile {
    /// The file's name in the mount.
    pub key: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether it may contain a secret.
    pub is_secret: bool,
    /// The format that it was validated as.
    pub format: Option<Format>,
    /// The keys whose values may be in it.
    pub used_keys: UsedKeys,
}
