//! Renders the files of every mount: all, those without secrets, or those whose values are given.

use super::{
    ConfigError, ConfigProblem, Configuration, FileSource, MountFile, RenderedFile, RenderedMount,
    find_problems, keys, read_source,
};
use crate::template::{self, Format, RenderedText, UsedKeys};
use crate::values::{KeyPath, Schema, ValueSource, Values};

/// Which files are rendered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RenderScope {
    /// All; every required value must be given.
    All,
    /// All, but secret files without content; their values may be missing.
    WithoutSecrets,
    /// All but those that use a missing value.
    GivenValues,
}

/// The files of a configuration whose values are given.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PartialRender {
    /// The mounts, without files that use a missing value.
    pub mounts: Vec<RenderedMount>,
    /// The given secret values, by key.
    pub secrets: Vec<(KeyPath, Vec<u8>)>,
}

/// Renders every file; writes nothing to disk.
///
/// # Errors
/// Fails with every problem found, with file and line.
pub fn render(configuration: &Configuration) -> Result<Vec<RenderedMount>, ConfigError> {
    Ok(render_scope(configuration, RenderScope::All)?.mounts)
}

/// Renders every file that is not secret. Secret files are listed without content, and their values
/// may be missing.
///
/// # Errors
/// Fails like [`render`].
pub fn render_public(configuration: &Configuration) -> Result<Vec<RenderedMount>, ConfigError> {
    Ok(render_scope(configuration, RenderScope::WithoutSecrets)?.mounts)
}

/// Renders every file whose values are given, for builds, which have no secrets. Without a schema,
/// any undefined name may be given later, and values of `--set-file` are treated as secret.
///
/// # Errors
/// Fails with every problem that no further value can fix.
pub fn render_partial(configuration: &Configuration) -> Result<PartialRender, ConfigError> {
    render_scope(configuration, RenderScope::GivenValues)
}

fn render_scope(configuration: &Configuration, extent: RenderScope) -> Result<PartialRender, ConfigError> {
    let schema = configuration.schema.as_deref().map(Schema::read).transpose()?;
    let values = Values::read(&configuration.values)?;
    let values = match (&schema, extent) {
        (None, _) => values,
        (Some(schema), RenderScope::All) => values.validate(schema)?,
        (Some(schema), RenderScope::WithoutSecrets) => values.validate_without_secrets(schema)?,
        (Some(schema), RenderScope::GivenValues) => values.validate_partial(schema)?,
    };
    let secrets = match &schema {
        Some(schema) => schema.secrets(),
        None if extent == RenderScope::GivenValues => values.set_file_keys(),
        None => Vec::new(),
    };
    let mut problems = find_problems(configuration);
    problems.extend(secrets_on_command_line(&configuration.values, &secrets));
    let mut mounts = Vec::new();
    for mount in &configuration.mounts {
        let mut files: Vec<RenderedFile> = Vec::new();
        for file in &mount.files {
            match render_file(file, &values, &secrets, extent) {
                Ok(rendered) => files.push(rendered),
                Err(error)
                    if extent == RenderScope::GivenValues && error.is_missing_value(schema.as_ref()) => {}
                Err(error) => problems.push(error.into()),
            }
        }
        files.sort_by(|a, b| a.key.cmp(&b.key));
        problems.extend(keys::size_problem(mount, &files));
        mounts.push(RenderedMount {
            path: mount.path.clone(),
            reload: mount.reload.clone(),
            is_optional: mount.is_optional,
            files,
        });
    }
    if !problems.is_empty() {
        return Err(ConfigError::Problems(problems));
    }
    Ok(PartialRender { mounts, secrets: values.scalars_at(&secrets) })
}

/// Returns problems with secrets on the command line, where other users of the machine can read
/// them.
fn secrets_on_command_line(sources: &[ValueSource], secrets: &[KeyPath]) -> Vec<ConfigProblem> {
    let keys = sources.iter().filter_map(|source| match source {
        ValueSource::Set { key, .. } => Some(key),
        ValueSource::File(_) | ValueSource::SetFile { .. } => None,
    });
    let secret = keys.filter(|key| secrets.iter().any(|secret| secret.overlaps(key)));
    secret
        .map(|key| {
            ConfigProblem::new(
                format!("`{key}` is secret and must not be on the command line, which other users can read"),
                format!("read it from a file with `--set-file {key}=FILE`, or from stdin with `--set-file {key}=-`"),
            )
        })
        .collect()
}

fn render_file(
    file: &MountFile,
    values: &Values,
    secrets: &[KeyPath],
    extent: RenderScope,
) -> Result<RenderedFile, RenderFileError> {
    let is_secret =
        |uses: &UsedKeys| uses.iter().any(|used| secrets.iter().any(|secret| secret.overlaps(used)));
    let (key, format) = (file.key.clone(), Format::from_file_name(&file.key));
    let template = match read_source(file)? {
        FileSource::Verbatim(bytes) => {
            validate_verbatim(file, format, &bytes)?;
            return Ok(RenderedFile { key, bytes, is_secret: false, format, used_keys: UsedKeys::new() });
        }
        FileSource::Template(template) => template,
    };
    if extent == RenderScope::WithoutSecrets {
        let uses = template.used_keys()?;
        if is_secret(&uses) {
            return Ok(RenderedFile { key, bytes: Vec::new(), is_secret: true, format, used_keys: uses });
        }
    }
    let rendered = template.render(values.merged()).map_err(|error| {
        let uses_secret = template.used_keys().is_ok_and(|uses| is_secret(&uses));
        if uses_secret { error.redacted() } else { error }
    })?;
    validate_rendered(file, format, &rendered, is_secret(&rendered.used_keys))?;
    let RenderedText { text, used_keys: uses, .. } = rendered;
    Ok(RenderedFile { key, bytes: text.into_bytes(), is_secret: is_secret(&uses), format, used_keys: uses })
}

/// Validates a rendered file by its extension; errors have the line of the template.
fn validate_rendered(
    file: &MountFile,
    format: Option<Format>,
    rendered: &RenderedText,
    is_secret: bool,
) -> Result<(), ConfigProblem> {
    let Some(format) = format else { return Ok(()) };
    let Err(fault) = format.validate(&rendered.text) else { return Ok(()) };
    let (name, line) = rendered
        .template_line(fault.offset)
        .map_or((file.source.display().to_string(), 1), |(name, line)| (name.to_owned(), line));
    let message = if is_secret { "details hidden because the file is secret" } else { &fault.message };
    Err(ConfigProblem::invalid_rendered_file(format, message, &name, line))
}

/// Validates a file that is copied unchanged by its extension.
fn validate_verbatim(file: &MountFile, format: Option<Format>, bytes: &[u8]) -> Result<(), ConfigProblem> {
    let Some(format) = format else { return Ok(()) };
    let text = std::str::from_utf8(bytes)
        .map_err(|_| ConfigProblem::verbatim_file_not_utf8(format, &file.source))?;
    let Err(fault) = format.validate(text) else { return Ok(()) };
    let line = text.get(..fault.offset).unwrap_or_default().matches('\n').count() + 1;
    Err(ConfigProblem::invalid_verbatim_file(format, &fault.message, &file.source, line))
}

/// Why a file cannot be rendered.
enum RenderFileError {
    Template(template::TemplateError),
    Other(ConfigProblem),
}

impl RenderFileError {
    /// Returns whether the cause is a missing value that may be given later: one that the schema
    /// allows, or any without a schema.
    fn is_missing_value(&self, schema: Option<&Schema>) -> bool {
        let Self::Template(template::TemplateError::Undefined { name, .. }) = self else { return false };
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let end = name.find(|c: char| !is_name(c)).unwrap_or(name.len());
        let key = name.get(..end).and_then(|name| name.parse::<KeyPath>().ok());
        schema.is_none_or(|schema| key.is_some_and(|key| schema.allows_key(&key)))
    }
}

impl From<ConfigProblem> for RenderFileError {
    fn from(problem: ConfigProblem) -> Self {
        Self::Other(problem)
    }
}

impl From<template::TemplateError> for RenderFileError {
    fn from(error: template::TemplateError) -> Self {
        Self::Template(error)
    }
}

impl From<RenderFileError> for ConfigProblem {
    fn from(error: RenderFileError) -> Self {
        match error {
            RenderFileError::Template(error) => error.into(),
            RenderFileError::Other(problem) => problem,
        }
    }
}
