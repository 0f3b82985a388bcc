//! Subtracts a base image from a planned tree: files that the base has are omitted, and no
//! directory of it is hidden.
//!
//! Where libraries or programs differ, the planned ones replace the base's, so that a program maps
//! the files that it was planned with. Data files of the base are kept. Links of the base are
//! followed: a file for `/lib` goes to the target of the base's `/lib`.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Conflict, RootfsError};
use super::file_tree::Rootfs;
use super::plan_request::BaseFileSystem;
use super::rootfs_builder::describe_entry;
use coracle_core::entry::{Entry, EntryNode, EntryReason};
use coracle_core::file_system::{self, FileSystem, FsFile, FsNode, OverlayFs, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// The entries that an image adds to its base image.
#[derive(Default, Debug)]
pub(super) struct EntriesAboveBase {
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
pub(super) fn subtract_base(
    rootfs: &Rootfs,
    base: &dyn BaseFileSystem,
) -> Result<EntriesAboveBase, RootfsError> {
    let own = EntriesAboveBase {
        rootfs: Rootfs { programs: rootfs.programs.clone(), ..Rootfs::default() },
        ..EntriesAboveBase::default()
    };
    let mut subtraction =
        BaseSubtraction { base, planned: rootfs, own, final_paths: BTreeMap::new(), conflicts: Vec::new() };
    for (path, entry) in rootfs.iter() {
        if let Some(final_path) = subtraction.final_path(path, entry)? {
            subtraction.add_entry(&PlannedEntry { path, final_path: &final_path, entry }, 0)?;
        }
    }
    if !subtraction.conflicts.is_empty() {
        return Err(RootfsError::Conflicts(subtraction.conflicts));
    }
    subtraction.add_parent_directories();
    Ok(subtraction.own)
}

/// The state of [`subtract_base`].
struct BaseSubtraction<'a> {
    base: &'a dyn BaseFileSystem,
    planned: &'a Rootfs,
    own: EntriesAboveBase,
    /// Maps the planned path of each file to its path in the image. They differ if the base image has a symbolic
    /// link in the place of a parent directory.
    final_paths: BTreeMap<ImagePath, ImagePath>,
    conflicts: Vec<Conflict>,
}

/// An entry of the plan.
struct PlannedEntry<'a> {
    /// The planned path.
    path: &'a ImagePath,
    /// The path in the image, with the base's links followed.
    final_path: &'a ImagePath,
    entry: &'a Entry,
}

impl BaseSubtraction<'_> {
    /// Returns the path that `path` has in the image after the base image's symbolic links in its parents are
    /// followed. `None` if its parent is not a directory.
    fn final_path(&mut self, path: &ImagePath, entry: &Entry) -> Result<Option<ImagePath>, RootfsError> {
        let Some((parent, name)) = path.parent().zip(path.file_name()) else { return Ok(None) };
        Ok(match self.resolve_in_image(&parent)? {
            ResolutionEnd::Directory(parent) => Some(parent.join(name)),
            // Reported for the directory already.
            _ if self.conflicts.iter().any(|conflict| path.is_within(&conflict.path)) => None,
            _ => {
                self.record_conflict(&parent, entry)?;
                None
            }
        })
    }

    /// Follows `path` in the image: in its own entries over those of the base.
    fn resolve_in_image(&self, path: &ImagePath) -> fs::Result<ResolutionEnd> {
        let merged = OverlayFs { upper: &self.own.rootfs, lower: self.base };
        Ok(file_system::resolve_path(&merged, &ImagePath::root(), path.as_bytes())?.end)
    }

    /// Adds `planned`, unless the base has it. `depth` counts the links that were unfolded for it.
    fn add_entry(&mut self, planned: &PlannedEntry<'_>, depth: usize) -> Result<(), RootfsError> {
        if self.own.rootfs.contains(planned.final_path) {
            return self.check_same_entry(planned);
        }
        let Some(base_node) = self.base.node(planned.final_path)? else {
            return self.keep_entry(planned);
        };
        match &planned.entry.node {
            EntryNode::Directory => self.add_directory(planned),
            EntryNode::Symlink(target) => self.add_link(planned, target, &base_node, depth),
            EntryNode::File(_) | EntryNode::HardLink(_) => self.add_file(planned),
        }
    }

    /// Checks a second planned entry for one path of the image, to which the base image's links lead. It must equal the
    /// first one.
    fn check_same_entry(&mut self, planned: &PlannedEntry<'_>) -> Result<(), RootfsError> {
        let second = match &planned.entry.node {
            EntryNode::Directory => Some(FsNode::Directory),
            EntryNode::Symlink(target) => Some(FsNode::Link(target.clone())),
            EntryNode::File(_) | EntryNode::HardLink(_) => {
                Some(FsNode::File(self.planned_file(planned.path)?))
            }
        };
        let is_same = match (self.own.rootfs.node(planned.final_path)?, second) {
            (Some(FsNode::Directory), Some(FsNode::Directory)) => true,
            (Some(FsNode::Link(a)), Some(FsNode::Link(b))) => a == b,
            (Some(FsNode::File(a)), Some(FsNode::File(b))) => a.content.has_same_bytes(&b.content)?,
            _ => false,
        };
        if !is_same {
            self.record_conflict(planned.final_path, planned.entry)?;
        }
        Ok(())
    }

    fn add_directory(&mut self, planned: &PlannedEntry<'_>) -> Result<(), RootfsError> {
        match self.resolve_in_image(planned.final_path)? {
            ResolutionEnd::Directory(real) => {
                // A state directory keeps its owner and mode.
                if planned.entry.reason == EntryReason::StateDirectory {
                    self.own.rootfs.entries.insert(real, planned.entry.clone());
                }
            }
            _ => self.record_conflict(planned.final_path, planned.entry)?,
        }
        Ok(())
    }

    fn add_link(
        &mut self,
        planned: &PlannedEntry<'_>,
        target: &RawPath,
        base_node: &FsNode,
        depth: usize,
    ) -> Result<(), RootfsError> {
        if matches!(base_node, FsNode::Link(base_target) if base_target == target) {
            return Ok(());
        }
        let ours = file_system::resolve_path(self.planned, &ImagePath::root(), planned.path.as_bytes())?.end;
        match (ours, self.resolve_in_image(planned.final_path)?) {
            // Both lead to a directory: the base's link is kept.
            (ResolutionEnd::Directory(_), ResolutionEnd::Directory(_))
                if matches!(base_node, FsNode::Link(_)) => {}
            (ResolutionEnd::Directory(real), ResolutionEnd::Directory(_)) if depth < MAX_UNFOLD_DEPTH => {
                self.unfold_link(planned, target, &real, depth)?;
            }
            (ResolutionEnd::File(real, ours), ResolutionEnd::File(_, theirs))
                if self.is_data(&real) || ours.content.has_same_bytes(&theirs.content)? =>
            {
                self.own.shared_files += 1;
            }
            (_, ResolutionEnd::Directory(_) | ResolutionEnd::Special(..)) => {
                self.record_conflict(planned.final_path, planned.entry)?;
            }
            _ => self.replace_base_file(planned)?,
        }
        Ok(())
    }

    /// Returns whether the entry planned for `path` is a data file, which libraries read and do not map.
    fn is_data(&self, path: &ImagePath) -> bool {
        self.planned.entries.get(path).is_some_and(|entry| matches!(entry.reason, EntryReason::DataFile(_)))
    }

    /// Replaces a link to the directory `real` by a link for each name in it, because the base has a
    /// directory at the link's path.
    fn unfold_link(
        &mut self,
        planned: &PlannedEntry<'_>,
        target: &RawPath,
        real: &ImagePath,
        depth: usize,
    ) -> Result<(), RootfsError> {
        for name in self.planned.list(real)? {
            let up: &[u8] = if target.as_bytes().starts_with(b"/") { b"" } else { b"../" };
            let target = [up, target.as_bytes(), b"/", &name].concat();
            let link = Entry { node: EntryNode::Symlink(RawPath::new(target)), ..planned.entry.clone() };
            let (path, final_path) = (planned.path.join(&name), planned.final_path.join(&name));
            let unfolded = PlannedEntry { path: &path, final_path: &final_path, entry: &link };
            self.add_entry(&unfolded, depth + 1)?;
        }
        Ok(())
    }

    fn add_file(&mut self, planned: &PlannedEntry<'_>) -> Result<(), RootfsError> {
        let ours = self.planned_file(planned.path)?;
        match self.resolve_in_image(planned.final_path)? {
            ResolutionEnd::File(_, theirs) => {
                // The file is no replacement if the user cannot read or execute it.
                let is_usable = planned.entry.mode & !theirs.stat.mode & 0o555 == 0;
                let is_same = is_usable && ours.content.has_same_bytes(&theirs.content)?;
                if is_same || matches!(planned.entry.reason, EntryReason::DataFile(_)) {
                    self.own.shared_files += 1;
                } else {
                    self.replace_base_file(planned)?;
                }
            }
            ResolutionEnd::Missing(_) | ResolutionEnd::TooManyLinks | ResolutionEnd::NotDirectory(_) => {
                self.replace_base_file(planned)?;
            }
            ResolutionEnd::Directory(_) | ResolutionEnd::Special(..) => {
                self.record_conflict(planned.final_path, planned.entry)?;
            }
        }
        Ok(())
    }

    /// Replaces a file of the base. The replacement is recorded, unless it is a program or an
    /// include, which replace files on purpose.
    fn replace_base_file(&mut self, planned: &PlannedEntry<'_>) -> Result<(), RootfsError> {
        if !matches!(planned.entry.reason, EntryReason::Program | EntryReason::Included(_)) {
            self.own.replaced.insert(planned.final_path.clone());
        }
        self.keep_entry(planned)
    }

    /// Returns the planned file at `path`.
    fn planned_file(&self, path: &ImagePath) -> Result<FsFile, RootfsError> {
        self.planned.file_at(path).ok_or(RootfsError::Internal("a hard link leads to no planned file"))
    }

    /// Adds `planned` at its final path.
    fn keep_entry(&mut self, planned: &PlannedEntry<'_>) -> Result<(), RootfsError> {
        let PlannedEntry { path, final_path, entry } = *planned;
        let node = match &entry.node {
            // The link's target may be omitted, or sort after this path now.
            EntryNode::HardLink(target) => {
                match self.final_paths.get(target).filter(|first| *first < final_path) {
                    Some(first) => EntryNode::HardLink(first.clone()),
                    None => EntryNode::File(self.planned_file(path)?.content),
                }
            }
            EntryNode::Symlink(target) if path.parent() != final_path.parent() => {
                EntryNode::Symlink(self.absolute_target(path, target)?)
            }
            node => node.clone(),
        };
        if matches!(node, EntryNode::File(_)) {
            self.final_paths.insert(path.clone(), final_path.clone());
        }
        self.own.rootfs.entries.insert(final_path.clone(), Entry { node, ..entry.clone() });
        Ok(())
    }

    /// Returns the target of a link that has moved: a relative target becomes absolute.
    fn absolute_target(&self, path: &ImagePath, target: &RawPath) -> fs::Result<RawPath> {
        let Some(parent) = path.parent().filter(|_| !target.as_bytes().starts_with(b"/")) else {
            return Ok(target.clone());
        };
        Ok(match file_system::resolve_path(self.planned, &parent, target.as_bytes())?.end {
            ResolutionEnd::File(path, _) | ResolutionEnd::Directory(path) => RawPath::from(&path),
            _ => target.clone(),
        })
    }

    /// Adds the directories above all entries, with the base's modes and owners, so that each layer
    /// is complete.
    fn add_parent_directories(&mut self) {
        let mut directories: BTreeMap<ImagePath, Entry> = BTreeMap::new();
        for (path, entry) in self.own.rootfs.iter() {
            for above in path.ancestors() {
                if above.file_name().is_none() || self.own.rootfs.contains(&above) {
                    continue;
                }
                let Some((mode, owner)) = self.base.directory(&above) else { continue };
                let layer_kind = entry.layer_kind;
                let new = Entry {
                    node: EntryNode::Directory,
                    owner,
                    mode,
                    modified: 0,
                    reason: EntryReason::ParentOrLink,
                    layer_kind,
                };
                let known = directories.entry(above).or_insert(new);
                known.layer_kind = known.layer_kind.min(layer_kind);
            }
        }
        self.own.rootfs.entries.append(&mut directories);
    }

    fn record_conflict(&mut self, path: &ImagePath, entry: &Entry) -> Result<(), RootfsError> {
        let base_entry = match self.base.node(path)? {
            Some(FsNode::Directory) => "a directory".to_owned(),
            Some(FsNode::Link(target)) => format!("a link to {target}"),
            Some(FsNode::File(_)) => "a file".to_owned(),
            Some(FsNode::Special(what)) => format!("a {what}"),
            None => "something else".to_owned(),
        };
        let first = format!("{base_entry} of the base image");
        let conflict = Conflict { path: path.clone(), first, second: describe_entry(entry) };
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
        Ok(())
    }
}
