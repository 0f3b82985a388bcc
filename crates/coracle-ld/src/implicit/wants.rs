//! The results of the rules for one program.

use std::collections::BTreeMap;

use super::error::Lack;
use crate::closure::Opening;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{Step, TreeFile};

/// Everything that the rules request for one program.
#[derive(Default, Debug)]
pub(super) struct Wants {
    /// Libraries to open.
    pub(super) openings: Vec<Opening>,
    /// Data files.
    pub(super) extras: Vec<Extra>,
    /// Warnings and notes.
    pub(super) notes: Vec<Note>,
    /// Requested things that were not found.
    pub(super) lacks: Vec<Lack>,
    /// Which requested things this program uses.
    pub(super) uses: Uses,
}

/// Requested things by name: `None` if a program uses it, else why it has no effect.
pub(super) type Uses = BTreeMap<String, Option<Lack>>;

/// A data file or link of an image. A file that the user includes at the same path takes
/// precedence.
#[derive(Clone, Debug)]
pub struct Extra {
    /// The path by which the program reads it.
    pub spelled: Spelled,
    /// The file's own path, without links.
    pub path: ImagePath,
    /// The directories and links that the path passes through.
    pub steps: Vec<Step>,
    /// The content.
    pub node: ExtraNode,
    /// The purpose, for reports.
    pub why: String,
}

/// The content of an [`Extra`].
#[derive(Clone, Debug)]
pub enum ExtraNode {
    /// An existing file.
    File(TreeFile),
    /// Generated content.
    Bytes(Vec<u8>),
    /// A link to this target.
    Link(Spelled),
}

impl Wants {
    pub(super) fn lack(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.lacks.push(Lack { message: message.into(), hint: hint.into() });
    }

    /// Records that this program uses something that was requested.
    pub(super) fn is_used(&mut self, what: &str) {
        self.uses.insert(what.to_owned(), None);
    }

    /// Records that this program does not use something that was requested. It is an error if no
    /// program does.
    pub(super) fn is_useless(&mut self, what: &str, message: impl Into<String>, hint: &str) {
        let lack = Lack { message: message.into(), hint: hint.to_owned() };
        self.uses.entry(what.to_owned()).or_insert(Some(lack));
    }

    pub(super) fn warn(&mut self, message: impl Into<String>) {
        self.notes.push(Note::Warning(message.into()));
    }

    /// Adds a generated file.
    pub(super) fn make(&mut self, path: ImagePath, bytes: impl Into<Vec<u8>>, why: &str) {
        let node = ExtraNode::Bytes(bytes.into());
        self.extras.push(Extra {
            spelled: Spelled::from(&path),
            path,
            steps: Vec::new(),
            node,
            why: why.to_owned(),
        });
    }

    pub(super) fn link(&mut self, path: ImagePath, target: Spelled, why: &str) {
        let node = ExtraNode::Link(target);
        self.extras.push(Extra {
            spelled: Spelled::from(&path),
            path,
            steps: Vec::new(),
            node,
            why: why.to_owned(),
        });
    }
}
