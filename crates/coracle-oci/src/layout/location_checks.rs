//! Checks whether an image can be written to a location.

use std::path::{Path, PathBuf};

use super::atomic_file::TEMPORARY_PREFIX;
use super::disk_location::{DiskFormat, DiskLocation, non_directory_ancestor, resolve_path};
use super::error::LayoutError;
use super::layout_files::{
    OCI_LAYOUT, check_blobs_dir, has_verified_blob, is_without_content, read_index_or_empty, read_json,
};
use crate::image::{Descriptor, ImageSet};
use coracle_core::fs::{self, PathMetadata};

impl DiskLocation {
    /// Checks that an image can be written here, before there is an image.
    ///
    /// # Errors
    /// Fails if the path exists and must not be replaced.
    pub fn check_writable(&self) -> Result<(), LayoutError> {
        match self.format {
            DiskFormat::Layout => check_layout_path(&self.path),
            DiskFormat::OciArchive | DiskFormat::DockerArchive => check_archive_path(&self.path),
        }
    }

    /// Returns whether it is a layout that has this blob already. Reads and hashes the blob.
    pub fn has_verified_blob(&self, named: &Descriptor) -> bool {
        self.format == DiskFormat::Layout
            && resolve_path(&self.path).is_ok_and(|path| has_verified_blob(&path, named))
    }

    /// Checks that the format supports this image.
    ///
    /// # Errors
    /// Fails if there are several platforms and the format supports only one.
    pub fn check_supports_image(&self, root: &ImageSet) -> Result<(), LayoutError> {
        match self.format {
            DiskFormat::DockerArchive if root.images().len() > 1 => {
                Err(LayoutError::PlatformsUnsupported { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Checks that `directory` is a layout, is empty or does not exist.
pub(super) fn check_layout_path(directory: &Path) -> Result<(), LayoutError> {
    let error = |why: &str, link_target| LayoutError::NotLayout {
        path: directory.to_owned(),
        why: why.into(),
        link_target,
    };
    let refuse = |why: &str| Err(error(why, None));
    if let Some(file) = non_directory_ancestor(directory)? {
        return refuse(&format!("`{}` is not a directory", file.display()));
    }
    let resolved = resolve_path(directory)?;
    match fs::symlink_metadata(&resolved)? {
        None => return Ok(()),
        Some(PathMetadata::Directory) => {}
        Some(PathMetadata::Link(target)) => {
            return Err(error(&describe_link(&target), Some(link_target(&resolved, &target))));
        }
        Some(_) => return refuse("it is not a directory"),
    }
    let names = fs::list_directory(directory)?;
    let mut others = names.iter().filter(|name| !name.starts_with(TEMPORARY_PREFIX.as_bytes())).peekable();
    if others.peek().is_none() {
        return Ok(());
    }
    // The directory may have been listed while another build created the layout.
    let oci_layout = directory.join(OCI_LAYOUT);
    if fs::symlink_metadata(&oci_layout)?.is_none() {
        return refuse("it contains other files but no `oci-layout`");
    }
    check_blobs_dir(directory)?;
    if is_without_content(&oci_layout)? {
        return read_index_or_empty(directory).map(drop);
    }
    let version = read_json(directory, OCI_LAYOUT)?.and_then(|mark| {
        Some(mark.get("imageLayoutVersion")?.as_str()?.strip_prefix("1.0.")?.parse::<u32>().is_ok())
    });
    if version != Some(true) {
        return refuse("the version in its `oci-layout` is not 1.0");
    }
    read_index_or_empty(directory).map(drop)
}

/// Describes a link for an error. Links are not followed, because a checkout can contain links to
/// any file of the user.
fn describe_link(target: &[u8]) -> String {
    format!("it is a symbolic link to `{}`, which is not followed", fs::path_from_bytes(target).display())
}

/// Checks that `path` is a file or does not exist.
fn check_archive_path(path: &Path) -> Result<(), LayoutError> {
    let error = |why, link_target| LayoutError::NotArchiveFile { path: path.to_owned(), why, link_target };
    let refuse = |why| Err(error(why, None));
    if let Some(file) = non_directory_ancestor(path)? {
        return refuse(format!("`{}` is not a directory", file.display()));
    }
    let resolved = resolve_path(path)?;
    match fs::symlink_metadata(&resolved)? {
        None if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            refuse("a path that ends in `/` names a directory".into())
        }
        None | Some(PathMetadata::File(_)) => Ok(()),
        Some(PathMetadata::Directory) => refuse("it is a directory".into()),
        Some(PathMetadata::Special(what)) => refuse(format!("it is a {what}")),
        Some(PathMetadata::Link(target)) => {
            Err(error(describe_link(&target), Some(link_target(&resolved, &target))))
        }
    }
}

/// Returns the path of the target of `link`.
fn link_target(link: &Path, target: &[u8]) -> PathBuf {
    link.parent().unwrap_or(Path::new("")).join(fs::path_from_bytes(target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::hint::Hint as _;

    #[test]
    #[cfg(unix)]
    fn archive_replaces_only_files() {
        let directory = tempfile::tempdir().unwrap();
        let check = |path: &Path| {
            let destination = DiskLocation { format: DiskFormat::OciArchive, path: path.into(), tag: None };
            destination
                .check_writable()
                .map_err(|error| error.to_string().replace(&path.display().to_string(), "PATH"))
        };
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        for path in [at("file"), at("new"), at("new/new")] {
            assert_eq!(check(&path), Ok(()), "{}", path.display());
        }
        for (path, what) in [
            (directory.path().into(), "directory"),
            (at("link"), "symbolic link to `file`, which is not followed"),
            (at("dangling"), "symbolic link to `nowhere`, which is not followed"),
            ("/dev/null".into(), "character device"),
        ] {
            assert_eq!(check(&path), Err(format!("cannot write an archive to `PATH`: it is a {what}")));
        }
        for format in [DiskFormat::OciArchive, DiskFormat::Layout] {
            let destination = DiskLocation { format, path: at("link"), tag: None };
            let hint = destination.check_writable().unwrap_err().hint().unwrap();
            let target = std::fs::canonicalize(directory.path()).unwrap().join("file");
            assert!(hint.contains(&format!("`{}`", target.display())), "{hint}");
        }
    }
}
