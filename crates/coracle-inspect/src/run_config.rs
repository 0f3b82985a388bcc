//! The config of an image: what a container engine runs, and how.

use std::collections::BTreeMap;

use coracle_core::file_system::{FileSystem, ResolutionEnd, resolve_path};
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{DEFAULT_PATH_VARIABLE, ResolveOptions};
use serde::Serialize;
use serde_json::Value;

/// The settings that a container engine applies to a container of the image. Source: image-spec,
/// `config.md`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RunConfigReport {
    /// The user, and the group; `None` means root.
    pub user: Option<String>,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The default arguments, or the program if there is no entrypoint.
    pub cmd: Vec<String>,
    /// The variables, as `NAME=VALUE`.
    pub env: Vec<String>,
    /// The working directory.
    pub working_dir: Option<String>,
    /// The ports, such as `8080/tcp`.
    pub ports: Vec<String>,
    /// The paths of volumes.
    pub volumes: Vec<String>,
    /// The signal that stops a container.
    pub stop_signal: Option<String>,
    /// `true` if a health check is defined. Only Docker runs it.
    pub health_check: bool,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The time of creation, as in the config.
    pub created: Option<String>,
    /// The author.
    pub author: Option<String>,
}

impl RunConfigReport {
    /// Reads the settings in `config`. Members of another type than specified are left out, as
    /// engines do.
    pub fn new(config: &Value) -> Self {
        let run = config.get("config").unwrap_or(&Value::Null);
        let text = |document: &Value, key: &str| {
            let text = document.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let list = |key: &str| {
            let items = run.get(key).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let keys = |key: &str| {
            run.get(key)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(key, _)| key.clone())
                .collect()
        };
        let labels = run.get("Labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        Self {
            user: text(run, "User"),
            entrypoint: list("Entrypoint"),
            cmd: list("Cmd"),
            env: list("Env"),
            working_dir: text(run, "WorkingDir"),
            ports: keys("ExposedPorts"),
            volumes: keys("Volumes"),
            stop_signal: text(run, "StopSignal"),
            health_check: run.get("Healthcheck").is_some_and(|check| !check.is_null()),
            labels: labels.collect(),
            created: text(config, "created"),
            author: text(config, "author"),
        }
    }

    /// Returns the program that a container starts, as written.
    pub fn program(&self) -> Option<&str> {
        self.entrypoint.first().or(self.cmd.first()).map(String::as_str)
    }

    /// Returns the paths at which an engine looks for the program, the first first.
    fn program_candidates(&self) -> Vec<RawPath> {
        let Some(program) = self.program() else { return Vec::new() };
        let working_dir = RawPath::new(self.working_dir.as_deref().unwrap_or("/"));
        if program.contains('/') {
            return vec![RawPath::new(program).absolute_from(&working_dir)];
        }
        let directories = self.path_variable().split(':').filter(|directory| directory.starts_with('/'));
        directories.map(|directory| RawPath::join_bytes(directory.as_bytes(), program.as_bytes())).collect()
    }

    /// Returns the path of the program that a container starts, if it is in `file_system`.
    pub fn find_program(&self, file_system: &dyn FileSystem) -> Option<RawPath> {
        self.program_candidates().into_iter().find(|candidate| {
            let found = resolve_path(file_system, &ImagePath::root(), candidate.as_bytes());
            matches!(found.map(|found| found.end), Ok(ResolutionEnd::File(..)))
        })
    }

    fn path_variable(&self) -> &str {
        let path = self.env.iter().find_map(|variable| variable.strip_prefix("PATH="));
        path.unwrap_or(DEFAULT_PATH_VARIABLE)
    }

    /// Returns the options of resolving the libraries of the image's programs.
    pub fn resolve_options(&self) -> ResolveOptions {
        let variable = |variable: &String| {
            variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let variables: BTreeMap<String, String> = self.env.iter().filter_map(variable).collect();
        let bytes = |name: &str| variables.get(name).cloned().unwrap_or_default().into_bytes();
        let mut options = ResolveOptions::default();
        options.loader_environment.library_path = bytes("LD_LIBRARY_PATH");
        options.loader_environment.preload = bytes("LD_PRELOAD");
        options.loader_environment.reads_preload_file = true;
        options.path_variable = self.path_variable().to_owned();
        if let Some(directory) = &self.working_dir {
            options.working_dir = directory.parse().unwrap_or_else(|_| ImagePath::root());
        }
        ResolveOptions { variables, ..options }
    }
}
