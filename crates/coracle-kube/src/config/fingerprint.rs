//! Detects changes of a configuration by the bytes of its files, which are cheaper to read than to
//! render.

use std::path::Path;

use super::{Configuration, FileSource, read_source};
use crate::values::ValueSource;
use coracle_core::digest::{Digest, DigestHasher};

/// The largest file of a configuration, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Returns one digest of all source files of `configuration`. `None` if a file is a pipe, which can
/// be read only once, or cannot be read; the error is reported when the file is rendered.
pub fn source_fingerprint(configuration: &Configuration) -> Option<Digest> {
    let mut hasher = DigestHasher::default();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for file in configuration.mounts.iter().flat_map(|mount| &mount.files) {
        if !is_rereadable_file(&file.source) {
            return None;
        }
        match read_source(file).ok()? {
            FileSource::Verbatim(bytes) => add(&bytes),
            FileSource::Template(template) => {
                add(template.text.as_bytes());
                for (name, text) in template.read_includes() {
                    add(name.as_bytes());
                    add(text.as_bytes());
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
        add(&std::fs::read(path).ok()?);
    }
    Some(hasher.finish())
}

/// Returns whether `path` is a regular file, which can be read twice, of allowed size.
fn is_rereadable_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_FILE_BYTES)
}
