//! Unquoted strings that are numbers in YAML 1.1, which Kubernetes uses. Source: `resolve.go` of
//! go-yaml 2.

use crate::yaml::Node;

/// Returns whether the string `node` in `text` is a number in YAML 1.1: underscores between digits
/// do not count, and prefixes of bases may be capitals.
pub(super) fn is_yaml_1_1_number(node: &Node, text: &str) -> bool {
    node.text().is_some_and(is_number) && node.is_plain(text)
}

fn is_number(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return false;
    }
    let plain = text.replace('_', "");
    let digits = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let lower = digits.to_ascii_lowercase();
    let in_base = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().any(|(prefix, base)| {
        lower
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base)))
    });
    let starts = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    in_base || starts && digits.parse().is_ok_and(f64::is_finite)
}
