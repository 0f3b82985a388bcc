//! The source files of a configuration: lists those of a directory, reads them, and computes their
//! fingerprint, which is cheaper than rendering and shows whether anything changed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::configuration::{Configuration, MountFileSource};
use crate::kubernetes_limits::MAX_OBJECT_BYTES;
use crate::located_problem::LocatedProblem;
use crate::template::{FileFormat, FormatChoice, TemplateSource, TemplateSyntax};
use crate::values::ValueSource;
use coracle_core::digest::{Digest, DigestHasher};
use coracle_core::fs::Context as _;

/// Lists a directory: the files of a mount, values files, and the schema. Files with the extension
/// `.j2` are templates. Ignores subdirectories, which contain included templates.
///
/// # Errors
/// Fails if the directory cannot be read, or contains a pipe, socket or device.
pub fn read_config_dir(directory: &Path) -> coracle_core::fs::Result<ConfigDir> {
    let mut found = ConfigDir::default();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .context("list", directory)?;
    entries.sort();
    for path in entries {
        // A dangling link is an error: a file is missing.
        let metadata = std::fs::metadata(&path).context("read", &path)?;
        if metadata.is_dir() {
            continue;
        }
        if !metadata.is_file() {
            let special = std::io::Error::other("it is a pipe, a socket or a device");
            return Err(coracle_core::fs::Error::new("mount", &path, special));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match name.as_str() {
            "values.toml" | "values.yaml" | "values.yml" | "values.json" => found.values.push(path),
            "schema.json" | "values.schema.json" => found.schema = Some(path),
            _ => found.files.push(MountFileSource::from_path(path, None, false)),
        }
    }
    Ok(found)
}

/// The files of a directory, by role.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ConfigDir {
    /// The files of the mount.
    pub files: Vec<MountFileSource>,
    /// Values files, such as `values.toml`.
    pub values: Vec<PathBuf>,
    /// The schema, such as `schema.json`.
    pub schema: Option<PathBuf>,
}

impl MountFileSource {
    /// Returns the file of a mount that is made from `source`. The default `key` is the file name,
    /// without `.j2` for a template. A verbatim file is copied unchanged, also if it ends in `.j2`.
    pub fn from_path(source: PathBuf, key: Option<String>, is_verbatim: bool) -> Self {
        let name = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let template_key = name.strip_suffix(".j2").map(str::to_owned);
        let syntax = (template_key.is_some() && !is_verbatim).then(TemplateSyntax::default);
        let key = key.unwrap_or_else(|| if is_verbatim { name } else { template_key.unwrap_or(name) });
        Self { source, key, syntax, format: FormatChoice::default() }
    }

    /// Returns the format that the file is checked in; `None` if it is not checked.
    pub fn file_format(&self) -> Option<FileFormat> {
        match self.format {
            FormatChoice::ByName => FileFormat::from_file_name(&self.key),
            FormatChoice::Fixed(format) => Some(format),
            FormatChoice::Unchecked => None,
        }
    }
}

/// The largest file that is part of a fingerprint, in bytes.
const MAX_FINGERPRINTED_BYTES: u64 = 16 << 20;

/// The source of a mounted file.
#[derive(Clone, Debug)]
pub enum VerbatimOrTemplate {
    /// Bytes that are copied unchanged.
    Verbatim(Vec<u8>),
    /// A template to render.
    Template(TemplateSource),
}

/// Reads the source of a mounted file.
///
/// # Errors
/// Fails if the file cannot be read, or a template is not UTF-8.
pub fn read_source(file: &MountFileSource) -> Result<VerbatimOrTemplate, LocatedProblem> {
    let bytes = read_bounded(&file.source).map_err(|error| cannot_read(&file.source, &error))?;
    let Some(syntax) = &file.syntax else { return Ok(VerbatimOrTemplate::Verbatim(bytes)) };
    let text = String::from_utf8(bytes).map_err(|_| template_not_utf8(&file.source))?;
    Ok(VerbatimOrTemplate::Template(TemplateSource {
        path: file.source.clone(),
        text,
        syntax: syntax.clone(),
    }))
}

/// Reads a file up to one byte more than [`MAX_OBJECT_BYTES`], so that the size check reports a larger one.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_OBJECT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns one digest of all source files of `configuration`. `None` if a file is a pipe, which can
/// be read only once, or cannot be read; the error is reported when the file is rendered.
pub fn source_fingerprint(configuration: &Configuration) -> Option<Digest> {
    let mut hasher = DigestHasher::default();
    let mut hash_with_length = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for file in configuration.mounts.iter().flat_map(|mount| &mount.files) {
        if !is_rereadable_file(&file.source) {
            return None;
        }
        match read_source(file).ok()? {
            VerbatimOrTemplate::Verbatim(bytes) => hash_with_length(&bytes),
            VerbatimOrTemplate::Template(template) => {
                hash_with_length(template.text.as_bytes());
                for (name, text) in template.read_includes() {
                    hash_with_length(name.as_bytes());
                    hash_with_length(text.as_bytes());
                }
            }
        }
    }
    let values = configuration.values.iter().filter_map(|source| match source {
        ValueSource::File(path) | ValueSource::SetFile { path, .. } => Some(path),
        ValueSource::Set { .. } => None,
    });
    for path in values.chain(&configuration.schema) {
        if !is_rereadable_file(path) {
            return None;
        }
        hash_with_length(&std::fs::read(path).ok()?);
    }
    Some(hasher.finish())
}

/// Returns whether `path` is a regular file, which can be read twice, of allowed size.
fn is_rereadable_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_FINGERPRINTED_BYTES)
}

fn cannot_read(path: &Path, error: &std::io::Error) -> LocatedProblem {
    LocatedProblem::new(
        format!("cannot read `{}`: {error}", path.display()),
        "check the spelling and the permissions",
    )
}

fn template_not_utf8(path: &Path) -> LocatedProblem {
    LocatedProblem::new(
        format!("the template `{}` is not UTF-8", path.display()),
        "to copy the file unchanged, remove `.j2` from its name or write `verbatim = true`",
    )
}
