//! What a root looks like: directories, links and files, and how a spelled path walks through them.
//!
//! A directory of the host and a planned image are both a [`Tree`]; whoever resolves in one resolves in the other.
//! Nothing here follows a link out of the root: absolute targets start again at the root, `..` stops there.

pub mod memory;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::content::Content;
use crate::fs::{self, Found, Stat};
use crate::path::{ImagePath, Spelled};
use crate::input_tracker::Witness;

/// A root to look into.
pub trait Tree {
    /// What stands at `path`, whose parents are directories and no links. Nothing when nothing does.
    ///
    /// # Errors
    /// When the host refuses to look.
    fn node(&self, path: &ImagePath) -> fs::Result<Option<Node>>;

    /// The names in the directory at `path`, sorted by their bytes.
    ///
    /// # Errors
    /// When the host refuses to list.
    fn list(&self, path: &ImagePath) -> fs::Result<Vec<Vec<u8>>>;
}

/// One node of a [`Tree`].
#[derive(Clone, Debug)]
pub enum Node {
    /// A directory.
    Directory,
    /// A symbolic link and its target, as it is written.
    Link(Spelled),
    /// A regular file.
    File(TreeFile),
    /// A device, a socket or a pipe, by its name for people.
    Special(&'static str),
}

/// A regular file of a [`Tree`].
#[derive(Clone, Debug)]
pub struct TreeFile {
    /// Identity, size and mode.
    pub stat: Stat,
    /// Its bytes.
    pub content: Content,
}

/// The host's file system below a directory, each path looked at once.
#[derive(Debug)]
pub struct HostTree {
    root: PathBuf,
    seen: Mutex<BTreeMap<ImagePath, Option<Node>>>,
    listed: Mutex<BTreeMap<ImagePath, Stat>>,
}

impl HostTree {
    /// Everything below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), seen: Mutex::default(), listed: Mutex::default() }
    }

    /// Where `path` is on the host.
    pub fn host_path(&self, path: &ImagePath) -> PathBuf {
        self.root.join(fs::path_of(path.relative()))
    }

    /// Adds everything that was looked at here to `witness`, as it was then.
    pub fn tell(&self, witness: &mut Witness) {
        for (path, node) in lock(&self.seen).iter() {
            witness.looked(self.host_path(path), &answer(node.as_ref()));
        }
        for (path, stat) in lock(&self.listed).iter() {
            witness.listed(self.host_path(path), *stat);
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
        // What it was before: a name that comes while it is listed must show.
        let stat = fs::stat(&host)?;
        lock(&self.listed).entry(path.clone()).or_insert(stat);
        fs::list(&host)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the host answered, in the words of a [`Witness`].
fn answer(node: Option<&Node>) -> Option<Found> {
    node.map(|node| match node {
        Node::Directory => Found::Directory,
        Node::Link(target) => Found::Link(target.as_bytes().to_vec()),
        Node::File(file) => Found::File(file.stat),
        Node::Special(kind) => Found::Special(kind),
    })
}

/// One root in front of another: what the first has, else what the second has.
pub struct Overlay<'a> {
    /// Who is asked first.
    pub front: &'a dyn Tree,
    /// Who is asked where the first has nothing.
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

/// How a spelled path led through a tree, and what stands at its end.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Every directory and every link on the way, in order.
    pub steps: Vec<Step>,
    /// What the path led to.
    pub end: End,
}

/// One step of a [`Walk`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A directory that was entered, by its name or by `..`.
    Directory(ImagePath),
    /// A link that was followed.
    Link {
        /// Where the link itself stands.
        path: ImagePath,
        /// Where it points, as it is written.
        target: Spelled,
    },
}

/// The end of a [`Walk`].
#[derive(Clone, Debug)]
pub enum End {
    /// A regular file, by its own path.
    File(ImagePath, TreeFile),
    /// A directory.
    Directory(ImagePath),
    /// A device, a socket or a pipe.
    Special(ImagePath, &'static str),
    /// Nothing stands at this path.
    Missing(ImagePath),
    /// This file is used as a directory.
    NotDirectory(ImagePath),
    /// More links than the kernel follows.
    Loop,
}

/// Links that the kernel follows in one path (`MAXSYMLINKS`, `include/linux/namei.h`).
const MAX_LINKS: usize = 40;

/// Walks `spelled` inside `tree`; a relative path starts at the directory `start`.
///
/// # Errors
/// When the host refuses to look at a step.
pub fn walk(tree: &dyn Tree, start: &ImagePath, spelled: &[u8]) -> fs::Result<Walk> {
    let mut at = if spelled.starts_with(b"/") { ImagePath::root() } else { start.clone() };
    let mut names = Vec::new();
    push_names(&mut names, spelled);
    let mut steps = Vec::new();
    let mut links = 0;
    let end = loop {
        let Some(name) = names.pop() else {
            break if spelled.is_empty() { End::Missing(at) } else { End::Directory(at) };
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
            Some(_) if !names.is_empty() || spelled.ends_with(b"/") => break End::NotDirectory(path),
            Some(Node::File(file)) => break End::File(path, file),
            Some(Node::Special(kind)) => break End::Special(path, kind),
        }
    };
    Ok(Walk { steps, end })
}

/// Puts the names of `path` on the stack, the first on top.
fn push_names(stack: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.rsplit(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    stack.extend(names.map(<[u8]>::to_vec));
}

#[cfg(test)]
mod tests {
    use super::memory::MemoryTree;
    use super::*;

    fn walk_text(tree: &str, spelled: &str) -> String {
        let walk = walk(&MemoryTree::new(tree), &"/work".parse().unwrap(), spelled.as_bytes()).unwrap();
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
    fn walks() {
        let tree = "
            /lib -> usr/lib
            /usr/lib/libc.so.6 -> libc-2.36.so
            /usr/lib/libc-2.36.so = c
            /usr/lib/abs -> /lib/libc.so.6
            /usr/lib/out -> ../../../../etc/hostname
            /etc/hostname = h
            /loop -> loop
            /work/file = f";
        for (spelled, expected) in [
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
            assert_eq!(walk_text(tree, spelled), expected, "{spelled}");
        }
    }
}
