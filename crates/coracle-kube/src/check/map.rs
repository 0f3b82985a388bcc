//! Parsed ConfigMaps and Secrets, and checks of their keys, values and sizes.
//!
//! Source: `ValidateConfigMap`, `ValidateSecret`; `TotalAnnotationSizeLimitB`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::finding::{Report, Rule};
use super::objects::Object;
use crate::config::{MAX_SIZE, key};
use coracle_core::json;
use coracle_core::path::printable;
use crate::yaml::{Kind, Node, Place};

/// The largest total size of an object's annotations, in bytes.
const MAX_ANNOTATIONS: usize = 262_144;
/// The annotation in which client-side `kubectl apply` stores the object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A ConfigMap or a Secret.
#[derive(Debug)]
pub(super) struct Map<'a> {
    pub(super) object: Object<'a>,
    pub(super) is_secret: bool,
    pub(super) entries: Vec<Entry<'a>>,
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    pub(super) place: Place,
    pub(super) value: &'a Node,
    /// The decoded value; `None` if it is invalid.
    pub(super) bytes: Option<Vec<u8>>,
    /// Whether `envFrom` makes an environment variable of it.
    pub(super) is_text: bool,
}

/// The encoding of a field's values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Text,
    Base64,
}

impl<'a> Map<'a> {
    /// Parses a ConfigMap or Secret; `None` for any other object. Adds invalid content to `report`.
    pub(super) fn of(object: &Object<'a>, report: &mut Report) -> Option<Self> {
        let (is_secret, fields) = match object.kind {
            "ConfigMap" => (false, [("data", Encoding::Text), ("binaryData", Encoding::Base64)]),
            // `stringData` overrides `data`.
            "Secret" => (true, [("data", Encoding::Base64), ("stringData", Encoding::Text)]),
            _ => return None,
        };
        let mut map = Self { object: *object, is_secret, entries: Vec::new() };
        for (field, encoding) in fields {
            for (key, value) in object.node.at(&[field]).members() {
                if !is_secret && map.entry(&key.name).is_some() {
                    let message = format!("`{}` is in both `data` and `binaryData`", shown(&key.name));
                    report.findings.push(object.finding(Rule::BadValue, key.place, message));
                }
                map.entries.retain(|entry| entry.key != key.name);
                let bytes = read(object, &key.name, value, encoding, report);
                let is_text = encoding == Encoding::Text || is_secret;
                map.entries.push(Entry { key: &key.name, place: key.place, value, bytes, is_text });
            }
        }
        map.keys(report);
        map.size(report);
        Some(map)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Returns the position of `immutable: true`.
    pub(super) fn immutable(&self) -> Option<Place> {
        let node = self.object.node.get("immutable")?;
        self.object.node.is("immutable").then_some(node.place)
    }

    fn keys(&self, report: &mut Report) {
        for entry in &self.entries {
            if let Some(why) = key::illegal(entry.key) {
                let message =
                    format!("`{}` is not a valid key of a {}: {why}", shown(entry.key), self.object.kind);
                report.findings.push(self.object.finding(Rule::IllegalKey, entry.place, message));
            }
        }
    }

    fn size(&self, report: &mut Report) {
        let place = self.object.node.place;
        let size: usize = self.entries.iter().filter_map(|entry| entry.bytes.as_ref()).map(Vec::len).sum();
        if size > MAX_SIZE {
            let message = format!("the values have {size} bytes; the limit of an object is {MAX_SIZE}");
            report.findings.push(self.object.finding(Rule::TooLarge, place, message));
            return;
        }
        let recorded = recorded(self.object.node);
        if recorded > MAX_ANNOTATIONS {
            let message = format!(
                "client-side `kubectl apply` would store {recorded} bytes in an annotation (the limit is \
                 {MAX_ANNOTATIONS}): use `kubectl apply --server-side`"
            );
            report.notes.push(self.object.finding(Rule::Large, place, message));
        }
    }
}

/// Returns the size of all annotations after a client-side apply.
fn recorded(object: &Node) -> usize {
    let json = json::to_bytes(&object.to_value()).map_or(0, |bytes| bytes.len() + 1);
    let others = object.at(&["metadata", "annotations"]).members();
    let others = others.filter(|(key, _)| key.name != LAST_APPLIED);
    json + LAST_APPLIED.len()
        + others.map(|(key, value)| key.name.len() + value.text().map_or(0, str::len)).sum::<usize>()
}

/// Decodes a value.
fn read(
    object: &Object<'_>,
    key: &str,
    value: &Node,
    encoding: Encoding,
    report: &mut Report,
) -> Option<Vec<u8>> {
    let mut refuse = |why: &str| {
        let message = format!("the value of `{}` {why}", shown(key));
        report.findings.push(object.finding(Rule::BadValue, value.place, message));
        None
    };
    let text = match &value.kind {
        Kind::Text(text) if is_truth(object, value, text) => {
            return refuse("is a boolean in YAML 1.1, which Kubernetes uses: quote it");
        }
        Kind::Text(text) => text.as_str(),
        // `key:` without a value is empty.
        _ if value.is_null() => "",
        Kind::Plain(_) => return refuse("is not a string: quote it"),
        _ => return refuse("is not a string"),
    };
    match encoding {
        Encoding::Text => Some(text.as_bytes().to_vec()),
        // Go's decoder ignores line breaks.
        Encoding::Base64 => match STANDARD.decode(text.replace(['\n', '\r'], "")) {
            Ok(bytes) => Some(bytes),
            Err(_) => refuse("is not valid base64"),
        },
    }
}

/// Returns whether an unquoted string is a boolean in YAML 1.1. Source: `resolve.go` of go-yaml 2.
fn is_truth(object: &Object<'_>, value: &Node, text: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off"];
    let is_word = words.iter().any(|word| {
        let first = |word: &str| {
            word.get(..1).map(str::to_uppercase).unwrap_or_default() + word.get(1..).unwrap_or_default()
        };
        text == *word || text == word.to_uppercase() || text == first(word)
    });
    let all = &object.input.text;
    let is_plain =
        all.get(value.defined.start..value.defined.end) == Some(text) && block(value, all).is_none();
    is_word && is_plain
}

/// Returns the indicator of a block scalar, `|` or `>`. Its node's position is that of its first
/// line.
pub(super) fn block(value: &Node, text: &str) -> Option<char> {
    let before = text.get(..value.defined.start)?.trim_end();
    let header = before.lines().next_back()?;
    let header = header.split(" #").next()?.trim_end();
    let header = header.trim_end_matches(|c: char| c.is_ascii_digit() || "+-".contains(c));
    header.chars().next_back().filter(|last| "|>".contains(*last))
}

pub(super) fn shown(text: &str) -> String {
    printable(text.as_bytes())
}
