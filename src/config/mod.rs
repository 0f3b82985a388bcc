//! A program's configuration as it will read it: templates and values in, the files of every mounted directory out.
//!
//! None of it is in an image. A file that uses a secret value is secret as a whole.

mod error;
mod key;
mod known;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::path::ImagePath;
use crate::template::{Delimiters, Format, Rendered, Template, Uses};
use crate::values::{KeyPath, Schema, Source, Values};

pub use error::{Error, Problem};
pub use known::{Known, known};

/// Everything that a configuration is made of.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Configuration {
    /// Directories that are mounted.
    pub mounts: Vec<Mount>,
    /// Layers of values, the lowest first.
    pub values: Vec<Source>,
    /// The JSON Schema that values are held to.
    pub schema: Option<PathBuf>,
}

/// A directory that is mounted, and where its files are from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Its path for the program.
    pub path: ImagePath,
    /// Its files.
    pub files: Vec<File>,
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

/// Renders every file.
///
/// # Errors
/// Everything that is wrong, with file and line; nothing is written in any case.
pub fn render(configuration: &Configuration) -> Result<Vec<RenderedMount>, Error> {
    let schema = configuration.schema.as_deref().map(Schema::read).transpose()?;
    let values = Values::read(&configuration.values)?;
    let values = match &schema {
        Some(schema) => values.held_to(schema)?,
        None => values,
    };
    let secrets = schema.as_ref().map(Schema::secrets).unwrap_or_default();
    let mut problems = key::problems(&configuration.mounts);
    problems.extend(exposed(&configuration.values, &secrets));
    let mut mounts = Vec::new();
    for mount in &configuration.mounts {
        let mut files: Vec<RenderedFile> = Vec::new();
        for file in &mount.files {
            match render_file(file, &values, &secrets) {
                Ok(rendered) => files.push(rendered),
                Err(error) => problems.push(error.into()),
            }
        }
        files.sort_by(|a, b| a.key.cmp(&b.key));
        problems.extend(key::too_large(mount, &files));
        mounts.push(RenderedMount { path: mount.path.clone(), files });
    }
    if problems.is_empty() { Ok(mounts) } else { Err(Error::Problems(problems)) }
}

/// Secrets on the command line, where every user of the machine can read them.
fn exposed(sources: &[Source], secrets: &[KeyPath]) -> Vec<Problem> {
    let keys = sources.iter().filter_map(|source| match source {
        Source::Set { key, .. } => Some(key),
        Source::File(_) | Source::SetFile { .. } => None,
    });
    let secret = keys.filter(|key| secrets.iter().any(|secret| secret.is_along(key)));
    secret
        .map(|key| {
            Problem::new(
                format!("`{key}` is secret, and a command line is no place for secrets"),
                format!("put it into a file: `--set-file {key}=FILE`, or `--set-file {key}=-` to pipe it in"),
            )
        })
        .collect()
}

fn render_file(file: &File, values: &Values, secrets: &[KeyPath]) -> Result<RenderedFile, known::FileError> {
    let format = Format::of(&file.key);
    let bytes = read(&file.from).map_err(|source| Problem::unreadable(&file.from, &source))?;
    let Some(delimiters) = &file.delimiters else {
        return Ok(RenderedFile {
            key: file.key.clone(),
            bytes,
            is_secret: false,
            format,
            uses: Uses::new(),
        });
    };
    let text = String::from_utf8(bytes).map_err(|_| Problem::not_text(&file.from))?;
    let template = Template { path: file.from.clone(), text, delimiters: delimiters.clone() };
    let rendered = template.render(values.merged())?;
    check(&file.from, format, &rendered)?;
    let is_secret = rendered.uses.iter().any(|used| secrets.iter().any(|secret| secret.is_along(used)));
    let Rendered { text, uses, .. } = rendered;
    Ok(RenderedFile { key: file.key.clone(), bytes: text.into_bytes(), is_secret, format, uses })
}

/// The bytes of a file, as far as they matter: what is larger than an object holds is told by its size.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What was rendered is what its name says; a fault is told with the template's line.
fn check(from: &Path, format: Option<Format>, rendered: &Rendered) -> Result<(), Problem> {
    let Some(format) = format else { return Ok(()) };
    let Err(fault) = format.check(&rendered.text) else { return Ok(()) };
    let (file, line) = rendered
        .origin(fault.offset)
        .map_or((from.display().to_string(), 1), |(file, line)| (file.to_owned(), line));
    Err(Problem::broken(format, &fault.message, &file, line))
}

/// The files of a folder, as mounts take them: every file in it but values and schema; a name that ends in `.j2` is a
/// template.
///
/// # Errors
/// When the folder can't be read.
pub fn folder(folder: &Path) -> crate::fs::Result<Folder> {
    use crate::fs::Context;
    let mut found = Folder::default();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .context("list", folder)?;
    entries.sort();
    for path in entries.into_iter().filter(|path| path.is_file()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match name.as_str() {
            "values.toml" | "values.yaml" | "values.yml" | "values.json" => found.values.push(path),
            "schema.json" | "values.schema.json" => found.schema = Some(path),
            _ => found.files.push(file(path, None, false)),
        }
    }
    Ok(found)
}

/// What a folder holds.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Folder {
    /// Files of the mount.
    pub files: Vec<File>,
    /// `values.toml` and the like.
    pub values: Vec<PathBuf>,
    /// `schema.json`.
    pub schema: Option<PathBuf>,
}

/// A file of a mount: its key is its name, without `.j2`, unless somebody says another.
pub fn file(from: PathBuf, key: Option<String>, verbatim: bool) -> File {
    let name = from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = name.strip_suffix(".j2").map(str::to_owned);
    let delimiters = (plain.is_some() && !verbatim).then(Delimiters::default);
    let key = key.unwrap_or_else(|| if verbatim { name } else { plain.unwrap_or(name) });
    File { from, key, delimiters }
}
