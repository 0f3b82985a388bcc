//! The whole contract: with templates and schema, enough to render the configuration anew.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Contract, Error};
use crate::config::{self, Problem};
use coracle_core::json;
use coracle_core::path::ImagePath;
use crate::template::{Delimiters, Template};
use crate::values::KeyPath;

/// What a document is, as an artifact about its image.
pub const MEDIA_TYPE: &str = "application/vnd.coracle.config-contract.v1+json";

/// A contract with everything that it is about, but no value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// What the label says, whole.
    pub contract: Contract,
    /// The JSON Schema of the parameters; of secret ones neither `default` nor `enum`, `const` or `examples`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The files, by mount and key.
    pub templates: Vec<TemplateText>,
}

/// A file of a mount before it is rendered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TemplateText {
    /// Its directory.
    pub mount: String,
    /// Its name there.
    pub key: String,
    /// The template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What stands around values, blocks and comments, start and end each, where that is not `{{ }}`, `{% %}`, `{# #}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiters: Option<[String; 6]>,
    /// What the template includes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub includes: BTreeMap<String, String>,
    /// The bytes of a file that is no template, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Document {
    /// Canonical JSON.
    ///
    /// # Errors
    /// Never with what this module makes.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        Ok(json::to_bytes(self)?)
    }
}

impl TemplateText {
    /// A file with the values that it uses.
    pub(super) fn read(mount: &ImagePath, file: &config::File) -> Result<(Self, Vec<KeyPath>), Problem> {
        let source = config::source(file)?;
        let named = Self {
            mount: mount.to_string(),
            key: file.key.clone(),
            text: None,
            delimiters: None,
            includes: BTreeMap::new(),
            data: None,
        };
        Ok(match source {
            config::FileSource::Verbatim(bytes) => {
                (Self { data: Some(STANDARD.encode(bytes)), ..named }, Vec::new())
            }
            config::FileSource::Template(template) => {
                let uses = template.uses()?.into_iter().collect();
                let includes = template.includes();
                let Template { text, delimiters, .. } = template;
                (Self { delimiters: words(delimiters), includes, text: Some(text), ..named }, uses)
            }
        })
    }
}

fn words(delimiters: Delimiters) -> Option<[String; 6]> {
    if delimiters == Delimiters::default() {
        return None;
    }
    let Delimiters { variable, block, comment } = delimiters;
    Some([variable.0, variable.1, block.0, block.1, comment.0, comment.1])
}
