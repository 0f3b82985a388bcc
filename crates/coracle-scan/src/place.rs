//! Findings by path and file name. No content is read.

use std::path::Path;

use super::finding::{Fault, Finding, Severity, Subject};
use super::{Gate, names};
use coracle_core::fs::{self, Identity};
use coracle_core::path::ImagePath;
use coracle_core::entry::{Entry, Node, Reason};
use coracle_core::system_directories::is_system;
use coracle_core::file_system::{self, End, Tree};

impl Gate {
    /// Checks the path and name of every entry of a planned image.
    pub fn places<'a>(
        &mut self,
        entries: impl Iterator<Item = (&'a ImagePath, &'a Entry)>,
        rootfs: &dyn Tree,
    ) {
        let mounts: Vec<(&ImagePath, ImagePath)> =
            self.policy.mounts.iter().map(|mount| (mount, real(rootfs, mount))).collect();
        let sources: Vec<(Identity, String)> = self
            .policy
            .sources
            .iter()
            .filter_map(|source| Some((identity(&source.path)?, format!("it is {}", source.what))))
            .collect();
        let mut found = Vec::new();
        let mut served = Vec::new();
        for (path, entry) in entries.filter(|(_, entry)| !matches!(entry.node, Node::Directory)) {
            let subject = || Subject::File(path.clone());
            let over = mounts.iter().filter(|(mount, real)| path.is_within(mount) || path.is_within(real));
            let hidden = !matches!(entry.reason, Reason::Included(_));
            found.extend(over.map(|(mount, _)| Finding {
                fault: if hidden { Fault::Hidden } else { Fault::Content },
                ..Finding::error(subject(), "place", under(mount, entry))
            }));
            if hidden {
                let allowed =
                    self.policy.allow.keys().filter(|allowed| path.is_within(allowed) && !is_system(path));
                served.extend(allowed.cloned());
                continue;
            }
            let source = host_identity(rootfs, path)
                .and_then(|file| sources.iter().find(|(source, _)| *source == file));
            if let Some((_, what)) = source {
                found.push(Finding::error(subject(), "configuration", what.clone()));
            } else if path.name().is_some_and(names::look_like_configuration) {
                let what = "it looks like configuration".to_owned();
                found
                    .push(Finding { severity: Severity::Warning, ..Finding::error(subject(), "name", what) });
            }
        }
        self.served.extend(served);
        self.take(found);
    }
}

/// Describes the finding for an entry below a mount.
fn under(mount: &ImagePath, entry: &Entry) -> String {
    match entry.reason {
        Reason::Included(_) => format!("it is below `{mount}`, which is mounted at run time"),
        _ => format!("the mount at `{mount}` would hide it"),
    }
}

/// Returns the path of `mount` in the image after following links.
fn real(rootfs: &dyn Tree, mount: &ImagePath) -> ImagePath {
    match file_system::walk(rootfs, &ImagePath::root(), mount.as_bytes()).map(|walk| walk.end) {
        Ok(End::Directory(path) | End::File(path, _) | End::Missing(path)) => path,
        _ => mount.clone(),
    }
}

/// Returns the identity of the host file that is packed at `path`.
fn host_identity(rootfs: &dyn Tree, path: &ImagePath) -> Option<Identity> {
    match rootfs.node(path) {
        Ok(Some(file_system::Node::File(file))) => file.content.host_identity(),
        _ => None,
    }
}

/// Returns the identity of the host file at `path`, following links. Errors are reported when the
/// file is read.
fn identity(path: &Path) -> Option<Identity> {
    match fs::look(&std::fs::canonicalize(path).ok()?) {
        Ok(Some(fs::Found::File(stat))) => Some(stat.identity),
        _ => None,
    }
}
