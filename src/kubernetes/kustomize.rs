//! The layout of kustomize: a base, whose ConfigMaps are generated from the rendered files, and an overlay for each
//! environment with files of its own. `kubectl kustomize` makes the same objects of it as [`super::manifests`].

use serde_json::{Value, json};

use super::map::{Map, MapKind};
use super::object::{Names, with};
use super::{Application, Error, Files, Manifests, Problem, name, workload, yaml};
use crate::config::RenderedMount;
use crate::note::Note;

/// The files of an environment: its name, and what is rendered with its values.
pub type Environment = (String, Vec<RenderedMount>);

/// Every file of the layout.
///
/// # Errors
/// As [`super::manifests`]; and when a name can't be a directory's, or kustomize can't hold a text.
pub fn files(
    application: &Application<'_>,
    environments: &[Environment],
) -> Result<(Files, Vec<Note>), Error> {
    // Only kustomize knows the names that maps get, and no file of it holds a secret.
    let names = Names { app: application.name.to_owned(), are_hashed: false };
    let application = Application { contains_secrets: false, ..*application };
    let base = super::manifests_named(&application, &names)?;
    let mut problems = unfit(&base.maps);
    let mut files = Files::new();
    let notes = base.notes.clone();
    put_base(&application, base, &mut files);
    for (environment, mounts) in environments {
        if !is_directory(environment) {
            problems.push(Problem::new(
                format!(
                    "the environment `{}` can't name a directory",
                    crate::path::printable(environment.as_bytes())
                ),
                "call it something with letters, digits, `-`, `_` and `.`",
            ));
            continue;
        }
        let of_environment = super::manifests_named(&Application { mounts, ..application }, &names)?;
        problems.extend(unfit(&of_environment.maps));
        let folder = format!("overlays/{environment}");
        let maps = generators(&of_environment.maps, &folder, &mut files);
        let maps = maps.into_iter().map(|map| with(map, "behavior", json!("replace"))).collect();
        let overlay = kustomization(&application, json!(["../../base"]), maps);
        files.insert(format!("{folder}/kustomization.yaml"), document(&overlay));
    }
    if problems.is_empty() { Ok((files, notes)) } else { Err(Error(problems)) }
}

fn put_base(application: &Application<'_>, base: Manifests, files: &mut Files) {
    let maps = generators(&base.maps, "base", files);
    let mut resources = Vec::new();
    let mut images = Value::Null;
    for mut object in base.objects {
        if let Some(image) =
            workload::container(&mut object, application).and_then(|found| found.get_mut("image"))
            && *image == json!(application.image.to_string())
            && !shares_name(application)
        {
            let tag = application.image.tag.as_ref();
            *image = json!(tag.map_or_else(
                || application.image.name.clone(),
                |tag| format!("{}:{tag}", application.image.name)
            ));
            let entry =
                json!({ "name": application.image.name, "digest": application.image.digest.to_string() });
            images = json!([with(entry, "newTag", json!(tag))]);
        }
        let file = workload::file_name(&object, application);
        files.insert(format!("base/{file}"), document(&object));
        resources.push(json!(file));
    }
    let base = with(kustomization(application, Value::Array(resources), maps), "images", images);
    files.insert("base/kustomization.yaml".into(), document(&base));
}

/// Whether the sidecar's image has the name of the program's, so that kustomize would change both.
fn shares_name(application: &Application<'_>) -> bool {
    let reloader = application.settings.reload.as_ref();
    reloader.is_some_and(|reloader| {
        let rest = reloader.image.strip_prefix(&application.image.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
    })
}

fn kustomization(application: &Application<'_>, resources: Value, maps: Vec<Value>) -> Value {
    let document = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    let document = with(document, "namespace", json!(application.settings.namespace));
    with(document, "configMapGenerator", Value::Array(maps))
}

/// A generator for each map; its files go below `folder`.
fn generators(maps: &[Map], folder: &str, files: &mut Files) -> Vec<Value> {
    let public = maps.iter().filter(|map| map.kind == MapKind::ConfigMap);
    public
        .map(|map| {
            let label = name::label(&map.mount);
            let mut listed = Vec::new();
            for (key, bytes) in &map.files {
                listed.push(format!("{key}=files/{label}/{key}"));
                files.insert(format!("{folder}/files/{label}/{key}"), bytes.clone());
            }
            let metadata = |key: &str| map.metadata.get(key).cloned().unwrap_or_default();
            let options =
                with(json!({ "labels": metadata("labels") }), "annotations", metadata("annotations"));
            let option = if map.is_immutable { "immutable" } else { "disableNameSuffixHash" };
            let options = with(options, option, json!(true));
            with(json!({ "name": map.base, "options": options }), "files", json!(listed))
        })
        .collect()
}

/// Text that kustomize can't write as it was: its YAML escapes no control characters; and keys that it does not
/// quote, so that it takes them for numbers itself.
fn unfit(maps: &[Map]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (map, (key, bytes)) in maps.iter().flat_map(|map| map.files.iter().map(move |file| (map, file))) {
        if is_no_text(key) {
            problems.push(
                Problem::new(
                    format!(
                        "kustomize can't hold the key `{key}`, which it takes for something else than text"
                    ),
                    "give the file another `key`, or use `--layout yaml` or `--layout helm`",
                )
                .at_mount(&map.mount),
            );
        }
        if std::str::from_utf8(bytes).is_ok_and(is_refused) {
            problems.push(Problem::new(
                format!(
                    "kustomize can't hold `{key}` of `{}`: it has control characters, or lines that start with a tab",
                    map.mount
                ),
                "take them out, or use `--layout yaml` or `--layout helm`",
            ).at_mount(&map.mount));
        }
    }
    problems
}

/// Source: what `kubectl kustomize` 5.8.1 fails on, or writes as something else (tests/integration/manifests/name_hashes.rs).
fn is_refused(text: &str) -> bool {
    let is_control = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    text.chars().any(is_control) || text.starts_with('\t') && text.contains('\n')
}

/// Whether YAML takes `key` for a number, a date, `true`, `false` or `null` when nobody quotes it.
fn is_no_text(key: &str) -> bool {
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

fn is_directory(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn document(value: &Value) -> Vec<u8> {
    yaml::text(value).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `kubectl kustomize` 5.8.1 takes or fails on them.
    #[test]
    fn keys_that_are_no_text_are_known() {
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
            assert!(is_no_text(key), "{key}");
        }
        for key in [
            "yes", "no", "y", "-", "--", "_", "1.2.3", "1-2", "nan", "inf", "e1", "1e", "0x", "_1", "1.e",
            "---", "0o8", "True_", "0b2", "a", ".env",
        ] {
            assert!(!is_no_text(key), "{key}");
        }
    }
}
