//! Derives the name of the image, of Kubernetes objects and of files. It is valid for
//! [`coracle_kube::manifests::name::application`].

/// The prefix of names that would not start with a letter.
const FALLBACK_NAME: &str = "app";

/// The most characters of an application's name.
const MAX_LENGTH: usize = 52;

/// Returns a name like `text`: lower-case letters, digits and single hyphens; it starts with a
/// letter.
pub(super) fn to_application_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name = format!("{FALLBACK_NAME}-{name}");
    }
    name.truncate(MAX_LENGTH);
    name.trim_end_matches('-').into()
}

/// Returns a name for the program file `file`, without an extension such as `.sh`.
pub(super) fn application_name_of_file(file: &str) -> String {
    let is_ending = |ending: &str| !ending.is_empty() && ending.chars().all(|c| c.is_ascii_alphabetic());
    match file.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && is_ending(ending) => to_application_name(stem),
        _ => to_application_name(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_valid_name_for_every_file() {
        for (file, expected) in [
            ("app", "app"),
            ("My_App", "my-app"),
            ("run.sh", "run"),
            ("app-1.2", "app-1-2"),
            (".hidden", "hidden"),
            ("a b..c--d_", "a-b-c-d"),
            ("ø", "app"),
            ("7z", "app-7z"),
            ("-1", "app-1"),
        ] {
            assert_eq!(application_name_of_file(file), expected, "{file}");
            assert_eq!(coracle_kube::manifests::name_rules::check_application_name(expected), Ok(()));
        }
        let long = to_application_name(&format!("{}-b", "a".repeat(MAX_LENGTH - 1)));
        assert_eq!(long, "a".repeat(MAX_LENGTH - 1));
        for long in ["a".repeat(MAX_LENGTH + 20), "7".repeat(MAX_LENGTH)] {
            assert_eq!(to_application_name(&long).len(), MAX_LENGTH);
            assert_eq!(
                coracle_kube::manifests::name_rules::check_application_name(&to_application_name(&long)),
                Ok(())
            );
        }
    }
}
