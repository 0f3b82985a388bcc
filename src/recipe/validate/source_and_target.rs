//! `FROM:TO`, the form of all arguments that put something at a path: `PROGRAM[:TO]`,
//! `--include FROM:TO`, `--config FOLDER:TO` and `--secret KEY[,KEY]:TO`.

use std::path::PathBuf;

use coracle_core::fs;

/// The parsed argument `FROM:TO`: a file or directory of the host (or a key), and its path in the image.
pub(super) struct SourceAndTarget {
    pub(super) from: PathBuf,
    /// As written; not yet checked. `None` without `:TO`.
    pub(super) to: Option<Vec<u8>>,
}

impl SourceAndTarget {
    /// Splits `FROM:TO` at the last colon before a slash; other colons are part of a file name.
    pub(super) fn split(text: &[u8]) -> Self {
        match text.windows(2).rposition(|pair| pair == b":/") {
            Some(colon) => {
                let (from, to) = text.split_at(colon);
                Self { from: fs::path_from_bytes(from), to: to.get(1..).map(<[u8]>::to_vec) }
            }
            None => Self { from: fs::path_from_bytes(text), to: None },
        }
    }
}
