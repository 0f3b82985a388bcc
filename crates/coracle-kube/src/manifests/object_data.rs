//! `data` and `binaryData` of a ConfigMap or Secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// ConfigMap or Secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigObjectKind {
    /// For public files.
    ConfigMap,
    /// For secret files.
    Secret,
}

impl ConfigObjectKind {
    /// Returns the value of the object's `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// `data` and `binaryData` of a ConfigMap or Secret.
pub(super) struct ObjectData {
    pub(super) data: Value,
    pub(super) binary: Value,
}

impl ObjectData {
    /// Encodes the files. UTF-8 in a ConfigMap stays text; everything else is base64.
    pub(super) fn encode(kind: ConfigObjectKind, files: &[(String, Vec<u8>)]) -> Self {
        let (mut data, mut binary) = (Map::new(), Map::new());
        for (key, bytes) in files {
            match (kind, std::str::from_utf8(bytes)) {
                (ConfigObjectKind::Secret, _) => data.insert(key.clone(), json!(encode_base64(bytes))),
                (ConfigObjectKind::ConfigMap, Ok(text)) => data.insert(key.clone(), json!(text)),
                (ConfigObjectKind::ConfigMap, Err(_)) => {
                    binary.insert(key.clone(), json!(encode_base64(bytes)))
                }
            };
        }
        Self { data: Value::Object(data), binary: Value::Object(binary) }
    }
}

/// Encodes base64 as kustomize does: broken into lines, because the line breaks are hashed.
fn encode_base64(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}
