//! Reads the source files of a configuration, and computes their fingerprint, which is cheaper than
//! rendering and shows whether anything changed.

use std::io::Read as _;
use std::path::Path;

use coracle_core::digest::{Digest, DigestHasher};

use super::configuration::{Configuration, MountFile};
use super::error;
use crate::kubernetes_limits::MAX_OBJECT_BYTES;
use crate::problem::LocatedProblem;
use crate::template::Template;
use crate::values::ValueSource;

/// The largest file that is part of a fingerprint, in bytes.
const MAX_FINGERPRINTED_BYTES: u64 = 16 << 20;

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
pub fn read_source(file: &MountFile) -> Result<FileSource, LocatedProblem> {
    let bytes = read_bounded(&file.source).map_err(|error| error::cannot_read(&file.source, &error))?;
    let Some(delimiters) = &file.delimiters else { return Ok(FileSource::Verbatim(bytes)) };
    let text = String::from_utf8(bytes).map_err(|_| error::template_not_utf8(&file.source))?;
    Ok(FileSource::Template(Template { path: file.source.clone(), text, delimiters: delimiters.clone() }))
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
            FileSource::Verbatim(bytes) => hash_with_length(&bytes),
            FileSource::Template(template) => {
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
