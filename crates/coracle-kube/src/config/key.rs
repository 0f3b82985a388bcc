//! Keys and sizes that Kubernetes takes. Source: `IsConfigMapKey`, `ValidateConfigMap`, and the AtomicWriter of the
//! kubelet, which keeps names that start with two dots for itself.

use std::collections::BTreeMap;

use super::{Configuration, MAX_SIZE, Mount, Problem, RenderedFile};
use coracle_core::path::{ImagePath, printable};

/// The longest key.
const MAX_KEY: usize = 253;

/// Illegal keys, and keys that collide in one directory.
pub(super) fn problems(configuration: &Configuration) -> Vec<Problem> {
    let rendered = configuration.mounts.iter().flat_map(|mount| {
        mount.files.iter().map(|file| (&mount.path, &file.key, format!("`{}`", file.from.display())))
    });
    let secret = configuration.secrets.iter().flat_map(|secret| {
        let name = secret
            .name
            .as_ref()
            .map_or_else(|| "the Secret".to_owned(), |name| format!("the Secret `{name}`"));
        secret.keys.iter().map(move |key| (&secret.path, key, name.clone()))
    });
    let mut problems = Vec::new();
    let mut first: BTreeMap<(&ImagePath, &String), String> = BTreeMap::new();
    for (path, key, from) in rendered.chain(secret) {
        let shown = printable(key.as_bytes());
        if let Some(why) = illegal(key) {
            problems.push(Problem::about(
                path,
                format!("`{shown}`, from {from}, is no key of a ConfigMap or Secret: {why}"),
                "rename it, or give it another name with `key` in a recipe: letters, digits, `-`, `_` and `.`",
            ));
        }
        if let Some(other) = first.get(&(path, key)) {
            problems.push(Problem::about(
                path,
                format!("both {other} and {from} are `{shown}` in {path}"),
                "rename one of them, or give it another name with `key` in a recipe",
            ));
        }
        first.insert((path, key), from);
    }
    problems
}

/// Why `key` is none.
pub(crate) fn illegal(key: &str) -> Option<&'static str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if key.is_empty() {
        Some("it is empty")
    } else if key.len() > MAX_KEY {
        Some("it is longer than 253 bytes")
    } else if key == "." || key.starts_with("..") {
        Some("a kubelet keeps such names for itself")
    } else if !key.chars().all(is_part) {
        Some("it holds something else than letters, digits, `-`, `_` and `.`")
    } else {
        None
    }
}

/// More than one object holds.
pub(super) fn too_large(mount: &Mount, files: &[RenderedFile]) -> Option<Problem> {
    let size: usize = files.iter().map(|file| file.bytes.len()).sum();
    (size > MAX_SIZE).then(|| {
        Problem::new(
            format!("the files of {} have more than {MAX_SIZE} bytes, which is all that an object of Kubernetes holds", mount.path),
            "split them over several mounts, or include what never changes in the image",
        )
    })
}
