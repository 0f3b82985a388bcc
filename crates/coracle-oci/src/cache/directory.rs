//! The cache directory: private to one user, with a subdirectory per format version.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::build_cache::BuildCache;
use coracle_core::fs::{self, Context};
use coracle_core::hint::Hint;

/// The subdirectory of the current format version. Others are left alone.
pub(super) const FORMAT_VERSION: &str = "v1";
/// The subdirectory for compressed layers.
pub(super) const LAYERS_DIR: &str = "layers";
/// The subdirectory for blobs of base images.
pub(super) const BLOBS_DIR: &str = "blobs";
/// The subdirectory for records of builds.
pub(super) const RECORDS_DIR: &str = "builds";

/// Excludes the directory from backups. Source: the Cache Directory Tagging Specification.
pub(super) const CACHEDIR_TAG: &str = "CACHEDIR.TAG";
const CACHEDIR_TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory is the build cache of coracle; all of it can be removed.\n";

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
            io::Write::write_all(&mut file, CACHEDIR_TAG_TEXT.as_bytes())?;
            Ok(file)
        });
        let tag = tag.context("write to", root)?;
        if !fs::is_private_dir(root, tag.as_file())? {
            return Err(CacheError::NotPrivate(root.to_owned()));
        }
        let directory = root.join(FORMAT_VERSION);
        for directory in [&directory, &directory.join(LAYERS_DIR), &directory.join(RECORDS_DIR)] {
            fs::create_private_dir_all(directory).context("create", directory)?;
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
            first_error: std::sync::Mutex::default(),
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
}
