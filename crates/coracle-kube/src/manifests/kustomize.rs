//! The kustomize layout: a base whose ConfigMaps are generated from the rendered files, and an
//! overlay for each environment. `kubectl kustomize` makes the same objects from it as
//! [`super::generate_manifests`].

use serde_json::{Value, json};

use super::application::{Application, Manifests, ObjectNaming, OutputFiles};
use super::config_object::ConfigObject;
use super::manifest_patch::ManifestPatch;
use super::object_data::ConfigObjectKind;
use super::object_edits::with_member;
use super::workload_settings::WorkloadSettings;
use super::{name_rules, overlay_changes, workload_objects, yaml_writer};
use crate::config::RenderedMount;
use crate::located_problem::{LocatedProblem, ManifestsError};
use coracle_core::note::Note;

/// An environment: its settings, and the mounts rendered with its values.
#[derive(Clone, Debug)]
pub struct EnvironmentOverlay {
    /// The environment's name.
    pub name: String,
    /// The rendered files.
    pub rendered_mounts: Vec<RenderedMount>,
    /// The `[kubernetes]` settings.
    pub settings: WorkloadSettings,
    /// The patches.
    pub patches: Vec<ManifestPatch>,
}

/// Returns every file of the layout.
///
/// # Errors
/// Fails like [`super::generate_manifests`], and if an environment's name cannot name a directory, or
/// kustomize does not support the content of a file.
pub fn kustomize_files(
    application: &Application<'_>,
    environments: &[EnvironmentOverlay],
) -> Result<(OutputFiles, Vec<Note>), ManifestsError> {
    // kustomize appends the hashes to names itself; secrets are never written.
    let naming = ObjectNaming { name_prefix: application.name.to_owned(), has_hash_suffixes: false };
    let application = Application { has_secrets: false, ..*application };
    let mut base = super::generate_with_names(&application, &naming)?;
    base.add_apply_size_warnings();
    let mut problems = content_problems(&base.config_objects);
    let mut files = OutputFiles::new();
    let notes = base.notes.clone();
    let base_objects = base.objects.clone();
    write_base(&application, base, &mut files);
    for overlay in environments {
        if !is_directory_name(&overlay.name) {
            problems.push(LocatedProblem::new(
                format!(
                    "the environment `{}` is not a valid directory name",
                    coracle_core::path::escape_bytes(overlay.name.as_bytes())
                ),
                "use only letters, digits, `-`, `_` and `.`",
            ));
            continue;
        }
        let application = Application {
            rendered_mounts: &overlay.rendered_mounts,
            settings: &overlay.settings,
            patches: &overlay.patches,
            ..application
        };
        let of_environment = super::generate_with_names(&application, &naming)?;
        problems.extend(content_problems(&of_environment.config_objects));
        write_overlay(&application, &overlay.name, &base_objects, of_environment, &mut files);
    }
    if problems.is_empty() { Ok((files, notes)) } else { Err(ManifestsError(problems)) }
}

/// Writes the overlay of an environment: its files, and the changes of its objects.
fn write_overlay(
    application: &Application<'_>,
    environment: &str,
    base_objects: &[Value],
    manifests: Manifests,
    files: &mut OutputFiles,
) {
    let folder = format!("overlays/{environment}");
    let config_objects = config_map_generators(&manifests.config_objects, &folder, files);
    let config_objects = config_objects
        .into_iter()
        .map(|config_object| with_member(config_object, "behavior", json!("replace")))
        .collect();
    let changes = overlay_changes::overlay_changes(base_objects, &manifests.objects);
    let mut resources = vec![json!("../../base")];
    for object in changes.new_objects {
        let file = workload_objects::object_file_name(&object, application.name);
        files.insert(format!("{folder}/{file}"), yaml_writer::to_yaml_bytes(&object));
        resources.push(json!(file));
    }
    let overlay = kustomization(application, Value::Array(resources), config_objects);
    let overlay = with_member(overlay, "patches", Value::Array(changes.patches));
    files.insert(format!("{folder}/kustomization.yaml"), yaml_writer::to_yaml_bytes(&overlay));
}

fn write_base(application: &Application<'_>, base: Manifests, files: &mut OutputFiles) {
    let config_objects = config_map_generators(&base.config_objects, "base", files);
    let mut resources = Vec::new();
    let mut images = Value::Null;
    let is_shared =
        base.objects.iter().map(|object| count_images(object, &application.image.name)).sum::<usize>() > 1;
    for mut object in base.objects {
        if let Some(image) = workload_objects::find_program_container(&mut object, application)
            .and_then(|found| found.get_mut("image"))
            && *image == json!(application.image.to_string())
            && !is_shared
        {
            let tag = application.image.tag.as_ref();
            *image = json!(tag.map_or_else(
                || application.image.name.clone(),
                |tag| format!("{}:{tag}", application.image.name)
            ));
            let entry =
                json!({ "name": application.image.name, "digest": application.image.digest.to_string() });
            images = json!([with_member(entry, "newTag", json!(tag))]);
        }
        let file = workload_objects::object_file_name(&object, application.name);
        files.insert(format!("base/{file}"), yaml_writer::to_yaml_bytes(&object));
        resources.push(json!(file));
    }
    let base =
        with_member(kustomization(application, Value::Array(resources), config_objects), "images", images);
    files.insert("base/kustomization.yaml".into(), yaml_writer::to_yaml_bytes(&base));
}

/// Returns the number of images with this name, with any tag: kustomize would change all of them.
fn count_images(value: &Value, name: &str) -> usize {
    let is_image = |key: &str, value: &Value| {
        let rest = value
            .as_str()
            .filter(|_| ["image", "reference"].contains(&key))
            .and_then(|text| text.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
    };
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| usize::from(is_image(key, member)) + count_images(member, name))
            .sum(),
        Value::Array(items) => items.iter().map(|item| count_images(item, name)).sum(),
        _ => 0,
    }
}

fn kustomization(application: &Application<'_>, resources: Value, config_objects: Vec<Value>) -> Value {
    let document = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    let document = with_member(document, "namespace", json!(application.settings.namespace));
    with_member(document, "configMapGenerator", Value::Array(config_objects))
}

/// Returns a `configMapGenerator` for each ConfigMap; writes their files below `folder`.
fn config_map_generators(
    config_objects: &[ConfigObject],
    folder: &str,
    files: &mut OutputFiles,
) -> Vec<Value> {
    let public =
        config_objects.iter().filter(|config_object| config_object.kind == ConfigObjectKind::ConfigMap);
    public
        .map(|config_object| {
            let label = name_rules::path_label(&config_object.mount);
            let mut listed = Vec::new();
            for (key, bytes) in &config_object.files {
                listed.push(format!("{key}=files/{label}/{key}"));
                files.insert(format!("{folder}/files/{label}/{key}"), bytes.clone());
            }
            let metadata = |key: &str| config_object.metadata.get(key).cloned().unwrap_or_default();
            let options =
                with_member(json!({ "labels": metadata("labels") }), "annotations", metadata("annotations"));
            let option = if config_object.is_immutable { "immutable" } else { "disableNameSuffixHash" };
            let options = with_member(options, option, json!(true));
            with_member(
                json!({ "name": config_object.base_name, "options": options }),
                "files",
                json!(listed),
            )
        })
        .collect()
}

/// Returns problems with content that kustomize changes: its YAML does not escape control
/// characters, and does not quote keys that look like numbers.
fn content_problems(config_objects: &[ConfigObject]) -> Vec<LocatedProblem> {
    let mut problems = Vec::new();
    for (config_object, (key, bytes)) in config_objects
        .iter()
        .flat_map(|config_object| config_object.files.iter().map(move |file| (config_object, file)))
    {
        if is_ambiguous_key(key) {
            problems.push(
                LocatedProblem::new(
                    format!(
                        "kustomize does not support the key `{key}`: it reads it as a number, boolean, date or null"
                    ),
                    "give the file another `key`, or use `--layout yaml` or `--layout helm`",
                )
                .at_mount(&config_object.mount),
            );
        }
        if std::str::from_utf8(bytes).is_ok_and(is_unsupported_text) {
            problems.push(LocatedProblem::new(
                format!(
                    "kustomize does not support `{key}` of `{}`: it has control characters, or lines that start with a tab",
                    config_object.mount
                ),
                "remove them, or use `--layout yaml` or `--layout helm`",
            ).at_mount(&config_object.mount));
        }
    }
    problems
}

/// Returns whether `kubectl kustomize` 5.8.1 rejects or changes the text (tests/integration/manifests/name_hashes.rs).
fn is_unsupported_text(text: &str) -> bool {
    let is_control = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    text.chars().any(is_control) || text.starts_with('\t') && text.contains('\n')
}

/// Returns whether YAML reads an unquoted `key` as a number, a date, `true`, `false` or `null`.
fn is_ambiguous_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let plain = if lower.starts_with('_') { lower.clone() } else { lower.replace('_', "") };
    let digits = plain.strip_prefix('-').unwrap_or(&plain);
    let in_base = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().any(|(prefix, base)| {
        digits
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base)))
    });
    let is_number =
        digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok();
    let is_digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = lower.split('-').collect();
    let is_date = parts.len() == 3 && parts.iter().all(is_digits);
    let is_word = ["true", "false", "null", ".inf", "-.inf", ".nan"].contains(&lower.as_str());
    in_base || is_number || is_date || is_word
}

fn is_directory_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The results of `kubectl kustomize` 5.8.1.
    #[test]
    fn detects_keys_that_yaml_does_not_read_as_text() {
        for key in [
            "2",
            "2.5",
            "-1",
            ".5",
            "5.",
            "1e3",
            "0x1F",
            "0o7",
            "0b1",
            "1_000",
            "007",
            "true",
            "True",
            "null",
            ".inf",
            ".NaN",
            "2020-01-01",
            "-.inf",
            "08",
            "1_",
            "-.5",
            "2020-1-1",
            ".1_0",
        ] {
            assert!(is_ambiguous_key(key), "{key}");
        }
        for key in [
            "yes", "no", "y", "-", "--", "_", "1.2.3", "1-2", "nan", "inf", "e1", "1e", "0x", "_1", "1.e",
            "---", "0o8", "True_", "0b2", "a", ".env",
        ] {
            assert!(!is_ambiguous_key(key), "{key}");
        }
    }
}
