//! Where something can be mounted.

use super::{Configuration, Problem, Reload};
use coracle_core::path::ImagePath;

/// Directories that a runtime needs for itself: a mount there keeps the container from starting.
const TAKEN: [&str; 6] = ["/", "/etc", "/dev", "/proc", "/sys", "/run"];

/// What is mounted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rendered,
    Secret,
    State,
}

/// Places where nothing can be mounted, and mounts that stand in each other's way.
pub(super) fn problems(configuration: &Configuration) -> Vec<Problem> {
    let mounts: Vec<(Kind, &ImagePath)> = all(configuration).collect();
    let mut problems = Vec::new();
    for (index, (kind, path)) in mounts.iter().enumerate() {
        if is_taken(path) {
            problems.push(Problem::about(
                path,
                format!("nothing can be mounted on `{path}`: the container needs it for itself"),
                "mount a directory of the program's own, such as `/etc/NAME`",
            ));
        }
        let before = mounts.get(..index).unwrap_or_default();
        if before.iter().any(|(other, at)| at == path && !goes_with(*other, *kind)) {
            let message = format!("two mounts stand at `{path}`");
            problems.push(Problem::about(path, message, "join them, or move one"));
        }
        let above = mounts
            .iter()
            .find(|(other, at)| at != path && path.is_within(at) && *other != Kind::State && !is_taken(at));
        if let Some((_, above)) = above {
            problems.push(Problem::about(
                path,
                format!("`{path}` can't be mounted inside `{above}`, which is read-only"),
                "mount them beside each other, or give the files of both one directory",
            ));
        }
    }
    problems.extend(reloads(configuration));
    problems
}

/// One directory changes in one way.
fn reloads(configuration: &Configuration) -> impl Iterator<Item = Problem> {
    configuration.secrets.iter().filter_map(|secret| {
        let beside = configuration.mounts.iter().find(|mount| mount.path == secret.path)?;
        (secret.reload != Reload::default() && secret.reload != beside.reload).then(|| {
            Problem::about(
                &secret.path,
                format!("`{}` can't be both `{}` and `{}`", secret.path, beside.reload, secret.reload),
                "say `reload` once, below `[[config]]`; it holds for the whole directory",
            )
        })
    })
}

fn is_taken(path: &ImagePath) -> bool {
    let text = path.to_string();
    TAKEN.contains(&text.as_str()) || ["/dev/", "/proc/", "/sys/"].iter().any(|above| text.starts_with(above))
}

/// Rendered files and secrets share a directory, as one projected volume.
fn goes_with(one: Kind, other: Kind) -> bool {
    matches!((one, other), (Kind::Rendered, Kind::Secret) | (Kind::Secret, Kind::Rendered | Kind::Secret))
}

fn all(configuration: &Configuration) -> impl Iterator<Item = (Kind, &ImagePath)> {
    let rendered = configuration.mounts.iter().map(|mount| (Kind::Rendered, &mount.path));
    let secrets = configuration.secrets.iter().map(|secret| (Kind::Secret, &secret.path));
    let states = configuration.states.iter().map(|state| (Kind::State, &state.path));
    rendered.chain(secrets).chain(states)
}
