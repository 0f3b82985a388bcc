//! References of patches to generated objects by the names that users see: without a hash, and
//! without a chart's placeholder. `kubectl kustomize` completes them, so every layout does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::application::{Application, Manifests, ObjectNaming};

/// Members that refer to an object: the member, the field with its name, and the kind.
const REFERENCES: [(&str, &str, &str); 8] = [
    ("configMap", "name", "ConfigMap"),
    ("configMapRef", "name", "ConfigMap"),
    ("configMapKeyRef", "name", "ConfigMap"),
    ("secret", "name", "Secret"),
    ("secret", "secretName", "Secret"),
    ("secretRef", "name", "Secret"),
    ("secretKeyRef", "name", "Secret"),
    ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
];

/// The names of generated objects, by kind and plain name.
pub(super) type ObjectNames = BTreeMap<(String, String), String>;

/// Returns the objects whose name differs from the plain one.
pub(super) fn object_names(
    application: &Application<'_>,
    naming: &ObjectNaming,
    manifests: &Manifests,
) -> ObjectNames {
    let config_objects = manifests.config_objects.iter().map(|config_object| {
        let name =
            if naming.has_hash_suffixes { config_object.name() } else { config_object.base_name.clone() };
        (config_object.kind.as_str().to_owned(), config_object.base_name.clone(), name)
    });
    let claims = manifests.objects.iter().filter_map(|object| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let name = text("/metadata/name")?;
        Some((text("/kind")?, name.clone(), name))
    });
    let all = config_objects.chain(claims);
    let named = all.map(|(kind, base, name)| ((kind, naming.plain_name(&base, application)), name));
    named.filter(|((_, plain), name)| plain != name).collect()
}

/// Replaces plain names in references, at any depth.
pub(super) fn rewrite_references(value: &mut Value, names: &ObjectNames) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                for (_, field, kind) in REFERENCES.iter().filter(|(reference, ..)| reference == key) {
                    let Some(named) = member.get_mut(*field) else { continue };
                    let plain = named.as_str().unwrap_or_default().to_owned();
                    if let Some(name) = names.get(&((*kind).to_owned(), plain)) {
                        *named = name.clone().into();
                    }
                }
                rewrite_references(member, names);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite_references(item, names)),
        _ => {}
    }
}
