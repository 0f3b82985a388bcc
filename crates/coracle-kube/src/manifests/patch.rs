//! Patches of generated objects, for what `[kubernetes]` has no key for.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::merge::merge;
use super::object::Names;
use super::{About, Application, Error, Manifests, Problem, workload};
use crate::yaml::{self, Node};
use coracle_core::path;
use crate::values;

/// A patch of one object.
#[derive(Clone, PartialEq, Debug)]
pub struct Patch {
    /// The file of the patch.
    pub from: PathBuf,
    /// The number of the document in the file, from 1.
    pub document: usize,
    /// The document: `kind`, `metadata` that identifies the object, and the changes.
    pub value: Value,
}

/// Members that identify the object; a patch cannot change them.
const IDENTITY: [&str; 2] = ["apiVersion", "kind"];
/// Members that must remain tables.
const WHOLE: [&str; 2] = ["metadata", "spec"];

impl Patch {
    /// Reads the patches in these YAML files; each may have several documents.
    ///
    /// # Errors
    /// Fails if a file cannot be read or parsed; reports every such file.
    pub fn read(paths: &[PathBuf]) -> Result<Vec<Self>, Error> {
        let (mut patches, mut problems) = (Vec::new(), Vec::new());
        for path in paths {
            match Self::read_file(path) {
                Ok(read) => patches.extend(read),
                Err(problem) => problems.push(Problem { about: Some(About::Patch(path.clone())), ..problem }),
            }
        }
        if problems.is_empty() { Ok(patches) } else { Err(Error(problems)) }
    }

    fn read_file(path: &Path) -> Result<Vec<Self>, Problem> {
        let bytes = std::fs::read(path).map_err(|error| {
            let hint =
                "check the spelling and the permissions; relative paths start at the recipe's directory";
            Problem::new(format!("cannot read `{}`: {error}", path.display()), hint)
        })?;
        let problem =
            |message: String| Problem::new(message, "a patch is YAML with `kind` and the members to change");
        let text =
            String::from_utf8(bytes).map_err(|_| problem(format!("`{}` is not UTF-8", path.display())))?;
        let documents =
            yaml::nodes(&text).map_err(|error| problem(format!("`{}`: {error}", path.display())))?;
        if let Some((line, key)) = values::altered_numbers(&text, &documents).first() {
            let message = format!(
                "`{}`, line {line}: the number at `{key}` is ambiguous: tools read it differently",
                path.display()
            );
            return Err(Problem::new(message, "write it in decimal, as in JSON: the mode `0440` is 288"));
        }
        let documents =
            documents.iter().map(Node::to_value).enumerate().filter(|(_, value)| !value.is_null());
        Ok(documents
            .map(|(index, value)| Self { from: path.to_owned(), document: index + 1, value })
            .collect())
    }

    /// Returns a problem located at this patch.
    fn problem(&self, message: &str, hint: impl Into<String>) -> Problem {
        let message = format!("{}, document {}: {message}", self.from.display(), self.document);
        Problem { about: Some(About::Patch(self.from.clone())), ..Problem::new(message, hint) }
    }

    fn kind(&self) -> Option<&str> {
        self.value.get("kind")?.as_str()
    }

    fn name(&self) -> Option<&str> {
        self.value.pointer("/metadata/name")?.as_str()
    }

    /// Returns whether the patch applies to `object`, whose name without prefix or hash is `base`.
    fn is_for(&self, object: &Value, base: &str) -> bool {
        self.is_called(object, base) && self.other(object).is_none()
    }

    /// Returns whether kind and name match `object`.
    fn is_called(&self, object: &Value, base: &str) -> bool {
        let is_named = self
            .name()
            .is_none_or(|name| name == base || object.pointer("/metadata/name") == Some(&name.into()));
        is_named && self.value.get("kind") == object.get("kind")
    }

    /// Returns the JSON pointer of another identifying member that differs from `object`'s.
    fn other(&self, object: &Value) -> Option<&'static str> {
        ["/apiVersion", "/metadata/namespace"].into_iter().find(|pointer| {
            let said = self.value.pointer(pointer);
            said.is_some() && object.pointer(pointer) != said
        })
    }

    /// Returns the changes, without the members that identify the object.
    fn change(&self) -> Value {
        let mut change = self.value.clone();
        if let Some(members) = change.as_object_mut() {
            IDENTITY.iter().for_each(|key| drop(members.remove(*key)));
        }
        if let Some(metadata) = change.get_mut("metadata").and_then(Value::as_object_mut) {
            ["name", "namespace"].iter().for_each(|key| drop(metadata.remove(*key)));
        }
        change
    }

    fn no_table(&self, key: &str) -> Problem {
        self.problem(
            &format!("`{key}` must be a table: a {} requires it", self.described()),
            "write the members to change in it; `null` removes a member",
        )
    }

    fn described(&self) -> String {
        let kind = path::printable(self.kind().unwrap_or("object").as_bytes());
        match self.name() {
            Some(name) => format!("{kind} `{}`", path::printable(name.as_bytes())),
            None => kind,
        }
    }
}

/// Applies every patch to its object; returns the problems with patches.
pub(super) fn apply(application: &Application<'_>, names: &Names, made: &mut Manifests) -> Vec<Problem> {
    application.patches.iter().filter_map(|patch| apply_one(application, names, patch, made)).collect()
}

fn apply_one(
    application: &Application<'_>,
    names: &Names,
    patch: &Patch,
    made: &mut Manifests,
) -> Option<Problem> {
    if patch.kind().is_none() {
        let message = "`kind` of the object to change is missing";
        return Some(patch.problem(message, format!("write `kind: {}`", application.settings.kind)));
    }
    let change = patch.change();
    // Patches use the application's name, not a chart's placeholder for it.
    let plain = |name: String| name.replace(&names.app, application.name);
    let base_of = |object: &Value| plain(name_of(object).to_owned());
    let mut count = 0;
    for object in made.objects.iter_mut().filter(|object| patch.is_for(object, &base_of(object))) {
        count += 1;
        if let Some(key) = whole(&change) {
            return Some(patch.no_table(key));
        }
        merge(object, &change, "");
        if workload::is_workload(object, application) && workload::container(object, application).is_none() {
            let message = format!(
                "it removes the container `{}`, which runs the program, from the {}",
                application.name, application.settings.kind
            );
            return Some(patch.problem(&message, "write the members of the container to change"));
        }
    }
    for map in &mut made.maps {
        if !patch.is_for(&map.object(), &plain(map.base.clone())) {
            continue;
        }
        count += 1;
        let members = change.as_object().into_iter().flatten();
        let more = members.map(|(key, _)| key).find(|key| *key != "metadata");
        if let Some(key) = more {
            return Some(patch.problem(
                &format!("a patch cannot change `{key}` of a {}", map.kind.as_str()),
                "a patch can only change labels and annotations; change the template for the content",
            ));
        }
        if let Some(key) = whole(&change) {
            return Some(patch.no_table(key));
        }
        if let Some(metadata) = change.get("metadata") {
            merge(&mut map.metadata, metadata, "");
        }
    }
    match count {
        0 => Some(nobody(application, names, patch, made)),
        1 => None,
        _ => Some(patch.problem(
            &format!("{count} objects match the patch for {}", patch.described()),
            "name one of them: `metadata: { name: … }`",
        )),
    }
}

/// Returns the required table that `change` would remove or replace. `null` removes a member, as in
/// a JSON merge patch; `kubectl kustomize` would print an object without it.
fn whole(change: &Value) -> Option<&'static str> {
    WHOLE.into_iter().find(|key| change.get(key).is_some_and(|value| !value.is_object()))
}

/// Returns the problem that no object matches `patch`; mentions one that differs only in namespace
/// or `apiVersion`.
fn nobody(application: &Application<'_>, names: &Names, patch: &Patch, made: &Manifests) -> Problem {
    let plain = |name: &str| name.replace(&names.app, application.name);
    let maps = made.maps.iter().map(|map| (map.object(), map.base.as_str()));
    let objects = made.objects.iter().map(|object| (object.clone(), name_of(object)));
    let others = maps.chain(objects).filter(|(object, name)| patch.is_called(object, &plain(name)));
    let other = others.into_iter().find_map(|(object, name)| {
        let pointer = patch.other(&object)?;
        let text = |value: &Value| {
            let text = value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            path::printable(text.as_bytes())
        };
        let key = pointer.rsplit('/').next().unwrap_or(pointer);
        let (found, said) = (text(&object), text(&patch.value));
        let kind = path::printable(patch.kind().unwrap_or_default().as_bytes());
        let found = if found.is_empty() { format!("no `{key}`") } else { format!("the `{key}` `{found}`") };
        Some(patch.problem(
            &format!("the {kind} `{}` has {found}, but the patch has `{said}`", plain(name)),
            format!("use the same `{key}` in the patch, or remove it"),
        ))
    });
    other.unwrap_or_else(|| {
        patch.problem(
            &format!("there is no {} for the patch", patch.described()),
            format!("the objects are: {}", listed(names, application, made)),
        )
    })
}

fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

fn listed(names: &Names, application: &Application<'_>, made: &Manifests) -> String {
    let maps = made.maps.iter().map(|map| (map.kind.as_str(), map.base.clone()));
    let kind = |object: &Value| object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let objects: Vec<(String, String)> =
        made.objects.iter().map(|object| (kind(object), name_of(object).to_owned())).collect();
    let all = maps.map(|(kind, name)| (kind.to_owned(), name)).chain(objects);
    let listed: Vec<String> =
        all.map(|(kind, name)| format!("{kind} `{}`", name.replace(&names.app, application.name))).collect();
    listed.join(", ")
}
