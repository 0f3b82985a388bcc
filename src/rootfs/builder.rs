//! Adds entries to a tree one by one: creates parents, follows links, and collects conflicts.

use std::collections::BTreeMap;

use super::{Conflict, Entry, Error, Node, Owner, Reason, Rootfs, Stratum};
use coracle_core::content::Content;
use coracle_core::fs::{self, Identity};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, TreeFile};

/// Builds a [`Rootfs`].
#[derive(Default)]
pub(super) struct Builder {
    pub(super) rootfs: Rootfs,
    conflicts: Vec<Conflict>,
    /// Files with several hard links on the host.
    linked: BTreeMap<ImagePath, Identity>,
    set_id: Vec<ImagePath>,
    attributes: BTreeMap<ImagePath, Vec<String>>,
}

impl Builder {
    /// Continues with a finished tree.
    pub(super) fn resume(rootfs: Rootfs) -> Self {
        Self { rootfs, ..Self::default() }
    }

    /// Adds a directory and its parents.
    pub(super) fn directory(&mut self, path: &ImagePath, reason: Reason, stratum: Stratum) {
        self.put(path, entry(Node::Directory, 0o755, reason, stratum));
    }

    /// Adds a state directory, which the user owns.
    pub(super) fn state(&mut self, path: &ImagePath, user: Owner) {
        let reason = Reason::State;
        if let Some(path) = self.put(path, entry(Node::Directory, 0o750, reason, Stratum::Program))
            && let Some(entry) = self.rootfs.entries.get_mut(&path)
        {
            (entry.owner, entry.mode) = (user, 0o750);
        }
    }

    /// Adds a symbolic link with an unchanged target.
    pub(super) fn link(&mut self, path: &ImagePath, target: Spelled, reason: Reason, stratum: Stratum) {
        self.put(path, entry(Node::Link(target), 0o777, reason, stratum));
    }

    /// Adds a generated file.
    pub(super) fn bytes(&mut self, path: &ImagePath, bytes: Vec<u8>, reason: Reason, stratum: Stratum) {
        self.put(path, entry(Node::File(Content::bytes(bytes)), 0o644, reason, stratum));
    }

    /// Adds a file with mode 0755 or 0644. Dropped set-id bits and extended attributes are recorded
    /// for a warning.
    pub(super) fn file(&mut self, path: &ImagePath, file: &TreeFile, reason: Reason, stratum: Stratum) {
        let mode = if file.stat.is_executable() { 0o755 } else { 0o644 };
        self.content(path, file, file.content.clone(), mode, reason, stratum);
    }

    /// Adds an executable file.
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

    /// Adds an entry at `path`, following links in its parents. Returns its real path, or `None`
    /// after a conflict.
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
            && matches!(self.walk(path.as_bytes()), file_system::End::Directory(_) | file_system::End::Missing(_));
        if !leads_to_directory {
            self.conflict::<()>(path.clone(), &new);
        }
        leads_to_directory.then_some(path)
    }

    /// Returns the real path of the directory at `path`, creating missing directories. `None` after
    /// a conflict.
    fn real_directory(&mut self, path: &ImagePath, below: &Entry) -> Option<ImagePath> {
        let mut at = ImagePath::root();
        for name in path.names() {
            let next = at.join(name);
            match self.rootfs.entries.get(&next).map(|entry| &entry.node) {
                Some(Node::Directory) => at = next,
                Some(Node::Link(_)) => match self.walk(next.as_bytes()) {
                    file_system::End::Directory(target) => at = target,
                    // The link's target is added later: this link is on the path to another entry.
                    file_system::End::Missing(target) => at = self.real_directory(&target, below)?,
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

    /// Whether the path leads to a file in the tree.
    pub(super) fn leads_to_file(&self, spelled: &Spelled) -> bool {
        matches!(self.walk(spelled.as_bytes()), file_system::End::File(..))
    }

    fn walk(&self, path: &[u8]) -> file_system::End {
        // Reading a planned tree in memory does not fail.
        file_system::walk(&self.rootfs, &ImagePath::root(), path).map_or(file_system::End::Loop, |walk| walk.end)
    }

    fn conflict<T>(&mut self, path: ImagePath, new: &Entry) -> Option<T> {
        let first = self.rootfs.entries.get(&path).map(describe).unwrap_or_default();
        let conflict = Conflict { path, first, second: describe(new) };
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
        None
    }

    /// Returns the tree, in which files with several names became hard links, and warnings. Fails
    /// if there are conflicts.
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

/// Describes an entry for a message: its type or source, and its reason.
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
