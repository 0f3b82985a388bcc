//! Checks of environment variables with the text of a mounted file.

use std::collections::BTreeSet;

use super::{ConfigProblem, Configuration};

/// Returns problems with duplicate names.
pub(super) fn duplicate_variables(configuration: &Configuration) -> impl Iterator<Item = ConfigProblem> {
    let mut seen = BTreeSet::new();
    configuration.variables.iter().filter(move |variable| !seen.insert(&variable.name)).map(|variable| {
        ConfigProblem::at_path(
            &variable.file,
            format!("two variables have the name `{}`, one of them from `{}`", variable.name, variable.file),
            "rename one of them",
        )
    })
}
