//! Adds entries to a tree one by one: creates parents, follows links, and collects conflicts.

use std::collections::BTreeMap;
use std::path::Path;

use super::dropped_attributes::DroppedAttributes;
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
    /// The time of files, in seconds since 1970.
    pub(super) modified: u64,
}

impl EntryOrigin {
    pub(super) fn new(reason: EntryReason, layer_kind: LayerKind) -> Self {
        Self { reason, layer_kind, modified: 0 }
    }

    pub(super) fn for_libraries(reason: EntryReason) -> Self {
        Self::new(reason, LayerKind::Libraries)
    }

    pub(super) fn for_data(reason: EntryReason) -> Self {
        Self::new(reason, LayerKind::Data)
    }

    pub(super) fn for_program(reason: EntryReason) -> Self {
        Self::new(reason, LayerKind::Program)
    }

    /// Returns an entry that root owns.
    fn entry(self, node: EntryNode, mode: u32) -> Entry {
        let modified = if matches!(node, EntryNode::File(_)) { self.modified } else { 0 };
        let Self { reason, layer_kind, .. } = self;
        Entry { node, owner: Owner::ROOT, mode, modified, reason, layer_kind }
    }
}

/// Directories for temporary files of all users.
const TEMPORARY_DIRECTORIES: [&str; 2] = ["/tmp", "/var/tmp"];

/// Returns whether the directory at `path` is for temporary files of all users. It has the sticky bit and is writable for
/// everyone: programs rely on it, and engines give a tmpfs the mode of the directory that it covers.
fn is_temporary(path: &ImagePath) -> bool {
    TEMPORARY_DIRECTORIES.iter().any(|directory| path.as_bytes() == directory.as_bytes())
}

fn directory_mode(path: &ImagePath) -> u32 {
    if is_temporary(path) { 0o1777 } else { 0o755 }
}

/// Builds a [`Rootfs`].
#[derive(Default)]
pub(super) struct RootfsBuilder {
    pub(super) rootfs: Rootfs,
    conflicts: Vec<Conflict>,
    /// Files that the loader maps and that have several hard links on the host.
    hard_linked: BTreeMap<ImagePath, FileId>,
    dropped: DroppedAttributes,
    /// `true` if extended attributes are not read: the tree is not packed.
    ignores_attributes: bool,
    /// The first failed read of the tree, of extended attributes, or of a file that is compared.
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

    /// Adds a directory and its parents.
    pub(super) fn add_directory(&mut self, path: &ImagePath, origin: EntryOrigin) {
        self.insert(path, origin.entry(EntryNode::Directory, directory_mode(path)));
    }

    /// Records the mode that an included directory has on the host, for a warning about bits that the image lacks.
    pub(super) fn record_directory_mode(&mut self, path: &ImagePath, mode: u32) {
        self.dropped.record_mode(path, mode);
    }

    /// Adds a state directory, which the user owns, unless it is for temporary files.
    pub(super) fn add_state_directory(&mut self, path: &ImagePath, user: Owner) {
        let (owner, mode) =
            if is_temporary(path) { (Owner::ROOT, directory_mode(path)) } else { (user, 0o750) };
        let origin = EntryOrigin::for_program(EntryReason::StateDirectory);
        if let Some(path) = self.insert(path, origin.entry(EntryNode::Directory, mode))
            && let Some(entry) = self.rootfs.entries.get_mut(&path)
        {
            (entry.owner, entry.mode, entry.reason) = (owner, mode, EntryReason::StateDirectory);
        }
    }

    /// Adds a symbolic link with an unchanged target.
    pub(super) fn add_symlink(&mut self, path: &ImagePath, target: RawPath, origin: EntryOrigin) {
        self.insert(path, origin.entry(EntryNode::Symlink(target), 0o777));
    }

    /// Adds a generated file; a script is executable.
    pub(super) fn add_generated_file(&mut self, path: &ImagePath, bytes: Vec<u8>, origin: EntryOrigin) {
        let mode = if bytes.starts_with(b"#!") { 0o755 } else { 0o644 };
        self.insert(path, origin.entry(EntryNode::File(Content::from_bytes(bytes)), mode));
    }

    /// Adds a file with mode 0644.
    pub(super) fn add_content(&mut self, path: &ImagePath, content: Content, origin: EntryOrigin) {
        self.insert(path, origin.entry(EntryNode::File(content), 0o644));
    }

    /// Adds a file with mode 0755 or 0644. Dropped mode bits and extended attributes are recorded for a warning.
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

    /// Adds `copy`, an entry with the content of `file` or a stripped copy, and records what is dropped.
    ///
    /// Loaders identify objects by inode, so a file that a loader maps stays one file under several names.
    /// Any other file is one by itself: a checkout or a copy of a directory does not keep hard links.
    fn insert_copy(&mut self, path: &ImagePath, file: &FsFile, copy: Entry) {
        self.dropped.record_mode(path, file.stat.mode);
        let is_whole =
            matches!(&copy.node, EntryNode::File(content) if content.has_same_source(&file.content));
        // A stripped copy starts with a new header.
        if let Some(host) = file.content.host_path() {
            self.record_attributes(path, host);
        }
        let is_mapped = copy.reason.is_mapped_by_loader();
        if let Some(path) = self.insert(path, copy)
            && is_whole
            && file.stat.hard_links > 1
        {
            if is_mapped {
                self.hard_linked.entry(path).or_insert(file.stat.file_id);
            } else {
                self.dropped.record_hard_link(path, file.stat.file_id);
            }
        }
    }

    /// Records the extended attributes of the file or directory at `host`, which its copy at `path` does
    /// not have.
    pub(super) fn record_attributes(&mut self, path: &ImagePath, host: &Path) {
        if self.ignores_attributes {
            return;
        }
        match fs::extended_attribute_names(host) {
            Ok(names) => self.dropped.record_attributes(path, names),
            Err(error) => drop(self.read_error.get_or_insert(error)),
        }
    }

    /// Adds an entry at `path`, following links in its parents. Returns its real path, or `None`
    /// after a conflict.
    fn insert(&mut self, path: &ImagePath, new: Entry) -> Option<ImagePath> {
        let Some(name) = path.file_name() else { return Some(path.clone()) };
        let parent = self.create_directory(&path.parent()?, &new)?;
        let path = parent.join(name);
        let Some(old_node) = self.rootfs.entries.get(&path).map(|entry| entry.node.clone()) else {
            self.rootfs.entries.insert(path.clone(), new);
            return Some(path);
        };
        let agrees = match (&old_node, &new.node) {
            (EntryNode::Directory, EntryNode::Directory) => true,
            (EntryNode::Symlink(a), EntryNode::Symlink(b)) => a == b,
            (EntryNode::File(_) | EntryNode::HardLink(_), EntryNode::File(content)) => {
                self.is_same_file(&path, content, new.mode)
            }
            _ => false,
        };
        if agrees {
            if let Some(old) = self.rootfs.entries.get_mut(&path) {
                // Times are for included files alone: layers of programs and libraries do not depend on them.
                let is_data = [old.layer_kind, new.layer_kind] == [LayerKind::Data; 2];
                old.modified = if is_data { old.modified.max(new.modified) } else { 0 };
                old.layer_kind = old.layer_kind.min(new.layer_kind);
                old.mode |= new.mode;
            }
            return Some(path);
        }
        let is_link_to_new_directory =
            matches!((&old_node, &new.node), (EntryNode::Symlink(_), EntryNode::Directory));
        let leads_to_directory = is_link_to_new_directory
            && matches!(
                self.resolve(path.as_bytes()),
                Some(file_system::ResolutionEnd::Directory(_) | file_system::ResolutionEnd::Missing(_))
            );
        if !leads_to_directory {
            self.record_conflict::<()>(path.clone(), &new);
        }
        leads_to_directory.then_some(path)
    }

    /// Returns whether the planned file at `path` equals this one: it is the same file, or has the same bytes and mode.
    fn is_same_file(&mut self, path: &ImagePath, content: &Content, mode: u32) -> bool {
        let Some(old) = self.rootfs.file_at(path) else { return false };
        if old.content.has_same_source(content) {
            return true;
        }
        old.stat.mode == mode
            && old.content.has_same_bytes(content).unwrap_or_else(|error| {
                self.read_error.get_or_insert(error);
                false
            })
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
                    let origin = EntryOrigin::new(EntryReason::ParentOrLink, below.layer_kind);
                    self.rootfs
                        .entries
                        .insert(next.clone(), origin.entry(EntryNode::Directory, directory_mode(&next)));
                    at = next;
                }
            }
        }
        Some(at)
    }

    /// Returns whether `raw_path` leads to a file in the tree.
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
        let (mut first, mut second) = (String::new(), describe_entry(new));
        if let Some(old) = self.rootfs.entries.get(&path) {
            first = describe_entry(old);
            let has_same_bytes = match (&old.node, &new.node) {
                (EntryNode::File(old), EntryNode::File(new)) => old.has_same_bytes(new).unwrap_or(false),
                _ => false,
            };
            if has_same_bytes {
                first += &format!(" with mode {:04o}", old.mode);
                second += &format!(" with mode {:04o}", new.mode);
            }
        }
        let conflict = Conflict { path, first, second };
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
        None
    }

    /// Returns the tree, in which mapped files with several names became hard links, and warnings.
    /// Fails if there are conflicts.
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
            let key = (*identity, entry.layer_kind, entry.modified);
            match first.get(&key) {
                None => drop(first.insert(key, path.clone())),
                Some(target) => entry.node = EntryNode::HardLink(ImagePath::clone(target)),
            }
        }
        let notes = self.dropped.warnings(&self.rootfs);
        Ok((self.rootfs, notes))
    }
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
