//! The results of the rules for one program.

use std::collections::BTreeMap;

use super::data_file::{DataContent, DataFile};
use super::error::UnmetRequest;
use crate::closure::DlopenRequest;
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

impl Requests {
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
