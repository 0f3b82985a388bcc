//! Applies patches to the generated objects.

use serde_json::{Value, json};

use super::api_rules;
use super::application::{Application, Manifests, ObjectNaming};
use super::manifest_patch::ManifestPatch;
use super::name_references;
use super::object_edits::merge_patch;
use super::workload_objects;
use crate::located_problem::LocatedProblem;
use coracle_core::path;

/// Members that must remain tables.
const REQUIRED_TABLES: [&str; 2] = ["metadata", "spec"];

/// Applies every patch to its object; returns the problems with patches.
pub(super) fn apply_patches(
    application: &Application<'_>,
    naming: &ObjectNaming,
    manifests: &mut Manifests,
) -> Vec<LocatedProblem> {
    application
        .patches
        .iter()
        .flat_map(|patch| match apply_patch(application, naming, patch, manifests) {
            Ok(problems) => problems,
            Err(problem) => vec![problem],
        })
        .collect()
}

/// Applies a patch; returns what the API server rejects after it. Fails if the patch cannot be
/// applied.
fn apply_patch(
    application: &Application<'_>,
    naming: &ObjectNaming,
    patch: &ManifestPatch,
    manifests: &mut Manifests,
) -> Result<Vec<LocatedProblem>, LocatedProblem> {
    if patch.kind().is_none() {
        let message = "`kind` of the object to change is missing";
        return Err(patch.problem_here(message, format!("write `kind: {}`", application.settings.kind)));
    }
    let change = patch.changes();
    let names = name_references::object_names(application, naming, manifests);
    let base_of = |object: &Value| naming.plain_name(name_of(object), application);
    let (mut count, mut problems) = (0, Vec::new());
    for object in manifests.objects.iter_mut().filter(|object| patch.matches(object, &base_of(object))) {
        count += 1;
        if let Some(key) = removed_required_table(&change) {
            return Err(patch.not_a_table_problem(key));
        }
        let before = api_rules::object_problems(object);
        merge_patch(object, &change, "");
        workload_objects::remove_unused_rolling_update(object, &change);
        name_references::rewrite_references(object, &names);
        let after = api_rules::object_problems(object);
        let new = after.into_iter().filter(|problem| !before.contains(problem));
        problems.extend(new.map(|problem| patch.problem_here(&problem.message, problem.hint)));
        if workload_objects::is_workload(object, application)
            && workload_objects::find_program_container(object, application).is_none()
        {
            let message = format!(
                "it removes the container `{}`, which runs the program, from the {}",
                application.name, application.settings.kind
            );
            return Err(patch.problem_here(&message, "write the members of the container to change"));
        }
    }
    for config_object in &mut manifests.config_objects {
        if !patch
            .matches(&config_object.to_object(), &naming.plain_name(&config_object.base_name, application))
        {
            continue;
        }
        count += 1;
        let members = change.as_object().into_iter().flatten();
        let more = members.map(|(key, _)| key).find(|key| *key != "metadata");
        if let Some(key) = more {
            return Err(patch.problem_here(
                &format!("a patch cannot change `{key}` of a {}", config_object.kind.as_str()),
                "a patch can only change labels and annotations; change the template for the content",
            ));
        }
        if let Some(key) = removed_required_table(&change) {
            return Err(patch.not_a_table_problem(key));
        }
        if let Some(metadata) = change.get("metadata") {
            merge_patch(&mut config_object.metadata, metadata, "");
            let merged = json!({ "metadata": config_object.metadata });
            let found = api_rules::metadata_problems(&merged).into_iter();
            problems.extend(found.map(|problem| patch.problem_here(&problem.message, problem.hint)));
        }
    }
    match count {
        0 => Err(no_match_problem(application, naming, patch, manifests)),
        1 => Ok(problems),
        _ => Err(patch.problem_here(
            &format!("{count} objects match the patch for {}", patch.target_title()),
            "name one of them: `metadata: { name: … }`",
        )),
    }
}

/// Returns the required table that `change` would remove or replace. `null` removes a member, as in
/// a JSON merge patch; `kubectl kustomize` would print an object without it.
fn removed_required_table(change: &Value) -> Option<&'static str> {
    REQUIRED_TABLES.into_iter().find(|key| change.get(key).is_some_and(|value| !value.is_object()))
}

/// Returns the problem that no object matches `patch`; mentions one that differs only in namespace
/// or `apiVersion`.
fn no_match_problem(
    application: &Application<'_>,
    naming: &ObjectNaming,
    patch: &ManifestPatch,
    manifests: &Manifests,
) -> LocatedProblem {
    let plain = |name: &str| naming.plain_name(name, application);
    let config_objects = manifests
        .config_objects
        .iter()
        .map(|config_object| (config_object.to_object(), config_object.base_name.as_str()));
    let objects = manifests.objects.iter().map(|object| (object.clone(), name_of(object)));
    let others = config_objects
        .chain(objects)
        .filter(|(object, name)| patch.matches_kind_and_name(object, &plain(name)));
    let other = others.into_iter().find_map(|(object, name)| {
        let pointer = patch.mismatched_pointer(&object)?;
        let text = |value: &Value| {
            let text = value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            path::escape_bytes(text.as_bytes())
        };
        let key = pointer.rsplit('/').next().unwrap_or(pointer);
        let (found, expected) = (text(&object), text(&patch.value));
        let kind = path::escape_bytes(patch.kind().unwrap_or_default().as_bytes());
        let found = if found.is_empty() { format!("no `{key}`") } else { format!("the `{key}` `{found}`") };
        Some(patch.problem_here(
            &format!("the {kind} `{}` has {found}, but the patch has `{expected}`", plain(name)),
            format!("use the same `{key}` in the patch, or remove it"),
        ))
    });
    other.unwrap_or_else(|| {
        patch.problem_here(
            &format!("there is no {} for the patch", patch.target_title()),
            format!("the objects are: {}", object_titles(naming, application, manifests)),
        )
    })
}

fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

fn object_titles(naming: &ObjectNaming, application: &Application<'_>, manifests: &Manifests) -> String {
    let config_objects = manifests
        .config_objects
        .iter()
        .map(|config_object| (config_object.kind.as_str(), config_object.base_name.clone()));
    let kind = |object: &Value| object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let objects: Vec<(String, String)> =
        manifests.objects.iter().map(|object| (kind(object), name_of(object).to_owned())).collect();
    let all = config_objects.map(|(kind, name)| (kind.to_owned(), name)).chain(objects);
    let listed: Vec<String> =
        all.map(|(kind, name)| format!("{kind} `{}`", naming.plain_name(&name, application))).collect();
    listed.join(", ")
}
