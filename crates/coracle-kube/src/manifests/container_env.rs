//! Environment variables whose value is the text of a mounted file.

use serde_json::{Value, json};

use super::config_object::ConfigObjectKind;
use super::config_volumes::ConfigVolume;
use super::metadata::with_member;
use super::{Application, ManifestProblem};
use crate::config::FileVariable;

/// Returns `env` of the program's container.
pub(super) fn container_env(
    application: &Application<'_>,
    places: &[ConfigVolume<'_>],
    problems: &mut Vec<ManifestProblem>,
) -> Vec<Value> {
    let variables = application.configuration.variables.iter();
    variables
        .filter_map(|variable| match value_from(application, variable, places) {
            Ok(from) => Some(json!({ "name": variable.name, "valueFrom": from })),
            Err(problem) => {
                problems.push(problem.at_mount(&variable.file));
                None
            }
        })
        .collect()
}

fn value_from(
    application: &Application<'_>,
    variable: &FileVariable,
    places: &[ConfigVolume<'_>],
) -> Result<Value, ManifestProblem> {
    let FileVariable { name, file: from, is_secret_allowed: may_be_secret } = variable;
    let found = places.iter().find_map(|place| {
        let key = from.strip_prefix(place.path)?;
        let key = String::from_utf8(key.collect::<Vec<_>>().join(&b'/')).ok()?;
        let source = place.sources.iter().find(|source| source.keys.contains(&key))?;
        Some((place, source, key))
    });
    let Some((place, source, key)) = found else {
        return Err(ManifestProblem::new(
            format!("the variable `{name}` refers to `{from}`, which is not a file of any mount"),
            "write the path of a mount and a key, for example `from = \"/etc/app/log-level\"`",
        ));
    };
    let reference = with_member(
        json!({ "name": source.name, "key": key }),
        "optional",
        if source.is_optional { json!(true) } else { Value::Null },
    );
    match source.kind {
        ConfigObjectKind::Secret if !may_be_secret => Err(ManifestProblem::new(
            format!("the variable `{name}` would contain `{from}`, which is secret"),
            "let the program read the file; if it cannot, write `secret-in-environment = true`",
        )),
        ConfigObjectKind::Secret => Ok(json!({ "secretKeyRef": reference })),
        ConfigObjectKind::ConfigMap => {
            let mounts = application.rendered_mounts.iter().filter(|mount| mount.path == *place.path);
            let mut files = mounts.flat_map(|mount| &mount.files).filter(|file| file.key == key);
            let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
            if files.any(|file| !is_text(&file.bytes)) {
                return Err(ManifestProblem::new(
                    format!(
                        "the variable `{name}` cannot contain `{from}`, which is not UTF-8 text without NUL bytes"
                    ),
                    "let the program read the file",
                ));
            }
            Ok(json!({ "configMapKeyRef": reference }))
        }
    }
}
