//! How a scalar is written: plain, with quotes or as a block. Plain scalars have several meanings in
//! YAML 1.1 and 1.2.

use serde_json::Value;

use super::NON_FINITE;
use super::node::{Node, NodeKind};

/// Plain scalars that are booleans in YAML 1.1. Source: `resolve.go` of go-yaml 2.
const YAML_1_1_BOOLEANS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// Returns whether `text` is a boolean in YAML 1.1 and text in YAML 1.2, if it is not quoted.
pub(crate) fn is_yaml_1_1_boolean(text: &str) -> bool {
    YAML_1_1_BOOLEANS.iter().any(|word| {
        let (first, rest) = word.split_at(1);
        text == *word || text == word.to_uppercase() || text == first.to_uppercase() + rest
    })
}

impl Node {
    /// Returns whether the node is an unquoted word that is a boolean in YAML 1.1, such as `no`. `source` is the
    /// text that the node was parsed from.
    pub(crate) fn is_yaml_1_1_boolean(&self, source: &str) -> bool {
        self.text().is_some_and(|text| is_yaml_1_1_boolean(text) && self.is_plain(source))
    }

    /// Returns whether the node is text without quotes, block indicator and tag.
    pub(crate) fn is_plain(&self, source: &str) -> bool {
        self.text() == self.source_text(source) && self.block_style(source).is_none() && !self.has_tag(source)
    }

    /// Returns the indicator of a block scalar, `|` or `>`. Its node's position is that of its first
    /// line.
    pub(crate) fn block_style(&self, source: &str) -> Option<char> {
        let before = source.get(..self.defined_span.start)?.trim_end();
        let header = before.lines().next_back()?;
        let header = header.split(" #").next()?.trim_end();
        let header = header.trim_end_matches(|c: char| c.is_ascii_digit() || "+-".contains(c));
        header.chars().next_back().filter(|last| "|>".contains(*last))
    }

    /// Turns numbers that overflow a double into text, as go-yaml does. `.inf` and `.nan` remain.
    pub(super) fn restore_overflowing_numbers(&mut self, source: &str) {
        match &mut self.kind {
            NodeKind::Scalar(Value::String(value)) if value == NON_FINITE => {
                let text = self.source_text(source).unwrap_or_default();
                if text.contains(|c: char| c.is_ascii_digit()) {
                    self.kind = NodeKind::Text(text.to_owned());
                }
            }
            NodeKind::Scalar(_) | NodeKind::Text(_) => {}
            NodeKind::Sequence(items) => {
                items.iter_mut().for_each(|item| item.restore_overflowing_numbers(source));
            }
            NodeKind::Mapping(members) => {
                members.iter_mut().for_each(|(_, node)| node.restore_overflowing_numbers(source));
            }
        }
    }

    fn source_text<'t>(&self, source: &'t str) -> Option<&'t str> {
        source.get(self.defined_span.start..self.defined_span.end)
    }

    /// Returns whether a tag such as `!!str` precedes the node.
    fn has_tag(&self, source: &str) -> bool {
        let before = source.get(..self.defined_span.start).unwrap_or_default();
        let mut properties = before.rsplit(char::is_whitespace).filter(|word| !word.is_empty());
        properties.find(|word| !word.starts_with('&')).is_some_and(|word| word.starts_with('!'))
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_single;

    #[test]
    fn finds_unquoted_yaml_1_1_booleans() {
        for (text, expected) in [
            ("a: no", true),
            ("a: No # c", true),
            ("a: &x OFF", true),
            ("{a: y}", true),
            ("a:\n  on\n", true),
            ("a: nO", false),
            ("a: nope", false),
            ("a: 'no'", false),
            ("a: \"no\"", false),
            ("a: !!str no", false),
            ("a: !!str &x no", false),
            ("a: ! no", false),
            ("a: |\n  no\n", false),
            ("a: |-\n  no\n", false),
            ("a: >-\n  no\n", false),
        ] {
            let node = parse_single(text).unwrap().unwrap();
            assert_eq!(node.get("a").unwrap().is_yaml_1_1_boolean(text), expected, "{text}");
        }
    }
}
