//! Read-only file system views, and resolution of raw paths in them.
//!
//! A host directory, a base image and a planned image all implement [`Tree`], so dependencies
//! resolve in each of them alike. Links never leave the root: absolute targets start at the root,
//! and `..` stops there.

pub mod memory;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::content::Content;
use crate::fs::{self, Found, Stat};
use crate::path::{ImagePath, Spelled};
use crate::input_tracker::Witness;

/// A read-only view of a file system.
pub trait Tree {
    /// Returns the node at `path`; `None` if there is none. The parents of `path` must be
    /// directories, not links.
    ///
    /// # Errors
    /// Fails if the host cannot read the metadata.
    fn node(&self, path: &ImagePath) -> fs::Result<Option<Node>>;

    /// Returns the names in the directory at `path`, sorted by bytes.
    ///
    /// # Errors
    /// Fails if the host cannot list the directory.
    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>>;
}

/// A file, directory or link in a [`Tree`].
#[derive(Clone, Debug)]
pub enum Node {
    /// A directory.
    Directory,
    /// A symbolic link with its raw target.
    Link(Spelled),
    /// A regular file.
    File(TreeFile),
    /// A device, socket or pipe, by a readable name.
    Special(&'static str),
}

/// A regular file of a [`Tree`].
#[derive(Clone, Debug)]
pub struct TreeFile {
    /// The file's metadata.
    pub stat: Stat,
    /// The file's bytes.
    pub content: Content,
}

/// A host directory as a root. Metadata of each path is read once and cached.
#[derive(Debug)]
pub struct HostTree {
    root: PathBuf,
    seen: Mutex<BTreeMap<ImagePath, Option<Node>>>,
    listed: Mutex<BTreeMap<ImagePath, Stat>>,
}

impl HostTree {
    /// Creates a view of the host directory `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), seen: Mutex::default(), listed: Mutex::default() }
    }

    /// Returns the host path of `path`.
    pub fn host_path(&self, path: &ImagePath) -> PathBuf {
        self.root.join(fs::path_of(path.relative()))
    }

    /// Adds all paths that were read or listed here to `tracker`, with their metadata at that time.
    pub fn tell(&self, tracker: &mut Witness) {
        for (path, node) in lock(&self.seen).iter() {
            tracker.looked(self.host_path(path), &answer(node.as_ref()));
        }
        for (path, stat) in lock(&self.listed).iter() {
            tracker.listed(self.host_path(path), *stat);
        }
    }

    fn look(&self, path: &ImagePath) -> fs::Result<Option<Node>> {
        let host = self.host_path(path);
        Ok(fs::look(&host)?.map(|found| match found {
            Found::Directory => Node::Directory,
            Found::Link(target) => Node::Link(Spelled::new(target)),
            Found::Special(kind) => Node::Special(kind),
            Found::File(stat) => Node::File(TreeFile { stat, content: Content::host_file(host, stat) }),
        }))
    }
}

impl Tree for HostTree {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<Node>> {
        if let Some(node) = lock(&self.seen).get(path) {
            return Ok(node.clone());
        }
        let node = self.look(path)?;
        lock(&self.seen).insert(path.clone(), node.clone());
        Ok(node)
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let host = self.host_path(path);
        // Read before listing, so that an entry added meanwhile shows as a change.
        let stat = fs::stat(&host)?;
        lock(&self.listed).entry(path.clone()).or_insert(stat);
        fs::list(&host)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Converts a node to the form that a [`Witness`] records.
fn answer(node: Option<&Node>) -> Option<Found> {
    node.map(|node| match node {
        Node::Directory => Found::Directory,
        Node::Link(target) => Found::Link(target.as_bytes().to_vec()),
        Node::File(file) => Found::File(file.stat),
        Node::Special(kind) => Found::Special(kind),
    })
}

/// Two layered file systems: nodes of `front` hide those of `behind`.
pub struct Overlay<'a> {
    /// The upper file system, which takes precedence.
    pub front: &'a dyn Tree,
    /// The lower file system.
    pub behind: &'a dyn Tree,
}

impl Tree for Overlay<'_> {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<Node>> {
        match self.front.node(path)? {
            None => self.behind.node(path),
            node => Ok(node),
        }
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for tree in [self.front, self.behind] {
            if path.name().is_none() || matches!(tree.node(path)?, Some(Node::Directory)) {
                names.extend(tree.list(path)?);
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

/// The result of resolving a raw path: each step and the final node.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The directories entered and links followed, in order.
    pub steps: Vec<Step>,
    /// What the path resolves to.
    pub end: End,
}

/// One step of a [`Walk`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A directory that was entered, by name or by `..`.
    Directory(ImagePath),
    /// A link that was followed.
    Link {
        /// The path of the link itself.
        path: ImagePath,
        /// The raw target.
        target: Spelled,
    },
}

/// What a raw path resolves to.
#[derive(Clone, Debug)]
pub enum End {
    /// A regular file, with its resolved path.
    File(ImagePath, TreeFile),
    /// A directory.
    Directory(ImagePath),
    /// A device, socket or pipe.
    Special(ImagePath, &'static str),
    /// This path does not exist.
    Missing(ImagePath),
    /// This path is used as a directory, but is a file.
    NotDirectory(ImagePath),
    /// The path has more links than the kernel follows.
    Loop,
}

/// Maximum number of links that the kernel follows in one path (`MAXSYMLINKS`,
/// `include/linux/namei.h`).
const MAX_LINKS: usize = 40;

/// Resolves `raw_path` in `tree`. A relative path starts at the directory `start`.
///
/// # Errors
/// Fails if the host cannot read the metadata of a step.
pub fn walk(tree: &dyn Tree, start: &ImagePath, raw_path: &[u8]) -> fs::Result<Walk> {
    let mut at = if raw_path.starts_with(b"/") { ImagePath::root() } else { start.clone() };
    let mut names = Vec::new();
    push_names(&mut names, raw_path);
    let mut steps = Vec::new();
    let mut links = 0;
    let end = loop {
        let Some(name) = names.pop() else {
            break if raw_path.is_empty() { End::Missing(at) } else { End::Directory(at) };
        };
        if name == b".." {
            at = at.parent().unwrap_or(at);
            steps.push(Step::Directory(at.clone()));
            continue;
        }
        let path = at.join(&name);
        match tree.node(&path)? {
            None => break End::Missing(path),
            Some(Node::Directory) => {
                steps.push(Step::Directory(path.clone()));
                at = path;
            }
            Some(Node::Link(target)) => {
                links += 1;
                if links > MAX_LINKS {
                    break End::Loop;
                }
                if target.as_bytes().starts_with(b"/") {
                    at = ImagePath::root();
                }
                push_names(&mut names, target.as_bytes());
                steps.push(Step::Link { path, target });
            }
            Some(_) if !names.is_empty() || raw_path.ends_with(b"/") => break End::NotDirectory(path),
            Some(Node::File(file)) => break End::File(path, file),
            Some(Node::Special(kind)) => break End::Special(path, kind),
        }
    };
    Ok(Walk { steps, end })
}

/// Pushes the components of `path` on the stack, the first on top.
fn push_names(stack: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.rsplit(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    stack.extend(names.map(<[u8]>::to_vec));
}

#[cfg(test)]
mod tests {
    use super::memory::MemoryTree;
    use super::*;

    fn walk_text(tree: &str, raw_path: &str) -> String {
        let walk = walk(&MemoryTree::new(tree), &"/work".parse().unwrap(), raw_path.as_bytes()).unwrap();
        let steps = walk.steps.iter().map(|step| match step {
            Step::Directory(path) => format!("{path}/"),
            Step::Link { path, target } => format!("{path} -> {target}"),
        });
        let end = match walk.end {
            End::File(path, _) => format!("file {path}"),
            End::Directory(path) => format!("directory {path}"),
            End::Missing(path) => format!("missing {path}"),
            End::NotDirectory(path) => format!("not a directory {path}"),
            End::Special(path, kind) => format!("{kind} {path}"),
            End::Loop => "loop".into(),
        };
        steps.chain([end]).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn resolves_raw_paths() {
        let tree = "
            /lib -> usr/lib
            /usr/lib/libc.so.6 -> libc-2.36.so
            /usr/lib/libc-2.36.so = c
            /usr/lib/abs -> /lib/libc.so.6
            /usr/lib/out -> ../../../../etc/hostname
            /etc/hostname = h
            /loop -> loop
            /work/file = f";
        for (raw_path, expected) in [
            (
                "/lib/libc.so.6",
                "/lib -> usr/lib, /usr/, /usr/lib/, /usr/lib/libc.so.6 -> libc-2.36.so, file /usr/lib/libc-2.36.so",
            ),
            (
                "/usr/lib/out",
                "/usr/, /usr/lib/, /usr/lib/out -> ../../../../etc/hostname, /usr/, //, //, //, /etc/, file /etc/hostname",
            ),
            (
                "/usr/lib/abs",
                "/usr/, /usr/lib/, /usr/lib/abs -> /lib/libc.so.6, /lib -> usr/lib, /usr/, /usr/lib/, \
                              /usr/lib/libc.so.6 -> libc-2.36.so, file /usr/lib/libc-2.36.so",
            ),
            ("/usr/../work/./file", "/usr/, //, /work/, file /work/file"),
            ("file", "file /work/file"),
            ("file/x", "not a directory /work/file"),
            ("/work/file/", "/work/, not a directory /work/file"),
            ("/nowhere/x", "missing /nowhere"),
            ("/loop", &format!("{}loop", "/loop -> loop, ".repeat(40))),
            ("", "missing /work"),
            ("/", "directory /"),
        ] {
            assert_eq!(walk_text(tree, raw_path), expected, "{raw_path}");
        }
    }
}
