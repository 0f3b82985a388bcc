//! Checks whether an image can be written to a location.

use std::io;
use std::path::Path;

use super::atomic_file::TEMPORARY_PREFIX;
use super::disk_location::{DiskFormat, DiskLocation, file_in_parents, resolve_path};
use super::error::LayoutError;
use super::layout_files::{OCI_LAYOUT, has_verified_blob, read_index_or_empty, read_json};
use crate::image::{Descriptor, ImageSet};
use coracle_core::fs::{self, Context, PathMetadata};

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
    pub fn check_supports(&self, root: &ImageSet) -> Result<(), LayoutError> {
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
    let refuse = |why: &str| Err(LayoutError::NotLayout { path: directory.to_owned(), why: why.into() });
    if let Some(file) = file_in_parents(directory)? {
        return refuse(&format!("`{}` is not a directory", file.display()));
    }
    match std::fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(metadata) if !metadata.is_dir() => return refuse("it is not a directory"),
        metadata => metadata.context("read the metadata of", directory)?,
    };
    let names = fs::list_directory(directory)?;
    let mut others = names.iter().filter(|name| !name.starts_with(TEMPORARY_PREFIX.as_bytes())).peekable();
    if others.peek().is_none() {
        return Ok(());
    }
    // The directory may have been listed while another build created the layout.
    if !directory.join(OCI_LAYOUT).exists() {
        return refuse("it contains other files but no `oci-layout`");
    }
    let version = read_json(directory, OCI_LAYOUT)?.and_then(|mark| {
        Some(mark.get("imageLayoutVersion")?.as_str()?.strip_prefix("1.0.")?.parse::<u32>().is_ok())
    });
    if version != Some(true) {
        return refuse("the version in its `oci-layout` is not 1.0");
    }
    read_index_or_empty(directory).map(drop)
}

/// Checks that `path` is a file, following links, or does not exist.
fn check_archive_path(path: &Path) -> Result<(), LayoutError> {
    let refuse = |why| Err(LayoutError::NotArchiveFile { path: path.to_owned(), why });
    if let Some(file) = file_in_parents(path)? {
        return refuse(format!("`{}` is not a directory", file.display()));
    }
    match fs::symlink_metadata(&resolve_path(path)?)? {
        None if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            refuse("a path that ends in `/` names a directory".into())
        }
        None | Some(PathMetadata::File(_)) => Ok(()),
        Some(PathMetadata::Directory) => refuse("it is a directory".into()),
        Some(PathMetadata::Special(what)) => refuse(format!("it is a {what}")),
        Some(PathMetadata::Link(_)) => refuse("it is a dangling symbolic link".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for path in [at("file"), at("link"), at("new"), at("new/new")] {
            assert_eq!(check(&path), Ok(()), "{}", path.display());
        }
        for (path, what) in [
            (directory.path().into(), "directory"),
            (at("dangling"), "dangling symbolic link"),
            ("/dev/null".into(), "character device"),
        ] {
            assert_eq!(check(&path), Err(format!("cannot write an archive to `PATH`: it is a {what}")));
        }
    }
}
