//! What the rules of this module want for a program.

use std::collections::BTreeMap;

use super::error::Lack;
use crate::closure::Opening;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{Step, TreeFile};

/// All that is wanted for one program.
#[derive(Default, Debug)]
pub(super) struct Wants {
    /// Libraries that are opened.
    pub(super) openings: Vec<Opening>,
    /// Data.
    pub(super) extras: Vec<Extra>,
    /// What should be known.
    pub(super) notes: Vec<Note>,
    /// What was asked for and is not there.
    pub(super) lacks: Vec<Lack>,
    /// What was asked for, and why it is of no use to this program, if so.
    pub(super) uses: Uses,
}

/// Things that were asked for by name: of use to some program, else why not.
pub(super) type Uses = BTreeMap<String, Option<Lack>>;

/// A file or link of an image besides programs and libraries. What somebody includes at its path goes first.
#[derive(Clone, Debug)]
pub struct Extra {
    /// The path by which it is read.
    pub spelled: Spelled,
    /// Its own path.
    pub path: ImagePath,
    /// Directories and links on the way there.
    pub steps: Vec<Step>,
    /// What it is.
    pub node: ExtraNode,
    /// What it is for.
    pub why: String,
}

/// The kinds of [`Extra`]s.
#[derive(Clone, Debug)]
pub enum ExtraNode {
    /// A file as it is.
    File(TreeFile),
    /// Bytes made here.
    Bytes(Vec<u8>),
    /// A link.
    Link(Spelled),
}

impl Wants {
    pub(super) fn lack(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.lacks.push(Lack { message: message.into(), hint: hint.into() });
    }

    /// This program has a use for something that was asked for.
    pub(super) fn is_used(&mut self, what: &str) {
        self.uses.insert(what.to_owned(), None);
    }

    /// This program has none; when no other has, somebody is mistaken.
    pub(super) fn is_useless(&mut self, what: &str, message: impl Into<String>, hint: &str) {
        let lack = Lack { message: message.into(), hint: hint.to_owned() };
        self.uses.entry(what.to_owned()).or_insert(Some(lack));
    }

    pub(super) fn warn(&mut self, message: impl Into<String>) {
        self.notes.push(Note::Warning(message.into()));
    }

    /// A file that is made here.
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
