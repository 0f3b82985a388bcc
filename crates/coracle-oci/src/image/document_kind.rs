//! Decides whether a document is a manifest or an index.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::media_type;

/// The media types of indexes.
const INDEX_TYPES: [&str; 2] = [media_type::INDEX, media_type::DOCKER_MANIFEST_LIST];

/// Returns whether a document is an index, by its own media type or else by its descriptor's.
pub(super) fn is_index(named: &str, document: &Value) -> bool {
    let own = document.get("mediaType").and_then(Value::as_str).unwrap_or(named);
    INDEX_TYPES.contains(&own)
}

/// Checks that `bytes` are read as the same kind of document by every client: a document with members
/// of a manifest and of an index would be a manifest for some and an index for others
/// (CVE-2021-41190).
///
/// `declared` is its media type outside of the document, such as in its descriptor.
pub(crate) fn check_document_kind(declared: &str, bytes: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Members {
        media_type: Option<String>,
        config: Option<IgnoredAny>,
        layers: Option<IgnoredAny>,
        manifests: Option<IgnoredAny>,
    }
    let members: Members = match serde_json::from_slice(bytes) {
        Ok(members) => members,
        // Such as a member that is there twice.
        Err(error) if error.is_data() && bytes.trim_ascii_start().starts_with(b"{") => {
            return Err(format!("clients may read it differently: {error}"));
        }
        // The parser of the whole document reports what is not a JSON object.
        Err(_) => return Ok(()),
    };
    let kind = members.media_type.as_deref().unwrap_or(declared);
    let (name, foreign) = match INDEX_TYPES.contains(&kind) {
        true => ("an index", [("config", members.config), ("layers", members.layers)]),
        false => ("a manifest", [("manifests", members.manifests), ("", None)]),
    };
    match foreign.into_iter().find(|(_, value)| value.is_some()) {
        None => Ok(()),
        Some((member, _)) => Err(format!("it is {name} with `{member}`, so clients read it differently")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_members_are_ambiguous() {
        let check = |document: &str| check_document_kind(media_type::MANIFEST, document.as_bytes());
        for document in ["", "[]", "[1]", "{", r#"{"manifests":null}"#, r#"{"a":1,"a":2}"#] {
            assert!(check(document).is_ok(), "{document}");
        }
        for (document, why) in [
            (r#"{"manifests":[],"manifests":null}"#, "duplicate field `manifests`"),
            (r#" {"mediaType":"a","mediaType":"b"}"#, "duplicate field `mediaType`"),
            (r#"{"mediaType":1}"#, "invalid type"),
            (r#"{"manifests":{}}"#, "a manifest with `manifests`"),
        ] {
            let error = check(document).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
