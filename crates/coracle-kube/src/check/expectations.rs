//! The expectations that manifests are checked against: the contract, facts about the image, and the files that the
//! full contract renders from values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::finding::{CheckFinding, CheckReport, CheckRule};
use crate::contract::{Contract, ContractDocument, ContractTemplate};
use crate::template::{Delimiters, TemplateSource, TemplateSyntax};
use crate::values::{self, KeyPath, Schema, ValueOrigin, ValueSource, Values};
use crate::yaml::{self, Node, Span};
use coracle_core::path::ImagePath;

/// The files of an image, for mounts that hide them.
pub trait FilesHiddenByMount: std::fmt::Debug {
    /// Returns the files that a mount at `path` hides: all below a directory, or the one file there.
    fn hidden_by(&self, path: &ImagePath, is_file: bool) -> Vec<ImagePath>;
}

/// The expectations that manifests are checked against.
#[derive(Clone, Debug)]
pub struct Expectations<'a> {
    /// The image's contract.
    pub contract: &'a Contract,
    /// The image's files, if known.
    pub image_files: Option<&'a dyn FilesHiddenByMount>,
    /// The user of the image's config.
    pub user: Option<&'a str>,
    /// The digests of the image's manifests and index.
    pub digests: Vec<String>,
    /// The full names of the image.
    pub names: Vec<String>,
    /// The name of the container to check; `None` to find it by image.
    pub container_name: Option<String>,
    /// The full contract and values to render it with.
    pub contract_document: Option<(&'a ContractDocument, &'a Values)>,
}

/// The files that the contract renders from the values, by mount and path.
#[derive(Debug, Default)]
pub(super) struct ExpectedFiles {
    files: BTreeMap<(String, String), Vec<u8>>,
}

/// The first line where two files differ.
pub(super) struct FileDifference {
    /// The line, from 1.
    pub(super) line: usize,
    /// The actual and the expected line.
    pub(super) lines: Option<(String, String)>,
}

impl ExpectedFiles {
    /// Renders every file of `document`; adds errors of values and templates to `report`.
    pub(super) fn new(document: &ContractDocument, values: Values, report: &mut CheckReport) -> Self {
        let mut rendered = Self::default();
        let Some((values, secrets)) = validated_values(document, values, report) else { return rendered };
        let known = values.merged();
        for template in &document.templates {
            let mount_and_path = (template.mount.clone(), template.path().to_owned());
            let path = format!("{}/{}", template.mount, template.path());
            match render_file(template, known, &secrets) {
                Ok(Some(bytes)) => drop(rendered.files.insert(mount_and_path, bytes)),
                Ok(None) => {
                    let message = "not compared: the file is secret and its values are not given".to_owned();
                    report.notes.push(CheckFinding::for_file(path, CheckRule::ValuesViolateSchema, message));
                }
                Err(why) => {
                    report.findings.push(CheckFinding::for_file(path, CheckRule::ValuesViolateSchema, why));
                }
            }
        }
        rendered
    }

    /// Returns the first difference from the rendered file; `None` if there is none, or no such
    /// file.
    pub(super) fn compare(&self, mount: &str, path: &str, actual: &[u8]) -> Option<FileDifference> {
        let expected = self.files.get(&(mount.to_owned(), path.to_owned()))?;
        if expected == actual {
            return None;
        }
        let (Ok(actual), Ok(expected)) = (std::str::from_utf8(actual), std::str::from_utf8(expected)) else {
            return Some(FileDifference { line: 1, lines: None });
        };
        let (mut actual, mut expected) = (actual.split('\n'), expected.split('\n'));
        for line in 1.. {
            match (actual.next(), expected.next()) {
                (None, None) => break,
                (one, other) if one == other => {}
                (one, other) => {
                    let short =
                        |text: Option<&str>| text.unwrap_or_default().chars().take(60).collect::<String>();
                    return Some(FileDifference { line, lines: Some((short(one), short(other))) });
                }
            }
        }
        Some(FileDifference { line: 1, lines: None })
    }
}

/// Validates the values; returns them with the schema's defaults, and the keys of secrets. Secret
/// values may be missing: they may be unknown where manifests are checked. `None` if the values are
/// invalid.
fn validated_values(
    document: &ContractDocument,
    values: Values,
    report: &mut CheckReport,
) -> Option<(Values, Vec<KeyPath>)> {
    let Some(schema) = &document.schema else { return Some((values, Vec::new())) };
    let schema = match Schema::new("the contract's schema".into(), schema.clone()) {
        Ok(schema) => schema,
        Err(error) => {
            report.findings.push(CheckFinding::for_file(
                "the contract",
                CheckRule::ValuesViolateSchema,
                error.to_string(),
            ));
            return None;
        }
    };
    match values.validate_without_secrets(&schema) {
        Ok(values) => Some((values, schema.secrets())),
        Err(values::ValuesError::Violations(violations)) => {
            for violation in violations {
                let (file, span) = match &violation.origin {
                    Some(ValueOrigin::Source(ValueSource::File(path))) => {
                        (path.display().to_string(), key_position(path, &violation.key))
                    }
                    Some(origin) => (origin.to_string(), None),
                    None => ("the values".to_owned(), None),
                };
                let span = span.unwrap_or_default();
                let message = values::SchemaViolation { origin: None, ..violation }.to_string();
                report.findings.push(CheckFinding {
                    line: span.line,
                    column: span.column,
                    ..CheckFinding::for_file(file, CheckRule::ValuesViolateSchema, message)
                });
            }
            None
        }
        Err(error) => {
            report.findings.push(CheckFinding::for_file(
                "the values",
                CheckRule::ValuesViolateSchema,
                error.to_string(),
            ));
            None
        }
    }
}

/// Returns the bytes of a file; `None` if it uses a secret that is not given.
fn render_file(
    template: &ContractTemplate,
    values: &Value,
    secrets: &[KeyPath],
) -> Result<Option<Vec<u8>>, String> {
    if let Some(data) = &template.data {
        return STANDARD
            .decode(data)
            .map(Some)
            .map_err(|_| "its `data` in the contract is not valid base64".into());
    }
    let text = template.text.clone().ok_or("the contract has neither `text` nor `data` for it")?;
    let delimiters = template.delimiters.clone().map_or_else(Delimiters::default, Delimiters::from);
    let includes = &template.includes;
    let syntax = TemplateSyntax {
        delimiters,
        trim_blocks: template.trim_blocks,
        lstrip_blocks: template.lstrip_blocks,
    };
    let template = TemplateSource { path: PathBuf::from(template.path()), text, syntax };
    let uses = template.used_keys_with(includes).map_err(|error| error.to_string())?;
    let is_unknown =
        |secret: &&KeyPath| secret.find(values).is_none() && uses.iter().any(|used| secret.overlaps(used));
    if secrets.iter().any(|secret| is_unknown(&secret)) {
        return Ok(None);
    }
    let rendered = template.render_with(includes, values).map_err(|error| error.to_string())?;
    Ok(Some(rendered.text.into_bytes()))
}

/// Returns the position of a key in a values file, or of the nearest key above it.
fn key_position(path: &std::path::Path, key: &KeyPath) -> Option<Span> {
    let text = std::fs::read_to_string(path).ok()?;
    let key = key.to_string();
    if path.extension()? == "toml" { toml_position(&text, &key) } else { yaml_position(&text, &key) }
}

fn yaml_position(text: &str, key: &str) -> Option<Span> {
    let documents = yaml::parse_nodes(text).ok()?;
    let mut node: &Node = documents.first()?;
    for name in key.split('.') {
        let item = || node.items().get(name.parse::<usize>().ok()?);
        match node.entry(name).map(|(_, node)| node).or_else(item) {
            Some(next) => node = next,
            None => break,
        }
    }
    Some(node.span)
}

fn toml_position(text: &str, key: &str) -> Option<Span> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let mut names = key.split('.');
    let mut value = table.get_ref().get(names.next()?)?;
    for name in names {
        let item = || value.get_ref().get(name.parse::<usize>().ok()?);
        match value.get_ref().get(name).or_else(item) {
            Some(next) => value = next,
            None => break,
        }
    }
    let (start, end) = (value.span().start, value.span().end);
    let before = text.get(..start)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..)?.chars().count() + 1;
    Some(Span { line: before.matches('\n').count() + 1, column, start, end })
}
