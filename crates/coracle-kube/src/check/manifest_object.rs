//! Parsed manifests: every object with its position.

use super::finding::{CheckFinding, CheckReport, CheckRule};
use crate::yaml::{self, Node, NodeKind, Span};

/// A file with manifests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestFile {
    /// The file name, for messages.
    pub name: String,
    /// YAML or JSON, possibly several documents.
    pub text: String,
}

/// A file and its documents.
#[derive(Debug)]
pub(super) struct ParsedManifestFile<'a> {
    input: &'a ManifestFile,
    documents: Vec<Node>,
}

/// A Kubernetes object.
#[derive(Clone, Copy, Debug)]
pub(super) struct ManifestObject<'a> {
    pub(super) input: &'a ManifestFile,
    /// The document that contains the object: the object itself, or a `List`.
    document: &'a Node,
    pub(super) node: &'a Node,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
}

/// The deepest nesting of `List` objects.
const MAX_LIST_DEPTH: usize = 4;

/// Parses every file; invalid YAML is added to `report`, and the file is skipped.
pub(super) fn parse_files<'a>(
    inputs: &'a [ManifestFile],
    report: &mut CheckReport,
) -> Vec<ParsedManifestFile<'a>> {
    let mut parsed = Vec::new();
    for input in inputs {
        match yaml::parse_nodes(&input.text) {
            Ok(documents) => {
                if documents.iter().all(Node::is_null) {
                    let message = "the file has no documents".to_owned();
                    report.notes.push(CheckFinding::for_file(&input.name, CheckRule::InvalidYaml, message));
                }
                parsed.push(ParsedManifestFile { input, documents });
            }
            Err(error) => {
                let (line, column) = (error.line, error.column);
                let finding = CheckFinding::for_file(&input.name, CheckRule::InvalidYaml, error.message);
                report.findings.push(CheckFinding { line, column, ..finding });
            }
        }
    }
    parsed
}

/// Returns every object, including those in `List` objects. Documents without `kind` are skipped.
pub(super) fn find_objects<'a>(parsed: &'a [ParsedManifestFile<'a>]) -> Vec<ManifestObject<'a>> {
    let mut found = Vec::new();
    for parsed in parsed {
        for document in &parsed.documents {
            collect_objects(parsed.input, document, document, 0, &mut found);
        }
    }
    found
}

fn collect_objects<'a>(
    input: &'a ManifestFile,
    document: &'a Node,
    node: &'a Node,
    depth: usize,
    found: &mut Vec<ManifestObject<'a>>,
) {
    let Some(kind) = node.text_of("kind") else { return };
    if kind.ends_with("List") && node.get("items").is_some() {
        if depth < MAX_LIST_DEPTH {
            node.at_path(&["items"])
                .items()
                .iter()
                .for_each(|item| collect_objects(input, document, item, depth + 1, found));
        }
        return;
    }
    let metadata = node.at_path(&["metadata"]);
    let name = metadata.text_of("name").or_else(|| metadata.text_of("generateName")).unwrap_or_default();
    found.push(ManifestObject {
        input,
        document,
        node,
        kind,
        name,
        namespace: metadata.text_of("namespace"),
    });
}

impl<'a> ManifestObject<'a> {
    /// Returns kind and name: `Deployment/shop`.
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Returns whether both objects can be in one namespace; an unset namespace matches any.
    pub(super) fn can_share_namespace(&self, other: &ManifestObject<'_>) -> bool {
        self.namespace.is_none() || other.namespace.is_none() || self.namespace == other.namespace
    }

    /// Returns a finding at `span` in this object.
    pub(super) fn finding(&self, rule: CheckRule, span: Span, message: String) -> CheckFinding {
        CheckFinding {
            file: self.input.name.clone(),
            line: span.line,
            column: span.column,
            rule,
            object: Some(self.title()),
            container: None,
            field: field_path(self.document, span),
            message,
        }
    }
}

/// Returns the path from a document to the field at `span`.
fn field_path(document: &Node, span: Span) -> Option<String> {
    let mut path = String::new();
    find_path(document, span, &mut path)
        .then(|| path.trim_start_matches('.').to_owned())
        .filter(|path| !path.is_empty())
}

fn find_path(node: &Node, span: Span, path: &mut String) -> bool {
    let length = path.len();
    match &node.kind {
        NodeKind::Mapping(members) => {
            for (key, node) in members {
                path.push('.');
                path.push_str(&key.name);
                if key.span == span || find_path(node, span, path) {
                    return true;
                }
                path.truncate(length);
            }
        }
        NodeKind::Sequence(items) => {
            for (index, node) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                if find_path(node, span, path) {
                    return true;
                }
                path.truncate(length);
            }
        }
        NodeKind::Scalar(_) | NodeKind::Text(_) => {}
    }
    node.span == span
}
