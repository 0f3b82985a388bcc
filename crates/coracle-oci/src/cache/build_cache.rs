//! The cache directory, which builds share: private to one user, with a subdirectory per format
//! version. Also stores records of builds: byte strings by key, each prefixed with its digest.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coracle_core::digest::Digest;
use coracle_core::fs::{self, Context, FinalLink, PathMetadata};
use coracle_core::hint::Hint;
use coracle_core::note::Note;

/// The subdirectory of the current format version. Others are left alone.
pub(super) const FORMAT_VERSION: &str = "v1";
/// The subdirectory for compressed layers.
pub(super) const LAYERS_DIR: &str = "layers";
/// The subdirectory for blobs of base images.
pub(super) const BLOBS_DIR: &str = "blobs";
/// The subdirectory for records of builds.
pub(super) const RECORDS_DIR: &str = "builds";

/// The file that excludes the directory from backups. Source: the Cache Directory Tagging
/// Specification.
pub(super) const CACHEDIR_TAG: &str = "CACHEDIR.TAG";
const CACHEDIR_TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory is the build cache of coracle; all of it can be removed.\n";

/// Maximum size of a record in bytes.
const MAX_RECORD_SIZE: u64 = 256 << 20;

/// Default size limit in bytes.
pub const DEFAULT_LIMIT: u64 = 5_000_000_000;

/// A cache directory. Several builds can use it at once, in one or several processes.
#[derive(Debug)]
pub struct BuildCache {
    /// The directory named by the user.
    pub(super) root: PathBuf,
    /// An identifier of the building program and its version.
    pub(super) tool_id: String,
    /// The time when the cache was opened, by the file system's clock (seconds, nanoseconds).
    pub(super) opened_at: fs::Timestamp,
    /// `true` if records of builds are stored.
    pub(super) has_records: bool,
    /// `true` if anything was added since the last pruning.
    pub(super) has_additions: AtomicBool,
    pub(super) first_error: Mutex<Option<fs::Error>>,
}

/// The error for a cache directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory cannot be created or written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// Other users have access, and could therefore change images.
    #[error("`{}` is accessible to other users", .0.display())]
    NotPrivate(PathBuf),
}

impl Hint for CacheError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File(_) => "pass `--no-cache`, or `--cache-dir` with a writable directory".into(),
            Self::NotPrivate(path) => {
                format!(
                    "run `chmod 700 {0}` as the user who builds, who must own the directory",
                    path.display()
                )
            }
        })
    }
}

impl BuildCache {
    /// Opens the cache in the directory `root`, and creates it if needed. `tool_id` identifies the
    /// version of the building program: build records of other versions are not used.
    ///
    /// # Errors
    /// Fails if the directory cannot be written, or other users have access.
    pub fn open(root: &Path, tool_id: impl Into<String>) -> Result<Self, CacheError> {
        fs::create_private_dir_all(root).context("create", root)?;
        // A new file shows the current user, to compare with the owner, and the file system's time.
        let tag = tempfile::NamedTempFile::new_in(root).and_then(|mut file| {
            file.write_all(CACHEDIR_TAG_TEXT.as_bytes())?;
            Ok(file)
        });
        let tag = tag.context("write to", root)?;
        if !fs::is_private_dir(root, tag.as_file())? {
            return Err(CacheError::NotPrivate(root.to_owned()));
        }
        let directory = root.join(FORMAT_VERSION);
        for directory in [&directory, &directory.join(LAYERS_DIR), &directory.join(RECORDS_DIR)] {
            create_real_dir(directory)?;
        }
        let opened_at = fs::stat(tag.path())?.mtime;
        // Not in `root`, which may contain other files of the user.
        let path = directory.join(CACHEDIR_TAG);
        if !path.exists() {
            tag.persist(&path).map_err(|error| error.error).context("write", &path)?;
        }
        Ok(Self {
            root: root.to_owned(),
            tool_id: tool_id.into(),
            opened_at,
            has_records: true,
            has_additions: false.into(),
            first_error: Mutex::default(),
        })
    }

    /// Marks `path` as used now, so that it is pruned later than others. Failure only means earlier
    /// pruning.
    pub(super) fn mark_used(&self, path: &Path) {
        let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(self.opened_at()));
    }

    /// The current time of the cache's file system; `None` if no file
    /// can be created there.
    pub fn file_system_time(&self) -> Option<fs::Timestamp> {
        let created = tempfile::NamedTempFile::new_in(&self.root).context("write to", &self.root);
        let now = created.and_then(|file| Ok(fs::stat(file.path())?.mtime));
        now.map_err(|error| self.record_error(error)).ok()
    }

    /// The time when the cache was opened.
    pub(super) fn opened_at(&self) -> SystemTime {
        let since_second = Duration::from_nanos(self.opened_at.nanoseconds.unsigned_abs());
        UNIX_EPOCH + Duration::from_secs(self.opened_at.seconds.unsigned_abs()) + since_second
    }

    /// The directory of the current format version.
    pub(super) fn version_directory(&self) -> PathBuf {
        self.root.join(FORMAT_VERSION)
    }

    /// Disables records of builds, for builds that are not repeated, such as builds into a
    /// temporary directory.
    #[must_use]
    pub fn without_records(self) -> Self {
        Self { has_records: false, ..self }
    }

    /// Returns whether records of builds are stored and used.
    pub fn has_records(&self) -> bool {
        self.has_records
    }

    /// An identifier of the building program and its version.
    pub fn tool_id(&self) -> &str {
        &self.tool_id
    }

    /// Records the first error.
    pub(super) fn record_error(&self, error: fs::Error) {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Prunes the cache to [`DEFAULT_LIMIT`] if anything was added. Call it after all builds.
    pub fn prune_to_default_limit(&self) {
        if self.has_additions.swap(false, Ordering::Relaxed)
            && let Err(error) = self.prune(DEFAULT_LIMIT)
        {
            self.record_error(error);
        }
    }

    /// Takes the first error since the last call, as a warning. Images are correct despite it.
    pub fn take_warning(&self) -> Option<Note> {
        let error = self.first_error.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let why = std::error::Error::source(&error).map(|why| format!(": {why}")).unwrap_or_default();
        let root = self.root.display();
        Some(Note::Warning(format!(
            "{error}{why}; the images are correct, but the cache `{root}` was not used"
        )))
    }
}

/// Creates a private directory of the cache.
///
/// # Errors
/// Fails if it cannot be created, or is a link: a restored cache can contain links to anywhere.
pub(super) fn create_real_dir(path: &Path) -> fs::Result<()> {
    fs::create_private_dir_all(path).context("create", path)?;
    match fs::symlink_metadata(path)? {
        Some(PathMetadata::Directory) => Ok(()),
        _ => Err(fs::Error::new("use", path, io::Error::other("it is not a directory"))),
    }
}

impl BuildCache {
    /// Returns the record of `key`; `None` if there is none or it is damaged.
    pub fn read_record(&self, key: Digest) -> Option<Vec<u8>> {
        let path = self.record_path(key);
        let bytes = fs::read_regular_file(&path, FinalLink::Refuse, MAX_RECORD_SIZE).ok()?;
        let (digest, record) = bytes.split_at_checked(64)?;
        if digest != Digest::compute(record).hex().as_bytes() {
            return None;
        }
        self.mark_used(&path);
        Some(record.to_vec())
    }

    /// Stores `record` under `key` and replaces an earlier one.
    pub fn write_record(&self, key: Digest, record: &[u8]) {
        let path = self.record_path(key);
        let written = tempfile::NamedTempFile::new_in(self.version_directory()).and_then(|mut file| {
            file.write_all(Digest::compute(record).hex().as_bytes())?;
            file.write_all(record)?;
            Ok(file.persist(&path)?)
        });
        match written {
            Ok(_) => self.has_additions.store(true, Ordering::Relaxed),
            Err(error) => self.record_error(fs::Error::new("write", &path, error)),
        }
    }

    /// Removes the record of `key`.
    pub fn remove_record(&self, key: Digest) {
        let path = self.record_path(key);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.record_error(fs::Error::new("remove", &path, error));
            }
            _ => {}
        }
    }

    fn record_path(&self, key: Digest) -> PathBuf {
        self.version_directory().join(RECORDS_DIR).join(key.hex())
    }
}
