//! Writes image layouts: blobs first, `index.json` last. The layout is locked only while it is
//! changed.
//!
//! Source: image-spec, `image-layout.md`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::destination::file_above;
use super::names::Name;
use super::staging::{Locked, Parents, Staging};
use super::{ATTEMPTS, Error, PREFIX, Warning, collect, index, place};
use coracle_core::digest::Hasher;
use coracle_core::fs::{self, Context};
use crate::image::{Artifact, Blob, Descriptor, Graph, Root};
use coracle_core::json;

/// The file that identifies a layout; also the lock file.
const MARK: &str = "oci-layout";

/// The index of the images in a layout.
const INDEX: &str = "index.json";

/// Returns the content of [`MARK`].
pub(super) fn mark() -> Value {
    json!({"imageLayoutVersion": "1.0.0"})
}

/// Serializes `value` as sorted, compact JSON.
pub(super) fn bytes(what: &'static str, value: &Value) -> Result<Vec<u8>, Error> {
    json::to_bytes(value).map_err(|source| Error::Json { what, source })
}

/// Checks that `directory` is a layout, is empty or does not exist.
pub(super) fn check(directory: &Path) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::NotLayout { path: directory.to_owned(), why: why.into() });
    if let Some(file) = file_above(directory)? {
        return refuse(&format!("`{}` is not a directory", file.display()));
    }
    match std::fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(metadata) if !metadata.is_dir() => return refuse("it is not a directory"),
        metadata => metadata.context("look at", directory)?,
    };
    let names = fs::list(directory)?;
    let mut others = names.iter().filter(|name| !name.starts_with(PREFIX.as_bytes())).peekable();
    if others.peek().is_none() {
        return Ok(());
    }
    // The directory may have been listed while another build created the layout.
    if !directory.join(MARK).exists() {
        return refuse("it contains other files but no `oci-layout`");
    }
    let version = document(directory, MARK)?.and_then(|mark| {
        Some(mark.get("imageLayoutVersion")?.as_str()?.strip_prefix("1.0.")?.parse::<u32>().is_ok())
    });
    if version != Some(true) {
        return refuse("the version in its `oci-layout` is not 1.0");
    }
    read_index(directory).map(drop)
}

/// Reads a JSON file of a layout; `None` if it does not exist.
fn document(directory: &Path, name: &str) -> Result<Option<Value>, Error> {
    let path = directory.join(name);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.context("read", &path)?,
    };
    let refused = |source| Error::NotLayout {
        path: directory.to_owned(),
        why: format!("its `{name}` is not JSON ({source})"),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(refused)
}

/// Reads `index.json`; an empty index if it does not exist.
fn read_index(directory: &Path) -> Result<Value, Error> {
    match document(directory, INDEX)? {
        None => Ok(index::empty()),
        Some(index) if index.get("manifests").is_some_and(Value::is_array) => Ok(index),
        Some(_) => Err(Error::NotLayout {
            path: directory.to_owned(),
            why: "its `index.json` has no array `manifests`".into(),
        }),
    }
}

/// Adds `root` to the layout at `directory`.
pub(super) fn publish(
    root: &Root,
    staging: &Staging,
    names: &[Name],
    directory: &Path,
) -> Result<Vec<Warning>, Error> {
    change(directory, |layout| layout.write(root, staging, names))
}

/// Adds an existing image. Its blobs are in `staging`, except those that the layout had already.
pub(super) fn receive(
    graph: &Graph,
    staging: &Staging,
    names: &[Name],
    directory: &Path,
) -> Result<Vec<Warning>, Error> {
    change(directory, |layout| layout.receive(graph, staging, names))
}

/// Returns whether the layout at `directory` has a blob with this digest and size. Reads and hashes
/// the blob.
pub(super) fn has_blob(directory: &Path, named: &Descriptor) -> bool {
    let path = blobs_in(directory).join(named.digest.hex());
    let there =
        std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_file() && there.len() == named.size);
    there
        && File::open(path).is_ok_and(|mut file| {
            let mut hasher = Hasher::default();
            io::copy(&mut file, &mut hasher).is_ok() && hasher.finish() == named.digest
        })
}

/// Adds `artifact` to the layout at `directory`.
pub(super) fn attach(artifact: &Artifact, directory: &Path) -> Result<Vec<Warning>, Error> {
    change(directory, |layout| layout.attach(artifact))
}

/// Returns the paths of the blobs of `root` in the layout at `directory`.
pub(super) fn blobs_of(root: &Root, directory: &Path) -> Vec<PathBuf> {
    let layers = root.blobs().map(|layer| layer.digest.hex());
    let documents = root.documents().map(name);
    layers.chain(documents).map(|name| blobs_in(directory).join(name)).collect()
}

/// Returns the paths of the blobs of `artifact` in the layout at `directory`.
pub(super) fn blobs_of_artifact(artifact: &Artifact, directory: &Path) -> Vec<PathBuf> {
    artifact.blobs().iter().map(|blob| blobs_in(directory).join(name(blob))).collect()
}

fn blobs_in(directory: &Path) -> PathBuf {
    directory.join("blobs").join("sha256")
}

/// Locks the layout at `directory` and runs `write`. Creates the layout if it does not exist, and
/// removes it again if `write` fails.
fn change(
    directory: &Path,
    write: impl FnOnce(&Layout<'_>) -> Result<Vec<Warning>, Error>,
) -> Result<Vec<Warning>, Error> {
    let directory = &fs::absolute(directory)?;
    let _parents = Parents::make(directory)?;
    let layout = Layout::enter(directory)?;
    let written = write(&layout);
    if written.is_err() && layout.made && !directory.join(INDEX).exists() {
        // Errors are ignored, because an earlier error is reported instead.
        let _ = std::fs::remove_dir_all(directory);
    }
    written
}

/// A layout that is locked against other builds until this is dropped.
struct Layout<'a> {
    directory: &'a Path,
    made: bool,
    _lock: Option<File>,
}

impl<'a> Layout<'a> {
    /// Creates the layout if it does not exist, and waits for its lock.
    fn enter(directory: &'a Path) -> Result<Self, Error> {
        let mut made = false;
        for _ in 0..ATTEMPTS {
            match std::fs::create_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result.context("create", directory)?;
                    made = true;
                }
            }
            match Self::lock(directory, made) {
                // A failed build removed the directory that it had created.
                Ok(None) => made = false,
                Ok(Some(layout)) => return Ok(layout),
                Err(error) => {
                    if made {
                        let _ = std::fs::remove_dir(directory);
                    }
                    return Err(error);
                }
            }
        }
        Err(fs::Error::new("lock", directory, io::Error::other("other processes keep replacing it")).into())
    }

    /// Waits for the lock; `None` if the locked file is no longer in the layout.
    fn lock(directory: &'a Path, made: bool) -> Result<Option<Self>, Error> {
        let path = directory.join(MARK);
        if !path.exists() && !write_mark(directory, &path)? {
            return Ok(None);
        }
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.context("open", &path)?,
        };
        match file.lock() {
            // Without locks, concurrent builds may lose an index entry, but never a blob of one.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(Some(Self { directory, made, _lock: None }));
            }
            result => result.context("lock", &path)?,
        }
        let there = fs::is_at(&file, &path)?;
        Ok(there.then_some(Self { directory, made, _lock: Some(file) }))
    }

    fn write(&self, root: &Root, staging: &Staging, names: &[Name]) -> Result<Vec<Warning>, Error> {
        let mut index = read_index(self.directory)?;
        let blobs = self.blobs()?;
        root.blobs().try_for_each(|named| self.place(&named, staging))?;
        for blob in root.documents() {
            place::write(&blobs.join(name(blob)), blob.bytes())?;
        }
        index::put(&mut index, root.descriptor(), names)?;
        self.finish(&index)
    }

    fn receive(&self, graph: &Graph, staging: &Staging, names: &[Name]) -> Result<Vec<Warning>, Error> {
        let mut index = read_index(self.directory)?;
        let blobs = self.blobs()?;
        graph.blobs.values().try_for_each(|named| self.place(named, staging))?;
        for document in &graph.documents {
            place::write(&blobs.join(document.digest.hex()), &document.bytes)?;
        }
        if let Some(root) = graph.root() {
            let entries = names.iter().map(|name| index::foreign_entry(root, name)).collect();
            index::replace(&mut index, entries, names);
        }
        self.finish(&index)
    }

    /// Moves a blob from the staging directory into the layout, unless the layout has it already.
    fn place(&self, named: &Descriptor, staging: &Staging) -> Result<(), Error> {
        let (waiting, path) = (staging.path(named.digest), self.blobs()?.join(named.digest.hex()));
        if waiting.exists() {
            return Ok(place::link(&waiting, &path)?);
        }
        if path.exists() {
            return Ok(());
        }
        // The layout had the blob, and another build has removed it since.
        let source = io::Error::other(format!(
            "another build removed it ({} bytes) in the meantime: try again",
            named.size
        ));
        Err(Error::Blob { digest: named.digest, source })
    }

    fn attach(&self, artifact: &Artifact) -> Result<Vec<Warning>, Error> {
        let mut index = read_index(self.directory)?;
        let blobs = self.blobs()?;
        for blob in artifact.blobs() {
            place::write(&blobs.join(name(blob)), blob.bytes())?;
        }
        index::attach(&mut index, artifact)?;
        self.finish(&index)
    }

    /// Returns the directory of the blobs. Creates it if it does not exist.
    fn blobs(&self) -> Result<PathBuf, Error> {
        let blobs = blobs_in(self.directory);
        std::fs::create_dir_all(&blobs).context("create", &blobs)?;
        Ok(blobs)
    }

    /// Writes `index.json`, and removes blobs that it no longer refers to.
    fn finish(&self, index: &Value) -> Result<Vec<Warning>, Error> {
        place::write(&self.directory.join(INDEX), &bytes("index", index)?)?;
        Ok(collect::collect(self.directory, index))
    }
}

fn name(blob: &Blob) -> String {
    blob.descriptor().digest.hex()
}

/// Atomically creates `oci-layout`, never overwriting one. Returns false if the directory is gone.
fn write_mark(directory: &Path, path: &Path) -> Result<bool, Error> {
    let temporary = match Locked::new(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        temporary => temporary?,
    };
    let new = temporary.path().join(MARK);
    std::fs::write(&new, bytes("oci-layout", &mark())?).context("write", &new)?;
    match tempfile::TempPath::try_from_path(&new).context("write", &new)?.persist_noclobber(path) {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(true),
        result => {
            result.map(|()| true).map_err(|error| error.error).context("create", path).map_err(Error::File)
        }
    }
}
