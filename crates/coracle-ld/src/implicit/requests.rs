//! The results of the rules for one program.

use std::collections::BTreeMap;

use super::error::UnmetRequest;
use crate::closure::DlopenRequest;
use coracle_core::file_system::{FsFile, ResolutionStep};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};

/// Everything that the rules request for one program.
#[derive(Default, Debug)]
pub(super) struct Requests {
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

/// A data file or link of an image. A file that the user includes at the same path takes
/// precedence.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// The path by which the program reads it.
    pub spelled: RawPath,
    /// The file's own path, without links.
    pub path: ImagePath,
    /// The directories and links that the path passes through.
    pub steps: Vec<ResolutionStep>,
    /// The content.
    pub content: DataContent,
    /// The purpose, for reports.
    pub purpose: String,
}

/// The content of an [`Extra`].
#[derive(Clone, Debug)]
pub enum DataContent {
    /// An existing file.
    File(FsFile),
    /// Generated content.
    Bytes(Vec<u8>),
    /// A link to this target.
    Link(RawPath),
}

impl Requests {
    pub(super) fn add_unmet(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.unmet.push(UnmetRequest { message: message.into(), hint: hint.into() });
    }

    /// Records that this program uses something that was requested.
    pub(super) fn mark_used(&mut self, what: &str) {
        self.option_uses.insert(what.to_owned(), None);
    }

    /// Records that this program does not use something that was requested. It is an error if no
    /// program does.
    pub(super) fn mark_unused(&mut self, what: &str, message: impl Into<String>, hint: &str) {
        let lack = UnmetRequest { message: message.into(), hint: hint.to_owned() };
        self.option_uses.entry(what.to_owned()).or_insert(Some(lack));
    }

    pub(super) fn add_warning(&mut self, message: impl Into<String>) {
        self.notes.push(Note::Warning(message.into()));
    }

    /// Adds a generated file.
    pub(super) fn add_generated_file(&mut self, path: ImagePath, bytes: impl Into<Vec<u8>>, why: &str) {
        let node = DataContent::Bytes(bytes.into());
        self.data_files.push(DataFile {
            spelled: RawPath::from(&path),
            path,
            steps: Vec::new(),
            content: node,
            purpose: why.to_owned(),
        });
    }

    pub(super) fn add_link(&mut self, path: ImagePath, target: RawPath, why: &str) {
        let node = DataContent::Link(target);
        self.data_files.push(DataFile {
            spelled: RawPath::from(&path),
            path,
            steps: Vec::new(),
            content: node,
            purpose: why.to_owned(),
        });
    }
}
