//! Subtracts a base image from a planned tree: files that the base has are omitted, and no
//! directory of it is hidden.
//!
//! Where libraries or programs differ, the planned ones replace the base's, so that a program maps
//! the files that it was planned with. Data files of the base are kept. Links of the base are
//! followed: a file for `/lib` goes to the target of the base's `/lib`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Conflict, Entry, Error, Node, Owner, Reason, Rootfs};
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Overlay, Tree};

/// The file system of a base image, with modes and owners of directories.
pub trait Base: Tree {
    /// Returns mode and owner of the directory at `path`. `None` if there is no directory.
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)>;
}

impl Base for coracle_oci::base::BaseTree {
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)> {
        self.directory(path)
    }
}

/// The base image of an image.
#[derive(Clone, Copy)]
pub enum Below<'a> {
    /// No base image.
    Nothing,
    /// A base image whose files were not read, because none can be at a planned path.
    Unread,
    /// A base image whose files were read; files that it has are omitted.
    Read(&'a dyn Base),
}

impl<'a> Below<'a> {
    /// Returns the base image's file system if it was read.
    pub(super) fn base(self) -> Option<&'a dyn Base> {
        match self {
            Self::Nothing | Self::Unread => None,
            Self::Read(base) => Some(base),
        }
    }
}

/// The entries that an image adds to its base image.
#[derive(Default, Debug)]
pub(super) struct Above {
    /// The entries that the base does not have.
    pub(super) rootfs: Rootfs,
    /// Paths of base files that are replaced by different libraries.
    pub(super) replaced: BTreeSet<ImagePath>,
    /// The number of files that are omitted because the base has them.
    pub(super) shared: usize,
}

/// The maximum depth to which a link is unfolded into the base's directory at its path.
const MAX_DEPTH: usize = 8;

/// Returns `rootfs` without the files that `base` has.
///
/// # Errors
/// Fails if a planned file would replace a directory of the base or the reverse; all conflicts are
/// reported together.
pub(super) fn above(rootfs: &Rootfs, base: &dyn Base) -> Result<Above, Error> {
    let ours = Rootfs { programs: rootfs.programs.clone(), ..Rootfs::default() };
    let above = Above { rootfs: ours, replaced: BTreeSet::new(), shared: 0 };
    let mut placing = Placing { base, whole: rootfs, above, moved: BTreeMap::new(), conflicts: Vec::new() };
    for (path, entry) in rootfs.iter() {
        if let Some(at) = placing.place(path, entry)? {
            placing.put(path, &at, entry, 0)?;
        }
    }
    if !placing.conflicts.is_empty() {
        return Err(Error::Conflicts(placing.conflicts));
    }
    placing.add_directories();
    Ok(placing.above)
}

/// The state of [`above`].
struct Placing<'a> {
    base: &'a dyn Base,
    whole: &'a Rootfs,
    above: Above,
    /// Final paths of files by their planned paths.
    moved: BTreeMap<ImagePath, ImagePath>,
    conflicts: Vec<Conflict>,
}

impl Placing<'_> {
    /// Returns the final path of `path`, with links in its parents followed. `None` if its parent
    /// is not a directory.
    fn place(&mut self, path: &ImagePath, entry: &Entry) -> Result<Option<ImagePath>, Error> {
        let Some((parent, name)) = path.parent().zip(path.name()) else { return Ok(None) };
        Ok(match self.walk(&parent)? {
            End::Directory(parent) => Some(parent.join(name)),
            // Reported for the directory already.
            _ if self.conflicts.iter().any(|conflict| path.is_within(&conflict.path)) => None,
            _ => {
                self.conflict(&parent, entry);
                None
            }
        })
    }

    fn walk(&self, path: &ImagePath) -> fs::Result<End> {
        let merged = Overlay { front: &self.above.rootfs, behind: self.base };
        Ok(file_system::walk(&merged, &ImagePath::root(), path.as_bytes())?.end)
    }

    /// Adds the entry planned for `path` at `at`, unless the base has it.
    fn put(&mut self, path: &ImagePath, at: &ImagePath, entry: &Entry, depth: usize) -> Result<(), Error> {
        if self.above.rootfs.has(at) {
            return self.put_again(at, entry);
        }
        let Some(below) = self.base.node(at)? else {
            self.keep(path, at, entry);
            return Ok(());
        };
        match &entry.node {
            Node::Directory => self.put_directory(at, entry),
            Node::Link(target) => self.put_link(path, at, target, entry, &below, depth),
            Node::File(_) | Node::HardLink(_) => self.put_file(path, at, entry),
        }
    }

    /// Handles a second entry for `at`: two planned paths are the same in the base.
    fn put_again(&mut self, at: &ImagePath, entry: &Entry) -> Result<(), Error> {
        let new = Rootfs { entries: [(at.clone(), entry.clone())].into(), programs: Vec::new() };
        let agrees = match (self.above.rootfs.node(at)?, self.resolved(entry, &new, at)?) {
            (Some(file_system::Node::Directory), Some(file_system::Node::Directory)) => true,
            (Some(file_system::Node::Link(a)), Some(file_system::Node::Link(b))) => a == b,
            (Some(file_system::Node::File(a)), Some(file_system::Node::File(b))) => a.content.same_bytes(&b.content)?,
            _ => false,
        };
        if !agrees {
            self.conflict(at, entry);
        }
        Ok(())
    }

    fn resolved(&self, entry: &Entry, new: &Rootfs, at: &ImagePath) -> fs::Result<Option<file_system::Node>> {
        match &entry.node {
            Node::HardLink(target) => self.whole.node(target),
            _ => new.node(at),
        }
    }

    fn put_directory(&mut self, at: &ImagePath, entry: &Entry) -> Result<(), Error> {
        match self.walk(at)? {
            End::Directory(real) => {
                // A state directory keeps its owner and mode.
                if (entry.owner, entry.mode) != (Owner::ROOT, 0o755) {
                    self.above.rootfs.entries.insert(real, entry.clone());
                }
            }
            _ => self.conflict(at, entry),
        }
        Ok(())
    }

    fn put_link(
        &mut self,
        path: &ImagePath,
        at: &ImagePath,
        target: &Spelled,
        entry: &Entry,
        below: &file_system::Node,
        depth: usize,
    ) -> Result<(), Error> {
        if matches!(below, file_system::Node::Link(other) if other == target) {
            return Ok(());
        }
        let ours = file_system::walk(self.whole, &ImagePath::root(), path.as_bytes())?.end;
        match (ours, self.walk(at)?) {
            // Both lead to a directory: the base's link is kept.
            (End::Directory(_), End::Directory(_)) if matches!(below, file_system::Node::Link(_)) => {}
            (End::Directory(real), End::Directory(_)) if depth < MAX_DEPTH => {
                self.unfold(path, at, target, entry, &real, depth)?;
            }
            (End::File(real, ours), End::File(_, theirs))
                if self.is_data(&real) || ours.content.same_bytes(&theirs.content)? =>
            {
                self.above.shared += 1;
            }
            (_, End::Directory(_) | End::Special(..)) => self.conflict(at, entry),
            _ => self.replace(path, at, entry),
        }
        Ok(())
    }

    /// Whether the entry planned for `path` is a data file, which libraries read and do not map.
    fn is_data(&self, path: &ImagePath) -> bool {
        self.whole.entries.get(path).is_some_and(|entry| matches!(entry.reason, Reason::Need(_)))
    }

    /// Replaces a link to a directory by a link for each name in it, because the base has a
    /// directory at its path.
    fn unfold(
        &mut self,
        path: &ImagePath,
        at: &ImagePath,
        target: &Spelled,
        entry: &Entry,
        real: &ImagePath,
        depth: usize,
    ) -> Result<(), Error> {
        for name in self.whole.list(real)? {
            let up: &[u8] = if target.as_bytes().starts_with(b"/") { b"" } else { b"../" };
            let target = [up, target.as_bytes(), b"/", &name].concat();
            let link = Entry { node: Node::Link(Spelled::new(target)), ..entry.clone() };
            self.put(&path.join(&name), &at.join(&name), &link, depth + 1)?;
        }
        Ok(())
    }

    fn put_file(&mut self, path: &ImagePath, at: &ImagePath, entry: &Entry) -> Result<(), Error> {
        let Some(ours) = self.whole.file(path) else { return Ok(()) };
        match self.walk(at)? {
            End::File(_, theirs) => {
                // The file is no replacement if the user cannot read or execute it.
                let is_usable = entry.mode & !theirs.stat.mode & 0o555 == 0;
                let is_same = is_usable && ours.content.same_bytes(&theirs.content)?;
                if is_same || matches!(entry.reason, Reason::Need(_)) {
                    self.above.shared += 1;
                } else {
                    self.replace(path, at, entry);
                }
            }
            End::Missing(_) | End::Loop | End::NotDirectory(_) => self.replace(path, at, entry),
            End::Directory(_) | End::Special(..) => self.conflict(at, entry),
        }
        Ok(())
    }

    /// Replaces a file of the base. Programs and includes replace on purpose; for other entries it
    /// is recorded.
    fn replace(&mut self, path: &ImagePath, at: &ImagePath, entry: &Entry) {
        if !matches!(entry.reason, Reason::Program | Reason::Included(_)) {
            self.above.replaced.insert(at.clone());
        }
        self.keep(path, at, entry);
    }

    fn keep(&mut self, path: &ImagePath, at: &ImagePath, entry: &Entry) {
        let node = match &entry.node {
            // The link's target may be omitted, or sort after this path now.
            Node::HardLink(target) => match self.moved.get(target).filter(|first| *first < at) {
                Some(first) => Node::HardLink(first.clone()),
                None => self.whole.file(path).map_or(Node::Directory, |file| Node::File(file.content)),
            },
            Node::Link(target) if path.parent() != at.parent() => Node::Link(self.moved_target(path, target)),
            node => node.clone(),
        };
        if matches!(node, Node::File(_)) {
            self.moved.insert(path.clone(), at.clone());
        }
        self.above.rootfs.entries.insert(at.clone(), Entry { node, ..entry.clone() });
    }

    /// Returns the target of a link that has moved: a relative target becomes absolute.
    fn moved_target(&self, path: &ImagePath, target: &Spelled) -> Spelled {
        let Some(parent) = path.parent().filter(|_| !target.as_bytes().starts_with(b"/")) else {
            return target.clone();
        };
        match file_system::walk(self.whole, &parent, target.as_bytes()).map(|walk| walk.end) {
            Ok(End::File(path, _) | End::Directory(path)) => Spelled::from(&path),
            _ => target.clone(),
        }
    }

    /// Adds the directories above all entries, with the base's modes and owners, so that each layer
    /// is complete.
    fn add_directories(&mut self) {
        let mut directories: BTreeMap<ImagePath, Entry> = BTreeMap::new();
        for (path, entry) in self.above.rootfs.iter() {
            for above in path.ancestors() {
                if above.name().is_none() || self.above.rootfs.has(&above) {
                    continue;
                }
                let Some((mode, owner)) = self.base.directory(&above) else { continue };
                let stratum = entry.stratum;
                let new = Entry { node: Node::Directory, owner, mode, reason: Reason::OnTheWay, stratum };
                let known = directories.entry(above).or_insert(new);
                known.stratum = known.stratum.min(stratum);
            }
        }
        self.above.rootfs.entries.append(&mut directories);
    }

    fn conflict(&mut self, at: &ImagePath, entry: &Entry) {
        let there = match self.base.node(at) {
            Ok(Some(file_system::Node::Directory)) => "a directory".to_owned(),
            Ok(Some(file_system::Node::Link(target))) => format!("a link to {target}"),
            Ok(Some(file_system::Node::File(_))) => "a file".to_owned(),
            Ok(Some(file_system::Node::Special(what))) => format!("a {what}"),
            Ok(None) | Err(_) => "something else".to_owned(),
        };
        let first = format!("{there} of the base image");
        let conflict = Conflict { path: at.clone(), first, second: super::builder::describe(entry) };
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
    }
}

#[cfg(test)]
mod tests;
