//! The next step after an error, and suggestions for misspelled names ("did you mean").

/// An error that may suggest the next step to the user.
pub trait Hint {
    /// The next step for the user; `None` if there is no usual one.
    fn hint(&self) -> Option<String>;
}

/// Minimum Jaro-Winkler similarity of a suggested name.
const MIN_SIMILARITY: f64 = 0.8;

/// Returns the known name most similar to `name`, the first of equally similar ones. `None` if no
/// name is similar enough.
pub fn most_similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let normalized = name.to_lowercase().replace('_', "-");
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        let similarity = strsim::jaro_winkler(&normalized, &candidate.to_lowercase());
        if similarity >= MIN_SIMILARITY && best.is_none_or(|(highest, _)| similarity > highest) {
            best = Some((similarity, candidate));
        }
    }
    best.map(|(_, name)| name)
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
            ("", None),
        ] {
            assert_eq!(most_similar(name, known), suggested, "{name}");
        }
    }
}
