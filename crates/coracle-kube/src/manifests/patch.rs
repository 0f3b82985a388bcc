//! Patches: what no key of `[kubernetes]` says.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::merge::merge;
use super::object::Names;
use super::{About, Application, Error, Manifests, Problem, workload};
use crate::yaml::{self, Node};
use coracle_core::path;
use crate::values;

/// What goes on top of one object.
#[derive(Clone, PartialEq, Debug)]
pub struct Patch {
    /// The file that it stands in.
    pub from: PathBuf,
    /// Which document of that, from 1.
    pub document: usize,
    /// Which object, and what of it.
    pub value: Value,
}

/// What every object has; a patch is found by it and can't change it.
const IDENTITY: [&str; 2] = ["apiVersion", "kind"];
/// What no object is without.
const WHOLE: [&str; 2] = ["metadata", "spec"];

impl Patch {
    /// The patches in these files: YAML, as many documents as one likes.
    ///
    /// # Errors
    /// When some can't be read, or are no YAML: all of them.
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
            let hint = "check the spelling, and who may read it; relative paths start at the recipe's folder";
            Problem::new(format!("cannot read `{}`: {error}", path.display()), hint)
        })?;
        let problem =
            |message: String| Problem::new(message, "a patch is YAML: `kind`, and what is to change");
        let text =
            String::from_utf8(bytes).map_err(|_| problem(format!("`{}` is not UTF-8", path.display())))?;
        let documents =
            yaml::nodes(&text).map_err(|error| problem(format!("`{}`: {error}", path.display())))?;
        if let Some((line, key)) = values::altered_numbers(&text, &documents).first() {
            let message = format!(
                "`{}`, line {line}: `{key}` is a number that tools read in many ways",
                path.display()
            );
            return Err(Problem::new(message, "write it in decimals, as JSON does: the mode `0440` is 288"));
        }
        let documents =
            documents.iter().map(Node::to_value).enumerate().filter(|(_, value)| !value.is_null());
        Ok(documents
            .map(|(index, value)| Self { from: path.to_owned(), document: index + 1, value })
            .collect())
    }

    /// What is wrong with it.
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

    /// Whether it is for `object`, which is also known as `base`.
    fn is_for(&self, object: &Value, base: &str) -> bool {
        self.is_called(object, base) && self.other(object).is_none()
    }

    /// Whether kind and name are those of `object`.
    fn is_called(&self, object: &Value, base: &str) -> bool {
        let is_named = self
            .name()
            .is_none_or(|name| name == base || object.pointer("/metadata/name") == Some(&name.into()));
        is_named && self.value.get("kind") == object.get("kind")
    }

    /// What else it says of the object that it is for, and that `object` does not have.
    fn other(&self, object: &Value) -> Option<&'static str> {
        ["/apiVersion", "/metadata/namespace"].into_iter().find(|pointer| {
            let said = self.value.pointer(pointer);
            said.is_some() && object.pointer(pointer) != said
        })
    }

    /// What is to change, without what only says where.
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
            &format!("`{key}` has to be a table: a {} is nothing without it", self.described()),
            "write below it what is to change; a member with `null` is taken out",
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

/// Puts every patch on top of the objects that it is for; what is wrong with patches.
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
        let message = "nothing says of which `kind` the object is that is to change";
        return Some(patch.problem(message, format!("write `kind: {}`", application.settings.kind)));
    }
    let change = patch.change();
    // What a chart puts in front of names is not what somebody writes.
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
                "it leaves the {} without the container `{}`, which runs the program",
                application.settings.kind, application.name
            );
            return Some(patch.problem(&message, "say below the container what of it is to change"));
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
                &format!("a patch can't change `{key}` of a {}", map.kind.as_str()),
                "it can change labels and annotations; everything else is rendered: change the template",
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
            &format!("there are {count} objects of the kind {}", patch.described()),
            "say which: `metadata: { name: … }`",
        )),
    }
}

/// What of `change` would be there no more, or no table. As a JSON merge patch has it, `null` takes a member out, and
/// `kubectl kustomize` prints an object without it.
fn whole(change: &Value) -> Option<&'static str> {
    WHOLE.into_iter().find(|key| change.get(key).is_some_and(|value| !value.is_object()))
}

/// No object is the one that `patch` is for; one may differ from it in what people overlook.
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
            &format!("the {kind} `{}` has {found}, and the patch is for one with `{said}`", plain(name)),
            format!("let the patch say the same `{key}`, or leave it out"),
        ))
    });
    other.unwrap_or_else(|| {
        patch.problem(
            &format!("there is no {} to change", patch.described()),
            format!("there are {}", listed(names, application, made)),
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
