//! A program's configuration as it will read it: templates and values in, the files of every mounted directory out.
//!
//! None of it is in an image. A file that uses a secret value is secret as a whole.

mod error;
mod fingerprint;
mod folder;
pub(crate) mod key;
mod place;
mod reload;
mod render;
mod variable;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use coracle_core::path::ImagePath;
use crate::template::{Delimiters, Format, Template, Uses};
use crate::values::Source;

pub use error::{Error, Problem};
pub use fingerprint::fingerprint;
pub use folder::{Folder, file, folder};
pub use reload::{ParseReloadError, Reload};
pub use render::{Known, known, render, render_public};

/// Everything that a program finds beside its image.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Configuration {
    /// Directories that are mounted, with the files that are rendered for them.
    pub mounts: Vec<Mount>,
    /// Directories of secrets that somebody else makes.
    pub secrets: Vec<SecretMount>,
    /// Directories that the program writes to.
    pub states: Vec<State>,
    /// Environment variables that are given the text of a mounted file.
    pub variables: Vec<Variable>,
    /// Layers of values, the lowest first.
    pub values: Vec<Source>,
    /// The JSON Schema that values are held to.
    pub schema: Option<PathBuf>,
}

impl Configuration {
    /// A program finds nothing beside its image.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
            && self.secrets.is_empty()
            && self.states.is_empty()
            && self.variables.is_empty()
    }
}

/// A directory that is mounted, and where its files are from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Its path for the program.
    pub path: ImagePath,
    /// Its files.
    pub files: Vec<File>,
    /// How a change reaches the program.
    pub reload: Reload,
    /// The program starts without it, too.
    pub is_optional: bool,
}

/// A directory of secrets that are not rendered here; they may stand in the directory of a [`Mount`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretMount {
    /// Its path for the program.
    pub path: ImagePath,
    /// The Secret; its name follows from the program's when nothing is said.
    pub name: Option<String>,
    /// The keys that the program reads.
    pub keys: Vec<String>,
    /// How a change reaches the program.
    pub reload: Reload,
    /// The program starts without it, too.
    pub is_optional: bool,
}

/// A directory that the program writes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// Its path for the program.
    pub path: ImagePath,
    /// How much it holds, as Kubernetes writes quantities (`10Gi`); what outlives the pod has a size.
    pub size: Option<String>,
    /// Several pods write to it (`ReadWriteMany`).
    pub is_shared: bool,
}

/// An environment variable that is given the text of a mounted file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The file: a mount and a key of it.
    pub from: ImagePath,
    /// The file may be secret: somebody said so, knowing that variables are seen by many.
    pub may_be_secret: bool,
}

/// A file of a mount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// The template, or the file that is taken as it is.
    pub from: PathBuf,
    /// Its name in the mount, which is its key in a ConfigMap or Secret.
    pub key: String,
    /// It is a template; else its bytes are taken as they are.
    pub delimiters: Option<Delimiters>,
}

/// The files of one mount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderedMount {
    /// Its path for the program.
    pub path: ImagePath,
    /// How a change reaches the program.
    pub reload: Reload,
    /// The program starts without it, too.
    pub is_optional: bool,
    /// Its files, by key.
    pub files: Vec<RenderedFile>,
}

/// A file as the program reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderedFile {
    /// Its name in the mount.
    pub key: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// It holds a secret, or may.
    pub is_secret: bool,
    /// What it was read back as.
    pub format: Option<Format>,
    /// The values that may be in it.
    pub uses: Uses,
}

/// What one ConfigMap or Secret holds at most (`core.MaxSecretSize`, `ValidateConfigMap`).
pub const MAX_SIZE: usize = 1 << 20;

/// What is wrong with a configuration as it was written, whatever its files and values say.
pub fn problems(configuration: &Configuration) -> Vec<Problem> {
    let mut problems = place::problems(configuration);
    problems.extend(key::problems(configuration));
    problems.extend(variable::problems(configuration));
    problems
}

/// A file before it is rendered.
#[derive(Clone, Debug)]
pub enum FileSource {
    /// Its bytes are taken as they are.
    Verbatim(Vec<u8>),
    /// It has values in it.
    Template(Template),
}

/// What a file of a mount is made from.
///
/// # Errors
/// When it can't be read, or a template is no text.
pub fn source(file: &File) -> Result<FileSource, Problem> {
    let bytes = read(&file.from).map_err(|source| Problem::unreadable(&file.from, &source))?;
    let Some(delimiters) = &file.delimiters else { return Ok(FileSource::Verbatim(bytes)) };
    let text = String::from_utf8(bytes).map_err(|_| Problem::not_text(&file.from))?;
    Ok(FileSource::Template(Template { path: file.from.clone(), text, delimiters: delimiters.clone() }))
}

/// The bytes of a file, as far as they matter: what is larger than an object holds is told by its size.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
