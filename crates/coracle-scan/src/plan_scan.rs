//! Findings by path and file name. No content is read.

use std::path::Path;

use super::finding::{Finding, FindingCategory, FindingSubject, Severity};
use super::{SecretScanner, config_file_names};
use coracle_core::entry::{Entry, EntryNode, EntryReason};
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs::{self, FileId};
use coracle_core::path::ImagePath;
use coracle_core::system_directories::is_system;

impl SecretScanner {
    /// Checks the path and name of every entry of a planned image.
    pub fn scan_plan<'a>(
        &mut self,
        entries: impl Iterator<Item = (&'a ImagePath, &'a Entry)>,
        rootfs: &dyn FileSystem,
    ) {
        let mounts: Vec<(&ImagePath, ImagePath)> =
            self.policy.mounts.iter().map(|mount| (mount, resolve_mount(rootfs, mount))).collect();
        let sources: Vec<(FileId, String)> = self
            .policy
            .config_sources
            .iter()
            .filter_map(|source| {
                Some((file_identity(&source.path)?, format!("it is {}", source.description)))
            })
            .collect();
        let mut found = Vec::new();
        let mut served = Vec::new();
        for (path, entry) in entries.filter(|(_, entry)| !matches!(entry.node, EntryNode::Directory)) {
            let subject = || FindingSubject::File(path.clone());
            let over = mounts.iter().filter(|(mount, real)| path.is_within(mount) || path.is_within(real));
            let hidden = !matches!(entry.reason, EntryReason::Included(_));
            found.extend(over.map(|(mount, _)| Finding {
                category: if hidden { FindingCategory::HiddenByMount } else { FindingCategory::InImage },
                ..Finding::new_error(subject(), "place", describe_below_mount(mount, entry))
            }));
            if hidden {
                let allowed = self
                    .policy
                    .allowed_paths
                    .keys()
                    .filter(|allowed| path.is_within(allowed) && !is_system(path));
                served.extend(allowed.cloned());
                continue;
            }
            let source = host_file_identity(rootfs, path)
                .and_then(|file| sources.iter().find(|(source, _)| *source == file));
            if let Some((_, what)) = source {
                found.push(Finding::new_error(subject(), "configuration", what.clone()));
            } else if path.file_name().is_some_and(config_file_names::is_config_file_name) {
                let what = "it looks like configuration".to_owned();
                found.push(Finding {
                    severity: Severity::Warning,
                    ..Finding::new_error(subject(), "name", what)
                });
            }
        }
        self.allowed_for_libraries.extend(served);
        self.add_findings(found);
    }
}

/// Describes the finding for an entry below a mount.
fn describe_below_mount(mount: &ImagePath, entry: &Entry) -> String {
    match entry.reason {
        EntryReason::Included(_) => format!("it is below `{mount}`, which is mounted at run time"),
        _ => format!("the mount at `{mount}` would hide it"),
    }
}

/// Returns the path of `mount` in the image after following links.
fn resolve_mount(rootfs: &dyn FileSystem, mount: &ImagePath) -> ImagePath {
    match file_system::resolve_path(rootfs, &ImagePath::root(), mount.as_bytes()).map(|walk| walk.end) {
        Ok(ResolutionEnd::Directory(path) | ResolutionEnd::File(path, _) | ResolutionEnd::Missing(path)) => {
            path
        }
        _ => mount.clone(),
    }
}

/// Returns the identity of the host file that is packed at `path`.
fn host_file_identity(rootfs: &dyn FileSystem, path: &ImagePath) -> Option<FileId> {
    match rootfs.node(path) {
        Ok(Some(file_system::FsNode::File(file))) => file.content.host_identity(),
        _ => None,
    }
}

/// Returns the identity of the host file at `path`, following links. Errors are reported when the
/// file is read.
fn file_identity(path: &Path) -> Option<FileId> {
    match fs::symlink_metadata(&std::fs::canonicalize(path).ok()?) {
        Ok(Some(fs::PathMetadata::File(stat))) => Some(stat.file_id),
        _ => None,
    }
}
