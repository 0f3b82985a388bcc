//! What an image expects of its surroundings: files and where they are mounted, parameters, variables, ports, and what
//! it writes to. None of it is configuration itself.
//!
//! It knows no recipe and no object of Kubernetes. As canonical JSON it is a label of the image; with templates and
//! schema it is a [`Document`].

mod diff;
mod document;
mod error;
mod label;
mod make;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use diff::{Change, changes};
pub use document::{Document, MEDIA_TYPE, TemplateText};
pub use error::Error;
pub use label::{LABEL, MAX_SIZE};
pub use make::Facts;

/// The version of the format, which stands in every contract.
pub const VERSION: u32 = 1;

/// What an image expects. Lists are sorted; what is empty is not written.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Contract {
    /// [`VERSION`].
    pub version: u32,
    /// Directories that are mounted, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// What templates are rendered from, by key (`db.host`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// The digest of the parameters' JSON Schema, as a [`Document`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Environment variables that are given the text of a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Variable>,
    /// Ports with their protocols: `8080/tcp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Who the program runs as: `UID:GID`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Directories that the program writes to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writable: Vec<Writable>,
    /// The digest of the whole contract, where this one leaves something out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// A directory that is mounted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// Its path for the program.
    pub path: String,
    /// `restart`, `watch` or `signal:NAME`.
    pub reload: String,
    /// Its files, by key.
    pub files: Vec<File>,
}

/// A file of a mount.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct File {
    /// Its name, which is its key in a ConfigMap or Secret.
    pub key: String,
    /// It belongs into a Secret.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
    /// The program starts without it, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// What it is read as: `toml`, `yaml`, `json`, `ini`, `properties` or `env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The parameters that are in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<String>,
}

/// What is known of a parameter without its value.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Parameter {
    /// The types that JSON Schema allows, divided by `|`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// It has to be given: there is no default.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// Its value is secret.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
}

/// An environment variable that is given the text of a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The file's path for the program: a mount and a key.
    pub from: String,
}

/// A directory that the program writes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Writable {
    /// Its path.
    pub path: String,
    /// What is in it has to outlive the pod.
    #[serde(default, skip_serializing_if = "is_false")]
    pub persistent: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Contract {
    /// Nothing is expected that a runtime would not see in the image's config.
    pub fn is_trivial(&self) -> bool {
        self.mounts.is_empty() && self.writable.is_empty() && self.env.is_empty()
    }
}
