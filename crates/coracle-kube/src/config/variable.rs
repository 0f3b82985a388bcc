//! Variables that are given the text of a mounted file, taken together.

use std::collections::BTreeSet;

use super::{Configuration, Problem};

/// A name stands in an environment once.
pub(super) fn problems(configuration: &Configuration) -> impl Iterator<Item = Problem> {
    let mut seen = BTreeSet::new();
    configuration.variables.iter().filter(move |variable| !seen.insert(&variable.name)).map(|variable| {
        Problem::about(
            &variable.from,
            format!("two variables are `{}`, one of them from `{}`", variable.name, variable.from),
            "give one of them another name",
        )
    })
}
