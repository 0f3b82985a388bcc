//! The source files of a configuration: reads them, and computes their fingerprint, which is cheaper than rendering and shows whether anything changed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::configuration::{Configuration, MountFileSource};
use crate::kubernetes_limits::MAX_OBJECT_BYTES;
use crate::located_problem::LocatedProblem;
use crate::mounted_path::object_key;
use crate::template::{FileFormat, FormatChoice, TemplateSource, TemplateSyntax};
use crate::values::ValueSource;
use coracle_core::digest::{Digest, DigestHasher};

impl MountFileSource {
    /// Returns the file of a mount that is made from `source`. The default `path` is the file name,
    /// without `.j2` for a template. A verbatim file is copied unchanged, also if it ends in `.j2`.
    pub fn from_path(source: PathBuf, path: Option<String>, is_verbatim: bool) -> Self {
        let name = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let template_name = name.strip_suffix(".j2").map(str::to_owned);
        let syntax = (template_name.is_some() && !is_verbatim).then(TemplateSyntax::default);
        let path = path.unwrap_or_else(|| if is_verbatim { name } else { template_name.unwrap_or(name) });
        Self { source, path, syntax, format: FormatChoice::default() }
    }

    /// Returns the key in the ConfigMap or Secret.
    pub fn object_key(&self) -> String {
        object_key(&self.path)
    }

    /// Returns the format that the file is checked in; `None` if it is not checked.
    pub fn file_format(&self) -> Option<FileFormat> {
        match self.format {
            FormatChoice::ByName => FileFormat::from_file_name(&self.path),
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
