//! Environment variables whose value is the text of a mounted file.

use serde_json::{Value, json};

use super::application::Application;
use super::config_volumes::ConfigVolume;
use super::object_data::ConfigObjectKind;
use super::object_members::with_member;
use crate::config::FileVariable;
use crate::problem::LocatedProblem;

/// Returns `env` of the program's container.
pub(super) fn container_env(
    application: &Application<'_>,
    config_volumes: &[ConfigVolume<'_>],
    problems: &mut Vec<LocatedProblem>,
) -> Vec<Value> {
    let variables = application.configuration.variables.iter();
    variables
        .filter_map(|variable| match value_from(application, variable, config_volumes) {
            Ok(source) => Some(json!({ "name": variable.name, "valueFrom": source })),
            Err(problem) => {
                problems.push(problem.at_mount(&variable.file));
                None
            }
        })
        .collect()
}

/// Returns the `valueFrom` of a variable.
fn value_from(
    application: &Application<'_>,
    variable: &FileVariable,
    config_volumes: &[ConfigVolume<'_>],
) -> Result<Value, LocatedProblem> {
    let FileVariable { name, file, is_secret_allowed } = variable;
    let found = config_volumes.iter().find_map(|config_volume| {
        let key = file.strip_prefix(config_volume.path)?;
        let key = String::from_utf8(key.collect::<Vec<_>>().join(&b'/')).ok()?;
        let source = config_volume.sources.iter().find(|source| source.keys.contains(&key))?;
        Some((config_volume, source, key))
    });
    let Some((config_volume, source, key)) = found else {
        return Err(LocatedProblem::variable_without_file(name, file));
    };
    let reference = with_member(
        json!({ "name": source.name, "key": key }),
        "optional",
        if source.is_optional { json!(true) } else { Value::Null },
    );
    match source.kind {
        ConfigObjectKind::Secret if !is_secret_allowed => {
            Err(LocatedProblem::variable_with_secret(name, file))
        }
        ConfigObjectKind::Secret => Ok(json!({ "secretKeyRef": reference })),
        ConfigObjectKind::ConfigMap => {
            let mounts = application.rendered_mounts.iter().filter(|mount| mount.path == *config_volume.path);
            let mut files = mounts.flat_map(|mount| &mount.files).filter(|rendered| rendered.key == key);
            let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
            if files.any(|rendered| !is_text(&rendered.bytes)) {
                return Err(LocatedProblem::new(
                    format!(
                        "the variable `{name}` cannot contain `{file}`, which is not UTF-8 text without NUL bytes"
                    ),
                    "let the program read the file",
                ));
            }
            Ok(json!({ "configMapKeyRef": reference }))
        }
    }
}
