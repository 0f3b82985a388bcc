//! "Did you mean": suggestions for misspelled names, for the hints of errors in several crates.

/// Minimum Jaro-Winkler similarity of a suggestion.
const MIN_SIMILARITY: f64 = 0.8;

/// Returns the known word most similar to `word`, the first of equally similar ones. `None` if no
/// word is similar enough.
pub fn most_similar<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let normalized = word.to_lowercase().replace('_', "-");
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        let similarity = strsim::jaro_winkler(&normalized, &candidate.to_lowercase());
        if similarity >= MIN_SIMILARITY && best.is_none_or(|(highest, _)| similarity > highest) {
            best = Some((similarity, candidate));
        }
    }
    best.map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_similar_words_only() {
        let known = ["name", "programs", "args", "working-dir", "stop-signal", "labels"];
        for (word, meant) in [
            ("nmae", Some("name")),
            ("program", Some("programs")),
            ("working_dir", Some("working-dir")),
            ("workdir", Some("working-dir")),
            ("label", Some("labels")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(most_similar(word, known), meant, "{word}");
        }
    }
}
