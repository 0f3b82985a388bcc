//! Puts entries into a tree one by one: parents made, links on the way followed, contradictions collected.

use std::collections::BTreeMap;

use super::{Conflict, Entry, Error, Node, Owner, Reason, Rootfs, Stratum};
use crate::content::Content;
use crate::fs::{self, Identity};
use crate::note::Note;
use crate::path::{ImagePath, Spelled};
use crate::tree::{self, TreeFile};

/// A tree in the making.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) rootfs: Rootfs,
    conflicts: Vec<Conflict>,
    /// Files that have several names on the host.
    linked: BTreeMap<ImagePath, Identity>,
    set_id: Vec<ImagePath>,
    attributes: BTreeMap<ImagePath, Vec<String>>,
}

impl Builder {
    /// Goes on with a finished tree.
    pub(super) fn resume(rootfs: Rootfs) -> Self {
        Self { rootfs, ..Self::default() }
    }

    /// A directory and all above it.
    pub(super) fn directory(&mut self, path: &ImagePath, reason: Reason, stratum: Stratum) {
        self.put(path, entry(Node::Directory, 0o755, reason, stratum));
    }

    /// A directory that the program writes to: its user's own.
    pub(super) fn state(&mut self, path: &ImagePath, user: Owner) {
        let reason = Reason::State;
        if let Some(path) = self.put(path, entry(Node::Directory, 0o750, reason, Stratum::Program))
            && let Some(entry) = self.rootfs.entries.get_mut(&path)
        {
            (entry.owner, entry.mode) = (user, 0o750);
        }
    }

    /// A symbolic link, its target as it is.
    pub(super) fn link(&mut self, path: &ImagePath, target: Spelled, reason: Reason, stratum: Stratum) {
        self.put(path, entry(Node::Link(target), 0o777, reason, stratum));
    }

    /// Bytes made here.
    pub(super) fn bytes(&mut self, path: &ImagePath, bytes: Vec<u8>, reason: Reason, stratum: Stratum) {
        self.put(path, entry(Node::File(Content::bytes(bytes)), 0o644, reason, stratum));
    }

    /// A file of a tree, with normal modes; what is lost with them is remembered for a warning.
    pub(super) fn file(&mut self, path: &ImagePath, file: &TreeFile, reason: Reason, stratum: Stratum) {
        let mode = if file.stat.is_executable() { 0o755 } else { 0o644 };
        self.content(path, file, file.content.clone(), mode, reason, stratum);
    }

    /// A file that is executed.
    pub(super) fn program(
        &mut self,
        path: &ImagePath,
        file: &TreeFile,
        content: Content,
        reason: Reason,
        stratum: Stratum,
    ) {
        self.content(path, file, content, 0o755, reason, stratum);
    }

    fn content(
        &mut self,
        path: &ImagePath,
        file: &TreeFile,
        content: Content,
        mode: u32,
        reason: Reason,
        stratum: Stratum,
    ) {
        if file.stat.mode & 0o6000 != 0 {
            self.set_id.push(path.clone());
        }
        if let Some(host) = content.host_path() {
            let names = fs::extended_attributes(host);
            if !names.is_empty() {
                self.attributes.insert(path.clone(), names);
            }
        }
        let whole = content.same_source(&file.content);
        let path = self.put(path, entry(Node::File(content), mode, reason, stratum));
        if let Some(path) = path
            && whole
            && file.stat.links > 1
        {
            self.linked.insert(path, file.stat.identity);
        }
    }

    /// Puts an entry at `path`, links above it followed; where it ended up, unless that contradicts something.
    fn put(&mut self, path: &ImagePath, new: Entry) -> Option<ImagePath> {
        let Some(name) = path.name() else { return Some(path.clone()) };
        let parent = self.real_directory(&path.parent()?, &new)?;
        let path = parent.join(name);
        let Some(old) = self.rootfs.entries.get_mut(&path) else {
            self.rootfs.entries.insert(path.clone(), new);
            return Some(path);
        };
        let agrees = match (&old.node, &new.node) {
            (Node::Directory, Node::Directory) => true,
            (Node::Link(a), Node::Link(b)) => a == b,
            (Node::File(a), Node::File(b)) => a.same_source(b),
            _ => false,
        };
        if agrees {
            old.stratum = old.stratum.min(new.stratum);
            old.mode |= new.mode;
            return Some(path);
        }
        let leads_to_directory = matches!((&old.node, &new.node), (Node::Link(_), Node::Directory))
            && matches!(self.walk(path.as_bytes()), tree::End::Directory(_) | tree::End::Missing(_));
        if !leads_to_directory {
            self.conflict::<()>(path.clone(), &new);
        }
        leads_to_directory.then_some(path)
    }

    /// The directory at `path` inside the image, made where it is missing.
    fn real_directory(&mut self, path: &ImagePath, below: &Entry) -> Option<ImagePath> {
        let mut at = ImagePath::root();
        for name in path.names() {
            let next = at.join(name);
            match self.rootfs.entries.get(&next).map(|entry| &entry.node) {
                Some(Node::Directory) => at = next,
                Some(Node::Link(_)) => match self.walk(next.as_bytes()) {
                    tree::End::Directory(target) => at = target,
                    // The link's own target is still to come: its parents lie on the way of something else.
                    tree::End::Missing(target) => at = self.real_directory(&target, below)?,
                    _ => return self.conflict(next, below),
                },
                Some(_) => return self.conflict(next, below),
                None => {
                    let made = entry(Node::Directory, 0o755, Reason::OnTheWay, below.stratum);
                    self.rootfs.entries.insert(next.clone(), made);
                    at = next;
                }
            }
        }
        Some(at)
    }

    /// Whether a file can be opened by this path already.
    pub(super) fn leads_to_file(&self, spelled: &Spelled) -> bool {
        matches!(self.walk(spelled.as_bytes()), tree::End::File(..))
    }

    fn walk(&self, path: &[u8]) -> tree::End {
        // A planned tree is in memory: looking at it can't fail.
        tree::walk(&self.rootfs, &ImagePath::root(), path).map_or(tree::End::Loop, |walk| walk.end)
    }

    fn conflict<T>(&mut self, path: ImagePath, new: &Entry) -> Option<T> {
        let first = self.rootfs.entries.get(&path).map(describe).unwrap_or_default();
        let conflict = Conflict { path, first, second: describe(new) };
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
        None
    }

    /// The tree, second names of one file turned into hard links, and what should be known about it.
    pub(super) fn finish(mut self) -> Result<(Rootfs, Vec<Note>), Error> {
        if !self.conflicts.is_empty() {
            return Err(Error::Conflicts(self.conflicts));
        }
        let mut first = BTreeMap::new();
        for (path, identity) in &self.linked {
            let Some(entry) = self.rootfs.entries.get_mut(path) else { continue };
            match first.get(&(*identity, entry.stratum)) {
                None => drop(first.insert((*identity, entry.stratum), path.clone())),
                Some(target) => entry.node = Node::HardLink(ImagePath::clone(target)),
            }
        }
        let notes = self.notes();
        Ok((self.rootfs, notes))
    }

    fn notes(&self) -> Vec<Note> {
        let set_id = self.set_id.iter().map(|path| format!("{path}: its set-id bit is dropped"));
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(path, names)| {
            format!("{path}: its extended attributes are dropped: {}", names.join(", "))
        });
        set_id.chain(attributes).map(Note::Warning).collect()
    }
}

fn entry(node: Node, mode: u32, reason: Reason, stratum: Stratum) -> Entry {
    Entry { node, owner: Owner::ROOT, mode, reason, stratum }
}

/// An entry in a message: what it is, where it is from, why it is there.
pub(super) fn describe(entry: &Entry) -> String {
    let what = match &entry.node {
        Node::Directory => "a directory".into(),
        Node::Link(target) => format!("a link to {target}"),
        Node::HardLink(target) => format!("a hard link to {target}"),
        Node::File(content) => match content.host_path() {
            Some(path) => path.display().to_string(),
            None => "a file generated by Coracle".into(),
        },
    };
    format!("{what} ({})", entry.reason)
}
