//! The full contract: with templates and schema, enough to render the configuration again.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::label::{Contract, ContractError};
use crate::config;
use crate::problem::LocatedProblem;
use crate::template::{Delimiters, Template};
use crate::values::KeyPath;
use coracle_core::json;
use coracle_core::path::ImagePath;

/// The media type of the contract as an OCI artifact that refers to its image.
pub const CONTRACT_MEDIA_TYPE: &str = "application/vnd.coracle.config-contract.v1+json";

/// A contract with its templates and schema, but without values.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ContractDocument {
    /// The contract as in the label, without omissions.
    pub contract: Contract,
    /// The JSON Schema of the parameters; without `default`, `enum`, `const` and `examples` of
    /// secret ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The sources of all files, sorted by mount and key.
    pub templates: Vec<ContractTemplate>,
}

/// The source of a mounted file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractTemplate {
    /// The mount path.
    pub mount: String,
    /// The file's name in the mount.
    pub key: String,
    /// The template's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Start and end of the delimiters of values, blocks and comments; `None` for `{{ }}`, `{% %}`,
    /// `{# #}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiters: Option<[String; 6]>,
    /// Included templates, from name to text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub includes: BTreeMap<String, String>,
    /// The bytes of a file that is not a template, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl ContractDocument {
    /// Returns canonical JSON.
    ///
    /// # Errors
    /// Fails if serialization fails, which cannot happen for contracts made by this module.
    pub fn to_json(&self) -> Result<Vec<u8>, ContractError> {
        Ok(json::to_bytes(self)?)
    }
}

impl ContractTemplate {
    /// Reads the source of a mounted file; returns it with the keys that it uses.
    pub(super) fn from_file(
        mount: &ImagePath,
        file: &config::MountFile,
    ) -> Result<(Self, Vec<KeyPath>), LocatedProblem> {
        let source = config::read_source(file)?;
        let empty = Self {
            mount: mount.to_string(),
            key: file.key.clone(),
            text: None,
            delimiters: None,
            includes: BTreeMap::new(),
            data: None,
        };
        Ok(match source {
            config::FileSource::Verbatim(bytes) => {
                (Self { data: Some(STANDARD.encode(bytes)), ..empty }, Vec::new())
            }
            config::FileSource::Template(template) => {
                let used_keys = template.used_keys()?.into_iter().collect();
                let includes = template.read_includes();
                let Template { text, delimiters, .. } = template;
                (
                    Self { delimiters: custom_delimiters(delimiters), includes, text: Some(text), ..empty },
                    used_keys,
                )
            }
        })
    }
}

fn custom_delimiters(delimiters: Delimiters) -> Option<[String; 6]> {
    if delimiters == Delimiters::default() {
        return None;
    }
    let Delimiters { variable, block, comment } = delimiters;
    Some([variable.0, variable.1, block.0, block.1, comment.0, comment.1])
}
