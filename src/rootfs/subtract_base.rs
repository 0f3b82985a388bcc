//! Subtracts a base image from a planned tree: files that the base has are omitted, and no
//! directory of it is hidden.
//!
//! Where libraries or programs differ, the planned ones replace the base's, so that a program maps
//! the files that it was planned with. Data files of the base are kept. Links of the base are
//! followed: a file for `/lib` goes to the target of the base's `/lib`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Conflict, Entry, EntryNode, EntryReason, Owner, Rootfs, RootfsError};
use coracle_core::file_system::{self, FileSystem, FsFile, OverlayFs, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// The file system of a base image, with modes and owners of directories.
pub trait BaseFileSystem: FileSystem {
    /// Returns mode and owner of the directory at `path`. `None` if there is no directory.
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)>;
}

impl BaseFileSystem for coracle_oci::base::BaseFs {
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)> {
        self.directory(path)
    }
}

/// The base image of an image.
#[derive(Clone, Copy)]
pub enum BaseFiles<'a> {
    /// No base image.
    NoBase,
    /// A base image whose files were not read, because none can be at a planned path.
    Unread,
    /// A base image whose files were read; files that it has are omitted.
    Read(&'a dyn BaseFileSystem),
}

impl<'a> BaseFiles<'a> {
    /// Returns the base image's file system if it was read.
    pub(super) fn read_base(self) -> Option<&'a dyn BaseFileSystem> {
        match self {
            Self::NoBase | Self::Unread => None,
            Self::Read(base) => Some(base),
        }
    }
}

/// The entries that an image adds to its base image.
#[derive(Default, Debug)]
pub(super) struct OwnEntries {
    /// The entries that the base does not have.
    pub(super) rootfs: Rootfs,
    /// Paths of base files that are replaced by different libraries.
    pub(super) replaced: BTreeSet<ImagePath>,
    /// The number of files that are omitted because the base has them.
    pub(super) shared_files: usize,
}

/// The maximum depth to which a link is unfolded into the base's directory at its path.
const MAX_UNFOLD_DEPTH: usize = 8;

/// Returns `rootfs` without the files that `base` has.
///
/// # Errors
/// Fails if a planned file would replace a directory of the base or the reverse; all conflicts are
/// reported together.
pub(super) fn subtract_base(rootfs: &Rootfs, base: &dyn BaseFileSystem) -> Result<OwnEntries, RootfsError> {
    let ours = Rootfs { programs: rootfs.programs.clone(), ..Rootfs::default() };
    let above = OwnEntries { rootfs: ours, replaced: BTreeSet::new(), shared_files: 0 };
    let mut placing =
        BaseSubtraction { base, whole: rootfs, above, moved: BTreeMap::new(), conflicts: Vec::new() };
    for (path, entry) in rootfs.iter() {
        if let Some(at) = placing.final_path(path, entry)? {
            placing.add_entry(path, &at, entry, 0)?;
        }
    }
    if !placing.conflicts.is_empty() {
        return Err(RootfsError::Conflicts(placing.conflicts));
    }
    placing.add_parent_directories();
    Ok(placing.above)
}

/// The state of [`above`].
struct BaseSubtraction<'a> {
    base: &'a dyn BaseFileSystem,
    whole: &'a Rootfs,
    above: OwnEntries,
    /// Final paths of files by their planned paths.
    moved: BTreeMap<ImagePath, ImagePath>,
    conflicts: Vec<Conflict>,
}

impl BaseSubtraction<'_> {
    /// Returns the final path of `path`, with links in its parents followed. `None` if its parent
    /// is not a directory.
    fn final_path(&mut self, path: &ImagePath, entry: &Entry) -> Result<Option<ImagePath>, RootfsError> {
        let Some((parent, name)) = path.parent().zip(path.file_name()) else { return Ok(None) };
        Ok(match self.walk(&parent)? {
            ResolutionEnd::Directory(parent) => Some(parent.join(name)),
            // Reported for the directory already.
            _ if self.conflicts.iter().any(|conflict| path.is_within(&conflict.path)) => None,
            _ => {
                self.record_conflict(&parent, entry);
                None
            }
        })
    }

    fn walk(&self, path: &ImagePath) -> fs::Result<ResolutionEnd> {
        let merged = OverlayFs { upper: &self.above.rootfs, lower: self.base };
        Ok(file_system::resolve_path(&merged, &ImagePath::root(), path.as_bytes())?.end)
    }

    /// Adds the entry planned for `path` at `at`, unless the base has it.
    fn add_entry(
        &mut self,
        path: &ImagePath,
        at: &ImagePath,
        entry: &Entry,
        depth: usize,
    ) -> Result<(), RootfsError> {
        if self.above.rootfs.contains(at) {
            return self.merge_same_path(at, entry);
        }
        let Some(below) = self.base.node(at)? else {
            return self.keep_entry(path, at, entry);
        };
        match &entry.node {
            EntryNode::Directory => self.put_directory(at, entry),
            EntryNode::Symlink(target) => self.put_link(path, at, target, entry, &below, depth),
            EntryNode::File(_) | EntryNode::HardLink(_) => self.put_file(path, at, entry),
        }
    }

    /// Handles a second entry for `at`: two planned paths are the same in the base.
    fn merge_same_path(&mut self, at: &ImagePath, entry: &Entry) -> Result<(), RootfsError> {
        let new = Rootfs { entries: [(at.clone(), entry.clone())].into(), programs: Vec::new() };
        let agrees = match (self.above.rootfs.node(at)?, self.resolve_hard_link(entry, &new, at)?) {
            (Some(file_system::FsNode::Directory), Some(file_system::FsNode::Directory)) => true,
            (Some(file_system::FsNode::Link(a)), Some(file_system::FsNode::Link(b))) => a == b,
            (Some(file_system::FsNode::File(a)), Some(file_system::FsNode::File(b))) => {
                a.content.has_same_bytes(&b.content)?
            }
            _ => false,
        };
        if !agrees {
            self.record_conflict(at, entry);
        }
        Ok(())
    }

    fn resolve_hard_link(
        &self,
        entry: &Entry,
        new: &Rootfs,
        at: &ImagePath,
    ) -> fs::Result<Option<file_system::FsNode>> {
        match &entry.node {
            EntryNode::HardLink(target) => self.whole.node(target),
            _ => new.node(at),
        }
    }

    fn put_directory(&mut self, at: &ImagePath, entry: &Entry) -> Result<(), RootfsError> {
        match self.walk(at)? {
            ResolutionEnd::Directory(real) => {
                // A state directory keeps its owner and mode.
                if (entry.owner, entry.mode) != (Owner::ROOT, 0o755) {
                    self.above.rootfs.entries.insert(real, entry.clone());
                }
            }
            _ => self.record_conflict(at, entry),
        }
        Ok(())
    }

    fn put_link(
        &mut self,
        path: &ImagePath,
        at: &ImagePath,
        target: &RawPath,
        entry: &Entry,
        below: &file_system::FsNode,
        depth: usize,
    ) -> Result<(), RootfsError> {
        if matches!(below, file_system::FsNode::Link(other) if other == target) {
            return Ok(());
        }
        let ours = file_system::resolve_path(self.whole, &ImagePath::root(), path.as_bytes())?.end;
        match (ours, self.walk(at)?) {
            // Both lead to a directory: the base's link is kept.
            (ResolutionEnd::Directory(_), ResolutionEnd::Directory(_))
                if matches!(below, file_system::FsNode::Link(_)) => {}
            (ResolutionEnd::Directory(real), ResolutionEnd::Directory(_)) if depth < MAX_UNFOLD_DEPTH => {
                self.unfold_link(path, at, target, entry, &real, depth)?;
            }
            (ResolutionEnd::File(real, ours), ResolutionEnd::File(_, theirs))
                if self.is_data(&real) || ours.content.has_same_bytes(&theirs.content)? =>
            {
                self.above.shared_files += 1;
            }
            (_, ResolutionEnd::Directory(_) | ResolutionEnd::Special(..)) => self.record_conflict(at, entry),
            _ => self.replace_base_file(path, at, entry)?,
        }
        Ok(())
    }

    /// Whether the entry planned for `path` is a data file, which libraries read and do not map.
    fn is_data(&self, path: &ImagePath) -> bool {
        self.whole.entries.get(path).is_some_and(|entry| matches!(entry.reason, EntryReason::DataFile(_)))
    }

    /// Replaces a link to a directory by a link for each name in it, because the base has a
    /// directory at its path.
    fn unfold_link(
        &mut self,
        path: &ImagePath,
        at: &ImagePath,
        target: &RawPath,
        entry: &Entry,
        real: &ImagePath,
        depth: usize,
    ) -> Result<(), RootfsError> {
        for name in self.whole.list(real)? {
            let up: &[u8] = if target.as_bytes().starts_with(b"/") { b"" } else { b"../" };
            let target = [up, target.as_bytes(), b"/", &name].concat();
            let link = Entry { node: EntryNode::Symlink(RawPath::new(target)), ..entry.clone() };
            self.add_entry(&path.join(&name), &at.join(&name), &link, depth + 1)?;
        }
        Ok(())
    }

    fn put_file(&mut self, path: &ImagePath, at: &ImagePath, entry: &Entry) -> Result<(), RootfsError> {
        let ours = self.planned_file(path)?;
        match self.walk(at)? {
            ResolutionEnd::File(_, theirs) => {
                // The file is no replacement if the user cannot read or execute it.
                let is_usable = entry.mode & !theirs.stat.mode & 0o555 == 0;
                let is_same = is_usable && ours.content.has_same_bytes(&theirs.content)?;
                if is_same || matches!(entry.reason, EntryReason::DataFile(_)) {
                    self.above.shared_files += 1;
                } else {
                    self.replace_base_file(path, at, entry)?;
                }
            }
            ResolutionEnd::Missing(_) | ResolutionEnd::TooManyLinks | ResolutionEnd::NotDirectory(_) => {
                self.replace_base_file(path, at, entry)?;
            }
            ResolutionEnd::Directory(_) | ResolutionEnd::Special(..) => self.record_conflict(at, entry),
        }
        Ok(())
    }

    /// Replaces a file of the base. Programs and includes replace on purpose; for other entries it
    /// is recorded.
    fn replace_base_file(
        &mut self,
        path: &ImagePath,
        at: &ImagePath,
        entry: &Entry,
    ) -> Result<(), RootfsError> {
        if !matches!(entry.reason, EntryReason::Program | EntryReason::Included(_)) {
            self.above.replaced.insert(at.clone());
        }
        self.keep_entry(path, at, entry)
    }

    /// Returns the planned file at `path`.
    fn planned_file(&self, path: &ImagePath) -> Result<FsFile, RootfsError> {
        self.whole.file_at(path).ok_or(RootfsError::Internal("a hard link leads to no planned file"))
    }

    /// Adds the entry planned for `path` at `at`.
    fn keep_entry(&mut self, path: &ImagePath, at: &ImagePath, entry: &Entry) -> Result<(), RootfsError> {
        let node = match &entry.node {
            // The link's target may be omitted, or sort after this path now.
            EntryNode::HardLink(target) => match self.moved.get(target).filter(|first| *first < at) {
                Some(first) => EntryNode::HardLink(first.clone()),
                None => EntryNode::File(self.planned_file(path)?.content),
            },
            EntryNode::Symlink(target) if path.parent() != at.parent() => {
                EntryNode::Symlink(self.absolute_target(path, target)?)
            }
            node => node.clone(),
        };
        if matches!(node, EntryNode::File(_)) {
            self.moved.insert(path.clone(), at.clone());
        }
        self.above.rootfs.entries.insert(at.clone(), Entry { node, ..entry.clone() });
        Ok(())
    }

    /// Returns the target of a link that has moved: a relative target becomes absolute.
    fn absolute_target(&self, path: &ImagePath, target: &RawPath) -> fs::Result<RawPath> {
        let Some(parent) = path.parent().filter(|_| !target.as_bytes().starts_with(b"/")) else {
            return Ok(target.clone());
        };
        Ok(match file_system::resolve_path(self.whole, &parent, target.as_bytes())?.end {
            ResolutionEnd::File(path, _) | ResolutionEnd::Directory(path) => RawPath::from(&path),
            _ => target.clone(),
        })
    }

    /// Adds the directories above all entries, with the base's modes and owners, so that each layer
    /// is complete.
    fn add_parent_directories(&mut self) {
        let mut directories: BTreeMap<ImagePath, Entry> = BTreeMap::new();
        for (path, entry) in self.above.rootfs.iter() {
            for above in path.ancestors() {
                if above.file_name().is_none() || self.above.rootfs.contains(&above) {
                    continue;
                }
                let Some((mode, owner)) = self.base.directory(&above) else { continue };
                let layer_kind = entry.layer_kind;
                let new = Entry {
                    node: EntryNode::Directory,
                    owner,
                    mode,
                    reason: EntryReason::ParentOrLink,
                    layer_kind,
                };
                let known = directories.entry(above).or_insert(new);
                known.layer_kind = known.layer_kind.min(layer_kind);
            }
        }
        self.above.rootfs.entries.append(&mut directories);
    }

    fn record_conflict(&mut self, at: &ImagePath, entry: &Entry) {
        let there = match self.base.node(at) {
            Ok(Some(file_system::FsNode::Directory)) => "a directory".to_owned(),
            Ok(Some(file_system::FsNode::Link(target))) => format!("a link to {target}"),
            Ok(Some(file_system::FsNode::File(_))) => "a file".to_owned(),
            Ok(Some(file_system::FsNode::Special(what))) => format!("a {what}"),
            Ok(None) | Err(_) => "something else".to_owned(),
        };
        let first = format!("{there} of the base image");
        let conflict = Conflict { path: at.clone(), first, second: super::builder::describe_entry(entry) };
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
    }
}

#[cfg(test)]
mod tests;
