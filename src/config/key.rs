//! What Kubernetes takes: keys, sizes, and places for a mount. Source: `IsConfigMapKey`, `ValidateConfigMap`, and the
//! AtomicWriter of the kubelet, which keeps names that start with two dots for itself.

use std::collections::BTreeMap;

use super::{MAX_SIZE, Mount, Problem, RenderedFile};

/// The longest key.
const MAX_KEY: usize = 253;
/// Directories that a runtime needs for itself: a mount there keeps the container from starting.
const TAKEN: [&str; 6] = ["/", "/etc", "/dev", "/proc", "/sys", "/run"];

/// Illegal keys, keys that collide, and places where nothing can be mounted.
pub(super) fn problems(mounts: &[Mount]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut places = BTreeMap::new();
    for mount in mounts {
        let path = mount.path.to_string();
        if TAKEN.contains(&path.as_str()) || path.starts_with("/proc/") || path.starts_with("/sys/") {
            problems.push(Problem::new(
                format!("nothing can be mounted on `{path}`: the container needs it for itself"),
                "mount a directory of the program's own, such as `/etc/NAME`",
            ));
        }
        if places.insert(path.clone(), ()).is_some() {
            problems.push(Problem::new(format!("two mounts stand at `{path}`"), "join them, or move one"));
        }
        problems.extend(keys(mount));
    }
    problems
}

fn keys(mount: &Mount) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut first = BTreeMap::new();
    for file in &mount.files {
        let shown = crate::path::printable(file.key.as_bytes());
        if let Some(why) = illegal(&file.key) {
            problems.push(Problem::new(
                format!("`{shown}`, from `{}`, is no key of a ConfigMap: {why}", file.from.display()),
                "give it another name with `key`: letters, digits, `-`, `_` and `.`",
            ));
        }
        if let Some(other) = first.insert(file.key.clone(), &file.from) {
            problems.push(Problem::new(
                format!(
                    "both `{}` and `{}` are `{shown}` in {}",
                    other.display(),
                    file.from.display(),
                    mount.path
                ),
                "give one of them another name with `key`",
            ));
        }
    }
    problems
}

fn illegal(key: &str) -> Option<&'static str> {
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
