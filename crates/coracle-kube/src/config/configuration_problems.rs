//! Problems of a configuration that do not depend on the content of files and values: reserved and
//! conflicting mounts, invalid keys, duplicate variables.

use std::collections::{BTreeMap, BTreeSet};

use super::configuration::{ConfigMount, Configuration, ReloadMethod, RenderedFile};
use crate::kubernetes_limits::{MAX_OBJECT_BYTES, MountedContent, invalid_key_reason, reserved_reason};
use crate::located_problem::LocatedProblem;
use coracle_core::path::{ImagePath, escape_bytes};

/// Returns the problems of a configuration that do not depend on the content of files and values.
pub fn configuration_problems(configuration: &Configuration) -> Vec<LocatedProblem> {
    let mut problems = mount_problems(configuration);
    problems.extend(key_problems(configuration));
    problems.extend(duplicate_variables(configuration));
    problems
}

/// The kinds of mounts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MountKind {
    Rendered,
    Secret,
    Writable,
}

impl MountKind {
    fn mounted_content(self) -> MountedContent {
        match self {
            Self::Rendered | Self::Secret => MountedContent::Files,
            Self::Writable => MountedContent::Writable,
        }
    }
}

/// Returns problems with reserved, duplicate and nested mount paths.
fn mount_problems(configuration: &Configuration) -> Vec<LocatedProblem> {
    let mounts: Vec<(MountKind, &ImagePath)> = all_mounts(configuration).collect();
    let mut problems = Vec::new();
    for (index, (kind, path)) in mounts.iter().enumerate() {
        if let Some(reason) = reserved_reason(path, kind.mounted_content()) {
            problems.push(mount_problem(
                path,
                format!("cannot mount on `{path}`: {reason}"),
                "use a directory that only the program uses, such as `/etc/NAME` or `/var/lib/NAME`",
            ));
        }
        if path.as_bytes().contains(&b':') {
            problems.push(mount_problem(
                path,
                format!("cannot mount on `{path}`: Kubernetes allows no `:` in a mount path"),
                "remove the colon: what is mounted is read-only except for `--state`",
            ));
        }
        let earlier = mounts.get(..index).unwrap_or_default();
        if earlier.iter().any(|(other, other_path)| other_path == path && !can_share_directory(*other, *kind))
        {
            let message = format!("two mounts have the path `{path}`");
            problems.push(mount_problem(path, message, "merge the mounts, or move one"));
        }
        let parent = mounts.iter().find(|(other, other_path)| {
            other_path != path
                && path.is_within(other_path)
                && *other != MountKind::Writable
                && reserved_reason(other_path, other.mounted_content()).is_none()
        });
        if let Some((_, parent)) = parent {
            problems.push(mount_problem(
                path,
                format!("cannot mount `{path}` inside `{parent}`, which is read-only"),
                "use two directories that are not nested, or one for the files of both",
            ));
        }
    }
    problems.extend(reload_conflicts(configuration));
    problems
}

/// Returns problems with a Secret whose `reload` differs from that of the mount at its path.
fn reload_conflicts(configuration: &Configuration) -> impl Iterator<Item = LocatedProblem> {
    configuration.secrets.iter().filter_map(|secret| {
        let mount = configuration.mounts.iter().find(|mount| mount.path == secret.path)?;
        (secret.reload != ReloadMethod::default() && secret.reload != mount.reload).then(|| {
            mount_problem(
                &secret.path,
                format!(
                    "`{}` has two values of `reload`: `{}` and `{}`",
                    secret.path, mount.reload, secret.reload
                ),
                "write `reload` only in `[[config]]`; it applies to the whole directory",
            )
        })
    })
}

/// Returns whether two mounts can share a directory, as one projected volume.
fn can_share_directory(one: MountKind, other: MountKind) -> bool {
    matches!(
        (one, other),
        (MountKind::Rendered, MountKind::Secret)
            | (MountKind::Secret, MountKind::Rendered | MountKind::Secret)
    )
}

fn all_mounts(configuration: &Configuration) -> impl Iterator<Item = (MountKind, &ImagePath)> {
    let rendered = configuration.mounts.iter().map(|mount| (MountKind::Rendered, &mount.path));
    let secrets = configuration.secrets.iter().map(|secret| (MountKind::Secret, &secret.path));
    let writable =
        configuration.writable_directories.iter().map(|directory| (MountKind::Writable, &directory.path));
    rendered.chain(secrets).chain(writable)
}

fn mount_problem(path: &ImagePath, message: String, hint: &str) -> LocatedProblem {
    LocatedProblem::new(message, hint).at_mount(path)
}

/// Returns problems with invalid keys, and with duplicate keys in one directory.
fn key_problems(configuration: &Configuration) -> Vec<LocatedProblem> {
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
    let mut sources: BTreeMap<(&ImagePath, &String), String> = BTreeMap::new();
    for (path, key, source) in rendered.chain(secret) {
        let shown = escape_bytes(key.as_bytes());
        if let Some(why) = invalid_key_reason(key) {
            problems.push(mount_problem(
                path,
                format!("`{shown}`, from {source}, is not a valid key of a ConfigMap or Secret: {why}"),
                "rename the file, or set its `key` in the recipe: letters, digits, `-`, `_` and `.`",
            ));
        }
        if let Some(other) = sources.get(&(path, key)) {
            problems.push(mount_problem(
                path,
                format!("{other} and {source} have the same key `{shown}` in {path}"),
                "rename one of the files, or set its `key` in the recipe",
            ));
        }
        sources.insert((path, key), source);
    }
    problems
}

/// Returns a problem if the files of one mount are too large for one object.
pub(super) fn size_problem(mount: &ConfigMount, files: &[RenderedFile]) -> Option<LocatedProblem> {
    let size: usize = files.iter().map(|file| file.bytes.len()).sum();
    (size > MAX_OBJECT_BYTES).then(|| {
        LocatedProblem::new(
            format!(
                "the files of {} are larger than {MAX_OBJECT_BYTES} bytes, the limit of a Kubernetes object",
                mount.path
            ),
            "split the files into several mounts, or include those that never change in the image",
        )
    })
}

/// Returns problems with variables that have the same name.
fn duplicate_variables(configuration: &Configuration) -> impl Iterator<Item = LocatedProblem> {
    let mut seen = BTreeSet::new();
    configuration.variables.iter().filter(move |variable| !seen.insert(&variable.name)).map(|variable| {
        mount_problem(
            &variable.file,
            format!("two variables have the name `{}`, one of them from `{}`", variable.name, variable.file),
            "rename one of them",
        )
    })
}
