//! The configuration that a project already has: its files, values and their schema.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle_kube::config::{self, MAX_OBJECT_BYTES, MountFileSource, VerbatimOrTemplate};
use coracle_kube::values::{KeyPath, Schema, ValueSource, Values};
use serde_json::Value;

use crate::cli::error::CliError;

/// The directories of a project that contain configuration.
const CONFIG_DIRECTORIES: [&str; 3] = ["config", "conf", "etc"];

/// The endings of configuration files, with or without `.j2`.
const CONFIG_ENDINGS: [&str; 11] =
    ["toml", "yaml", "yml", "json", "ini", "conf", "cfg", "cnf", "properties", "xml", "hcl"];

/// Names of configuration files in the project's own directory, besides the program's name.
const CONFIG_NAMES: [&str; 5] = ["config", "settings", "application", "appsettings", "rocket"];

const VALUES_NAMES: [&str; 4] = ["values.toml", "values.yaml", "values.yml", "values.json"];

const SCHEMA_NAMES: [&str; 2] = ["schema.json", "values.schema.json"];

/// Paths relative to the project's directory, with `/`.
#[derive(Default)]
pub(super) struct ExistingConfig {
    /// The files that the program reads, templates of such files, and directories of files.
    pub(super) files: Vec<String>,
    pub(super) values: Vec<String>,
    pub(super) schema: Option<String>,
}

impl ExistingConfig {
    /// Returns the configuration in the project at `folder`, whose program is `name`.
    pub(super) fn find(folder: &Path, name: &str) -> Self {
        let mut found = Self::default();
        let mut keys = BTreeSet::new();
        for directory in CONFIG_DIRECTORIES {
            for file in file_names(&folder.join(directory)) {
                let path = format!("{directory}/{file}");
                if VALUES_NAMES.contains(&file.as_str()) {
                    found.values.push(path);
                } else if SCHEMA_NAMES.contains(&file.as_str()) {
                    found.schema.get_or_insert(path);
                } else if ends_like_config(&file) && keys.insert(mounted_name(&file)) {
                    found.files.push(path);
                }
            }
            let names = fragment_directories(&folder.join(directory));
            let names = names.into_iter().filter(|name| keys.insert(name.clone()));
            found.files.extend(names.map(|name| format!("{directory}/{name}")));
        }
        // The values of a Helm chart are not those of the program.
        let is_chart = folder.join("Chart.yaml").exists();
        for file in file_names(folder) {
            let key = mounted_name(&file);
            let stem = key.split('.').next().unwrap_or_default().to_ascii_lowercase();
            if VALUES_NAMES.contains(&file.as_str()) {
                found.values.extend((!is_chart).then_some(file));
            } else if (stem == name || CONFIG_NAMES.contains(&stem.as_str()))
                && file != "package.json"
                && ends_like_config(&file)
                && keys.insert(key)
            {
                found.files.push(file);
            }
        }
        found
    }

    /// Returns all paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &String> {
        self.files.iter().chain(&self.values).chain(&self.schema)
    }

    /// Returns the merged values of the values files, a table.
    ///
    /// # Errors
    /// Fails if a values file is invalid.
    pub(super) fn read_values(&self, folder: &Path) -> Result<Value, CliError> {
        Ok(self.merge_values(folder)?.merged().clone())
    }

    /// Returns the schema's text as JSON; `None` without a schema or if it is invalid, which the build reports.
    pub(super) fn read_schema(&self, folder: &Path) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(folder.join(self.schema.as_ref()?)).ok()?).ok()
    }

    /// Returns the keys that templates use and that neither a values file nor a default of the schema has.
    pub(super) fn missing_keys(&self, folder: &Path) -> Result<Vec<KeyPath>, CliError> {
        let mut values = self.merge_values(folder)?;
        if let Some(schema) = self.schema.as_ref().and_then(|path| Schema::read(&folder.join(path)).ok())
            && let Ok(complete) = values.clone().validate_partial(&schema)
        {
            values = complete;
        }
        let mut used = BTreeSet::new();
        let files = self.files.iter().map(|path| folder.join(path)).flat_map(|path| match path.is_dir() {
            // The build reports directories that can't be read.
            true => config::read_folder(&path, "", false).unwrap_or_default(),
            false => vec![MountFileSource::from_path(path, None, false)],
        });
        for file in files {
            // The build reports templates that can't be read.
            if let Ok(VerbatimOrTemplate::Template(template)) = config::read_source(&file) {
                used.extend(template.used_keys().unwrap_or_default());
            }
        }
        Ok(used.into_iter().filter(|key| key.find(values.merged()).is_none()).collect())
    }

    fn merge_values(&self, folder: &Path) -> Result<Values, CliError> {
        let sources: Vec<ValueSource> =
            self.values.iter().map(|path| ValueSource::File(folder.join(path))).collect();
        Values::read(&sources).map_err(|error| CliError::from(config::ConfigError::Values(error)))
    }
}

/// Returns the names of the files in `directory` that may be keys of a ConfigMap, sorted so that a template precedes
/// the file that it may have been made from. Dangling links to values and schemas count, because nothing can be written there.
fn file_names(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(directory.join(entry.ok()?.file_name())))
        .filter_map(config_name)
        .collect();
    names.sort_by_key(|name| (mounted_name(name), std::cmp::Reverse(name.len())));
    names
}

/// Returns the names of the directories in `directory` that have parts of a configuration, such as `conf.d`.
fn fragment_directories(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let has_files = |path: &Path| config::read_folder(path, "", false).is_ok_and(|files| !files.is_empty());
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| name.ends_with(".d") && !name.starts_with('.') && has_files(&directory.join(name)))
        .collect();
    names.sort();
    names
}

fn config_name(path: PathBuf) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let is_key = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_file = match path.metadata() {
        Ok(metadata) => metadata.is_file() && metadata.len() <= MAX_OBJECT_BYTES as u64,
        Err(_) => VALUES_NAMES.contains(&name) || SCHEMA_NAMES.contains(&name),
    };
    (is_key && is_file && !name.starts_with('.')).then(|| name.to_owned())
}

/// Returns the name of a file in the mount: without `.j2`.
fn mounted_name(file: &str) -> String {
    file.strip_suffix(".j2").unwrap_or(file).to_owned()
}

fn ends_like_config(file: &str) -> bool {
    let file = mounted_name(file);
    file.rsplit_once('.').is_some_and(|(_, ending)| CONFIG_ENDINGS.contains(&ending))
}
