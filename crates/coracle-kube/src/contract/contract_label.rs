//! The contract as it is stored in an image label: its fields, canonical JSON, and parsing.

use std::collections::BTreeMap;

use coracle_core::digest::Digest;
use coracle_core::hint::Hint;
use coracle_core::json;
use coracle_core::path::{ImagePath, escape_bytes};
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::kubernetes_limits::invalid_key_reason;
use crate::mounted_path::invalid_path_reason;
use crate::values::ValuesError;

/// The name of the label.
pub const CONTRACT_LABEL: &str = "io.coracle.config.v1";

/// The largest label value, in bytes. containerd drops labels whose name and value exceed 4,096.
pub const MAX_LABEL_BYTES: usize = 3_500;

/// The version of the contract format.
pub const CONTRACT_VERSION: u32 = 1;

/// The expectations of an image at run time. Lists are sorted; empty fields are not serialized.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Contract {
    /// The format version, [`CONTRACT_VERSION`].
    pub version: u32,
    /// Mounted directories, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<ContractMount>,
    /// Parameters of the templates, by key (`db.host`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, ContractParameter>,
    /// The digest of the parameters' JSON Schema in the full contract, a
    /// [`ContractDocument`](super::ContractDocument).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Environment variables whose value is the text of a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<ContractVariable>,
    /// Ports with protocols: `8080/tcp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// The user and group that the program runs as: `UID:GID`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Directories that the program writes to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writable: Vec<ContractDirectory>,
    /// The digest of the full contract, if this one omits something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// A mounted directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractMount {
    /// The mount path in the container.
    pub path: String,
    /// How a change reaches the program: `restart`, `watch` or `signal:NAME`.
    pub reload: String,
    /// The files, sorted by path.
    pub files: Vec<ContractFile>,
}

/// A file in a mounted directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractFile {
    /// The key in the ConfigMap or Secret.
    pub key: String,
    /// The path in the mount, if it is not the key: in a folder, or with characters that keys cannot
    /// have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `true` if it must be in a Secret.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
    /// `true` if the program starts without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// The file format: `toml`, `yaml`, `json`, `jsonc`, `ini`, `lenient-ini`, `properties` or `env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The parameters that it uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<String>,
}

/// A parameter, without its value.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ContractParameter {
    /// The allowed JSON types, separated by `|`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `true` if it must be given because there is no default.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// `true` if the value is secret.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
}

/// An environment variable whose value is the text of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractVariable {
    /// The variable's name.
    pub name: String,
    /// The file's path in the container.
    pub from: String,
}

/// A directory that the program writes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractDirectory {
    /// The path in the container.
    pub path: String,
    /// `true` if its contents must outlive the pod.
    #[serde(default, skip_serializing_if = "is_false")]
    pub persistent: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}

impl ContractFile {
    /// Returns the path in the mount.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(&self.key)
    }
}

impl Contract {
    /// Returns whether the contract expects nothing beyond the image's config.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty() && self.writable.is_empty() && self.env.is_empty()
    }

    /// Returns canonical JSON of at most [`MAX_LABEL_BYTES`] bytes. If the contract is too large, omits
    /// the parameters and adds the digest of the full [`Contract::to_json`].
    ///
    /// # Errors
    /// Fails if the contract is too large even without parameters.
    pub fn to_label(&self) -> Result<String, ContractError> {
        let full = self.to_json()?;
        if full.len() <= MAX_LABEL_BYTES {
            return Ok(full);
        }
        let mut short = Self {
            parameters: Default::default(),
            document: Some(Digest::compute(full.as_bytes()).to_string()),
            ..self.clone()
        };
        short.mounts.iter_mut().flat_map(|mount| &mut mount.files).for_each(|file| file.uses.clear());
        let short = short.to_json()?;
        if short.len() <= MAX_LABEL_BYTES {
            Ok(short)
        } else {
            Err(ContractError::TooLarge { size: short.len() })
        }
    }

    /// Returns the full contract as canonical JSON.
    ///
    /// # Errors
    /// Fails if serialization fails, which cannot happen for contracts made by this module.
    pub fn to_json(&self) -> Result<String, ContractError> {
        Ok(String::from_utf8_lossy(&json::to_bytes(self)?).into_owned())
    }

    /// Parses a contract from a label or a file.
    ///
    /// # Errors
    /// Fails if the JSON is not a valid contract, or has an unsupported version.
    pub fn parse(text: &str) -> Result<Self, ContractError> {
        let invalid = |error: serde_json::Error| ContractError::InvalidLabel { why: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(text).map_err(invalid)?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        match version.and_then(|version| u32::try_from(version).ok()) {
            Some(CONTRACT_VERSION) => {}
            Some(other) => return Err(ContractError::UnsupportedVersion(other)),
            None => return Err(ContractError::InvalidLabel { why: "`version` is missing".into() }),
        }
        let contract: Self = serde_json::from_value(value).map_err(invalid)?;
        contract.validate()?;
        Ok(contract)
    }

    /// Validates paths and keys: the label may come from anywhere.
    fn validate(&self) -> Result<(), ContractError> {
        let mounts = self.mounts.iter().map(|mount| mount.path.as_str());
        let writable = self.writable.iter().map(|writable| writable.path.as_str());
        let variables = self.env.iter().map(|variable| variable.from.as_str());
        for path in mounts.chain(writable).chain(variables) {
            path.parse::<ImagePath>()
                .map_err(|error| ContractError::InvalidLabel { why: error.to_string() })?;
        }
        let mut keys = self.mounts.iter().flat_map(|mount| &mount.files).map(|file| file.key.as_str());
        if let Some(key) = keys.find(|key| invalid_key_reason(key).is_some()) {
            return Err(ContractError::InvalidLabel {
                why: format!("`{}` is not a valid key", escape_bytes(key.as_bytes())),
            });
        }
        let mut paths = self.mounts.iter().flat_map(|mount| &mount.files).map(ContractFile::path);
        match paths.find(|path| invalid_path_reason(path).is_some()) {
            Some(path) => Err(ContractError::InvalidLabel {
                why: format!("`{}` is not a valid path of a file", escape_bytes(path.as_bytes())),
            }),
            None => Ok(()),
        }
    }
}

/// Why a contract cannot be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A label with an invalid contract.
    #[error("the label `{label}` is not a valid contract: {why}", label = CONTRACT_LABEL)]
    InvalidLabel {
        /// The reason.
        why: String,
    },
    /// A contract in an unsupported version of the format.
    #[error("the contract has format version {0}; this version of Coracle supports only {known}", known = CONTRACT_VERSION)]
    UnsupportedVersion(u32),
    /// The contract is too large for a label, even without parameters.
    #[error("the contract is too large for an image label: {size} bytes, at most {limit} are allowed", limit = MAX_LABEL_BYTES)]
    TooLarge {
        /// The size in bytes.
        size: usize,
    },
    /// Serialization failed.
    #[error("cannot write the contract as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<ValuesError> for ContractError {
    fn from(error: ValuesError) -> Self {
        Self::Config(error.into())
    }
}

impl Hint for ContractError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::UnsupportedVersion(_) => {
                Some("use the version of Coracle that built the image, or a later one".into())
            }
            Self::TooLarge { .. } => Some(
                "the label lists every mount, file, variable and writable directory: shorten their names, or merge \
                 several files into one"
                    .into(),
            ),
            Self::InvalidLabel { .. } | Self::Json(_) => None,
        }
    }
}
