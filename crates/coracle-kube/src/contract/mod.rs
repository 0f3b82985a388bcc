//! The configuration contract: which mounts, files, parameters, variables, ports and writable
//! directories an image expects. It contains no values.
//!
//! Stored as canonical JSON in an image label; with templates and schema it is a [`Document`]. Does
//! not depend on recipes or Kubernetes objects.

mod diff;
mod document;
mod error;
mod from_config;
mod label;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use diff::{ContractChange, diff_contracts};
pub use document::{CONTRACT_MEDIA_TYPE, ContractDocument, ContractTemplate};
pub use error::ContractError;
pub use from_config::ImageFacts;
pub use label::{CONTRACT_LABEL, MAX_LABEL_BYTES};

/// The version of the contract format.
pub const CONTRACT_VERSION: u32 = 1;

/// What an image expects at run time. Lists are sorted; empty fields are not serialized.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Contract {
    /// The format version, [`VERSION`].
    pub version: u32,
    /// Mounted directories, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<ContractMount>,
    /// Parameters of the templates, by key (`db.host`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, ContractParameter>,
    /// The digest of the parameters' JSON Schema in the [`Document`].
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
    /// The files, sorted by key.
    pub files: Vec<ContractFile>,
}

/// A file in a mounted directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractFile {
    /// The file's name, which is the key in the ConfigMap or Secret.
    pub key: String,
    /// Whether it must be in a Secret.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
    /// Whether the program starts without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// The file format: `toml`, `yaml`, `json`, `ini`, `properties` or `env`.
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
    /// Whether it must be given because there is no default.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// Whether the value is secret.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
}

/// An environment variable whose value is the text of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractVariable {
    /// The variable's name.
    pub name: String,
    /// The file's path in the container: that of a mount and a key.
    pub from: String,
}

/// A directory that the program writes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractDirectory {
    /// The path in the container.
    pub path: String,
    /// Whether its contents must outlive the pod.
    #[serde(default, skip_serializing_if = "is_false")]
    pub persistent: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Contract {
    /// Returns whether the contract expects nothing beyond the image's config.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty() && self.writable.is_empty() && self.env.is_empty()
    }
}
