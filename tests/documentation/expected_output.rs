//! Whether a text is the one that is shown: `…` stands for the rest of a word or a line, alone on a
//! line for any lines.

/// Whether a program printed what a page shows.
pub(crate) fn is_same(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
    lines(&shown, &printed)
}

fn lines(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim() == "…" => {
            (0..=printed.len()).any(|skipped| lines(rest, &printed[skipped..]))
        }
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, printed)| one(first, line) && lines(rest, printed))
        }
    }
}

fn one(shown: &str, printed: &str) -> bool {
    match shown.split_once('…') {
        None => shown == printed,
        Some((start, rest)) => printed.strip_prefix(start).is_some_and(|printed| {
            printed
                .char_indices()
                .map(|(at, _)| at)
                .chain([printed.len()])
                .any(|at| one(rest, &printed[at..]))
        }),
    }
}

#[test]
fn ellipses_match_variable_text() {
    for (shown, printed, same) in [
        ("a", "a\n", true),
        ("a@sha256:…", "a@sha256:0f", true),
        ("a … c\nd", "a b c\nd", true),
        ("a\n…\nd", "a\nb\nc\nd", true),
        ("a\n…\nd", "a\nb\nc", false),
        ("a", "a\nb", false),
        ("a\nb", "a", false),
    ] {
        assert_eq!(is_same(shown, printed), same, "{shown:?} {printed:?}");
    }
}
