//! Patches: what no key of `[kubernetes]` says.

use std::path::Path;

use serde_json::Value;

use super::merge::merge;
use super::object::Names;
use super::{Application, Error, Manifests};
use crate::config::Problem;
use crate::fs::Context as _;
use crate::{path, yaml};

/// What goes on top of one object.
#[derive(Clone, PartialEq, Debug)]
pub struct Patch {
    /// Where it stands, for messages.
    pub place: String,
    /// Which object, and what of it.
    pub value: Value,
}

/// What every object has; a patch is found by it and can't change it.
const IDENTITY: [&str; 2] = ["apiVersion", "kind"];

impl Patch {
    /// The patches in the file at `path`: YAML, as many documents as one likes.
    ///
    /// # Errors
    /// When it can't be read, or is no YAML.
    pub fn read(path: &Path) -> Result<Vec<Self>, Error> {
        let bytes = std::fs::read(path).context("read", path)?;
        let problem = |message: String| {
            let hint = "a patch is YAML: `kind`, and what is to change";
            Error::Problems(vec![Problem::new(message, hint)])
        };
        let text =
            String::from_utf8(bytes).map_err(|_| problem(format!("`{}` is not UTF-8", path.display())))?;
        let documents =
            yaml::documents(&text).map_err(|error| problem(format!("`{}`: {error}", path.display())))?;
        let documents = documents.into_iter().enumerate().filter(|(_, value)| !value.is_null());
        Ok(documents
            .map(|(index, value)| Self {
                place: format!("{}, document {}", path.display(), index + 1),
                value,
            })
            .collect())
    }

    fn kind(&self) -> Option<&str> {
        self.value.get("kind")?.as_str()
    }

    fn name(&self) -> Option<&str> {
        self.value.pointer("/metadata/name")?.as_str()
    }

    /// Whether it is for `object`, which is also known as `base`.
    fn is_for(&self, object: &Value, base: &str) -> bool {
        let same = |pointer: &str| match self.value.pointer(pointer) {
            Some(said) => object.pointer(pointer) == Some(said),
            None => true,
        };
        let is_named = self.name().is_none_or(|name| name == base || same("/metadata/name"));
        is_named && same("/apiVersion") && same("/kind") && same("/metadata/namespace")
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
        let message =
            format!("{}: nothing says of which `kind` the object is that is to change", patch.place);
        return Some(Problem::new(message, format!("write `kind: {}`", application.settings.kind)));
    }
    // What a chart puts in front of names is not what somebody writes.
    let plain = |name: String| name.replace(&names.app, application.name);
    let base_of = |object: &Value| plain(name_of(object).to_owned());
    let mut count = 0;
    for object in made.objects.iter_mut().filter(|object| patch.is_for(object, &base_of(object))) {
        merge(object, &patch.change(), "");
        count += 1;
    }
    for map in &mut made.maps {
        if !patch.is_for(&map.object(), &plain(map.base.clone())) {
            continue;
        }
        count += 1;
        let change = patch.change();
        let members = change.as_object().into_iter().flatten();
        let more = members.map(|(key, _)| key).find(|key| *key != "metadata");
        if let Some(key) = more {
            return Some(Problem::new(
                format!("{}: a patch can't change `{key}` of a {}", patch.place, map.kind.as_str()),
                "it can change labels and annotations; everything else is rendered: change the template",
            ));
        }
        if let Some(metadata) = change.get("metadata") {
            merge(&mut map.metadata, metadata, "");
        }
    }
    match count {
        0 => Some(Problem::new(
            format!("{}: there is no {} to change", patch.place, patch.described()),
            format!("there are {}", listed(names, application, made)),
        )),
        1 => None,
        _ => Some(Problem::new(
            format!("{}: there are {count} objects of the kind {}", patch.place, patch.described()),
            "say which: `metadata: { name: … }`",
        )),
    }
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
