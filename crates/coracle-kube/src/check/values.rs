//! Checks with the full contract: validates values and renders the templates again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::finding::{Finding, Report, Rule};
use crate::contract::{Document, TemplateText};
use crate::template::{Delimiters, Template};
use crate::values::{self, KeyPath, Origin, Schema, Source, Values};
use crate::yaml::{self, Node, Place};

/// The files that the contract renders from the values, by mount and key.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    files: BTreeMap<(String, String), Vec<u8>>,
}

/// The first line where two files differ.
pub(super) struct Difference {
    /// The line, from 1.
    pub(super) line: usize,
    /// The actual and the expected line.
    pub(super) shown: Option<(String, String)>,
}

impl Comparison {
    /// Renders every file of `document`; adds errors of values and templates to `report`.
    pub(super) fn new(document: &Document, values: Values, report: &mut Report) -> Self {
        let mut made = Self::default();
        let Some(values) = held(document, values, report) else { return made };
        let known = values.merged();
        let secrets = secrets(document);
        for template in &document.templates {
            let place = (template.mount.clone(), template.key.clone());
            match bytes(template, known, &secrets) {
                Ok(Some(bytes)) => drop(made.files.insert(place, bytes)),
                Ok(None) => {
                    let message = "not compared: the file is secret and its values are not given".to_owned();
                    report.notes.push(Finding::about(
                        format!("{}/{}", place.0, place.1),
                        Rule::Values,
                        message,
                    ));
                }
                Err(why) => {
                    report.findings.push(Finding::about(
                        format!("{}/{}", place.0, place.1),
                        Rule::Values,
                        why,
                    ));
                }
            }
        }
        made
    }

    /// Returns the first difference from the rendered file; `None` if there is none, or no such
    /// file.
    pub(super) fn difference(&self, mount: &str, key: &str, found: &[u8]) -> Option<Difference> {
        let made = self.files.get(&(mount.to_owned(), key.to_owned()))?;
        if made == found {
            return None;
        }
        let (Ok(found), Ok(made)) = (std::str::from_utf8(found), std::str::from_utf8(made)) else {
            return Some(Difference { line: 1, shown: None });
        };
        let (mut found, mut made) = (found.split('\n'), made.split('\n'));
        for line in 1.. {
            match (found.next(), made.next()) {
                (None, None) => break,
                (one, other) if one == other => {}
                (one, other) => {
                    let short =
                        |text: Option<&str>| text.unwrap_or_default().chars().take(60).collect::<String>();
                    return Some(Difference { line, shown: Some((short(one), short(other))) });
                }
            }
        }
        Some(Difference { line: 1, shown: None })
    }
}

/// Validates the values; returns them with the schema's defaults. `None` if they are invalid.
fn held(document: &Document, values: Values, report: &mut Report) -> Option<Values> {
    let Some(schema) = &document.schema else { return Some(values) };
    let mut schema = schema.clone();
    // Secret values may be unknown where manifests are checked.
    not_required(&mut schema, values.merged());
    let schema = match Schema::new("the contract's schema".into(), schema) {
        Ok(schema) => schema,
        Err(error) => {
            report.findings.push(Finding::about("the contract", Rule::Values, error.to_string()));
            return None;
        }
    };
    match values.held_to(&schema) {
        Ok(values) => Some(values),
        Err(values::Error::Violations(violations)) => {
            for violation in violations {
                let (file, place) = match &violation.origin {
                    Some(Origin::Given(Source::File(path))) => {
                        (path.display().to_string(), place(path, &violation.key))
                    }
                    Some(origin) => (origin.to_string(), None),
                    None => ("the values".to_owned(), None),
                };
                let place = place.unwrap_or_default();
                let message = values::Violation { origin: None, ..violation }.to_string();
                report.findings.push(Finding {
                    line: place.line,
                    column: place.column,
                    ..Finding::about(file, Rule::Values, message)
                });
            }
            None
        }
        Err(error) => {
            report.findings.push(Finding::about("the values", Rule::Values, error.to_string()));
            None
        }
    }
}

/// Makes secrets optional that are not given.
fn not_required(schema: &mut Value, values: &Value) {
    let named = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let is_missing = |name: &str| {
        let is_secret =
            named.get(name).is_some_and(|schema| schema.get("writeOnly") == Some(&Value::Bool(true)));
        is_secret && values.get(name).is_none()
    };
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !name.as_str().is_some_and(is_missing));
    }
    let Some(named) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, schema) in named {
        not_required(schema, values.get(name).unwrap_or(&Value::Null));
    }
}

/// Returns the keys whose values are secret.
fn secrets(document: &Document) -> Vec<KeyPath> {
    let parameters = document.contract.parameters.iter().filter(|(_, parameter)| parameter.secret);
    parameters.filter_map(|(key, _)| key.parse().ok()).collect()
}

/// Returns the bytes of a file; `None` if it uses a secret that is not given.
fn bytes(template: &TemplateText, values: &Value, secrets: &[KeyPath]) -> Result<Option<Vec<u8>>, String> {
    if let Some(data) = &template.data {
        return STANDARD
            .decode(data)
            .map(Some)
            .map_err(|_| "its `data` in the contract is not valid base64".into());
    }
    let text = template.text.clone().ok_or("the contract has neither `text` nor `data` for it")?;
    let delimiters = template.delimiters.clone().map_or_else(Delimiters::default, |words| {
        let [vs, ve, bs, be, cs, ce] = words;
        Delimiters { variable: (vs, ve), block: (bs, be), comment: (cs, ce) }
    });
    let made = Template { path: PathBuf::from(&template.key), text, delimiters };
    let uses = made.uses_with(&template.includes).map_err(|error| error.to_string())?;
    let is_unknown =
        |secret: &&KeyPath| secret.find(values).is_none() && uses.iter().any(|used| secret.is_along(used));
    if secrets.iter().any(|secret| is_unknown(&secret)) {
        return Ok(None);
    }
    let rendered = made.render_with(&template.includes, values).map_err(|error| error.to_string())?;
    Ok(Some(rendered.text.into_bytes()))
}

/// Returns the position of a key in a values file, or of the nearest key above it.
fn place(path: &std::path::Path, key: &KeyPath) -> Option<Place> {
    let text = std::fs::read_to_string(path).ok()?;
    let key = key.to_string();
    if path.extension()? == "toml" { in_toml(&text, &key) } else { in_yaml(&text, &key) }
}

fn in_yaml(text: &str, key: &str) -> Option<Place> {
    let documents = yaml::nodes(text).ok()?;
    let mut node: &Node = documents.first()?;
    for name in key.split('.') {
        let item = || node.items().get(name.parse::<usize>().ok()?);
        match node.member(name).map(|(_, node)| node).or_else(item) {
            Some(next) => node = next,
            None => break,
        }
    }
    Some(node.place)
}

fn in_toml(text: &str, key: &str) -> Option<Place> {
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
    Some(Place { line: before.matches('\n').count() + 1, column, start, end })
}
