//! Adds entries to a tree one by one: creates parents, follows links, and collects conflicts.

use std::collections::BTreeMap;
use std::path::Path;

use super::MAX_LISTED;
use super::error::{Conflict, RootfsError};
use super::file_tree::Rootfs;
use coracle_core::content::Content;
use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind, Owner};
use coracle_core::file_system::{self, FsFile};
use coracle_core::fs::{self, FileId};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};

/// Why an entry is in the image, and the kind of layer that it is in.
#[derive(Clone)]
pub(super) struct EntryOrigin {
    pub(super) reason: EntryReason,
    pub(super) layer_kind: LayerKind,
}

impl EntryOrigin {
    pub(super) fn libraries(reason: EntryReason) -> Self {
        Self { reason, layer_kind: LayerKind::Libraries }
    }

    pub(super) fn data(reason: EntryReason) -> Self {
        Self { reason, layer_kind: LayerKind::Data }
    }

    pub(super) fn program(reason: EntryReason) -> Self {
        Self { reason, layer_kind: LayerKind::Program }
    }

    /// Returns an entry that root owns.
    fn entry(self, node: EntryNode, mode: u32) -> Entry {
        Entry { node, owner: Owner::ROOT, mode, reason: self.reason, layer_kind: self.layer_kind }
    }
}

/// Directories for temporary files of all users.
const TEMPORARY_DIRECTORIES: [&str; 2] = ["/tmp", "/var/tmp"];

/// Builds a [`Rootfs`].
#[derive(Default)]
pub(super) struct RootfsBuilder {
    pub(super) rootfs: Rootfs,
    conflicts: Vec<Conflict>,
    /// Files with several hard links on the host.
    hard_linked: BTreeMap<ImagePath, FileId>,
    set_id: Vec<ImagePath>,
    attributes: BTreeMap<ImagePath, Vec<String>>,
    /// Whether extended attributes are not read: the tree is not packed.
    ignores_attributes: bool,
    /// The first failed read of the tree or of extended attributes.
    read_error: Option<fs::Error>,
}

impl RootfsBuilder {
    /// Starts a tree that is only read, without warnings about it.
    pub(super) fn for_lookups() -> Self {
        Self { ignores_attributes: true, ..Self::default() }
    }

    /// Continues with a finished tree.
    pub(super) fn continue_from(rootfs: Rootfs) -> Self {
        Self { rootfs, ..Self::default() }
    }

    /// Returns the identity of a file that has several hard links on the host.
    pub(super) fn hard_linked_file(&self, path: &ImagePath) -> Option<FileId> {
        self.hard_linked.get(path).copied()
    }

    /// Adds a directory and its parents.
    pub(super) fn add_directory(&mut self, path: &ImagePath, origin: EntryOrigin) {
        self.insert(path, origin.entry(EntryNode::Directory, 0o755));
    }

    /// Adds a state directory, which the user owns. Directories for temporary files are writable for
    /// everyone: engines give a tmpfs the mode of the directory that it covers.
    pub(super) fn add_state_directory(&mut self, path: &ImagePath, user: Owner) {
        let is_temporary =
            TEMPORARY_DIRECTORIES.iter().any(|directory| path.as_bytes() == directory.as_bytes());
        let (owner, mode) = if is_temporary { (Owner::ROOT, 0o1777) } else { (user, 0o750) };
        let origin = EntryOrigin::program(EntryReason::StateDirectory);
        if let Some(path) = self.insert(path, origin.entry(EntryNode::Directory, mode))
            && let Some(entry) = self.rootfs.entries.get_mut(&path)
        {
            (entry.owner, entry.mode) = (owner, mode);
        }
    }

    /// Adds a symbolic link with an unchanged target.
    pub(super) fn add_symlink(&mut self, path: &ImagePath, target: RawPath, origin: EntryOrigin) {
        self.insert(path, origin.entry(EntryNode::Symlink(target), 0o777));
    }

    /// Adds a generated file.
    pub(super) fn add_generated_file(&mut self, path: &ImagePath, bytes: Vec<u8>, origin: EntryOrigin) {
        self.insert(path, origin.entry(EntryNode::File(Content::from_bytes(bytes)), 0o644));
    }

    /// Adds a file with mode 0755 or 0644. Dropped set-id bits and extended attributes are recorded
    /// for a warning.
    pub(super) fn add_file(&mut self, path: &ImagePath, file: &FsFile, origin: EntryOrigin) {
        let mode = if file.stat.is_executable() { 0o755 } else { 0o644 };
        self.insert_copy(path, file, origin.entry(EntryNode::File(file.content.clone()), mode));
    }

    /// Adds an executable file with mode 0755.
    pub(super) fn add_executable(&mut self, path: &ImagePath, file: &FsFile, origin: EntryOrigin) {
        self.insert_copy(path, file, origin.entry(EntryNode::File(file.content.clone()), 0o755));
    }

    /// Adds a stripped copy of the executable `file`, with mode 0755.
    pub(super) fn add_stripped(
        &mut self,
        path: &ImagePath,
        file: &FsFile,
        stripped: Content,
        origin: EntryOrigin,
    ) {
        self.insert_copy(path, file, origin.entry(EntryNode::File(stripped), 0o755));
    }

    /// Adds `copy`, an entry with the content of `file` or a stripped copy. Records what is dropped,
    /// and the file's identity if it has several hard links and is not stripped.
    fn insert_copy(&mut self, path: &ImagePath, file: &FsFile, copy: Entry) {
        if file.stat.mode & 0o6000 != 0 {
            self.set_id.push(path.clone());
        }
        let is_whole =
            matches!(&copy.node, EntryNode::File(content) if content.has_same_source(&file.content));
        // A stripped copy starts with a new header.
        if let Some(host) = file.content.host_path() {
            self.record_attributes(path, host);
        }
        if let Some(path) = self.insert(path, copy)
            && is_whole
            && file.stat.hard_links > 1
        {
            self.hard_linked.insert(path, file.stat.file_id);
        }
    }

    /// Records the extended attributes of the file or directory at `host`, which its copy at `path` does
    /// not have.
    pub(super) fn record_attributes(&mut self, path: &ImagePath, host: &Path) {
        if self.ignores_attributes {
            return;
        }
        match fs::extended_attribute_names(host) {
            Ok(names) if names.is_empty() => {}
            Ok(names) => drop(self.attributes.insert(path.clone(), names)),
            Err(error) => drop(self.read_error.get_or_insert(error)),
        }
    }

    /// Adds an entry at `path`, following links in its parents. Returns its real path, or `None`
    /// after a conflict.
    fn insert(&mut self, path: &ImagePath, new: Entry) -> Option<ImagePath> {
        let Some(name) = path.file_name() else { return Some(path.clone()) };
        let parent = self.create_directory(&path.parent()?, &new)?;
        let path = parent.join(name);
        let Some(old) = self.rootfs.entries.get_mut(&path) else {
            self.rootfs.entries.insert(path.clone(), new);
            return Some(path);
        };
        let agrees = match (&old.node, &new.node) {
            (EntryNode::Directory, EntryNode::Directory) => true,
            (EntryNode::Symlink(a), EntryNode::Symlink(b)) => a == b,
            (EntryNode::File(a), EntryNode::File(b)) => a.has_same_source(b),
            _ => false,
        };
        if agrees {
            old.layer_kind = old.layer_kind.min(new.layer_kind);
            old.mode |= new.mode;
            return Some(path);
        }
        let leads_to_directory =
            matches!((&old.node, &new.node), (EntryNode::Symlink(_), EntryNode::Directory))
                && matches!(
                    self.resolve(path.as_bytes()),
                    Some(file_system::ResolutionEnd::Directory(_) | file_system::ResolutionEnd::Missing(_))
                );
        if !leads_to_directory {
            self.record_conflict::<()>(path.clone(), &new);
        }
        leads_to_directory.then_some(path)
    }

    /// Returns the real path of the directory at `path`, creating missing directories. `None` after
    /// a conflict.
    fn create_directory(&mut self, path: &ImagePath, below: &Entry) -> Option<ImagePath> {
        // Entries have real paths, so no parent of a known directory is a link.
        if let Some(EntryNode::Directory) = self.rootfs.entries.get(path).map(|entry| &entry.node) {
            return Some(path.clone());
        }
        let mut at = ImagePath::root();
        for name in path.components() {
            let next = at.join(name);
            match self.rootfs.entries.get(&next).map(|entry| &entry.node) {
                Some(EntryNode::Directory) => at = next,
                Some(EntryNode::Symlink(_)) => match self.resolve(next.as_bytes())? {
                    file_system::ResolutionEnd::Directory(target) => at = target,
                    // The link's target is added later: this link is on the path to another entry.
                    file_system::ResolutionEnd::Missing(target) => {
                        at = self.create_directory(&target, below)?;
                    }
                    _ => return self.record_conflict(next, below),
                },
                Some(_) => return self.record_conflict(next, below),
                None => {
                    let origin =
                        EntryOrigin { reason: EntryReason::ParentOrLink, layer_kind: below.layer_kind };
                    self.rootfs.entries.insert(next.clone(), origin.entry(EntryNode::Directory, 0o755));
                    at = next;
                }
            }
        }
        Some(at)
    }

    /// Whether `raw_path` leads to a file in the tree.
    pub(super) fn leads_to_file(&mut self, raw_path: &RawPath) -> bool {
        matches!(self.resolve(raw_path.as_bytes()), Some(file_system::ResolutionEnd::File(..)))
    }

    /// Resolves `path` in the tree. A failed read is reported by [`Self::finish`].
    fn resolve(&mut self, path: &[u8]) -> Option<file_system::ResolutionEnd> {
        match file_system::resolve_path(&self.rootfs, &ImagePath::root(), path) {
            Ok(resolution) => Some(resolution.end),
            Err(error) => {
                self.read_error.get_or_insert(error);
                None
            }
        }
    }

    fn record_conflict<T>(&mut self, path: ImagePath, new: &Entry) -> Option<T> {
        let first = self.rootfs.entries.get(&path).map(describe_entry).unwrap_or_default();
        let conflict = Conflict { path, first, second: describe_entry(new) };
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
        None
    }

    /// Returns the tree, in which files with several names became hard links, and warnings. Fails
    /// if there are conflicts.
    pub(super) fn finish(mut self) -> Result<(Rootfs, Vec<Note>), RootfsError> {
        if let Some(error) = self.read_error {
            return Err(error.into());
        }
        if !self.conflicts.is_empty() {
            return Err(RootfsError::Conflicts(self.conflicts));
        }
        let mut first = BTreeMap::new();
        for (path, identity) in &self.hard_linked {
            let Some(entry) = self.rootfs.entries.get_mut(path) else { continue };
            match first.get(&(*identity, entry.layer_kind)) {
                None => drop(first.insert((*identity, entry.layer_kind), path.clone())),
                Some(target) => entry.node = EntryNode::HardLink(ImagePath::clone(target)),
            }
        }
        let notes = self.warnings();
        Ok((self.rootfs, notes))
    }

    fn warnings(&self) -> Vec<Note> {
        let set_id = self.set_id.iter().map(|path| format!("{path}: its set-id bit is dropped"));
        let mut paths_by_names: BTreeMap<&[String], Vec<&ImagePath>> = BTreeMap::new();
        for (path, names) in &self.attributes {
            paths_by_names.entry(names).or_default().push(path);
        }
        let attributes = paths_by_names.into_iter().map(|(names, paths)| attributes_warning(names, &paths));
        set_id.chain(attributes).map(Note::Warning).collect()
    }
}

/// The attribute with the capabilities that a program has when it starts.
const FILE_CAPABILITIES: &str = "security.capability";

/// Returns the warning about the files and directories at `paths`, which all have the attributes `names`.
fn attributes_warning(names: &[String], paths: &[&ImagePath]) -> String {
    let shown: Vec<String> = paths.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    let more = match paths.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let advice = if names.iter().any(|name| name == FILE_CAPABILITIES) {
        "\na container gets its capabilities from the runtime: `--cap-add`, or `capabilities.add` in the \
         `securityContext` of Kubernetes"
    } else {
        ""
    };
    format!("{}{more}: extended attributes are dropped: {}{advice}", shown.join(", "), names.join(", "))
}

/// Describes an entry for a message: its type or source, and its reason.
pub(super) fn describe_entry(entry: &Entry) -> String {
    let what = match &entry.node {
        EntryNode::Directory => "a directory".into(),
        EntryNode::Symlink(target) => format!("a link to {target}"),
        EntryNode::HardLink(target) => format!("a hard link to {target}"),
        EntryNode::File(content) => match content.host_path() {
            Some(path) => path.display().to_string(),
            None => "a file generated by Coracle".into(),
        },
    };
    format!("{what} ({})", entry.reason)
}
