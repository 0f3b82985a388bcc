//! Keys and sizes of ConfigMaps and Secrets. Source: `IsConfigMapKey`, `ValidateConfigMap`, and the
//! kubelet's AtomicWriter, which reserves names that start with two dots.

use std::collections::BTreeMap;

use super::{ConfigMount, ConfigProblem, Configuration, MAX_OBJECT_BYTES, RenderedFile};
use coracle_core::path::{ImagePath, escape_bytes};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 253;

/// Returns problems with invalid keys, and with duplicate keys in one directory.
pub(super) fn key_problems(configuration: &Configuration) -> Vec<ConfigProblem> {
    let rendered = configuration.mounts.iter().flat_map(|mount| {
        mount.files.iter().map(|file| (&mount.path, &file.key, format!("`{}`", file.source.display())))
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
        let shown = escape_bytes(key.as_bytes());
        if let Some(why) = invalid_key_reason(key) {
            problems.push(ConfigProblem::at_path(
                path,
                format!("`{shown}`, from {from}, is not a valid key of a ConfigMap or Secret: {why}"),
                "rename the file, or set its `key` in the recipe: letters, digits, `-`, `_` and `.`",
            ));
        }
        if let Some(other) = first.get(&(path, key)) {
            problems.push(ConfigProblem::at_path(
                path,
                format!("{other} and {from} have the same key `{shown}` in {path}"),
                "rename one of the files, or set its `key` in the recipe",
            ));
        }
        first.insert((path, key), from);
    }
    problems
}

/// Returns why `key` is invalid; `None` if it is valid.
pub(crate) fn invalid_key_reason(key: &str) -> Option<&'static str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if key.is_empty() {
        Some("it is empty")
    } else if key.len() > MAX_KEY_BYTES {
        Some("it is longer than 253 bytes")
    } else if key == "." || key.starts_with("..") {
        Some("the kubelet reserves such names")
    } else if !key.chars().all(is_part) {
        Some("it has characters other than letters, digits, `-`, `_` and `.`")
    } else {
        None
    }
}

/// Returns a problem if the files of one mount are too large for one object.
pub(super) fn size_problem(mount: &ConfigMount, files: &[RenderedFile]) -> Option<ConfigProblem> {
    let size: usize = files.iter().map(|file| file.bytes.len()).sum();
    (size > MAX_OBJECT_BYTES).then(|| {
        ConfigProblem::new(
            format!(
                "the files of {} are larger than {MAX_OBJECT_BYTES} bytes, the limit of a Kubernetes object",
                mount.path
            ),
            "split the files into several mounts, or include those that never change in the image",
        )
    })
}
