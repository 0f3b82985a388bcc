//! Mount paths that are reserved or conflict.

use super::{ConfigProblem, Configuration, ReloadMethod};
use coracle_core::path::ImagePath;

/// Directories that the container runtime needs: with a mount there the container does not start.
const RESERVED_DIRECTORIES: [&str; 6] = ["/", "/etc", "/dev", "/proc", "/sys", "/run"];

/// The kinds of mounts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MountKind {
    Rendered,
    Secret,
    Writable,
}

/// Returns problems with reserved, duplicate and nested mount paths.
pub(super) fn mount_problems(configuration: &Configuration) -> Vec<ConfigProblem> {
    let mounts: Vec<(MountKind, &ImagePath)> = all_mounts(configuration).collect();
    let mut problems = Vec::new();
    for (index, (kind, path)) in mounts.iter().enumerate() {
        if is_reserved(path) {
            problems.push(ConfigProblem::at_path(
                path,
                format!("cannot mount on `{path}`: the container runtime needs this directory"),
                "use a directory that only the program uses, such as `/etc/NAME`",
            ));
        }
        let before = mounts.get(..index).unwrap_or_default();
        if before.iter().any(|(other, at)| at == path && !can_share_directory(*other, *kind)) {
            let message = format!("two mounts have the path `{path}`");
            problems.push(ConfigProblem::at_path(path, message, "merge the mounts, or move one"));
        }
        let above = mounts.iter().find(|(other, at)| {
            at != path && path.is_within(at) && *other != MountKind::Writable && !is_reserved(at)
        });
        if let Some((_, above)) = above {
            problems.push(ConfigProblem::at_path(
                path,
                format!("cannot mount `{path}` inside `{above}`, which is read-only"),
                "use two directories that are not nested, or one for the files of both",
            ));
        }
    }
    problems.extend(reload_conflicts(configuration));
    problems
}

/// Returns problems with a Secret whose `reload` differs from that of the mount at its path.
fn reload_conflicts(configuration: &Configuration) -> impl Iterator<Item = ConfigProblem> {
    configuration.secrets.iter().filter_map(|secret| {
        let beside = configuration.mounts.iter().find(|mount| mount.path == secret.path)?;
        (secret.reload != ReloadMethod::default() && secret.reload != beside.reload).then(|| {
            ConfigProblem::at_path(
                &secret.path,
                format!(
                    "`{}` has two values of `reload`: `{}` and `{}`",
                    secret.path, beside.reload, secret.reload
                ),
                "write `reload` only in `[[config]]`; it applies to the whole directory",
            )
        })
    })
}

fn is_reserved(path: &ImagePath) -> bool {
    let text = path.to_string();
    RESERVED_DIRECTORIES.contains(&text.as_str())
        || ["/dev/", "/proc/", "/sys/"].iter().any(|above| text.starts_with(above))
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
    let states = configuration.writable_directories.iter().map(|state| (MountKind::Writable, &state.path));
    rendered.chain(secrets).chain(states)
}
