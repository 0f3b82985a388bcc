//! Checks of environment variables with the text of a mounted file.

use std::collections::BTreeSet;

use super::{Configuration, Problem};

/// Returns problems with duplicate names.
pub(super) fn problems(configuration: &Configuration) -> impl Iterator<Item = Problem> {
    let mut seen = BTreeSet::new();
    configuration.variables.iter().filter(move |variable| !seen.insert(&variable.name)).map(|variable| {
        Problem::about(
            &variable.from,
            format!("two variables have the name `{}`, one of them from `{}`", variable.name, variable.from),
            "rename one of them",
        )
    })
}
