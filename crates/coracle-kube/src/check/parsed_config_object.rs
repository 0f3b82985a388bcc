//! Parsed ConfigMaps and Secrets, and checks of their keys, values and sizes.
//!
//! Source: `ValidateConfigMap`, `ValidateSecret`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::finding::{CheckReport, CheckRule, printable_text};
use super::manifest_object::ManifestObject;
use super::yaml_1_1_number::is_yaml_1_1_number;
use crate::kubernetes_limits::{
    LAST_APPLIED_ANNOTATION, MAX_ANNOTATION_BYTES, MAX_OBJECT_BYTES, invalid_key_reason,
};
use crate::yaml::{Node, NodeKind, Span};
use coracle_core::json;

/// A ConfigMap or a Secret.
#[derive(Debug)]
pub(super) struct ParsedConfigObject<'a> {
    pub(super) object: ManifestObject<'a>,
    pub(super) is_secret: bool,
    pub(super) entries: Vec<ConfigObjectEntry<'a>>,
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct ConfigObjectEntry<'a> {
    pub(super) key: &'a str,
    pub(super) key_span: Span,
    pub(super) value: &'a Node,
    /// The decoded value; `None` if it is invalid.
    pub(super) bytes: Option<Vec<u8>>,
    /// `true` if `envFrom` makes an environment variable of it.
    pub(super) is_text: bool,
}

/// The encoding of a field's values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldEncoding {
    Text,
    Base64,
}

impl<'a> ParsedConfigObject<'a> {
    /// Parses a ConfigMap or Secret; `None` for any other object. Adds invalid content to `report`.
    pub(super) fn parse(object: &ManifestObject<'a>, report: &mut CheckReport) -> Option<Self> {
        let (is_secret, fields) = match object.kind {
            "ConfigMap" => (false, [("data", FieldEncoding::Text), ("binaryData", FieldEncoding::Base64)]),
            // `stringData` overrides `data`.
            "Secret" => (true, [("data", FieldEncoding::Base64), ("stringData", FieldEncoding::Text)]),
            _ => return None,
        };
        let mut config_object = Self { object: *object, is_secret, entries: Vec::new() };
        for (field, encoding) in fields {
            for (key, value) in object.node.at_path(&[field]).entries() {
                if !is_secret && config_object.entry(&key.name).is_some() {
                    let message =
                        format!("`{}` is in both `data` and `binaryData`", printable_text(&key.name));
                    report.findings.push(object.finding(CheckRule::InvalidObjectValue, key.span, message));
                }
                config_object.entries.retain(|entry| entry.key != key.name);
                let bytes = decode_value(object, &key.name, value, encoding, report);
                let is_text = encoding == FieldEncoding::Text || is_secret;
                config_object.entries.push(ConfigObjectEntry {
                    key: &key.name,
                    key_span: key.span,
                    value,
                    bytes,
                    is_text,
                });
            }
        }
        config_object.check_keys(report);
        config_object.check_size(report);
        Some(config_object)
    }

    /// Returns the entry with this key.
    pub(super) fn entry(&self, key: &str) -> Option<&ConfigObjectEntry<'a>> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Returns the position of `immutable: true`.
    pub(super) fn immutable_span(&self) -> Option<Span> {
        let node = self.object.node.get("immutable")?;
        self.object.node.is_true("immutable").then_some(node.span)
    }

    fn check_keys(&self, report: &mut CheckReport) {
        for entry in &self.entries {
            if let Some(why) = invalid_key_reason(entry.key) {
                let message = format!(
                    "`{}` is not a valid key of a {}: {why}",
                    printable_text(entry.key),
                    self.object.kind
                );
                report.findings.push(self.object.finding(
                    CheckRule::InvalidObjectKey,
                    entry.key_span,
                    message,
                ));
            }
        }
    }

    fn check_size(&self, report: &mut CheckReport) {
        let span = self.object.node.span;
        let size: usize = self.entries.iter().filter_map(|entry| entry.bytes.as_ref()).map(Vec::len).sum();
        if size > MAX_OBJECT_BYTES {
            let message =
                format!("the values have {size} bytes; the limit of an object is {MAX_OBJECT_BYTES}");
            report.findings.push(self.object.finding(CheckRule::TooLarge, span, message));
            return;
        }
        let annotation_bytes = annotation_bytes_after_apply(self.object.node);
        if annotation_bytes > MAX_ANNOTATION_BYTES {
            let message = format!(
                "client-side `kubectl apply` would store {annotation_bytes} bytes in an annotation (the limit is \
                 {MAX_ANNOTATION_BYTES}): use `kubectl apply --server-side`"
            );
            report.notes.push(self.object.finding(CheckRule::TooLargeForApply, span, message));
        }
    }
}

/// Returns the size of all annotations after a client-side apply.
fn annotation_bytes_after_apply(object: &Node) -> usize {
    let json = json::to_bytes(&object.to_value()).map_or(0, |bytes| bytes.len() + 1);
    let annotations = object.at_path(&["metadata", "annotations"]).entries();
    let others = annotations.filter(|(key, _)| key.name != LAST_APPLIED_ANNOTATION);
    json + LAST_APPLIED_ANNOTATION.len()
        + others.map(|(key, value)| key.name.len() + value.text().map_or(0, str::len)).sum::<usize>()
}

/// Decodes a value; adds a finding and returns `None` if it is invalid.
fn decode_value(
    object: &ManifestObject<'_>,
    key: &str,
    value: &Node,
    encoding: FieldEncoding,
    report: &mut CheckReport,
) -> Option<Vec<u8>> {
    let mut report_invalid = |why: &str| {
        let message = format!("the value of `{}` {why}", printable_text(key));
        report.findings.push(object.finding(CheckRule::InvalidObjectValue, value.span, message));
        None
    };
    let text = match &value.kind {
        NodeKind::Text(_) if is_yaml_1_1_number(value, &object.input.text) => {
            return report_invalid("is a number in YAML 1.1, which Kubernetes uses: quote it");
        }
        NodeKind::Text(_) if value.is_yaml_1_1_boolean(&object.input.text) => {
            return report_invalid("is a boolean in YAML 1.1, which Kubernetes uses: quote it");
        }
        NodeKind::Text(text) => text.as_str(),
        // `key:` without a value is empty.
        _ if value.is_null() => "",
        NodeKind::Scalar(_) => return report_invalid("is not a string: quote it"),
        _ => return report_invalid("is not a string"),
    };
    match encoding {
        FieldEncoding::Text => Some(text.as_bytes().to_vec()),
        // Go's decoder ignores line breaks.
        FieldEncoding::Base64 => match STANDARD.decode(text.replace(['\n', '\r'], "")) {
            Ok(bytes) => Some(bytes),
            Err(_) => report_invalid("is not valid base64"),
        },
    }
}
