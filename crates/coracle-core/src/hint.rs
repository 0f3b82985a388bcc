//! The next step after an error, and suggestions for misspelled names ("did you mean").

/// An error that may suggest the next step to the user.
pub trait Hint {
    /// The next step for the user; `None` if there is no usual one.
    fn hint(&self) -> Option<String>;
}

/// Returns the name in `known` that `name` probably misspells or abbreviates; the first of several
/// equally similar names. `None` if no name is similar: sharing some letters is not enough.
pub fn most_similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let normalized = name.to_lowercase().replace('_', "-");
    let is_like =
        |candidate: &str| is_misspelling(&normalized, candidate) || abbreviates(&normalized, candidate);
    let similar = known.into_iter().filter(|candidate| is_like(&candidate.to_lowercase()));
    similar.min_by_key(|candidate| strsim::damerau_levenshtein(&normalized, &candidate.to_lowercase()))
}

/// Returns whether two names differ in at most a fourth of their characters, or in a single
/// character.
fn is_misspelling(name: &str, candidate: &str) -> bool {
    let length = |name: &str| name.chars().count();
    let allowed = (length(name).max(length(candidate)) / 4).max(1);
    length(name) > 2 && strsim::damerau_levenshtein(name, candidate) <= allowed
}

/// Returns whether one name is the other without some of its characters, as `workdir` is `working-dir`.
fn abbreviates(name: &str, candidate: &str) -> bool {
    let (short, long) = if name.len() < candidate.len() { (name, candidate) } else { (candidate, name) };
    let mut rest = long.chars();
    let is_part = short.chars().all(|c| rest.by_ref().any(|other| other == c));
    let is_start = |one: &str, other: &str| one.chars().take(3).eq(other.chars().take(3));
    is_part && short.len() * 2 >= long.len() && is_start(short, long) && short.len() > 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_similar_names_only() {
        let known = ["name", "programs", "args", "working-dir", "stop-signal", "labels"];
        for (name, suggested) in [
            ("nmae", Some("name")),
            ("program", Some("programs")),
            ("working_dir", Some("working-dir")),
            ("workdir", Some("working-dir")),
            ("label", Some("labels")),
            ("zebra", None),
            ("entrypoint", None),
            ("stop", None),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(most_similar(name, known), suggested, "{name}");
        }
    }
}
