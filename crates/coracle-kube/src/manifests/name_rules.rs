//! Kubernetes names. Source: `apimachinery/pkg/util/validation/validation.go`.

use coracle_core::digest::Digest;
use coracle_core::path::ImagePath;

/// The longest application name, in bytes: CronJobs and StatefulSets append suffixes to it.
const MAX_APPLICATION_NAME: usize = 52;
/// The longest DNS label and the longest label value, in bytes. Volumes and containers are named by
/// DNS labels.
const MAX_LABEL: usize = 63;

/// Checks an application name. It names a Service, so it must be a DNS label that starts with a
/// letter.
///
/// # Errors
/// Returns the reason if it is invalid.
pub fn check_application_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("it is empty")
    } else if name.len() > MAX_APPLICATION_NAME {
        Err("it is longer than 52 bytes")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Err("it does not start with a lower-case letter")
    } else if !name.bytes().all(is_label_byte) || name.ends_with('-') {
        Err("it has characters other than lower-case letters, digits and `-`, or ends with `-`")
    } else {
        Ok(())
    }
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

/// Returns whether `name` is a DNS label (RFC 1123), like names of namespaces.
pub fn is_dns_label(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_LABEL
        && name.bytes().all(is_label_byte)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Returns whether `name` is a DNS subdomain (RFC 1123), like names of most objects.
pub fn is_dns_subdomain(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(is_label_byte) && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_part)
}

/// Returns whether `key` is a valid name of a label: `[PREFIX/]NAME`.
pub fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_name_part(name),
        None => is_name_part(key),
    }
}

/// Returns whether `key` is a valid name of an annotation, whose prefix may have capitals
/// (`ValidateAnnotations`).
pub fn is_annotation_name(key: &str) -> bool {
    is_qualified_name(&key.to_ascii_lowercase())
}

/// Returns whether `value` is a valid label value.
pub fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_name_part(value)
}

/// Returns whether `text` has only letters, digits, `-`, `_` and `.`, and starts and ends with a
/// letter or digit.
fn is_name_part(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= MAX_LABEL
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && is_end(text.chars().next())
        && is_end(text.chars().next_back())
}

/// Returns a DNS label for a directory: `etc-shop` for `/etc/shop`. It depends on the path only.
/// Each `-` is doubled, so that `/etc/a-b` and `/etc/a/b` have different labels.
pub fn path_label(path: &ImagePath) -> String {
    let parts: Vec<&[u8]> = path.components().collect();
    let is_plain =
        |part: &&[u8]| std::str::from_utf8(part).is_ok_and(|part| is_dns_label(part) && !part.contains("--"));
    let label = String::from_utf8_lossy(&parts.join(&b'/')).replace('-', "--").replace('/', "-");
    if !label.is_empty() && label.len() <= MAX_LABEL && parts.iter().all(is_plain) {
        label
    } else {
        path_label_with_digest(path)
    }
}

/// Returns a label with a part of the path's digest, for paths whose characters alone are
/// ambiguous.
fn path_label_with_digest(path: &ImagePath) -> String {
    let digest: String = Digest::compute(path.as_bytes()).hex().chars().take(8).collect();
    let letter = |byte: u8| match byte.to_ascii_lowercase() {
        byte if is_label_byte(byte) => char::from(byte),
        _ => '-',
    };
    let letters: String = path.relative_bytes().iter().map(|&byte| letter(byte)).collect();
    let start: String = letters.trim_start_matches('-').chars().take(MAX_LABEL - digest.len() - 1).collect();
    match start.trim_end_matches('-') {
        "" => format!("at-{digest}"),
        start => format!("{start}-{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_paths_are_valid_and_unique() {
        let long = format!("/{}", "x".repeat(80));
        let mut labels = Vec::new();
        for (path, expected) in [
            ("/etc/shop", Some("etc-shop")),
            ("/etc/a-b", Some("etc-a--b")),
            ("/etc/a/b", Some("etc-a-b")),
            ("/etc-/a", None),
            ("/etc/-a", None),
            ("/etc/a--b", None),
            ("/Etc/App.d", None),
            ("/etc/app.d", Some("etc-app-d-e375181c")),
            ("/_", None),
            ("/ä", None),
            (long.as_str(), None),
        ] {
            let label = path_label(&path.parse().unwrap());
            assert!(is_dns_label(&label), "{label}");
            assert!(expected.is_none_or(|expected| label == expected), "{label}");
            labels.push(label);
        }
        assert!(labels[6].starts_with("etc-app-d-"), "{labels:?}");
        let count = labels.len();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), count);
    }

    #[test]
    fn validates_names() {
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
            let found = (check_application_name(text).is_ok(), is_qualified_name(text), is_label_value(text));
            assert_eq!(found, (is_application, qualified, value), "{text}");
        }
        assert!(
            is_dns_label("0-9")
                && !is_dns_label("a.b")
                && is_dns_subdomain("a.b")
                && !is_dns_subdomain("a..b")
        );
    }
}
