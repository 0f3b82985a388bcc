//! The name of what is begun: of an image, of objects on Kubernetes, of files; so it is a label of DNS.

/// What a label may have at most (RFC 1123).
const LONGEST: usize = 63;

/// The name that is nearest to `text`: small letters, digits, and single hyphens between them.
pub(super) fn of(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(LONGEST);
    let name = name.trim_end_matches('-');
    if name.is_empty() { "app".into() } else { name.into() }
}

/// The name of a program in the file `file`, without an ending such as `.sh`.
pub(super) fn of_file(file: &str) -> String {
    let is_ending = |ending: &str| !ending.is_empty() && ending.chars().all(|c| c.is_ascii_alphabetic());
    match file.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && is_ending(ending) => of(stem),
        _ => of(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_legal_name() {
        for (file, expected) in [
            ("app", "app"),
            ("My_App", "my-app"),
            ("run.sh", "run"),
            ("app-1.2", "app-1-2"),
            (".hidden", "hidden"),
            ("a b..c--d_", "a-b-c-d"),
            ("ø", "app"),
        ] {
            assert_eq!(of_file(file), expected, "{file}");
        }
        let long = of(&format!("{}-b", "a".repeat(LONGEST - 1)));
        assert_eq!(long, "a".repeat(LONGEST - 1));
    }
}
