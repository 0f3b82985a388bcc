//! A YAML 1.2 reader (`yes` is text). The only module that depends on the parser crate.
//!
//! Duplicate keys and exponentially growing aliases are errors.

mod node;
mod scalar_style;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

pub use node::{Key, Node, NodeKind, Span};
pub(crate) use scalar_style::is_yaml_1_1_boolean;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

/// The value of `.nan`, `.inf` and `-.inf`.
const NON_FINITE: &str = ".nan";

/// A YAML error with its position.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct YamlError {
    /// The parser's message, without the position.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Parses every document of a stream.
///
/// # Errors
/// Fails if the text is not valid YAML or is too large; reports the first error.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    Ok(parse_nodes(text)?.iter().map(Node::to_value).collect())
}

/// Parses every document of a stream, with the position of every node.
///
/// # Errors
/// Fails like [`parse_documents`].
pub fn parse_nodes(text: &str) -> Result<Vec<Node>, YamlError> {
    // Enough for the manifests of a whole cluster in one stream. The parser limits the number of
    // comments between two nodes, unless it skips comments. Exponential growth is limited by the
    // number of replayed events, whatever the ratio of aliases to anchors.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        emit_comments: false,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_documents: 65_536,
            max_nodes: 1_000_000,
            max_events: 4_000_000,
            enforce_alias_anchor_ratio: false,
        },
    };
    let text = without_document_boms(text);
    let text = text.as_ref();
    let parsed: Result<Vec<Node>, _> = serde_saphyr::from_multiple_with_options(text, options);
    let mut nodes = parsed.map_err(|error| {
        let number = |number| usize::try_from(number).unwrap_or(1);
        let (line, column) =
            error.location().map_or((1, 1), |location| (number(location.line()), number(location.column())));
        let text = error.without_snippet().to_string();
        let message = text.lines().next().unwrap_or_default();
        // `YamlError` has the position in its own fields.
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let message = message
            .split_once(": ")
            .filter(|(position, _)| position.starts_with("line "))
            .map_or(message, |(_, rest)| rest);
        // Advice about parser options is useless to the user.
        let endings = [", set DuplicateKeyPolicy", " at line "];
        let message = endings
            .iter()
            .fold(message, |text, ending| text.split_once(ending).map_or(text, |(text, _)| text));
        let message = match message.strip_prefix("budget breached: ") {
            Some(limit) => {
                let limit = limit.split([' ', '{']).next().unwrap_or(limit).to_lowercase();
                format!("the document is too large: it exceeds the parser's limit on {limit}")
            }
            None => message.to_owned(),
        };
        YamlError { message, line, column }
    })?;
    nodes.iter_mut().for_each(|node| node.restore_overflowing_numbers(text));
    Ok(nodes)
}

/// Replaces byte order marks behind `---`, as joined files have them and kubectl accepts them, by spaces
/// at the end of the line before, so that no position in bytes changes.
fn without_document_boms(text: &str) -> Cow<'_, str> {
    const MARK: char = '\u{feff}';
    if !text.contains("\n\u{feff}") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n').peekable();
    let mut is_mark_removed = false;
    while let Some(line) = lines.next() {
        let line = if is_mark_removed { line.trim_start_matches(MARK) } else { line };
        is_mark_removed = line.starts_with("---") && lines.peek().is_some_and(|next| next.starts_with(MARK));
        if is_mark_removed {
            let content = line.trim_end_matches(['\r', '\n']);
            let marks = lines.peek().map_or(0, |next| next.len() - next.trim_start_matches(MARK).len());
            out.push_str(content);
            out.extend(std::iter::repeat_n(' ', marks));
            out.push_str(line.get(content.len()..).unwrap_or_default());
        } else {
            out.push_str(line);
        }
    }
    Cow::Owned(out)
}

/// Parses the only document of a text; `None` if the text is empty.
///
/// # Errors
/// Fails like [`parse_documents`], and if there is more than one document.
pub fn parse_single(text: &str) -> Result<Option<Node>, YamlError> {
    let mut nodes = parse_nodes(text)?;
    if let Some(second) = nodes.get(1) {
        let Span { line, column, .. } = second.span;
        return Err(YamlError { message: "there is more than one document".into(), line, column });
    }
    Ok(nodes.pop())
}

impl Span {
    fn from_location(location: &serde_saphyr::Location) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let span = location.span();
        let start = number(span.byte_offset().unwrap_or_default());
        Self {
            line: number(location.line()),
            column: number(location.column()),
            start,
            end: start.saturating_add(number(span.byte_len().unwrap_or_default())),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<NodeKind>::deserialize(deserializer)?;
        let (span, defined_span) =
            (Span::from_location(&spanned.referenced), Span::from_location(&spanned.defined));
        Ok(Self { span, defined_span, kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { span: Span::from_location(&spanned.referenced), name: spanned.value })
    }
}

impl<'de> Deserialize<'de> for NodeKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = NodeKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML node")
    }

    fn visit_bool<E>(self, value: bool) -> Result<NodeKind, E> {
        Ok(NodeKind::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<NodeKind, E> {
        Ok(NodeKind::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<NodeKind, E> {
        Ok(NodeKind::Scalar(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<NodeKind, E> {
        Ok(NodeKind::Scalar(Value::String(value.to_string())))
    }

    fn visit_u128<E>(self, value: u128) -> Result<NodeKind, E> {
        Ok(NodeKind::Scalar(Value::String(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<NodeKind, E> {
        // JSON has no number for NaN and infinities.
        let number = serde_json::Number::from_f64(value).map(Value::Number);
        Ok(NodeKind::Scalar(number.unwrap_or_else(|| NON_FINITE.into())))
    }

    fn visit_str<E>(self, value: &str) -> Result<NodeKind, E> {
        Ok(NodeKind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<NodeKind, E> {
        Ok(NodeKind::Text(value))
    }

    fn visit_bytes<E: serde::de::Error>(self, value: &[u8]) -> Result<NodeKind, E> {
        String::from_utf8(value.to_vec()).map(NodeKind::Text).map_err(|_| E::custom("not UTF-8"))
    }

    fn visit_unit<E>(self) -> Result<NodeKind, E> {
        Ok(NodeKind::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<NodeKind, E> {
        Ok(NodeKind::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeKind, D::Error> {
        NodeKind::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NodeKind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(NodeKind::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeKind, A::Error> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut names = BTreeSet::new();
        while let Some(key) = map.next_key::<Key>()? {
            if !names.insert(key.name.clone()) {
                return Err(A::Error::custom(format!("duplicate mapping key: {}", key.name)));
            }
            entries.push((key, map.next_value()?));
        }
        Ok(NodeKind::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_yaml_1_1_booleans_and_dates_as_text() {
        let text = "a: yes\nb: true\nc: 12\nd: 2020-01-01\ne: 'no'\nf: ~\n";
        let expected = json!({ "a": "yes", "b": true, "c": 12, "d": "2020-01-01", "e": "no", "f": null });
        assert_eq!(parse_single(text).unwrap().unwrap().to_value(), expected);
        assert_eq!(parse_single(""), Ok(None));
        assert_eq!(parse_single("a: 1\n---\nb: 2\n").unwrap_err().line, 3);
        assert_eq!(parse_documents("a: 1\n---\nb: 2\n").unwrap().len(), 2);
        for text in ["\u{feff}a: 1\n---\n\u{feff}b: 2\nc: 3\n", "a: 1\n--- # x\r\n\u{feff}b: 2\r\nc: 3\r\n"] {
            let nodes = parse_nodes(text).unwrap();
            let span = nodes[1].get("c").unwrap().span;
            assert_eq!((span.line, &text[span.start..span.end]), (4, "3"), "{text:?}");
        }
        assert!(parse_documents("a: 1\n\u{feff}b: 2\n").is_err());
    }

    #[test]
    fn reads_numbers_that_overflow_a_double_as_text() {
        let long = "9".repeat(400);
        for text in ["12e3456", "1e999", "-1E400", "+1e400", ".1e999", "9.5e+999", &long] {
            for yaml in [format!("a: {text}\n"), format!("a: &x {text} # c\n"), format!("{{a: {text}}}")] {
                assert_eq!(parse_documents(&yaml), Ok(vec![json!({ "a": text })]), "{yaml}");
            }
        }
        assert_eq!(parse_documents("a: [&x 1e999, *x]\n"), Ok(vec![json!({ "a": ["1e999", "1e999"] })]));
        for text in [".inf", "-.INF", ".nan"] {
            let nodes = parse_nodes(&format!("a: {text}\n")).unwrap();
            assert!(matches!(nodes[0].get("a").unwrap().kind, NodeKind::Scalar(_)), "{text}");
        }
    }

    #[test]
    fn accepts_many_aliases_of_one_anchor() {
        let text = format!("a: &x {{b: 1}}\nc:\n{}", "- *x\n".repeat(5_000));
        assert_eq!(parse_documents(&text).unwrap()[0]["c"][4_999], json!({ "b": 1 }));
    }

    #[test]
    fn accepts_any_number_of_comments() {
        let comments = |indent: &str| format!("{indent}# c\n").repeat(20_000);
        for (text, expected) in [
            (format!("a:\n{}  b: 1\n", comments("  ")), json!({ "a": { "b": 1 } })),
            (format!("a:\n{}  - 1\n", comments("")), json!({ "a": [1] })),
            (format!("- \n{}  a: 1\n", comments("  ")), json!([{ "a": 1 }])),
            (format!("a: [\n{}1,\n{}2]\n", comments(" "), comments("")), json!({ "a": [1, 2] })),
            (format!("? a\n{}: 1\n", comments("")), json!({ "a": 1 })),
            (format!("a:\n{}", comments("")), json!({ "a": null })),
            (format!("a: 1\n{}b:\n{}", comments(""), comments("  ")), json!({ "a": 1, "b": null })),
            (format!("{}a: 1\n", comments("")), json!({ "a": 1 })),
        ] {
            assert_eq!(parse_documents(&text), Ok(vec![expected]), "{}", &text[..20]);
        }
        let error = parse_documents(&format!("a:\n{}  b: [\n", comments("  "))).unwrap_err();
        assert!(error.line > 20_000, "{error:?}");
    }

    #[test]
    fn reports_the_line_of_an_error() {
        for (text, line, part) in [("a: 1\na: 2\n", 2, "duplicate"), ("a: [1\n", 1, ""), ("a: *x\n", 1, "")] {
            let error = parse_documents(text).unwrap_err();
            assert!(
                error.line.abs_diff(line) <= 1 && error.message.to_lowercase().contains(part),
                "{text}: {error:?}"
            );
            assert!(!error.message.starts_with("line "), "{error:?}");
        }
    }
}
