//! Derives the name of the image, of Kubernetes objects and of files. It is valid for
//! [`coracle_kube::manifests::name::application`].

/// The prefix of names that would not start with a letter.
const APP: &str = "app";

/// The most characters of an application's name.
const LONGEST: usize = 52;

/// Returns a name like `text`: lower-case letters, digits and single hyphens; it starts with a
/// letter.
pub(super) fn of(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name = format!("{APP}-{name}");
    }
    name.truncate(LONGEST);
    name.trim_end_matches('-').into()
}

/// Returns a name for the program file `file`, without an extension such as `.sh`.
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
            assert_eq!(of_file(file), expected, "{file}");
            assert_eq!(coracle_kube::manifests::name::application(expected), Ok(()));
        }
        let long = of(&format!("{}-b", "a".repeat(LONGEST - 1)));
        assert_eq!(long, "a".repeat(LONGEST - 1));
        for long in ["a".repeat(LONGEST + 20), "7".repeat(LONGEST)] {
            assert_eq!(of(&long).len(), LONGEST);
            assert_eq!(coracle_kube::manifests::name::application(&of(&long)), Ok(()));
        }
    }
}
