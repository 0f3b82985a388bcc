//! Names that Kubernetes takes. Source: `apimachinery/pkg/util/validation/validation.go`.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::path::ImagePath;

/// The longest name of an application: a CronJob and the pods of a StatefulSet put something behind it.
const MAX_APPLICATION: usize = 52;
/// The longest DNS label, which volumes and containers have, and the longest value of a label.
const MAX_LABEL: usize = 63;

/// Why `name` can't be an application's: it names a Service, which is a DNS label that starts with a letter.
pub fn application(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("it is empty")
    } else if name.len() > MAX_APPLICATION {
        Err("it is longer than 52 bytes")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Err("it does not start with a lower-case letter")
    } else if !name.bytes().all(is_label_byte) || name.ends_with('-') {
        Err("it holds something else than lower-case letters, digits and `-`, or ends in `-`")
    } else {
        Ok(())
    }
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

/// Whether `name` is a DNS label (RFC 1123), as namespaces are.
pub fn is_label(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_LABEL
        && name.bytes().all(is_label_byte)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether `name` is a DNS subdomain (RFC 1123), as most objects are named.
pub fn is_subdomain(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(is_label_byte) && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_part)
}

/// Whether `key` is the name of a label or an annotation: `[PREFIX/]NAME`.
pub fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_word(name),
        None => is_word(key),
    }
}

/// Whether `value` is the value of a label.
pub fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_word(value)
}

/// Letters, digits, `-`, `_` and `.`, at both ends a letter or a digit.
fn is_word(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= MAX_LABEL
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && is_end(text.chars().next())
        && is_end(text.chars().next_back())
}

/// A DNS label for each of several directories, no two alike: `etc-shop` for `/etc/shop`.
pub(super) fn labels<'a>(paths: impl IntoIterator<Item = &'a ImagePath>) -> BTreeMap<ImagePath, String> {
    let mut labels: BTreeMap<ImagePath, String> = BTreeMap::new();
    for path in paths {
        if labels.contains_key(path) {
            continue;
        }
        let plain = plain(path);
        let taken = labels.values().any(|label| *label == plain);
        let label =
            if plain.is_empty() || plain.len() > MAX_LABEL || taken { marked(path, &plain) } else { plain };
        labels.insert(path.clone(), label);
    }
    labels
}

fn plain(path: &ImagePath) -> String {
    let letter = |byte: u8| match byte.to_ascii_lowercase() {
        byte if is_label_byte(byte) => char::from(byte),
        _ => '-',
    };
    let text: String = path.relative().iter().map(|&byte| letter(byte)).collect();
    text.trim_matches('-').to_owned()
}

/// With a part of the path's digest, where the letters alone don't tell it from others.
fn marked(path: &ImagePath, plain: &str) -> String {
    let digest: String = Digest::of(path.as_bytes()).hex().chars().take(8).collect();
    let start: String = plain.chars().take(MAX_LABEL - digest.len() - 1).collect();
    match start.trim_end_matches('-') {
        "" => format!("at-{digest}"),
        start => format!("{start}-{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_have_names_of_their_own() {
        let long = format!("/{}", "x".repeat(80));
        let paths = ["/etc/shop", "/etc/shop", "/etc-shop", "/Etc/Shop.d", "/_", "/ä", long.as_str()];
        let paths: Vec<ImagePath> = paths.iter().map(|path| path.parse().unwrap()).collect();
        let found = labels(&paths);
        assert_eq!(found[&paths[0]], "etc-shop");
        assert_eq!(found[&paths[3]], "etc-shop-d");
        let mut labels: Vec<&String> = found.values().collect();
        assert!(labels.iter().all(|label| is_label(label)), "{labels:?}");
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), 6);
    }

    #[test]
    fn words_of_kubernetes() {
        let long = "x".repeat(64);
        for (text, is_application, qualified, value) in [
            ("shop", true, true, true),
            ("", false, false, true),
            ("1shop", false, true, true),
            ("shop-", false, false, false),
            ("Shop.1_2", false, true, true),
            ("acme.com/team", false, true, false),
            ("acme.com/", false, false, false),
            ("a b", false, false, false),
            (long.as_str(), false, false, false),
        ] {
            let found = (application(text).is_ok(), is_qualified(text), is_label_value(text));
            assert_eq!(found, (is_application, qualified, value), "{text}");
        }
        assert!(is_label("0-9") && !is_label("a.b") && is_subdomain("a.b") && !is_subdomain("a..b"));
    }
}
