//! A YAML 1.2 reader (`yes` is text). The only module that depends on the parser crate.
//!
//! Duplicate keys and exponentially growing aliases are errors.

mod deserialize;
mod node;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use node::{Key, Node, NodeKind, Span};

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
    parse_stream(text)
}

/// Parses every document of a stream, with the position of every node.
///
/// # Errors
/// Fails like [`parse_documents`].
pub fn parse_nodes(text: &str) -> Result<Vec<Node>, YamlError> {
    parse_stream(text)
}

fn parse_stream<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, YamlError> {
    // Enough for the manifests of a whole cluster in one stream.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_documents: 65_536, max_nodes: 1_000_000, max_events: 4_000_000 },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
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
        // The parser's message shows the number, which may be secret.
        let message = if message.starts_with("non-finite float") {
            "a number is not finite, or is too large"
        } else {
            message
        };
        let message = match message.strip_prefix("budget breached: ") {
            Some(limit) => {
                let limit = limit.split([' ', '{']).next().unwrap_or(limit).to_lowercase();
                format!("the document is too large: it exceeds the parser's limit on {limit}")
            }
            None => message.to_owned(),
        };
        YamlError { message, line, column }
    })
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
    }

    #[test]
    fn reports_the_line_of_an_error() {
        for (text, line, part) in [
            ("a: 1\nb: 1e999\n", 2, "a number is not finite, or is too large"),
            ("a: 1\na: 2\n", 2, "duplicate"),
            ("a: [1\n", 1, ""),
            ("a: *x\n", 1, ""),
        ] {
            let error = parse_documents(text).unwrap_err();
            assert!(
                error.line.abs_diff(line) <= 1 && error.message.to_lowercase().contains(part),
                "{text}: {error:?}"
            );
            assert!(!error.message.starts_with("line "), "{error:?}");
        }
    }
}
