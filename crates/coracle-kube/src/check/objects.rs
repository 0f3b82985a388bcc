//! Parsed manifests: every object with its position.

use super::finding::{Finding, Report, Rule};
use crate::yaml::{self, Kind, Node, Place};

/// A file with manifests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Input {
    /// The file name, for messages.
    pub name: String,
    /// YAML or JSON, possibly several documents.
    pub text: String,
}

/// A file and its documents.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    input: &'a Input,
    documents: Vec<Node>,
}

/// A Kubernetes object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a> {
    pub(super) input: &'a Input,
    /// The document that contains the object: the object itself, or a `List`.
    document: &'a Node,
    pub(super) node: &'a Node,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
}

/// The deepest nesting of `List` objects.
const MAX_LISTS: usize = 4;

/// Parses every file; invalid YAML is added to `report`, and the file is skipped.
pub(super) fn parse<'a>(inputs: &'a [Input], report: &mut Report) -> Vec<Parsed<'a>> {
    let mut parsed = Vec::new();
    for input in inputs {
        match yaml::nodes(&input.text) {
            Ok(documents) => {
                if documents.iter().all(Node::is_null) {
                    let message = "the file has no documents".to_owned();
                    report.notes.push(Finding::about(&input.name, Rule::Yaml, message));
                }
                parsed.push(Parsed { input, documents });
            }
            Err(error) => {
                let (line, column) = (error.line, error.column);
                let finding = Finding::about(&input.name, Rule::Yaml, error.message);
                report.findings.push(Finding { line, column, ..finding });
            }
        }
    }
    parsed
}

/// Returns every object, including those in `List` objects. Documents without `kind` are skipped.
pub(super) fn objects<'a>(parsed: &'a [Parsed<'a>]) -> Vec<Object<'a>> {
    let mut found = Vec::new();
    for parsed in parsed {
        for document in &parsed.documents {
            collect(parsed.input, document, document, 0, &mut found);
        }
    }
    found
}

fn collect<'a>(
    input: &'a Input,
    document: &'a Node,
    node: &'a Node,
    depth: usize,
    found: &mut Vec<Object<'a>>,
) {
    let Some(kind) = node.text_of("kind") else { return };
    if kind.ends_with("List") && node.get("items").is_some() {
        if depth < MAX_LISTS {
            node.at(&["items"])
                .items()
                .iter()
                .for_each(|item| collect(input, document, item, depth + 1, found));
        }
        return;
    }
    let metadata = node.at(&["metadata"]);
    let name = metadata.text_of("name").or_else(|| metadata.text_of("generateName")).unwrap_or_default();
    found.push(Object { input, document, node, kind, name, namespace: metadata.text_of("namespace") });
}

impl<'a> Object<'a> {
    /// Returns kind and name: `Deployment/shop`.
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Returns whether both objects can be in one namespace; an unset namespace matches any.
    pub(super) fn is_beside(&self, other: &Object<'_>) -> bool {
        self.namespace.is_none() || other.namespace.is_none() || self.namespace == other.namespace
    }

    /// Returns a finding at `place` in this object.
    pub(super) fn finding(&self, rule: Rule, place: Place, message: String) -> Finding {
        Finding {
            file: self.input.name.clone(),
            line: place.line,
            column: place.column,
            rule,
            object: Some(self.title()),
            container: None,
            field: field(self.document, place),
            message,
        }
    }
}

/// Returns the path from a document to the field at `place`.
fn field(document: &Node, place: Place) -> Option<String> {
    let mut path = String::new();
    find(document, place, &mut path)
        .then(|| path.trim_start_matches('.').to_owned())
        .filter(|path| !path.is_empty())
}

fn find(node: &Node, place: Place, path: &mut String) -> bool {
    let length = path.len();
    match &node.kind {
        Kind::Table(members) => {
            for (key, node) in members {
                path.push('.');
                path.push_str(&key.name);
                if key.place == place || find(node, place, path) {
                    return true;
                }
                path.truncate(length);
            }
        }
        Kind::List(items) => {
            for (index, node) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                if find(node, place, path) {
                    return true;
                }
                path.truncate(length);
            }
        }
        Kind::Plain(_) | Kind::Text(_) => {}
    }
    node.place == place
}
