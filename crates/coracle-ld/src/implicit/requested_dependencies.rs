//! The requests of the rules for one program: libraries to open, data files, notes for the user.

use std::collections::BTreeMap;

use super::error::UnmetRequest;
use crate::closure::DlopenRequest;
use coracle_core::file_system::{FsFile, ResolutionStep};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};

/// Everything that the rules request for one program.
#[derive(Default, Debug)]
pub(super) struct RequestedDependencies {
    /// Libraries to open.
    pub(super) dlopens: Vec<DlopenRequest>,
    /// Data files.
    pub(super) data_files: Vec<DataFile>,
    /// Warnings and notes.
    pub(super) notes: Vec<Note>,
    /// Requested things that were not found.
    pub(super) unmet: Vec<UnmetRequest>,
    /// Which requested things this program uses.
    pub(super) option_uses: OptionUses,
}

/// Requested things by name: `None` if a program uses it, else why it has no effect.
pub(super) type OptionUses = BTreeMap<String, Option<UnmetRequest>>;

impl RequestedDependencies {
    /// Records that something requested was not found.
    pub(super) fn add_unmet(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.unmet.push(UnmetRequest { message: message.into(), hint: hint.into() });
    }

    /// Records that this program uses the requested `option`.
    pub(super) fn mark_used(&mut self, option: &str) {
        self.option_uses.insert(option.to_owned(), None);
    }

    /// Records that this program does not use the requested `option`. It is an error if no program
    /// does.
    pub(super) fn mark_unused(&mut self, option: &str, message: impl Into<String>, hint: &str) {
        let unmet = UnmetRequest { message: message.into(), hint: hint.to_owned() };
        self.option_uses.entry(option.to_owned()).or_insert(Some(unmet));
    }

    /// Adds a warning for the user.
    pub(super) fn add_warning(&mut self, message: impl Into<String>) {
        self.notes.push(Note::Warning(message.into()));
    }

    /// Adds a generated file.
    pub(super) fn add_generated_file(&mut self, path: ImagePath, bytes: impl Into<Vec<u8>>, purpose: &str) {
        let content = DataContent::Bytes(bytes.into());
        self.data_files.push(DataFile::new_in_image(path, content, purpose));
    }

    /// Adds a symbolic link to `target`.
    pub(super) fn add_link(&mut self, path: ImagePath, target: RawPath, purpose: &str) {
        let content = DataContent::Link(target);
        self.data_files.push(DataFile::new_in_image(path, content, purpose));
    }
}

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
