//! Image layouts: blobs first, `index.json` last, all under a lock that is held for that moment alone.
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

/// The file that makes a directory a layout; also what is locked.
const MARK: &str = "oci-layout";

/// The entries of a layout.
const INDEX: &str = "index.json";

/// The content of [`MARK`].
pub(super) fn mark() -> Value {
    json!({"imageLayoutVersion": "1.0.0"})
}

/// `value` in the one form of JSON.
pub(super) fn bytes(what: &'static str, value: &Value) -> Result<Vec<u8>, Error> {
    json::to_bytes(value).map_err(|source| Error::Json { what, source })
}

/// A layout can be at `directory` when there is one, or nothing, or an empty directory.
pub(super) fn check(directory: &Path) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::NotLayout { path: directory.to_owned(), why: why.into() });
    if let Some(file) = file_above(directory)? {
        return refuse(&format!("`{}` is no directory", file.display()));
    }
    match std::fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(metadata) if !metadata.is_dir() => return refuse("it is no directory"),
        metadata => metadata.context("look at", directory)?,
    };
    let names = fs::list(directory)?;
    let mut others = names.iter().filter(|name| !name.starts_with(PREFIX.as_bytes())).peekable();
    if others.peek().is_none() {
        return Ok(());
    }
    // A list that was read while another build made the layout may lack what came first.
    if !directory.join(MARK).exists() {
        return refuse("it holds other files and no `oci-layout`");
    }
    let version = document(directory, MARK)?.and_then(|mark| {
        Some(mark.get("imageLayoutVersion")?.as_str()?.strip_prefix("1.0.")?.parse::<u32>().is_ok())
    });
    if version != Some(true) {
        return refuse("its `oci-layout` has no version 1.0");
    }
    read_index(directory).map(drop)
}

/// A JSON file of a layout; nothing when it is not there.
fn document(directory: &Path, name: &str) -> Result<Option<Value>, Error> {
    let path = directory.join(name);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.context("read", &path)?,
    };
    let refused = |source| Error::NotLayout {
        path: directory.to_owned(),
        why: format!("its `{name}` is no JSON ({source})"),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(refused)
}

/// `index.json`, or an empty one for a layout that has none yet.
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

/// Adds a foreign image, whose blobs wait in `staging` but for those that were there already.
pub(super) fn receive(
    graph: &Graph,
    staging: &Staging,
    names: &[Name],
    directory: &Path,
) -> Result<Vec<Warning>, Error> {
    change(directory, |layout| layout.receive(graph, staging, names))
}

/// Whether the layout at `directory` has these very bytes.
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

/// Where the blobs of `root` are in the layout at `directory`.
pub(super) fn blobs_of(root: &Root, directory: &Path) -> Vec<PathBuf> {
    let layers = root.blobs().map(|layer| layer.digest.hex());
    let documents = root.documents().map(name);
    layers.chain(documents).map(|name| blobs_in(directory).join(name)).collect()
}

/// Where the blobs of `artifact` are in the layout at `directory`.
pub(super) fn blobs_of_artifact(artifact: &Artifact, directory: &Path) -> Vec<PathBuf> {
    artifact.blobs().iter().map(|blob| blobs_in(directory).join(name(blob))).collect()
}

fn blobs_in(directory: &Path) -> PathBuf {
    directory.join("blobs").join("sha256")
}

/// Lets `write` change the layout at `directory`, which is made where there is none.
fn change(
    directory: &Path,
    write: impl FnOnce(&Layout<'_>) -> Result<Vec<Warning>, Error>,
) -> Result<Vec<Warning>, Error> {
    let directory = &fs::absolute(directory)?;
    let _parents = Parents::make(directory)?;
    let layout = Layout::enter(directory)?;
    let written = write(&layout);
    if written.is_err() && layout.made && !directory.join(INDEX).exists() {
        // The error that led here matters more than one of tidying up.
        let _ = std::fs::remove_dir_all(directory);
    }
    written
}

/// A layout that nobody else writes to while this lives.
struct Layout<'a> {
    directory: &'a Path,
    made: bool,
    _lock: Option<File>,
}

impl<'a> Layout<'a> {
    /// Makes the layout where there is none, and waits for its lock.
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
                // A build that failed removed the directory it had made.
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
        Err(fs::Error::new("lock", directory, io::Error::other("it keeps changing")).into())
    }

    /// Nothing when the file that was locked is not in the layout any more.
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
            // Then two builds at once may lose an entry, but never a blob of one.
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

    /// Takes a blob from where it waits, unless it was here already.
    fn place(&self, named: &Descriptor, staging: &Staging) -> Result<(), Error> {
        let (waiting, path) = (staging.path(named.digest), self.blobs()?.join(named.digest.hex()));
        if waiting.exists() {
            return Ok(place::link(&waiting, &path)?);
        }
        if path.exists() {
            return Ok(());
        }
        // It was there, and another build has tidied it away since.
        let source = io::Error::other(format!("{} bytes of it went meanwhile; do it again", named.size));
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

    /// The directory of the blobs, made where there is none.
    fn blobs(&self) -> Result<PathBuf, Error> {
        let blobs = blobs_in(self.directory);
        std::fs::create_dir_all(&blobs).context("create", &blobs)?;
        Ok(blobs)
    }

    /// Names what was written, and removes what is not named any more.
    fn finish(&self, index: &Value) -> Result<Vec<Warning>, Error> {
        place::write(&self.directory.join(INDEX), &bytes("index", index)?)?;
        Ok(collect::collect(self.directory, index))
    }
}

fn name(blob: &Blob) -> String {
    blob.descriptor().digest.hex()
}

/// Writes the mark complete and never over another's; whether the directory was still there.
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
