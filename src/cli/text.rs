//! Formats text for people: counts, and escapes for text that is not trusted.

/// Returns a number with its noun: `1 file`, `2 files`, `2 directories`.
pub(super) fn count_noun(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// Escapes control characters, because labels, manifests and file names are untrusted and must not
/// control the terminal.
pub(super) fn escape_control(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_plurals() {
        for (number, noun, expected) in [
            (1, "file", "1 file"),
            (0, "file", "0 files"),
            (1, "directory", "1 directory"),
            (2, "directory", "2 directories"),
        ] {
            assert_eq!(count_noun(number, noun), expected);
        }
    }
}
