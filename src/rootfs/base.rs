//! An image's tree on top of a base image: what the base has already is left out, and nothing of ours hides a directory
//! of it.
//!
//! Libraries and programs are ours where the two differ, because a program is to find what it was planned with; of data
//! that libraries read, the base's stays. Links of the base are followed, so a file for `/lib` goes where the base's
//! `/lib` leads.

use std::collections::{BTreeMap, BTreeSet};

use super::{Conflict, Entry, Error, Node, Owner, Reason, Rootfs};
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::file_system::{self, End, Overlay, Tree};

/// The tree of a base image.
pub trait Base: Tree {
    /// Mode and owner of the directory at `path`; nothing where there is none.
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)>;
}

impl Base for coracle_oci::base::BaseTree {
    fn directory(&self, path: &ImagePath) -> Option<(u32, Owner)> {
        self.directory(path)
    }
}

/// What an image stands on.
#[derive(Clone, Copy)]
pub enum Below<'a> {
    /// Nothing: it has all that it needs.
    Nothing,
    /// A base image whose files do not matter to it.
    Unread,
    /// A base image, whose files it need not bring.
    Read(&'a dyn Base),
}

impl<'a> Below<'a> {
    /// The base, where it was read.
    pub(super) fn base(self) -> Option<&'a dyn Base> {
        match self {
            Self::Nothing | Self::Unread => None,
            Self::Read(base) => Some(base),
        }
    }
}

/// Our own part of an image.
#[derive(Default, Debug)]
pub(super) struct Above {
    /// What is not in the base.
    pub(super) rootfs: Rootfs,
    /// Files of the base that ours stand in place of, because libraries differ.
    pub(super) replaced: BTreeSet<ImagePath>,
    /// How many files were left out, because the base has them.
    pub(super) shared: usize,
}

/// How deep a link is unfolded into the directory that the base has in its place.
const MAX_DEPTH: usize = 8;

/// `rootfs` without what `base` has.
///
/// # Errors
/// When something of ours would stand in place of a directory of the base, or the other way round, all of it at once.
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

/// Entries on their way to where they stand on top of the base.
struct Placing<'a> {
    base: &'a dyn Base,
    whole: &'a Rootfs,
    above: Above,
    /// Where files went, by where they were planned.
    moved: BTreeMap<ImagePath, ImagePath>,
    conflicts: Vec<Conflict>,
}

impl Placing<'_> {
    /// Where `path` is once the links above it are followed; nothing where what is above it is no directory.
    fn place(&mut self, path: &ImagePath, entry: &Entry) -> Result<Option<ImagePath>, Error> {
        let Some((parent, name)) = path.parent().zip(path.name()) else { return Ok(None) };
        Ok(match self.walk(&parent)? {
            End::Directory(parent) => Some(parent.join(name)),
            // Said of the directory already.
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

    /// Puts what was planned for `path` at `at`, unless the base has it.
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

    /// Two paths of the plan are one in the base.
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
                // A directory that belongs to the program is its own, wherever it is.
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
            // Another way to a directory: the base knows best where its own things are.
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

    /// Whether what is planned for `path` is read by libraries, and not mapped.
    fn is_data(&self, path: &ImagePath) -> bool {
        self.whole.entries.get(path).is_some_and(|entry| matches!(entry.reason, Reason::Need(_)))
    }

    /// A link to a directory where the base has a directory: a link for each name that is behind it.
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
                // What our user can't read or execute there is of no use.
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

    /// What is asked for by name is replaced on purpose; that of libraries should be known.
    fn replace(&mut self, path: &ImagePath, at: &ImagePath, entry: &Entry) {
        if !matches!(entry.reason, Reason::Program | Reason::Included(_)) {
            self.above.replaced.insert(at.clone());
        }
        self.keep(path, at, entry);
    }

    fn keep(&mut self, path: &ImagePath, at: &ImagePath, entry: &Entry) {
        let node = match &entry.node {
            // The first name may have been left out, or stand behind this one now.
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

    /// What a link leads to that stands elsewhere now: a relative target would start at another directory.
    fn moved_target(&self, path: &ImagePath, target: &Spelled) -> Spelled {
        let Some(parent) = path.parent().filter(|_| !target.as_bytes().starts_with(b"/")) else {
            return target.clone();
        };
        match file_system::walk(self.whole, &parent, target.as_bytes()).map(|walk| walk.end) {
            Ok(End::File(path, _) | End::Directory(path)) => Spelled::from(&path),
            _ => target.clone(),
        }
    }

    /// Every layer is whole by itself, so it names the directories above its entries, as they are in the base.
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
