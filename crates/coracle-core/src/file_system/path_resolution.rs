//! Resolution of raw paths in a file system view, as the kernel resolves them below a root.

use super::view::{FileSystem, FsFile, FsNode};
use crate::fs;
use crate::path::{ImagePath, RawPath};

/// The result of resolving a raw path: each step and the final node.
#[derive(Clone, Debug)]
pub struct PathResolution {
    /// The directories entered and links followed, in order.
    pub steps: Vec<ResolutionStep>,
    /// The result: a file, a directory, or the reason why there is none.
    pub end: ResolutionEnd,
}

/// One step of a [`PathResolution`].
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

/// The result of resolving a raw path.
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

/// Resolves `raw_path` in `file_system`. A relative path starts at the directory `start`.
///
/// # Errors
/// Fails if the host cannot read the metadata of a step.
pub fn resolve_path(
    file_system: &dyn FileSystem,
    start: &ImagePath,
    raw_path: &[u8],
) -> fs::Result<PathResolution> {
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
        match file_system.node(&path)? {
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
    use super::super::memory_fs::MemoryFs;
    use super::*;

    fn resolution_text(nodes: &str, raw_path: &str) -> String {
        let resolution =
            resolve_path(&MemoryFs::from_text(nodes), &"/work".parse().unwrap(), raw_path.as_bytes())
                .unwrap();
        let steps = resolution.steps.iter().map(|step| match step {
            ResolutionStep::Directory(path) => format!("{path}/"),
            ResolutionStep::Link { path, target } => format!("{path} -> {target}"),
        });
        let end = match resolution.end {
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
        let nodes = "
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
            assert_eq!(resolution_text(nodes, raw_path), expected, "{raw_path}");
        }
    }
}
