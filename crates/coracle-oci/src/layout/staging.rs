//! A private directory next to the destination, which holds blobs until the image is complete.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk_location::{DiskFormat, DiskLocation, resolve_path};
use super::error::LayoutError;
use super::locked_directory::{CreatedParents, LOCK_FILE, LockedDirectory, remove_leftovers};
use crate::cache::BuildCache;
use crate::image::Descriptor;
use crate::layer::hashing_file_writer::HashingFileWriter;
use crate::layer::verify_cached_blob::ExpectedBlob;
use crate::layer::{self, Compression, Layer, PackRequest};
use coracle_core::content_scanner::ContentScanner;
use coracle_core::digest::Digest;
use coracle_core::fs::{self, Context, Durability};
use coracle_core::progress::{Cancelled, Progress};

/// A staging directory, which is removed when dropped.
#[derive(Debug)]
pub struct Staging {
    directory: LockedDirectory,
    _parents: CreatedParents,
    next_number: AtomicU64,
    durability: Durability,
}

impl Staging {
    /// Creates a staging directory on the file system of `destination`: inside an existing layout,
    /// otherwise next to the destination. `durability` applies to everything that is written from it.
    ///
    /// # Errors
    /// Fails if a file cannot be created there.
    pub fn new(destination: &DiskLocation, durability: Durability) -> Result<Self, LayoutError> {
        let path = resolve_path(&destination.path)?;
        if destination.format == DiskFormat::Layout && path.is_dir() {
            // A build that was killed after it created the layout left its directory next to it.
            path.parent().into_iter().for_each(remove_leftovers);
            match Self::create_in(&path, CreatedParents::default(), durability) {
                // The build that created the layout failed and removed it again.
                Err(LayoutError::File(error)) if error.kind() == ErrorKind::NotFound && !path.exists() => {}
                staging => return staging,
            }
        }
        let parents = CreatedParents::create(&path)?;
        Self::create_in(path.parent().unwrap_or(&path), parents, durability)
    }

    /// Creates a staging directory in `directory`, which is created if it does not exist, for an image
    /// that is not written to disk.
    ///
    /// # Errors
    /// Fails if a file cannot be created there.
    pub fn new_in(directory: &Path) -> Result<Self, LayoutError> {
        let directory = fs::absolute_path(directory)?;
        let parents = CreatedParents::create(&directory.join(LOCK_FILE))?;
        Self::create_in(&directory, parents, Durability::Unsynced)
    }

    pub(super) fn create_in(
        parent: &Path,
        parents: CreatedParents,
        durability: Durability,
    ) -> Result<Self, LayoutError> {
        remove_leftovers(parent);
        let directory = LockedDirectory::new(parent)?;
        Ok(Self { directory, _parents: parents, next_number: AtomicU64::new(0), durability })
    }

    /// Returns whether what is written from this directory survives a crash of the machine.
    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    /// Packs a layer into this directory with [`layer::pack_layer`], or
    /// [`BuildCache::pack_layer`] if there is a cache.
    ///
    /// # Errors
    /// Fails as [`layer::pack_layer`] does.
    pub fn pack_layer(
        &self,
        request: &PackRequest<'_>,
        cache: Option<&BuildCache>,
        scanner: &mut dyn ContentScanner,
    ) -> Result<Layer, LayoutError> {
        let unnamed = self.temporary_path();
        let layer = match cache {
            Some(cache) => cache.pack_layer(request, &unnamed, scanner)?,
            None => layer::pack_layer(request, &unnamed, scanner)?,
        };
        let path = self.blob_path(layer.digest);
        std::fs::rename(&unnamed, &path).context("create", &path)?;
        Ok(layer)
    }

    /// Writes a blob from `reader` and verifies its digest and size. The inner error is that of
    /// `reader` or of the verification.
    ///
    /// # Errors
    /// Fails if the blob cannot be written.
    pub fn put_blob(&self, named: &Descriptor, reader: &mut dyn Read) -> Result<io::Result<()>, LayoutError> {
        let (unnamed, path) = (self.temporary_path(), self.blob_path(named.digest));
        let mut output = HashingFileWriter::create(&unnamed)?;
        if let Err(error) = output.copy_from(&mut reader.take(named.size.saturating_add(1)))? {
            output.discard();
            return Ok(Err(error));
        }
        let (found, size): (Digest, u64) = output.finish();
        if (found, size) != (named.digest, named.size) {
            std::fs::remove_file(&unnamed).context("remove", &unnamed)?;
            let why =
                format!("received {size} bytes with the digest `{found}` instead of {} bytes", named.size);
            return Ok(Err(io::Error::other(why)));
        }
        std::fs::rename(&unnamed, &path).context("create", &path)?;
        Ok(Ok(()))
    }

    /// Returns whether the blob of `layer` in this directory has the tar of its diff ID, packed as
    /// [`layer::pack_layer`] does with `compression`.
    ///
    /// # Errors
    /// Fails if the blob cannot be opened, or `progress` cancels.
    pub fn is_packed_here(
        &self,
        layer: &Layer,
        compression: Compression,
        progress: &dyn Progress,
    ) -> Result<bool, LayoutError> {
        let path = self.blob_path(layer.digest);
        let Layer { unpacked_size, diff_id, .. } = *layer;
        let file = File::open(&path).context("open", &path)?;
        let expected = ExpectedBlob { compression, unpacked_size, diff_id };
        expected.matches(file, progress).map_err(|Cancelled| LayoutError::Cancelled)
    }

    /// Removes the blob of this digest from this directory.
    ///
    /// # Errors
    /// Fails if the blob cannot be removed.
    pub fn remove_blob(&self, digest: Digest) -> Result<(), LayoutError> {
        let path = self.blob_path(digest);
        Ok(std::fs::remove_file(&path).context("remove", &path)?)
    }

    /// Returns a function that opens the blob of this digest. It fails once the staging directory
    /// has been removed.
    pub fn blob_opener(
        &self,
        digest: Digest,
    ) -> impl Fn() -> io::Result<Box<dyn io::Read>> + Send + Sync + 'static {
        let path = self.blob_path(digest);
        move || Ok(Box::new(File::open(&path)?))
    }

    /// Returns a new path for a file whose digest is not known yet.
    pub(crate) fn temporary_path(&self) -> PathBuf {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        self.directory.path().join(format!("part-{number}"))
    }

    /// Returns the path of the blob with this digest.
    pub(super) fn blob_path(&self, digest: Digest) -> PathBuf {
        self.directory.path().join(digest.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::list_directory(directory).unwrap();
        names.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
    }

    fn create_private_dir(path: &Path) {
        fs::create_private_dir_all(path).unwrap();
    }

    #[test]
    fn is_on_the_file_system_of_the_destination_and_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let there = home.path().join("there");
        std::fs::create_dir(&there).unwrap();
        for (destination, parent) in [
            (DiskLocation::layout(&there), there.clone()),
            (DiskLocation::layout(home.path().join("new")), home.path().into()),
            (DiskLocation::layout(home.path().join("a/b/c")), home.path().join("a/b")),
            (
                DiskLocation { format: DiskFormat::OciArchive, ..DiskLocation::layout(there.join("x.tar")) },
                there.clone(),
            ),
        ] {
            let staging = Staging::new(&destination, Durability::Unsynced).unwrap();
            assert_eq!(staging.directory.path().parent(), Some(parent.as_path()));
            drop(staging);
            assert_eq!(names(home.path()), ["there"]);
            assert!(names(&there).is_empty());
        }
    }

    #[test]
    fn removes_leftovers_next_to_an_existing_layout() {
        let home = tempfile::tempdir().unwrap();
        let (there, killed) = (home.path().join("there"), home.path().join(".coracle-killed"));
        std::fs::create_dir(&there).unwrap();
        create_private_dir(&killed);
        std::fs::write(killed.join(LOCK_FILE), "").unwrap();
        drop(Staging::new(&DiskLocation::layout(&there), Durability::Unsynced).unwrap());
        assert_eq!(names(home.path()), ["there"]);
    }

    #[test]
    fn removes_leftovers_of_killed_builds_only() {
        let home = tempfile::tempdir().unwrap();
        let destination = DiskLocation::layout(home.path());
        let living = Staging::new(&destination, Durability::Unsynced).unwrap();
        for (name, file) in [(".coracle-killed", "part-0"), (".coracle-other", "no-lock")] {
            create_private_dir(&home.path().join(name));
            std::fs::write(home.path().join(name).join(file), "").unwrap();
        }
        std::fs::write(home.path().join(".coracle-killed/lock"), "").unwrap();
        create_private_dir(&home.path().join(".coracle-empty"));
        let next = Staging::new(&destination, Durability::Unsynced).unwrap();
        assert!(living.directory.path().exists());
        assert_eq!(names(home.path()).len(), 3);
        assert!(!home.path().join(".coracle-killed").exists());
        drop((living, next));
        assert_eq!(names(home.path()), [".coracle-other"]);
    }
}
