//! Makes a contract from a configuration, without values.

use std::collections::BTreeMap;

use super::{Contract, Document, Error, File, Mount, Parameter, Variable, Writable};
use super::{TemplateText, VERSION};
use crate::config::{self, Configuration, Problem};
use coracle_core::digest::Digest;
use coracle_core::json;
use coracle_core::path::ImagePath;
use crate::template::Format;
use crate::values::{KeyPath, Schema};

/// Facts about an image that are not part of its configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Ports with protocols: `8080/tcp`.
    pub ports: Vec<String>,
    /// The user and group: `UID:GID`.
    pub user: String,
}

impl Document {
    /// Makes the contract for `configuration`, with its templates and schema; reads no values.
    ///
    /// # Errors
    /// Fails with every problem of templates, keys, mounts and schema.
    pub fn new(configuration: &Configuration, facts: &Facts) -> Result<Self, Error> {
        let schema = configuration.schema.as_deref().map(Schema::read).transpose()?;
        let secrets = schema.as_ref().map(Schema::secrets).unwrap_or_default();
        let mut problems = config::problems(configuration);
        let mut mounts: BTreeMap<&ImagePath, Mount> = BTreeMap::new();
        let mut templates = Vec::new();
        for mount in &configuration.mounts {
            let made = mounts.entry(&mount.path).or_insert_with(|| empty(&mount.path, &mount.reload));
            for file in &mount.files {
                match TemplateText::read(&mount.path, file) {
                    Ok((template, uses)) => {
                        templates.push(template);
                        let secret =
                            uses.iter().any(|used| secrets.iter().any(|secret| secret.is_along(used)));
                        made.files.push(described(&file.key, secret, mount.is_optional, &uses));
                    }
                    Err(problem) => problems.push(problem),
                }
            }
        }
        for secret in &configuration.secrets {
            let made = mounts.entry(&secret.path).or_insert_with(|| empty(&secret.path, &secret.reload));
            let files = secret.keys.iter();
            made.files.extend(
                files.map(|key| File { format: None, ..described(key, true, secret.is_optional, &[]) }),
            );
        }
        let mut mounts: Vec<Mount> = mounts.into_values().collect();
        mounts.iter_mut().for_each(|mount| mount.files.sort_by(|a, b| a.key.cmp(&b.key)));
        problems.extend(configuration.variables.iter().filter_map(|variable| unfit(variable, &mounts)));
        if !problems.is_empty() {
            return Err(config::Error::Problems(problems).into());
        }
        let parameters = parameters(schema.as_ref(), &mounts);
        let schema = schema.map(|schema| schema.redacted());
        let contract = Contract {
            version: VERSION,
            parameters,
            schema: schema
                .as_ref()
                .map(json::to_bytes)
                .transpose()?
                .map(|bytes| Digest::of(&bytes).to_string()),
            env: sorted(configuration.variables.iter().map(variable), |variable| variable.name.clone()),
            ports: facts.ports.clone(),
            user: facts.user.clone(),
            writable: sorted(configuration.states.iter().map(writable), |writable| writable.path.clone()),
            document: None,
            mounts,
        };
        templates.sort_by(|a, b| (&a.mount, &a.key).cmp(&(&b.mount, &b.key)));
        Ok(Self { contract, schema, templates })
    }
}

fn empty(path: &ImagePath, reload: &config::Reload) -> Mount {
    Mount { path: path.to_string(), reload: reload.to_string(), files: Vec::new() }
}

fn described(key: &str, secret: bool, optional: bool, uses: &[KeyPath]) -> File {
    let format = Format::of(key).map(|format| format.name().to_owned());
    let uses = uses.iter().map(ToString::to_string).collect();
    File { key: key.to_owned(), secret, optional, format, uses }
}

/// Returns a problem if a variable's file does not exist, or is secret without permission.
fn unfit(variable: &config::Variable, mounts: &[Mount]) -> Option<Problem> {
    let name = &variable.name;
    let path = variable.from.to_string();
    let file = path.rsplit_once('/').and_then(|(mount, key)| {
        let mount = mounts.iter().find(|found| found.path == mount)?;
        mount.files.iter().find(|file| file.key == key)
    });
    match file {
        None => Some(Problem::new(
            format!("the variable `{name}` refers to `{path}`, which is not a file of any mount"),
            "write the path of a mount and a key, for example `from = \"/etc/app/log-level\"`",
        )),
        Some(file) if file.secret && !variable.may_be_secret => Some(Problem::new(
            format!("the variable `{name}` would contain `{path}`, which is secret"),
            "let the program read the file: child processes and crash reports expose variables; if it cannot, write \
             `secret-in-environment = true`",
        )),
        Some(_) => None,
    }
}

/// Returns the schema's parameters; without a schema, the keys that templates use.
fn parameters(schema: Option<&Schema>, mounts: &[Mount]) -> BTreeMap<String, Parameter> {
    let Some(schema) = schema else {
        let used = mounts.iter().flat_map(|mount| &mount.files).flat_map(|file| &file.uses);
        return used.map(|key| (key.clone(), Parameter { required: true, ..Parameter::default() })).collect();
    };
    let known = schema.parameters().into_iter();
    known
        .map(|found| {
            let parameter =
                Parameter { kind: found.kind, required: found.is_required, secret: found.is_secret };
            (found.key.to_string(), parameter)
        })
        .collect()
}

fn variable(variable: &config::Variable) -> Variable {
    Variable { name: variable.name.clone(), from: variable.from.to_string() }
}

fn writable(state: &config::State) -> Writable {
    Writable { path: state.path.to_string(), persistent: state.size.is_some() }
}

fn sorted<T>(items: impl Iterator<Item = T>, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_by_key(key);
    items
}
