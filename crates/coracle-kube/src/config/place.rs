//! Mount paths that are reserved or conflict.

use super::{Configuration, Problem, Reload};
use coracle_core::path::ImagePath;

/// Directories that the container runtime needs: with a mount there the container does not start.
const TAKEN: [&str; 6] = ["/", "/etc", "/dev", "/proc", "/sys", "/run"];

/// The kinds of mounts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rendered,
    Secret,
    State,
}

/// Returns problems with reserved, duplicate and nested mount paths.
pub(super) fn problems(configuration: &Configuration) -> Vec<Problem> {
    let mounts: Vec<(Kind, &ImagePath)> = all(configuration).collect();
    let mut problems = Vec::new();
    for (index, (kind, path)) in mounts.iter().enumerate() {
        if is_taken(path) {
            problems.push(Problem::about(
                path,
                format!("cannot mount on `{path}`: the container runtime needs this directory"),
                "use a directory that only the program uses, such as `/etc/NAME`",
            ));
        }
        let before = mounts.get(..index).unwrap_or_default();
        if before.iter().any(|(other, at)| at == path && !goes_with(*other, *kind)) {
            let message = format!("two mounts have the path `{path}`");
            problems.push(Problem::about(path, message, "merge the mounts, or move one"));
        }
        let above = mounts
            .iter()
            .find(|(other, at)| at != path && path.is_within(at) && *other != Kind::State && !is_taken(at));
        if let Some((_, above)) = above {
            problems.push(Problem::about(
                path,
                format!("cannot mount `{path}` inside `{above}`, which is read-only"),
                "use two directories that are not nested, or one for the files of both",
            ));
        }
    }
    problems.extend(reloads(configuration));
    problems
}

/// Returns problems with a Secret whose `reload` differs from that of the mount at its path.
fn reloads(configuration: &Configuration) -> impl Iterator<Item = Problem> {
    configuration.secrets.iter().filter_map(|secret| {
        let beside = configuration.mounts.iter().find(|mount| mount.path == secret.path)?;
        (secret.reload != Reload::default() && secret.reload != beside.reload).then(|| {
            Problem::about(
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

fn is_taken(path: &ImagePath) -> bool {
    let text = path.to_string();
    TAKEN.contains(&text.as_str()) || ["/dev/", "/proc/", "/sys/"].iter().any(|above| text.starts_with(above))
}

/// Returns whether two mounts can share a directory, as one projected volume.
fn goes_with(one: Kind, other: Kind) -> bool {
    matches!((one, other), (Kind::Rendered, Kind::Secret) | (Kind::Secret, Kind::Rendered | Kind::Secret))
}

fn all(configuration: &Configuration) -> impl Iterator<Item = (Kind, &ImagePath)> {
    let rendered = configuration.mounts.iter().map(|mount| (Kind::Rendered, &mount.path));
    let secrets = configuration.secrets.iter().map(|secret| (Kind::Secret, &secret.path));
    let states = configuration.states.iter().map(|state| (Kind::State, &state.path));
    rendered.chain(secrets).chain(states)
}
