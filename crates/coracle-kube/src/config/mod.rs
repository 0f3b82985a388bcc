//! A program's configuration: renders templates and values to the files of mounted directories.
//!
//! None of the files is in an image. A file that uses a secret value is secret as a whole.

mod config_dir;
mod error;
mod fingerprint;
pub(crate) mod keys;
mod mount_conflicts;
mod reload;
mod render;
mod variables;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::template::{Delimiters, Format, Template, UsedKeys};
use crate::values::ValueSource;
use coracle_core::path::ImagePath;

pub use config_dir::{ConfigDir, mount_file, read_config_dir};
pub use error::{ConfigError, ConfigProblem};
pub use fingerprint::source_fingerprint;
pub use reload::{ParseReloadError, ReloadMethod};
pub use render::{PartialRender, render, render_partial, render_public};

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

/// A directory of a Secret that is not rendered here; it may share the path of a [`Mount`].
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

/// The largest ConfigMap or Secret, in bytes (`core.MaxSecretSize`, `ValidateConfigMap`).
pub const MAX_OBJECT_BYTES: usize = 1 << 20;

/// Returns the problems of a configuration that do not depend on the content of files and values.
pub fn find_problems(configuration: &Configuration) -> Vec<ConfigProblem> {
    let mut problems = mount_conflicts::mount_problems(configuration);
    problems.extend(keys::key_problems(configuration));
    problems.extend(variables::duplicate_variables(configuration));
    problems
}

/// The source of a mounted file.
#[derive(Clone, Debug)]
pub enum FileSource {
    /// Bytes that are copied unchanged.
    Verbatim(Vec<u8>),
    /// A template to render.
    Template(Template),
}

/// Reads the source of a mounted file.
///
/// # Errors
/// Fails if the file cannot be read, or a template is not UTF-8.
pub fn read_source(file: &MountFile) -> Result<FileSource, ConfigProblem> {
    let bytes =
        read_bounded(&file.source).map_err(|source| ConfigProblem::cannot_read(&file.source, &source))?;
    let Some(delimiters) = &file.delimiters else { return Ok(FileSource::Verbatim(bytes)) };
    let text = String::from_utf8(bytes).map_err(|_| ConfigProblem::template_not_utf8(&file.source))?;
    Ok(FileSource::Template(Template { path: file.source.clone(), text, delimiters: delimiters.clone() }))
}

/// Reads a file up to one byte more than [`MAX_SIZE`], so that the size check reports a larger one.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_OBJECT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
