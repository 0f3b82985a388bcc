//! Renders the files of every mount: all, those without secrets, or those whose values are given.

use super::{
    Configuration, Error, File, FileSource, Problem, RenderedFile, RenderedMount, key, problems, source,
};
use crate::template::{self, Format, Rendered, Uses};
use crate::values::{KeyPath, Schema, Source, Values};

/// Which files are rendered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All; every required value must be given.
    All,
    /// All, but secret files without content; their values may be missing.
    Public,
    /// All but those that use a missing value.
    Known,
}

/// The files of a configuration whose values are given.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Known {
    /// The mounts, without files that use a missing value.
    pub mounts: Vec<RenderedMount>,
    /// The given secret values, by key.
    pub secrets: Vec<(KeyPath, Vec<u8>)>,
}

/// Renders every file; writes nothing to disk.
///
/// # Errors
/// Fails with every problem found, with file and line.
pub fn render(configuration: &Configuration) -> Result<Vec<RenderedMount>, Error> {
    Ok(rendered(configuration, Extent::All)?.mounts)
}

/// Renders every file that is not secret. Secret files are listed without content, and their values
/// may be missing.
///
/// # Errors
/// Fails like [`render`].
pub fn render_public(configuration: &Configuration) -> Result<Vec<RenderedMount>, Error> {
    Ok(rendered(configuration, Extent::Public)?.mounts)
}

/// Renders every file whose values are given, for builds, which have no secrets. Without a schema,
/// any undefined name may be given later, and values of `--set-file` are treated as secret.
///
/// # Errors
/// Fails with every problem that no further value can fix.
pub fn known(configuration: &Configuration) -> Result<Known, Error> {
    rendered(configuration, Extent::Known)
}

fn rendered(configuration: &Configuration, extent: Extent) -> Result<Known, Error> {
    let schema = configuration.schema.as_deref().map(Schema::read).transpose()?;
    let values = Values::read(&configuration.values)?;
    let values = match (&schema, extent) {
        (None, _) => values,
        (Some(schema), Extent::All) => values.held_to(schema)?,
        (Some(schema), Extent::Public) => values.held_to_but_secrets(schema)?,
        (Some(schema), Extent::Known) => values.held_as_far_as_known(schema)?,
    };
    let secrets = match &schema {
        Some(schema) => schema.secrets(),
        None if extent == Extent::Known => values.from_files(),
        None => Vec::new(),
    };
    let mut problems = problems(configuration);
    problems.extend(exposed(&configuration.values, &secrets));
    let mut mounts = Vec::new();
    for mount in &configuration.mounts {
        let mut files: Vec<RenderedFile> = Vec::new();
        for file in &mount.files {
            match render_file(file, &values, &secrets, extent) {
                Ok(rendered) => files.push(rendered),
                Err(error) if extent == Extent::Known && error.is_missing(schema.as_ref()) => {}
                Err(error) => problems.push(error.into()),
            }
        }
        files.sort_by(|a, b| a.key.cmp(&b.key));
        problems.extend(key::too_large(mount, &files));
        mounts.push(RenderedMount {
            path: mount.path.clone(),
            reload: mount.reload.clone(),
            is_optional: mount.is_optional,
            files,
        });
    }
    if !problems.is_empty() {
        return Err(Error::Problems(problems));
    }
    Ok(Known { mounts, secrets: values.texts_at(&secrets) })
}

/// Returns problems with secrets on the command line, where other users of the machine can read
/// them.
fn exposed(sources: &[Source], secrets: &[KeyPath]) -> Vec<Problem> {
    let keys = sources.iter().filter_map(|source| match source {
        Source::Set { key, .. } => Some(key),
        Source::File(_) | Source::SetFile { .. } => None,
    });
    let secret = keys.filter(|key| secrets.iter().any(|secret| secret.is_along(key)));
    secret
        .map(|key| {
            Problem::new(
                format!("`{key}` is secret and must not be on the command line, which other users can read"),
                format!("read it from a file with `--set-file {key}=FILE`, or from stdin with `--set-file {key}=-`"),
            )
        })
        .collect()
}

fn render_file(
    file: &File,
    values: &Values,
    secrets: &[KeyPath],
    extent: Extent,
) -> Result<RenderedFile, FileError> {
    let is_secret = |uses: &Uses| uses.iter().any(|used| secrets.iter().any(|secret| secret.is_along(used)));
    let (key, format) = (file.key.clone(), Format::of(&file.key));
    let template = match source(file)? {
        FileSource::Verbatim(bytes) => {
            check_verbatim(file, format, &bytes)?;
            return Ok(RenderedFile { key, bytes, is_secret: false, format, uses: Uses::new() });
        }
        FileSource::Template(template) => template,
    };
    if extent == Extent::Public {
        let uses = template.uses()?;
        if is_secret(&uses) {
            return Ok(RenderedFile { key, bytes: Vec::new(), is_secret: true, format, uses });
        }
    }
    let rendered = template.render(values.merged()).map_err(|error| {
        let uses_secret = template.uses().is_ok_and(|uses| is_secret(&uses));
        if uses_secret { error.masked() } else { error }
    })?;
    check(file, format, &rendered, is_secret(&rendered.uses))?;
    let Rendered { text, uses, .. } = rendered;
    Ok(RenderedFile { key, bytes: text.into_bytes(), is_secret: is_secret(&uses), format, uses })
}

/// Validates a rendered file by its extension; errors have the line of the template.
fn check(file: &File, format: Option<Format>, rendered: &Rendered, is_secret: bool) -> Result<(), Problem> {
    let Some(format) = format else { return Ok(()) };
    let Err(fault) = format.check(&rendered.text) else { return Ok(()) };
    let (name, line) = rendered
        .origin(fault.offset)
        .map_or((file.from.display().to_string(), 1), |(name, line)| (name.to_owned(), line));
    let message = if is_secret { "details hidden because the file is secret" } else { &fault.message };
    Err(Problem::broken(format, message, &name, line))
}

/// Validates a file that is copied unchanged by its extension.
fn check_verbatim(file: &File, format: Option<Format>, bytes: &[u8]) -> Result<(), Problem> {
    let Some(format) = format else { return Ok(()) };
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::not_written(format, &file.from))?;
    let Err(fault) = format.check(text) else { return Ok(()) };
    let line = text.get(..fault.offset).unwrap_or_default().matches('\n').count() + 1;
    Err(Problem::mistaken(format, &fault.message, &file.from, line))
}

/// Why a file cannot be rendered.
enum FileError {
    Template(template::Error),
    Other(Problem),
}

impl FileError {
    /// Returns whether the cause is a missing value that may be given later: one that the schema
    /// allows, or any without a schema.
    fn is_missing(&self, schema: Option<&Schema>) -> bool {
        let Self::Template(template::Error::Undefined { name, .. }) = self else { return false };
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let end = name.find(|c: char| !is_name(c)).unwrap_or(name.len());
        let key = name.get(..end).and_then(|name| name.parse::<KeyPath>().ok());
        schema.is_none_or(|schema| key.is_some_and(|key| schema.knows(&key)))
    }
}

impl From<Problem> for FileError {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}

impl From<template::Error> for FileError {
    fn from(error: template::Error) -> Self {
        Self::Template(error)
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Template(error) => error.into(),
            FileError::Other(problem) => problem,
        }
    }
}
