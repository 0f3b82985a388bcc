//! Patches of generated objects, for what `[kubernetes]` has no key for.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::application::{Application, Manifests, ManifestsError};
use super::merge_patch::merge_patch;
use super::metadata::ObjectNames;
use super::workload;
use crate::problem::LocatedProblem;
use crate::values;
use crate::yaml::{self, Node};
use coracle_core::path;

/// A patch of one object.
#[derive(Clone, PartialEq, Debug)]
pub struct ManifestPatch {
    /// The file of the patch.
    pub path: PathBuf,
    /// The number of the document in the file, from 1.
    pub document: usize,
    /// The document: `kind`, `metadata` that identifies the object, and the changes.
    pub value: Value,
}

/// Members that identify the object; a patch cannot change them.
const IDENTITY_KEYS: [&str; 2] = ["apiVersion", "kind"];
/// Members that must remain tables.
const REQUIRED_TABLES: [&str; 2] = ["metadata", "spec"];

impl ManifestPatch {
    /// Reads the patches in these YAML files; each may have several documents.
    ///
    /// # Errors
    /// Fails if a file cannot be read or parsed; reports every such file.
    pub fn read(paths: &[PathBuf]) -> Result<Vec<Self>, ManifestsError> {
        let (mut patches, mut problems) = (Vec::new(), Vec::new());
        for path in paths {
            match Self::read_file(path) {
                Ok(read) => patches.extend(read),
                Err(problem) => problems.push(problem.at_patch(path.clone())),
            }
        }
        if problems.is_empty() { Ok(patches) } else { Err(ManifestsError(problems)) }
    }

    fn read_file(path: &Path) -> Result<Vec<Self>, LocatedProblem> {
        let bytes = std::fs::read(path).map_err(|error| {
            let hint =
                "check the spelling and the permissions; relative paths start at the recipe's directory";
            LocatedProblem::new(format!("cannot read `{}`: {error}", path.display()), hint)
        })?;
        let problem = |message: String| {
            LocatedProblem::new(message, "a patch is YAML with `kind` and the members to change")
        };
        let text =
            String::from_utf8(bytes).map_err(|_| problem(format!("`{}` is not UTF-8", path.display())))?;
        let documents =
            yaml::parse_nodes(&text).map_err(|error| problem(format!("`{}`: {error}", path.display())))?;
        if let Some((line, key)) = values::find_non_canonical_numbers(&text, &documents).first() {
            let message = format!(
                "`{}`, line {line}: the number at `{key}` is ambiguous: tools read it differently",
                path.display()
            );
            return Err(LocatedProblem::new(
                message,
                "write it in decimal, as in JSON: the mode `0440` is 288",
            ));
        }
        let documents =
            documents.iter().map(Node::to_value).enumerate().filter(|(_, value)| !value.is_null());
        Ok(documents
            .map(|(index, value)| Self { path: path.to_owned(), document: index + 1, value })
            .collect())
    }

    /// Returns a problem located at this patch.
    fn problem_here(&self, message: &str, hint: impl Into<String>) -> LocatedProblem {
        let message = format!("{}, document {}: {message}", self.path.display(), self.document);
        LocatedProblem::new(message, hint).at_patch(self.path.clone())
    }

    fn kind(&self) -> Option<&str> {
        self.value.get("kind")?.as_str()
    }

    fn name(&self) -> Option<&str> {
        self.value.pointer("/metadata/name")?.as_str()
    }

    /// Returns whether the patch applies to `object`, whose name without prefix or hash is `base`.
    fn matches(&self, object: &Value, base: &str) -> bool {
        self.matches_kind_and_name(object, base) && self.mismatched_pointer(object).is_none()
    }

    /// Returns whether kind and name match `object`.
    fn matches_kind_and_name(&self, object: &Value, base: &str) -> bool {
        let is_named = self
            .name()
            .is_none_or(|name| name == base || object.pointer("/metadata/name") == Some(&name.into()));
        is_named && self.value.get("kind") == object.get("kind")
    }

    /// Returns the JSON pointer of another identifying member that differs from `object`'s.
    fn mismatched_pointer(&self, object: &Value) -> Option<&'static str> {
        ["/apiVersion", "/metadata/namespace"].into_iter().find(|pointer| {
            let expected = self.value.pointer(pointer);
            expected.is_some() && object.pointer(pointer) != expected
        })
    }

    /// Returns the changes, without the members that identify the object.
    fn changes(&self) -> Value {
        let mut change = self.value.clone();
        if let Some(members) = change.as_object_mut() {
            IDENTITY_KEYS.iter().for_each(|key| drop(members.remove(*key)));
        }
        if let Some(metadata) = change.get_mut("metadata").and_then(Value::as_object_mut) {
            ["name", "namespace"].iter().for_each(|key| drop(metadata.remove(*key)));
        }
        change
    }

    fn not_a_table_problem(&self, key: &str) -> LocatedProblem {
        self.problem_here(
            &format!("`{key}` must be a table: a {} requires it", self.target_title()),
            "write the members to change in it; `null` removes a member",
        )
    }

    fn target_title(&self) -> String {
        let kind = path::escape_bytes(self.kind().unwrap_or("object").as_bytes());
        match self.name() {
            Some(name) => format!("{kind} `{}`", path::escape_bytes(name.as_bytes())),
            None => kind,
        }
    }
}

/// Applies every patch to its object; returns the problems with patches.
pub(super) fn apply_patches(
    application: &Application<'_>,
    names: &ObjectNames,
    manifests: &mut Manifests,
) -> Vec<LocatedProblem> {
    application.patches.iter().filter_map(|patch| apply_patch(application, names, patch, manifests)).collect()
}

fn apply_patch(
    application: &Application<'_>,
    names: &ObjectNames,
    patch: &ManifestPatch,
    manifests: &mut Manifests,
) -> Option<LocatedProblem> {
    if patch.kind().is_none() {
        let message = "`kind` of the object to change is missing";
        return Some(patch.problem_here(message, format!("write `kind: {}`", application.settings.kind)));
    }
    let change = patch.changes();
    // Patches use the application's name, not a chart's placeholder for it.
    let plain = |name: String| name.replace(&names.prefix, application.name);
    let base_of = |object: &Value| plain(name_of(object).to_owned());
    let mut count = 0;
    for object in manifests.objects.iter_mut().filter(|object| patch.matches(object, &base_of(object))) {
        count += 1;
        if let Some(key) = removed_required_table(&change) {
            return Some(patch.not_a_table_problem(key));
        }
        merge_patch(object, &change, "");
        if workload::is_workload(object, application)
            && workload::find_program_container(object, application).is_none()
        {
            let message = format!(
                "it removes the container `{}`, which runs the program, from the {}",
                application.name, application.settings.kind
            );
            return Some(patch.problem_here(&message, "write the members of the container to change"));
        }
    }
    for config_object in &mut manifests.config_objects {
        if !patch.matches(&config_object.to_object(), &plain(config_object.base_name.clone())) {
            continue;
        }
        count += 1;
        let members = change.as_object().into_iter().flatten();
        let more = members.map(|(key, _)| key).find(|key| *key != "metadata");
        if let Some(key) = more {
            return Some(patch.problem_here(
                &format!("a patch cannot change `{key}` of a {}", config_object.kind.as_str()),
                "a patch can only change labels and annotations; change the template for the content",
            ));
        }
        if let Some(key) = removed_required_table(&change) {
            return Some(patch.not_a_table_problem(key));
        }
        if let Some(metadata) = change.get("metadata") {
            merge_patch(&mut config_object.metadata, metadata, "");
        }
    }
    match count {
        0 => Some(no_match_problem(application, names, patch, manifests)),
        1 => None,
        _ => Some(patch.problem_here(
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
    names: &ObjectNames,
    patch: &ManifestPatch,
    manifests: &Manifests,
) -> LocatedProblem {
    let plain = |name: &str| name.replace(&names.prefix, application.name);
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
            format!("the objects are: {}", object_titles(names, application, manifests)),
        )
    })
}

fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

fn object_titles(names: &ObjectNames, application: &Application<'_>, manifests: &Manifests) -> String {
    let config_objects = manifests
        .config_objects
        .iter()
        .map(|config_object| (config_object.kind.as_str(), config_object.base_name.clone()));
    let kind = |object: &Value| object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let objects: Vec<(String, String)> =
        manifests.objects.iter().map(|object| (kind(object), name_of(object).to_owned())).collect();
    let all = config_objects.map(|(kind, name)| (kind.to_owned(), name)).chain(objects);
    let listed: Vec<String> = all
        .map(|(kind, name)| format!("{kind} `{}`", name.replace(&names.prefix, application.name)))
        .collect();
    listed.join(", ")
}
