//! Manifests as they were written: every object in them with its place.

use super::finding::{Finding, Report, Rule};
use crate::yaml::{self, Kind, Node, Place};

/// A text with manifests in it, and what to call it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Input {
    /// The file, for messages.
    pub name: String,
    /// YAML or JSON; several documents.
    pub text: String,
}

/// A text and the documents in it.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    input: &'a Input,
    documents: Vec<Node>,
}

/// An object of Kubernetes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a> {
    pub(super) input: &'a Input,
    /// The document that it stands in: itself, but for those in a `List`.
    document: &'a Node,
    pub(super) node: &'a Node,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
}

/// Lists in lists: nobody writes more.
const MAX_LISTS: usize = 4;

/// Reads every text; what is no YAML is a finding, and the others are looked at all the same.
pub(super) fn parse<'a>(inputs: &'a [Input], report: &mut Report) -> Vec<Parsed<'a>> {
    let mut parsed = Vec::new();
    for input in inputs {
        match yaml::nodes(&input.text) {
            Ok(documents) => {
                if documents.iter().all(Node::is_null) {
                    let message = "there is no document in it".to_owned();
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

/// Every object, those in lists as well. What has no kind is none.
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
    /// `Deployment/shop`
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Whether both can be in one namespace: who says none is where the other is.
    pub(super) fn is_beside(&self, other: &Object<'_>) -> bool {
        self.namespace.is_none() || other.namespace.is_none() || self.namespace == other.namespace
    }

    /// A finding at `place` of this object.
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

/// The way from a document to what stands at `place`.
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
