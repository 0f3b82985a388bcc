//! The full contract: with templates and schema, enough to render the configuration again. Made from
//! a configuration, without its values.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract_label::{
    CONTRACT_VERSION, Contract, ContractDirectory, ContractError, ContractFile, ContractMount,
    ContractParameter, ContractVariable, is_false,
};
use crate::config::{self, Configuration, FileVariable, WritableDirectory};
use crate::located_problem::LocatedProblem;
use crate::template::{Delimiters, FileFormat, TemplateSource, TemplateSyntax};
use crate::values::{KeyPath, Schema};
use coracle_core::digest::Digest;
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
    /// The sources of all files, sorted by mount and path.
    pub templates: Vec<ContractTemplate>,
}

/// The source of a mounted file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContractTemplate {
    /// The mount path.
    pub mount: String,
    /// The key in the ConfigMap or Secret.
    pub key: String,
    /// The path in the mount, if it is not the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The template's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Start and end of the delimiters of values, blocks and comments; `None` for `{{ }}`, `{% %}`,
    /// `{# #}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiters: Option<[String; 6]>,
    /// `true` if the line feed behind a block is removed.
    #[serde(default, skip_serializing_if = "is_false", rename = "trimBlocks")]
    pub trim_blocks: bool,
    /// `true` if spaces and tabs between the start of a line and a block are removed.
    #[serde(default, skip_serializing_if = "is_false", rename = "lstripBlocks")]
    pub lstrip_blocks: bool,
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
    /// Returns the path in the mount.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(&self.key)
    }

    /// Reads the source of a mounted file; returns it with the keys that it uses, and its format.
    pub(super) fn from_file(
        mount: &ImagePath,
        file: &config::MountFileSource,
    ) -> Result<(Self, Vec<KeyPath>, Option<FileFormat>), LocatedProblem> {
        let source = config::read_source(file)?;
        let empty = Self {
            mount: mount.to_string(),
            key: file.object_key(),
            path: path_unless_key(&file.path, &file.object_key()),
            text: None,
            delimiters: None,
            trim_blocks: false,
            lstrip_blocks: false,
            includes: BTreeMap::new(),
            data: None,
        };
        Ok(match source {
            config::VerbatimOrTemplate::Verbatim(bytes) => {
                let format = config::format_of_unchanged(file, &bytes);
                (Self { data: Some(STANDARD.encode(bytes)), ..empty }, Vec::new(), format)
            }
            config::VerbatimOrTemplate::Template(template) => {
                let used_keys = template.used_keys()?.into_iter().collect();
                let includes = template.read_includes();
                let TemplateSource { text, syntax, .. } = template;
                let TemplateSyntax { delimiters, trim_blocks, lstrip_blocks } = syntax;
                let delimiters = (delimiters != Delimiters::default()).then(|| delimiters.into());
                let text = Some(text);
                let template = Self { delimiters, trim_blocks, lstrip_blocks, includes, text, ..empty };
                (template, used_keys, file.file_format())
            }
        })
    }
}

/// Facts about an image that are not part of its configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImagePortsAndUser {
    /// Ports with protocols: `8080/tcp`.
    pub ports: Vec<String>,
    /// The user and group: `UID:GID`.
    pub user: String,
}

impl ContractDocument {
    /// Makes the contract for `configuration`, with its templates and schema; reads no values.
    ///
    /// # Errors
    /// Fails with every problem of templates, keys, mounts and schema.
    pub fn new(configuration: &Configuration, facts: &ImagePortsAndUser) -> Result<Self, ContractError> {
        let schema = configuration.schema.as_deref().map(Schema::read).transpose()?;
        let secrets = schema.as_ref().map(Schema::secrets).unwrap_or_default();
        let mut problems = config::configuration_problems(configuration);
        let mut mounts: BTreeMap<&ImagePath, ContractMount> = BTreeMap::new();
        let mut templates = Vec::new();
        for mount in &configuration.mounts {
            let contract_mount =
                mounts.entry(&mount.path).or_insert_with(|| empty_mount(&mount.path, &mount.reload));
            for file in &mount.files {
                match ContractTemplate::from_file(&mount.path, file) {
                    Ok((template, used_keys, format)) => {
                        templates.push(template);
                        let secret =
                            used_keys.iter().any(|used| secrets.iter().any(|secret| secret.overlaps(used)));
                        contract_mount.files.push(ContractFile {
                            secret,
                            optional: mount.is_optional,
                            ..contract_file(file, format, &used_keys)
                        });
                    }
                    Err(problem) => problems.push(problem),
                }
            }
        }
        for secret in &configuration.secrets {
            let contract_mount =
                mounts.entry(&secret.path).or_insert_with(|| empty_mount(&secret.path, &secret.reload));
            let files = secret.files.iter();
            contract_mount.files.extend(files.map(|file| ContractFile {
                key: file.key.clone(),
                path: path_unless_key(&file.path, &file.key),
                secret: true,
                optional: secret.is_optional,
                format: None,
                uses: Vec::new(),
            }));
        }
        let mut mounts: Vec<ContractMount> = mounts.into_values().collect();
        mounts.iter_mut().for_each(|mount| mount.files.sort_by(|a, b| a.path().cmp(b.path())));
        problems.extend(
            configuration.variables.iter().filter_map(|variable| variable_problem(variable, &mounts)),
        );
        if !problems.is_empty() {
            return Err(config::ConfigError::Problems(problems).into());
        }
        let parameters = contract_parameters(schema.as_ref(), &mounts);
        let schema = schema.map(|schema| schema.redacted());
        let contract = Contract {
            version: CONTRACT_VERSION,
            parameters,
            schema: schema
                .as_ref()
                .map(json::to_bytes)
                .transpose()?
                .map(|bytes| Digest::compute(&bytes).to_string()),
            env: sorted_by(configuration.variables.iter().map(contract_variable), |variable| {
                variable.name.clone()
            }),
            ports: facts.ports.clone(),
            user: facts.user.clone(),
            writable: sorted_by(
                configuration.writable_directories.iter().map(writable_directory),
                |writable| writable.path.clone(),
            ),
            document: None,
            mounts,
        };
        templates.sort_by(|a, b| (&a.mount, a.path()).cmp(&(&b.mount, b.path())));
        Ok(Self { contract, schema, templates })
    }
}

fn empty_mount(path: &ImagePath, reload: &config::ReloadMethod) -> ContractMount {
    ContractMount { path: path.to_string(), reload: reload.to_string(), files: Vec::new() }
}

fn contract_file(
    file: &config::MountFileSource,
    format: Option<FileFormat>,
    used_keys: &[KeyPath],
) -> ContractFile {
    let format = format.map(|format| format.name().to_owned());
    // A template that may use any value has the key of the top level.
    let uses = used_keys.iter().filter(|key| !key.is_root()).map(ToString::to_string).collect();
    let key = file.object_key();
    let path = path_unless_key(&file.path, &key);
    ContractFile { key, path, secret: false, optional: false, format, uses }
}

/// Returns `path` if it is not the key.
fn path_unless_key(path: &str, key: &str) -> Option<String> {
    (path != key).then(|| path.to_owned())
}

/// Returns a problem if a variable's file does not exist, or is secret without permission.
fn variable_problem(variable: &FileVariable, mounts: &[ContractMount]) -> Option<LocatedProblem> {
    let file = mounts.iter().find_map(|mount| {
        let directory: ImagePath = mount.path.parse().ok()?;
        mount.files.iter().find(|file| config::path_in_mount(&directory, file.path()) == variable.file)
    });
    match file {
        None => Some(LocatedProblem::variable_without_file(&variable.name, &variable.file)),
        Some(file) if file.secret && !variable.is_secret_allowed => {
            Some(LocatedProblem::variable_with_secret(&variable.name, &variable.file))
        }
        Some(_) => None,
    }
}

/// Returns the schema's parameters; without a schema, the keys that templates use.
fn contract_parameters(
    schema: Option<&Schema>,
    mounts: &[ContractMount],
) -> BTreeMap<String, ContractParameter> {
    let Some(schema) = schema else {
        let used = mounts.iter().flat_map(|mount| &mount.files).flat_map(|file| &file.uses);
        return used
            .map(|key| (key.clone(), ContractParameter { required: true, ..ContractParameter::default() }))
            .collect();
    };
    let known = schema.parameters().into_iter();
    known
        .map(|found| {
            let parameter =
                ContractParameter { kind: found.types, required: found.is_required, secret: found.is_secret };
            (found.key.to_string(), parameter)
        })
        .collect()
}

fn contract_variable(variable: &FileVariable) -> ContractVariable {
    ContractVariable { name: variable.name.clone(), from: variable.file.to_string() }
}

fn writable_directory(directory: &WritableDirectory) -> ContractDirectory {
    ContractDirectory { path: directory.path.to_string(), persistent: directory.size.is_some() }
}

fn sorted_by<T>(items: impl Iterator<Item = T>, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_by_key(key);
    items
}
