//! Detects changes of a configuration by the bytes of its files, which are cheaper to read than to
//! render.

use std::path::Path;

use super::{Configuration, FileSource, source};
use coracle_core::digest::{Digest, Hasher};
use crate::values::Source;

/// The largest file of a configuration, in bytes.
const LARGEST: u64 = 16 << 20;

/// Returns one digest of all source files of `configuration`. `None` if a file is a pipe, which can
/// be read only once, or cannot be read; the error is reported when the file is rendered.
pub fn fingerprint(configuration: &Configuration) -> Option<Digest> {
    let mut hasher = Hasher::default();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for file in configuration.mounts.iter().flat_map(|mount| &mount.files) {
        if !is_small_file(&file.from) {
            return None;
        }
        match source(file).ok()? {
            FileSource::Verbatim(bytes) => add(&bytes),
            FileSource::Template(template) => {
                add(template.text.as_bytes());
                for (name, text) in template.includes() {
                    add(name.as_bytes());
                    add(text.as_bytes());
                }
            }
        }
    }
    let values = configuration.values.iter().filter_map(|source| match source {
        Source::File(path) | Source::SetFile { path, .. } => Some(path),
        Source::Set { .. } => None,
    });
    for path in values.chain(&configuration.schema) {
        if !is_small_file(path) {
            return None;
        }
        add(&std::fs::read(path).ok()?);
    }
    Some(hasher.finish())
}

/// Returns whether `path` is a regular file, which can be read twice, of allowed size.
fn is_small_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= LARGEST)
}
