//! What is known of a configuration where not every value is: a build has no secrets, and need not.

use super::{
    Configuration, Error, Problem, RenderedFile, RenderedMount, exposed, key, problems, render_file,
};
use crate::template;
use crate::values::{KeyPath, Schema, Values};

/// The part of a configuration that its values reach for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Known {
    /// The files that can be rendered; those that use a value which is missing are left out.
    pub mounts: Vec<RenderedMount>,
    /// The secret values that are there, by key.
    pub secrets: Vec<(KeyPath, Vec<u8>)>,
}

/// Renders every file whose values are there. Without a schema, every name may be one that is given later, and what stands
/// in a file of its own (`--set-file`) counts as secret.
///
/// # Errors
/// Everything that is wrong whatever values may come.
pub fn known(configuration: &Configuration) -> Result<Known, Error> {
    let schema = configuration.schema.as_deref().map(Schema::read).transpose()?;
    let values = Values::read(&configuration.values)?;
    let values = match &schema {
        Some(schema) => values.held_as_far_as_known(schema)?,
        None => values,
    };
    let secrets = schema.as_ref().map_or_else(|| values.from_files(), Schema::secrets);
    let mut problems = problems(configuration);
    problems.extend(exposed(&configuration.values, &secrets));
    let mut mounts = Vec::new();
    for mount in &configuration.mounts {
        let mut files: Vec<RenderedFile> = Vec::new();
        for file in &mount.files {
            match render_file(file, &values, &secrets, true) {
                Ok(rendered) => files.push(rendered),
                Err(error) if error.is_missing(schema.as_ref()) => {}
                Err(error) => problems.push(Problem::from(error)),
            }
        }
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

/// Why a file can't be rendered.
pub(super) enum FileError {
    Template(template::Error),
    Other(Problem),
}

impl FileError {
    /// Whether a value is missing that may be given later: one that the schema knows, or any without a schema.
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
