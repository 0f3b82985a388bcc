//! The document of a lock: written and read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::image_plan::Plan;
use crate::packed_files::{PackedFile, PackedNode, packed_files};
use crate::recipe::Recipe;
use coracle_core::fs::{self, FinalLink};
use coracle_core::hint::Hint;
use coracle_core::json;

/// The version of the format.
const VERSION: u64 = 1;
/// The maximum size of a lock in bytes: some hundred thousand files.
const MAX_LOCK_SIZE: u64 = 64 << 20;

/// The files of an image, its base image and its recipe.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u64,
    /// The version of Coracle, of which the bytes of an image depend.
    pub(super) coracle: String,
    /// The checksum of the recipe.
    pub(super) recipe: String,
    pub(super) platforms: BTreeMap<String, LockedPlatform>,
}

/// The image of one platform.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockedPlatform {
    /// The digest of the base image's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<String>,
    /// The files and links by path.
    pub(super) files: BTreeMap<String, LockedFile>,
}

/// A file or a link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockedFile {
    /// The target of a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<String>,
    /// The package, and its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) package: Option<String>,
    pub(super) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
}

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// There is no lock.
    #[error("there is no lock at `{}`", .path.display())]
    Missing {
        /// The path of the lock.
        path: PathBuf,
    },
    /// The lock was written by a later version of Coracle.
    #[error("`{}` has the version {found}, and only version {VERSION} is known", .path.display())]
    LaterVersion {
        /// The path of the lock.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// The file is not a lock.
    #[error("`{}` is not a lock: {why}", .path.display())]
    Invalid {
        /// The path of the lock.
        path: PathBuf,
        /// The reason.
        why: String,
    },
}

impl Hint for LockError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => "create it with `coracle lock`, and commit it with the recipe".into(),
            Self::LaterVersion { .. } => "use the version of Coracle that wrote it, or a later one".into(),
            Self::Invalid { .. } => {
                "restore it from version control, or write it again with `coracle lock --update`".into()
            }
        })
    }
}

impl Lock {
    /// Creates the lock of planned images. Reads all their files.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or has changed since it was planned.
    pub fn of_plans(recipe: &Recipe, plans: &[Plan]) -> Result<Self, Error> {
        let mut platforms = BTreeMap::new();
        for plan in plans {
            let files = packed_files(plan)?;
            let files = files.iter().map(|file| (file.path.to_string(), LockedFile::from(file))).collect();
            let base = plan.base.as_ref().map(|base| base.digest.to_string());
            platforms.insert(plan.platform.to_string(), LockedPlatform { base, files });
        }
        let recipe = recipe.checksum().map_err(|_| Error::Internal("a recipe cannot be serialized"))?;
        let coracle = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { version: VERSION, coracle, recipe: recipe.to_string(), platforms })
    }

    /// Reads the lock at `path`. `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if it cannot be read, is not a lock, or was written by a later version.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let bytes = match fs::read_regular_file(path, FinalLink::Follow, MAX_LOCK_SIZE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let invalid = |error: serde_json::Error| LockError::Invalid {
            path: path.to_owned(),
            why: coracle_core::escape::escape_text(&error.to_string()),
        };
        // The version first: a later one may have other members.
        let Versioned { version: found } = serde_json::from_slice(&bytes).map_err(invalid)?;
        if found != VERSION {
            return Err(LockError::LaterVersion { path: path.to_owned(), found }.into());
        }
        Ok(Some(serde_json::from_slice(&bytes).map_err(invalid)?))
    }

    /// Returns the text of the file: JSON with a line for each file.
    ///
    /// # Errors
    /// Fails if the lock cannot be serialized.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let mut text = format!(
            "{{\n\"version\": {},\n\"coracle\": {},\n\"recipe\": {},\n\"platforms\": {{",
            self.version,
            line(&self.coracle)?,
            line(&self.recipe)?
        );
        for (index, (platform, locked)) in self.platforms.iter().enumerate() {
            text += &format!("{}\n{}: {{", if index > 0 { "," } else { "" }, line(platform)?);
            if let Some(base) = &locked.base {
                text += &format!("\n\"base\": {},", line(base)?);
            }
            text += "\n\"files\": {";
            for (index, (path, file)) in locked.files.iter().enumerate() {
                text += &format!("{}\n{}: {}", if index > 0 { "," } else { "" }, line(path)?, line(file)?);
            }
            text += "\n}}";
        }
        text += "\n}}\n";
        Ok(text)
    }
}

/// Serializes a value as one line.
fn line(value: &impl Serialize) -> Result<String, serde_json::Error> {
    json::to_bytes(value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

impl From<&PackedFile<'_>> for LockedFile {
    fn from(file: &PackedFile<'_>) -> Self {
        let (link, sha256, size) = match &file.node {
            PackedNode::Link(target) => (Some(target.clone()), None, None),
            PackedNode::File { digest, size } => (None, Some(digest.hex()), Some(*size)),
        };
        Self {
            link,
            mode: file.mode.map(|mode| format!("{mode:04o}")),
            package: file.package.map(|package| package.name.clone()),
            reason: file.reason.clone(),
            sha256,
            size,
            version: file.package.map(|package| package.version.clone()),
        }
    }
}
