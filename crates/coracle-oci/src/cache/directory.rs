//! The cache's directory: one user's own, with a folder for each version of its format.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Cache;
use coracle_core::fs::{self, Context};

/// What is in another folder was written by another version, and is not touched.
pub(super) const VERSION: &str = "v1";
/// Compressed layers, below it.
pub(super) const LAYERS: &str = "layers";
/// Blobs of base images, below it.
pub(super) const BLOBS: &str = "blobs";
/// Records of builds, below it.
pub(super) const RECORDS: &str = "builds";

/// Tells programs that make backups to pass it over. Source: the Cache Directory Tagging Specification.
pub(super) const TAG: &str = "CACHEDIR.TAG";
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory is the build cache of coracle; all of it can be removed.\n";

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be made, or nothing can be written there.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// Somebody else could put layers into images.
    #[error("`{}` is open to other users", .0.display())]
    NotPrivate(PathBuf),
}

impl Error {
    /// The next step.
    pub fn hint(&self) -> String {
        match self {
            Self::File(_) => {
                "pass `--no-cache`, or `--cache-dir` with a directory that can be written".into()
            }
            Self::NotPrivate(path) => {
                format!("close it: `chmod 700 {0}`, owned by who builds", path.display())
            }
        }
    }
}

impl Cache {
    /// The cache in the directory `root`, which is made where there is none. `tool` tells the program that builds from
    /// other versions of it: what one has built says nothing about what another would build.
    ///
    /// # Errors
    /// When it can't be written, or is not one user's own.
    pub fn open(root: &Path, tool: impl Into<String>) -> Result<Self, Error> {
        fs::create_private(root).context("create", root)?;
        // It is ours when what we make in it has its owner, and its time is now.
        let tag = tempfile::NamedTempFile::new_in(root).and_then(|mut file| {
            io::Write::write_all(&mut file, TAG_TEXT.as_bytes())?;
            Ok(file)
        });
        let tag = tag.context("write to", root)?;
        if !fs::is_private(root, tag.as_file())? {
            return Err(Error::NotPrivate(root.to_owned()));
        }
        let directory = root.join(VERSION);
        for directory in [&directory, &directory.join(LAYERS), &directory.join(RECORDS)] {
            fs::create_private(directory).context("create", directory)?;
        }
        let began = fs::stat(tag.path())?.times[0];
        // Not above it: the directory that somebody named may hold more than a cache.
        let path = directory.join(TAG);
        if !path.exists() {
            tag.persist(&path).map_err(|error| error.error).context("write", &path)?;
        }
        Ok(Self {
            root: root.to_owned(),
            tool: tool.into(),
            began,
            has_records: true,
            has_grown: false.into(),
            trouble: std::sync::Mutex::default(),
        })
    }

    /// Marks `path` as used in this build, so that others go before it. Who can't be marked goes earlier, which harms
    /// nobody.
    pub(super) fn touch(&self, path: &Path) {
        let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(self.opened()));
    }

    /// The time now, in seconds and nanoseconds, by the clock of the cache's files; nothing where none can be made.
    pub fn now(&self) -> Option<(i64, i64)> {
        let made = tempfile::NamedTempFile::new_in(&self.root).context("write to", &self.root);
        let now = made.and_then(|file| Ok(fs::stat(file.path())?.times[0]));
        now.map_err(|error| self.failed(error)).ok()
    }

    /// When the cache was opened.
    pub(super) fn opened(&self) -> SystemTime {
        let (seconds, nanoseconds) = self.began;
        let nanoseconds = u32::try_from(nanoseconds).unwrap_or_default();
        UNIX_EPOCH + Duration::new(seconds.unsigned_abs(), nanoseconds)
    }

    /// Where everything of this version is.
    pub(super) fn directory(&self) -> PathBuf {
        self.root.join(VERSION)
    }
}

/// Opens and locks the file at `path`, which is made where there is none; nothing while somebody else has it, or when it
/// was removed meanwhile. On a file system without locks everybody has it: then some work may be done twice.
pub(super) fn try_lock(path: &Path) -> fs::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path).context("open", path)?;
    match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
            return Err(fs::Error::new("lock", path, error));
        }
        _ => {}
    }
    Ok(fs::is_at(&file, path)?.then_some(file))
}
