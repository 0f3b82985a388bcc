//! A private directory beside the destination, where blobs wait until the image is complete.
//!
//! A file in it stays locked while its build lives: whoever can take that lock has found the remains of a build that
//! was killed, and removes them.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::destination::{Kind, target};
use super::{ATTEMPTS, Destination, Error, PREFIX};
use crate::cache::Cache;
use coracle_core::digest::{Digest, Hashing};
use coracle_core::fs::{self, Context};
use coracle_core::content_scanner::ContentScanner;
use crate::image::Descriptor;
use crate::layer::output::Output;
use crate::layer::{self, Codec, Compression, Layer};
use coracle_core::path::ImagePath;
use coracle_core::entry::{Entry, Stratum};

/// The file that is locked.
const LOCK: &str = "lock";

/// A staging directory; it goes when it is dropped.
#[derive(Debug)]
pub struct Staging {
    directory: Locked,
    _parents: Parents,
    packed: AtomicU64,
}

impl Staging {
    /// A new staging directory on the file system of `destination`: inside a layout that is there, else beside it.
    ///
    /// # Errors
    /// When nothing can be created there.
    pub fn new(destination: &Destination) -> Result<Self, Error> {
        let path = target(&destination.path)?;
        if destination.kind == Kind::Layout && path.is_dir() {
            // A build that was killed just when it had made the layout has left its directory beside it.
            path.parent().into_iter().for_each(remove_remains);
            match Self::inside(&path, Parents::default()) {
                // The build that had made it has failed, and removed it again.
                Err(Error::File(error)) if error.kind() == ErrorKind::NotFound && !path.exists() => {}
                staging => return staging,
            }
        }
        let parents = Parents::make(&path)?;
        Self::inside(path.parent().unwrap_or(&path), parents)
    }

    /// A new staging directory in `directory`, which is made where there is none.
    ///
    /// # Errors
    /// When nothing can be created there.
    pub fn within(directory: &Path) -> Result<Self, Error> {
        let directory = fs::absolute(directory)?;
        let parents = Parents::make(&directory.join(LOCK))?;
        Self::inside(&directory, parents)
    }

    fn inside(parent: &Path, parents: Parents) -> Result<Self, Error> {
        remove_remains(parent);
        Ok(Self { directory: Locked::new(parent)?, _parents: parents, packed: AtomicU64::new(0) })
    }

    /// Packs a layer here, see [`layer::pack`]; with a cache, [`Cache::pack`].
    ///
    /// # Errors
    /// Those of [`layer::pack`].
    pub fn pack(
        &self,
        entries: &[(&ImagePath, &Entry)],
        stratum: Stratum,
        compression: Compression,
        cache: Option<&Cache>,
        observer: &layer::Observer<'_>,
        scanner: &dyn ContentScanner,
    ) -> Result<Layer, Error> {
        let unnamed = self.unnamed();
        let layer = match cache {
            Some(cache) => cache.pack(entries, stratum, compression, &unnamed, observer, scanner)?,
            None => layer::pack(entries, stratum, compression, &unnamed, observer, scanner)?,
        };
        let path = self.path(layer.digest);
        std::fs::rename(&unnamed, &path).context("create", &path)?;
        Ok(layer)
    }

    /// Takes a blob, held to its digest and its size; the inner error is that of `reader`, or says what came instead.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn take(&self, named: &Descriptor, reader: &mut dyn Read) -> Result<io::Result<()>, Error> {
        let (unnamed, path) = (self.unnamed(), self.path(named.digest));
        let mut output = Output::create(&unnamed)?;
        if let Err(error) = output.copy(&mut reader.take(named.size.saturating_add(1)))? {
            output.discard();
            return Ok(Err(error));
        }
        let (found, size): (Digest, u64) = output.finish();
        if (found, size) != (named.digest, named.size) {
            std::fs::remove_file(&unnamed).context("remove", &unnamed)?;
            let why = format!("{size} bytes of `{found}` came instead of {}", named.size);
            return Ok(Err(io::Error::other(why)));
        }
        std::fs::rename(&unnamed, &path).context("create", &path)?;
        Ok(Ok(()))
    }

    /// Whether the blob of `layer`, which waits here, unpacks to what its diff ID says, and to nothing more.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn holds(&self, layer: &Layer) -> Result<bool, Error> {
        let path = self.path(layer.digest);
        let codec = Codec::ALL.into_iter().find(|codec| codec.media_type() == layer.media_type);
        let file = File::open(&path).context("open", &path)?;
        let Some(Ok(tar)) = codec.map(|codec| codec.unpacked(file)) else { return Ok(false) };
        let mut hashing = Hashing::new(tar.take(layer.unpacked.saturating_add(1)));
        // What can't be unpacked is not what it should be.
        let unpacked = io::copy(&mut hashing, &mut io::sink()).ok();
        Ok(unpacked == Some(layer.unpacked) && hashing.finish() == layer.diff_id.digest())
    }

    /// Removes the blob of this digest, which waits here.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn remove(&self, digest: Digest) -> Result<(), Error> {
        let path = self.path(digest);
        Ok(std::fs::remove_file(&path).context("remove", &path)?)
    }

    /// Opens the blob of this digest, which was packed here; not after the staging directory is gone.
    pub fn opener(
        &self,
        digest: Digest,
    ) -> impl Fn() -> io::Result<Box<dyn io::Read>> + Send + Sync + 'static {
        let path = self.path(digest);
        move || Ok(Box::new(File::open(&path)?))
    }

    /// A path for a file that has no digest yet; each time another.
    pub(crate) fn unnamed(&self) -> PathBuf {
        let number = self.packed.fetch_add(1, Ordering::Relaxed);
        self.directory.path().join(format!("part-{number}"))
    }

    /// Where the blob of this digest waits.
    pub(super) fn path(&self, digest: Digest) -> PathBuf {
        self.directory.path().join(digest.hex())
    }
}

/// A directory that no other build takes for remains; it goes when this is dropped.
#[derive(Debug)]
pub(super) struct Locked {
    _lock: File,
    directory: TempDir,
}

impl Locked {
    /// A new one in `parent`.
    pub(super) fn new(parent: &Path) -> fs::Result<Self> {
        for _ in 0..ATTEMPTS {
            let directory = temporary_directory(parent).context("create a directory in", parent)?;
            // Until it is locked, another build may remove it.
            if let Some(lock) = lock_new(&directory.path().join(LOCK))? {
                return Ok(Self { _lock: lock, directory });
            }
        }
        Err(fs::Error::new("lock a directory in", parent, io::Error::other("it keeps changing")))
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // What can't be removed harms nobody, and the directory itself is tried once more.
        let _ = remove(self.path());
    }
}

/// Removes a staging directory, its lock last: who is killed meanwhile leaves what the next build takes for remains.
fn remove(directory: &Path) -> io::Result<()> {
    let lock = directory.join(LOCK);
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path != lock {
            std::fs::remove_file(path)?;
        }
    }
    std::fs::remove_file(lock)?;
    std::fs::remove_dir(directory)
}

/// A new directory in `parent`; the usual errors don't mention its name, which nobody has seen.
fn temporary_directory(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    if let Some(owner_alone) = fs::private() {
        builder.permissions(owner_alone);
    }
    let made = builder.tempdir_in(parent);
    made.map_err(|error| match error.kind() {
        kind @ (ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::ReadOnlyFilesystem) => kind.into(),
        _ => error,
    })
}

/// Creates and locks `path`; nothing when somebody removed it meanwhile.
fn lock_new(path: &Path) -> fs::Result<Option<File>> {
    let file = match File::create_new(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.context("create", path)?,
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
            return Err(fs::Error::new("lock", path, error));
        }
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    Ok(fs::is_at(&file, path)?.then_some(file))
}

/// Removes the staging directories of builds that were killed; what can't be removed harms nobody.
fn remove_remains(parent: &Path) {
    for name in fs::list(parent).unwrap_or_default() {
        let path = parent.join(fs::path_of(&name));
        if name.starts_with(PREFIX.as_bytes()) && matches!(fs::look(&path), Ok(Some(fs::Found::Directory))) {
            match File::open(path.join(LOCK)) {
                Ok(lock) if lock.try_lock().is_ok() => drop(remove(&path)),
                Ok(_) => {}
                // Killed before there was a lock, or not there yet: only an empty directory goes.
                Err(_) => drop(std::fs::remove_dir(&path)),
            }
        }
    }
}

/// Directories made on the way to a path; those that are still empty go when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Parents(Vec<PathBuf>);

impl Parents {
    /// Makes the missing directories above `path`.
    pub(super) fn make(path: &Path) -> fs::Result<Self> {
        let mut made = Self::default();
        let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        let mut missing: Vec<&Path> = above.take_while(|above| !above.exists()).collect();
        missing.reverse();
        for directory in missing {
            match std::fs::create_dir(directory) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => {
                    result.context("create", directory)?;
                    made.0.push(directory.to_owned());
                }
            }
        }
        Ok(made)
    }
}

impl Drop for Parents {
    fn drop(&mut self) {
        self.0.iter().rev().for_each(|directory| drop(std::fs::remove_dir(directory)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::list(directory).unwrap();
        names.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn it_stands_on_the_file_system_of_its_destination_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let there = home.path().join("there");
        std::fs::create_dir(&there).unwrap();
        for (destination, beside) in [
            (Destination::layout(&there), there.clone()),
            (Destination::layout(home.path().join("new")), home.path().into()),
            (Destination::layout(home.path().join("a/b/c")), home.path().join("a/b")),
            (
                Destination { kind: Kind::OciArchive, ..Destination::layout(there.join("x.tar")) },
                there.clone(),
            ),
        ] {
            let staging = Staging::new(&destination).unwrap();
            assert_eq!(staging.directory.path().parent(), Some(beside.as_path()));
            drop(staging);
            assert_eq!(names(home.path()), ["there"]);
            assert!(names(&there).is_empty());
        }
    }

    #[test]
    fn remains_beside_a_layout_that_is_there_go() {
        let home = tempfile::tempdir().unwrap();
        let (there, killed) = (home.path().join("there"), home.path().join(".coracle-killed"));
        std::fs::create_dir(&there).unwrap();
        std::fs::create_dir(&killed).unwrap();
        std::fs::write(killed.join(LOCK), "").unwrap();
        drop(Staging::new(&Destination::layout(&there)).unwrap());
        assert_eq!(names(home.path()), ["there"]);
    }

    #[test]
    fn remains_of_a_killed_build_go_and_a_living_one_stays() {
        let home = tempfile::tempdir().unwrap();
        let destination = Destination::layout(home.path());
        let living = Staging::new(&destination).unwrap();
        for (name, file) in [(".coracle-killed", "part-0"), (".coracle-other", "no-lock")] {
            std::fs::create_dir(home.path().join(name)).unwrap();
            std::fs::write(home.path().join(name).join(file), "").unwrap();
        }
        std::fs::write(home.path().join(".coracle-killed/lock"), "").unwrap();
        std::fs::create_dir(home.path().join(".coracle-empty")).unwrap();
        let next = Staging::new(&destination).unwrap();
        assert!(living.directory.path().exists());
        assert_eq!(names(home.path()).len(), 3);
        assert!(!home.path().join(".coracle-killed").exists());
        drop((living, next));
        assert_eq!(names(home.path()), [".coracle-other"]);
    }
}
