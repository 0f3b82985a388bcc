//! Renders the files of every mount: all, those without secrets, or those whose values are given.

use std::path::Path;

use super::configuration::{Configuration, MountFileSource, RenderedFile, RenderedMount};
use super::configuration_problems::{configuration_problems, size_problem};
use super::error::ConfigError;
use super::source_files::{VerbatimOrTemplate, read_source};
use crate::located_problem::LocatedProblem;
use crate::template::{FileFormat, FormatChoice, RenderedText, TemplateError, UsedKeys, key_of_expression};
use crate::values::{KeyPath, Schema, ValueSource, Values};
use coracle_core::note::Note;

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
pub fn render_all(configuration: &Configuration) -> Result<Vec<RenderedMount>, ConfigError> {
    Ok(render_in_scope(configuration, RenderScope::All)?.mounts)
}

/// Renders every file that is not secret. Secret files are listed without content, and their values
/// may be missing.
///
/// # Errors
/// Fails like [`render_all`].
pub fn render_public(configuration: &Configuration) -> Result<Vec<RenderedMount>, ConfigError> {
    Ok(render_in_scope(configuration, RenderScope::WithoutSecrets)?.mounts)
}

/// Renders every file whose values are given, for builds, which have no secrets. Without a schema,
/// any undefined name may be given later, and values of `--set-file` are treated as secret.
///
/// # Errors
/// Fails with every problem that no further value can fix.
pub fn render_partial(configuration: &Configuration) -> Result<PartialRender, ConfigError> {
    render_in_scope(configuration, RenderScope::GivenValues)
}

/// Returns the secret values that the files of `mounts` use and that are not given.
///
/// # Errors
/// Fails if the schema or the values cannot be read.
pub fn missing_secrets(
    configuration: &Configuration,
    mounts: &[RenderedMount],
) -> Result<Vec<KeyPath>, ConfigError> {
    let Some(schema) = configuration.schema.as_deref().map(Schema::read).transpose()? else {
        return Ok(Vec::new());
    };
    let values = Values::read(&configuration.values)?;
    let files = || mounts.iter().flat_map(|mount| &mount.files);
    let is_used =
        |secret: &KeyPath| files().any(|file| file.used_keys.iter().any(|used| secret.overlaps(used)));
    let is_given = |secret: &KeyPath| secret.find(values.merged()).is_some();
    Ok(schema.secrets().into_iter().filter(|secret| is_used(secret) && !is_given(secret)).collect())
}

fn render_in_scope(configuration: &Configuration, scope: RenderScope) -> Result<PartialRender, ConfigError> {
    let schema = configuration.schema.as_deref().map(Schema::read).transpose()?;
    let values = Values::read(&configuration.values)?;
    let values = match (&schema, scope) {
        (None, _) => values,
        (Some(schema), RenderScope::All) => values.validate(schema)?,
        (Some(schema), RenderScope::WithoutSecrets) => values.validate_without_secrets(schema)?,
        (Some(schema), RenderScope::GivenValues) => values.validate_partial(schema)?,
    };
    let secrets = match &schema {
        Some(schema) => schema.secrets(),
        None if scope == RenderScope::GivenValues => values.set_file_keys(),
        None => Vec::new(),
    };
    let mut problems = configuration_problems(configuration);
    problems.extend(secrets_on_command_line(&configuration.values, &secrets));
    let mut mounts = Vec::new();
    for mount in &configuration.mounts {
        let mut files: Vec<RenderedFile> = Vec::new();
        for file in &mount.files {
            match render_file(file, &values, &secrets, scope) {
                Ok(rendered) => files.push(rendered),
                Err(error)
                    if scope == RenderScope::GivenValues && error.is_missing_value(schema.as_ref()) => {}
                Err(error) => problems.push(error.into()),
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        problems.extend(size_problem(mount, &files));
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
fn secrets_on_command_line(sources: &[ValueSource], secrets: &[KeyPath]) -> Vec<LocatedProblem> {
    let keys = sources.iter().filter_map(|source| match source {
        ValueSource::Set { key, .. } => Some(key),
        ValueSource::File(_) | ValueSource::SetFile { .. } => None,
    });
    let secret = keys.filter(|key| secrets.iter().any(|secret| secret.overlaps(key)));
    secret
        .map(|key| {
            LocatedProblem::new(
                format!("`{key}` is secret and must not be on the command line, which other users can read"),
                format!("read it from a file with `--set-file {key}=FILE`, or from stdin with `--set-file {key}=-`"),
            )
        })
        .collect()
}

fn render_file(
    file: &MountFileSource,
    values: &Values,
    secrets: &[KeyPath],
    scope: RenderScope,
) -> Result<RenderedFile, RenderFileError> {
    let is_secret = |used_keys: &UsedKeys| {
        used_keys.iter().any(|used| secrets.iter().any(|secret| secret.overlaps(used)))
    };
    let (path, format) = (file.path.clone(), file.file_format());
    let template = match read_source(file)? {
        VerbatimOrTemplate::Verbatim(bytes) => {
            let format_warning = match validate_verbatim(file, format, &bytes) {
                Err(problem) if file.format == FormatChoice::ByName => {
                    Some(format!("{}\n  it is mounted unchanged", problem.message))
                }
                checked => checked.map(|()| None)?,
            };
            let format = format_of_unchanged(file, &bytes);
            let used_keys = UsedKeys::new();
            return Ok(RenderedFile { path, bytes, is_secret: false, format, format_warning, used_keys });
        }
        VerbatimOrTemplate::Template(template) => template,
    };
    if scope == RenderScope::WithoutSecrets {
        let used_keys = template.used_keys()?;
        if is_secret(&used_keys) {
            let (bytes, is_secret, format_warning) = (Vec::new(), true, None);
            return Ok(RenderedFile { path, bytes, is_secret, format, format_warning, used_keys });
        }
    }
    let rendered = template.render(values.merged()).map_err(|error| {
        let uses_secret = template.used_keys().is_ok_and(|used_keys| is_secret(&used_keys));
        if uses_secret { error.redacted() } else { error }
    })?;
    validate_rendered(file, format, &rendered, is_secret(&rendered.used_keys))?;
    let RenderedText { text, used_keys, .. } = rendered;
    let (bytes, is_secret, format_warning) = (text.into_bytes(), is_secret(&used_keys), None);
    Ok(RenderedFile { path, bytes, is_secret, format, format_warning, used_keys })
}

/// Validates a rendered file by its extension; errors have the line of the template.
fn validate_rendered(
    file: &MountFileSource,
    format: Option<FileFormat>,
    rendered: &RenderedText,
    is_secret: bool,
) -> Result<(), LocatedProblem> {
    let Some(format) = format else { return Ok(()) };
    let Err(syntax_error) = format.validate(&rendered.text) else { return Ok(()) };
    let (name, line) = rendered
        .template_line(syntax_error.offset)
        .map_or((file.source.display().to_string(), 1), |(name, line)| (name.to_owned(), line));
    let message = if is_secret { "details hidden because the file is secret" } else { &syntax_error.message };
    Err(invalid_rendered_file(format, message, &name, line))
}

/// Returns the format of a file that is copied unchanged. A name only suggests one: the program that
/// reads the file may accept more.
pub(crate) fn format_of_unchanged(file: &MountFileSource, bytes: &[u8]) -> Option<FileFormat> {
    let format = file.file_format()?;
    let is_valid =
        file.format != FormatChoice::ByName || validate_verbatim(file, Some(format), bytes).is_ok();
    is_valid.then_some(format)
}

/// Returns a warning about each file that is not valid in the format that its name suggests.
pub fn format_warnings(mounts: &[RenderedMount]) -> Vec<Note> {
    let files = mounts.iter().flat_map(|mount| &mount.files);
    files.filter_map(|file| file.format_warning.clone()).map(Note::Warning).collect()
}

/// Validates a file that is copied unchanged.
fn validate_verbatim(
    file: &MountFileSource,
    format: Option<FileFormat>,
    bytes: &[u8],
) -> Result<(), LocatedProblem> {
    let Some(format) = format else { return Ok(()) };
    let text = std::str::from_utf8(bytes).map_err(|_| verbatim_file_not_utf8(format, &file.source))?;
    let Err(syntax_error) = format.validate(text) else { return Ok(()) };
    let line = text.get(..syntax_error.offset).unwrap_or_default().matches('\n').count() + 1;
    Err(invalid_verbatim_file(format, &syntax_error.message, &file.source, line))
}

fn invalid_rendered_file(format: FileFormat, message: &str, file: &str, line: usize) -> LocatedProblem {
    LocatedProblem::new(
        format!("the rendered file is not valid {format}: {message}\n   --> {file}:{line}"),
        "fix the template there; filters such as `|toml` print a value with quotes\nif the program reads another format, set the file's `format`, such as `jsonc` or `none`",
    )
}

fn invalid_verbatim_file(format: FileFormat, message: &str, path: &Path, line: usize) -> LocatedProblem {
    LocatedProblem::new(
        format!("`{}` is not valid {format}: {message}\n   --> {}:{line}", path.display(), path.display()),
        "fix the file, or set its `format` in the recipe, such as `jsonc` or `none`",
    )
}

fn verbatim_file_not_utf8(format: FileFormat, path: &Path) -> LocatedProblem {
    LocatedProblem::new(
        format!("`{}` is not UTF-8, so it is not valid {format}", path.display()),
        "fix the file, or set its `format` in the recipe, such as `jsonc` or `none`",
    )
}

/// Why a file cannot be rendered.
enum RenderFileError {
    Template(TemplateError),
    Problem(LocatedProblem),
}

impl RenderFileError {
    /// Returns whether the cause is a missing value that may be given later: one that the schema
    /// allows, or any without a schema.
    fn is_missing_value(&self, schema: Option<&Schema>) -> bool {
        let Self::Template(TemplateError::Undefined { name, .. }) = self else { return false };
        let key = key_of_expression(name);
        schema.is_none_or(|schema| key.is_some_and(|key| schema.allows_key(&key)))
    }
}

impl From<LocatedProblem> for RenderFileError {
    fn from(problem: LocatedProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<TemplateError> for RenderFileError {
    fn from(error: TemplateError) -> Self {
        Self::Template(error)
    }
}

impl From<RenderFileError> for LocatedProblem {
    fn from(error: RenderFileError) -> Self {
        match error {
            RenderFileError::Template(error) => error.into(),
            RenderFileError::Problem(problem) => problem,
        }
    }
}
