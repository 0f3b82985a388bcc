//! Findings by path and file name. No content is read.

use std::path::Path;

use coracle_core::distribution_directories::is_system_path;
use coracle_core::entry::{Entry, EntryNode, EntryReason};
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs::{self, FileId};
use coracle_core::path::ImagePath;

use super::config_file_names;
use super::data::text_formats::{PACKAGE_INFO_DIRECTORIES, PACKAGE_MARKS};
use super::finding::{Finding, FindingCategory, FindingSubject, Severity};
use super::scanner::{SecretScanner, collect_findings};

impl SecretScanner {
    /// Checks the path and name of every entry of a planned image.
    pub fn scan_plan<'a>(
        &mut self,
        entries: impl Iterator<Item = (&'a ImagePath, &'a Entry)>,
        rootfs: &dyn FileSystem,
    ) {
        let resolve = |mounts: &'_ [ImagePath]| -> Vec<(ImagePath, ImagePath)> {
            mounts.iter().map(|mount| (mount.clone(), resolve_mount(rootfs, mount))).collect()
        };
        let (mounts, state) = (resolve(&self.forbidden.mounts), resolve(&self.forbidden.state_directories));
        let sources: Vec<(FileId, String)> = self
            .forbidden
            .config_sources
            .iter()
            .filter_map(|source| Some((file_id(&source.path)?, format!("it is {}", source.description))))
            .collect();
        let mut found = Vec::new();
        let mut allowed_for_libraries = Vec::new();
        for (path, entry) in entries.filter(|(_, entry)| !matches!(entry.node, EntryNode::Directory)) {
            self.package_directories.extend(package_directory(path));
            let subject = || FindingSubject::File(path.clone());
            let is_above =
                |(mount, real): &&(ImagePath, ImagePath)| path.is_within(mount) || path.is_within(real);
            let is_needed = entry.is_needed();
            found.extend(state.iter().filter(is_above).map(|(mount, _)| Finding {
                category: FindingCategory::HiddenByMount,
                // Some runtimes copy an included file to a new volume as its first content.
                severity: if is_needed { Severity::Error } else { Severity::Warning },
                ..Finding::new_error(subject(), "mount", format!("the mount at `{mount}` would hide it"))
            }));
            let above = mounts.iter().filter(is_above);
            found.extend(above.map(|(mount, _)| Finding {
                category: if is_needed { FindingCategory::HiddenByMount } else { FindingCategory::InImage },
                ..Finding::new_error(subject(), "mount", describe_below_mount(mount, entry))
            }));
            if is_needed {
                let allowed = self
                    .forbidden
                    .allowed_paths
                    .keys()
                    .filter(|allowed| path.is_within(allowed) && !is_system_path(path));
                allowed_for_libraries.extend(allowed.cloned());
                continue;
            }
            let source = host_file_id(rootfs, path)
                .and_then(|file| sources.iter().find(|(source, _)| *source == file));
            if let Some((_, description)) = source {
                found.push(Finding::new_error(subject(), "configuration", description.clone()));
            } else if path.file_name().is_some_and(config_file_names::is_config_file_name) {
                let description = "it looks like configuration".to_owned();
                found.push(Finding {
                    severity: Severity::Warning,
                    ..Finding::new_error(subject(), "file-name", description)
                });
            }
        }
        self.allowed_for_libraries.extend(allowed_for_libraries);
        collect_findings(&mut self.findings, found);
    }
}

/// Returns the directory of a published package, if the file at `path` is one that registries put into
/// each.
fn package_directory(path: &ImagePath) -> Option<ImagePath> {
    let (directory, name) = (path.parent()?, path.file_name()?.to_ascii_lowercase());
    let parent_name = directory.file_name().unwrap_or_default();
    if PACKAGE_INFO_DIRECTORIES.iter().any(|ending| parent_name.ends_with(ending.as_bytes())) {
        return directory.parent();
    }
    PACKAGE_MARKS.iter().any(|mark| name == mark.as_bytes()).then_some(directory)
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
    match file_system::resolve_path(rootfs, &ImagePath::root(), mount.as_bytes())
        .map(|resolution| resolution.end)
    {
        Ok(ResolutionEnd::Directory(path) | ResolutionEnd::File(path, _) | ResolutionEnd::Missing(path)) => {
            path
        }
        _ => mount.clone(),
    }
}

/// Returns device and inode of the host file that is packed at `path`.
fn host_file_id(rootfs: &dyn FileSystem, path: &ImagePath) -> Option<FileId> {
    match rootfs.node(path) {
        Ok(Some(file_system::FsNode::File(file))) => file.content.host_file_id(),
        _ => None,
    }
}

/// Returns device and inode of the host file at `path`, following links. Errors are reported when
/// the file is read.
fn file_id(path: &Path) -> Option<FileId> {
    match fs::symlink_metadata(&std::fs::canonicalize(path).ok()?) {
        Ok(Some(fs::PathMetadata::File(stat))) => Some(stat.file_id),
        _ => None,
    }
}
