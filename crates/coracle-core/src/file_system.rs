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
use crate::fs::{self, PathMetadata, Stat};
use crate::input_tracker::InputTracker;
use crate::path::{ImagePath, RawPath};

/// A read-only view of a file system.
pub trait FileSystem {
    /// Returns the node at `path`; `None` if there is none. The parents of `path` must be
    /// directories, not links.
    ///
    /// # Errors
    /// Fails if the host cannot read the metadata.
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>>;

    /// Returns the names in the directory at `path`, sorted by bytes.
    ///
    /// # Errors
    /// Fails if the host cannot list the directory.
    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>>;
}

/// A file, directory or link in a [`Tree`].
#[derive(Clone, Debug)]
pub enum FsNode {
    /// A directory.
    Directory,
    /// A symbolic link with its raw target.
    Link(RawPath),
    /// A regular file.
    File(FsFile),
    /// A device, socket or pipe, by a readable name.
    Special(&'static str),
}

/// A regular file of a [`Tree`].
#[derive(Clone, Debug)]
pub struct FsFile {
    /// The file's metadata.
    pub stat: Stat,
    /// The file's bytes.
    pub content: Content,
}

/// A host directory as a root. Metadata of each path is read once and cached.
#[derive(Debug)]
pub struct HostFs {
    root: PathBuf,
    nodes: Mutex<BTreeMap<ImagePath, Option<FsNode>>>,
    listed_directories: Mutex<BTreeMap<ImagePath, Stat>>,
}

impl HostFs {
    /// Creates a view of the host directory `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), nodes: Mutex::default(), listed_directories: Mutex::default() }
    }

    /// Returns the host path of `path`.
    pub fn host_path(&self, path: &ImagePath) -> PathBuf {
        self.root.join(fs::path_from_bytes(path.relative_bytes()))
    }

    /// Adds all paths that were read or listed here to `tracker`, with their metadata at that time.
    pub fn record_inputs(&self, tracker: &mut InputTracker) {
        for (path, node) in lock(&self.nodes).iter() {
            tracker.record_metadata(self.host_path(path), &node_to_metadata(node.as_ref()));
        }
        for (path, stat) in lock(&self.listed_directories).iter() {
            tracker.record_listing(self.host_path(path), *stat);
        }
    }

    fn read_node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        let host = self.host_path(path);
        Ok(fs::symlink_metadata(&host)?.map(|found| match found {
            PathMetadata::Directory => FsNode::Directory,
            PathMetadata::Link(target) => FsNode::Link(RawPath::new(target)),
            PathMetadata::Special(kind) => FsNode::Special(kind),
            PathMetadata::File(stat) => {
                FsNode::File(FsFile { stat, content: Content::from_host_file(host, stat) })
            }
        }))
    }
}

impl FileSystem for HostFs {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        if let Some(node) = lock(&self.nodes).get(path) {
            return Ok(node.clone());
        }
        let node = self.read_node(path)?;
        lock(&self.nodes).insert(path.clone(), node.clone());
        Ok(node)
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let host = self.host_path(path);
        // Read before listing, so that an entry added meanwhile shows as a change.
        let stat = fs::stat(&host)?;
        lock(&self.listed_directories).entry(path.clone()).or_insert(stat);
        fs::list_directory(&host)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Converts a node to the form that a [`Witness`] records.
fn node_to_metadata(node: Option<&FsNode>) -> Option<PathMetadata> {
    node.map(|node| match node {
        FsNode::Directory => PathMetadata::Directory,
        FsNode::Link(target) => PathMetadata::Link(target.as_bytes().to_vec()),
        FsNode::File(file) => PathMetadata::File(file.stat),
        FsNode::Special(kind) => PathMetadata::Special(kind),
    })
}

/// Two layered file systems: nodes of `front` hide those of `behind`.
pub struct OverlayFs<'a> {
    /// The upper file system, which takes precedence.
    pub upper: &'a dyn FileSystem,
    /// The lower file system.
    pub lower: &'a dyn FileSystem,
}

impl FileSystem for OverlayFs<'_> {
    fn node(&self, path: &ImagePath) -> fs::Result<Option<FsNode>> {
        match self.upper.node(path)? {
            None => self.lower.node(path),
            node => Ok(node),
        }
    }

    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for tree in [self.upper, self.lower] {
            if path.file_name().is_none() || matches!(tree.node(path)?, Some(FsNode::Directory)) {
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
pub struct PathResolution {
    /// The directories entered and links followed, in order.
    pub steps: Vec<ResolutionStep>,
    /// What the path resolves to.
    pub end: ResolutionEnd,
}

/// One step of a [`Walk`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResolutionStep {
    /// A directory that was entered, by name or by `..`.
    Directory(ImagePath),
    /// A link that was followed.
    Link {
        /// The path of the link itself.
        path: ImagePath,
        /// The raw target.
        target: RawPath,
    },
}

/// What a raw path resolves to.
#[derive(Clone, Debug)]
pub enum ResolutionEnd {
    /// A regular file, with its resolved path.
    File(ImagePath, FsFile),
    /// A directory.
    Directory(ImagePath),
    /// A device, socket or pipe.
    Special(ImagePath, &'static str),
    /// This path does not exist.
    Missing(ImagePath),
    /// This path is used as a directory, but is a file.
    NotDirectory(ImagePath),
    /// The path has more links than the kernel follows.
    TooManyLinks,
}

/// Maximum number of links that the kernel follows in one path (`MAXSYMLINKS`,
/// `include/linux/namei.h`).
const MAX_LINKS: usize = 40;

/// Resolves `raw_path` in `tree`. A relative path starts at the directory `start`.
///
/// # Errors
/// Fails if the host cannot read the metadata of a step.
pub fn resolve_path(tree: &dyn FileSystem, start: &ImagePath, raw_path: &[u8]) -> fs::Result<PathResolution> {
    let mut at = if raw_path.starts_with(b"/") { ImagePath::root() } else { start.clone() };
    let mut names = Vec::new();
    push_components(&mut names, raw_path);
    let mut steps = Vec::new();
    let mut links = 0;
    let end = loop {
        let Some(name) = names.pop() else {
            break if raw_path.is_empty() {
                ResolutionEnd::Missing(at)
            } else {
                ResolutionEnd::Directory(at)
            };
        };
        if name == b".." {
            at = at.parent().unwrap_or(at);
            steps.push(ResolutionStep::Directory(at.clone()));
            continue;
        }
        let path = at.join(&name);
        match tree.node(&path)? {
            None => break ResolutionEnd::Missing(path),
            Some(FsNode::Directory) => {
                steps.push(ResolutionStep::Directory(path.clone()));
                at = path;
            }
            Some(FsNode::Link(target)) => {
                links += 1;
                if links > MAX_LINKS {
                    break ResolutionEnd::TooManyLinks;
                }
                if target.as_bytes().starts_with(b"/") {
                    at = ImagePath::root();
                }
                push_components(&mut names, target.as_bytes());
                steps.push(ResolutionStep::Link { path, target });
            }
            Some(_) if !names.is_empty() || raw_path.ends_with(b"/") => {
                break ResolutionEnd::NotDirectory(path);
            }
            Some(FsNode::File(file)) => break ResolutionEnd::File(path, file),
            Some(FsNode::Special(kind)) => break ResolutionEnd::Special(path, kind),
        }
    };
    Ok(PathResolution { steps, end })
}

/// Pushes the components of `path` on the stack, the first on top.
fn push_components(stack: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.rsplit(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    stack.extend(names.map(<[u8]>::to_vec));
}

#[cfg(test)]
mod tests {
    use super::memory::MemoryTree;
    use super::*;

    fn walk_text(tree: &str, raw_path: &str) -> String {
        let walk =
            resolve_path(&MemoryTree::new(tree), &"/work".parse().unwrap(), raw_path.as_bytes()).unwrap();
        let steps = walk.steps.iter().map(|step| match step {
            ResolutionStep::Directory(path) => format!("{path}/"),
            ResolutionStep::Link { path, target } => format!("{path} -> {target}"),
        });
        let end = match walk.end {
            ResolutionEnd::File(path, _) => format!("file {path}"),
            ResolutionEnd::Directory(path) => format!("directory {path}"),
            ResolutionEnd::Missing(path) => format!("missing {path}"),
            ResolutionEnd::NotDirectory(path) => format!("not a directory {path}"),
            ResolutionEnd::Special(path, kind) => format!("{kind} {path}"),
            ResolutionEnd::TooManyLinks => "loop".into(),
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
