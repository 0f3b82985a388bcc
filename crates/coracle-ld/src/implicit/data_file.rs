//! Data files that programs read at run time.

use coracle_core::file_system::{FsFile, ResolutionStep};
use coracle_core::path::{ImagePath, RawPath};

/// A data file or link of an image. A file that the user includes at the same path takes
/// precedence.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// The path by which the program reads it.
    pub raw_path: RawPath,
    /// The file's own path, without links.
    pub path: ImagePath,
    /// The directories and links that the path passes through.
    pub steps: Vec<ResolutionStep>,
    /// The content.
    pub content: DataContent,
    /// The purpose, for reports.
    pub purpose: String,
}

/// The content of a [`DataFile`].
#[derive(Clone, Debug)]
pub enum DataContent {
    /// An existing file.
    File(FsFile),
    /// Generated content.
    Bytes(Vec<u8>),
    /// A link to this target.
    Link(RawPath),
}

impl DataFile {
    /// Returns a file or link that exists in the image only.
    pub(super) fn new_in_image(path: ImagePath, content: DataContent, purpose: &str) -> Self {
        Self { raw_path: RawPath::from(&path), path, steps: Vec::new(), content, purpose: purpose.to_owned() }
    }
}
