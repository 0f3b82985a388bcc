//! `.note.dlopen`: the libraries that an object declares to open with dlopen(3).
//!
//! Source: systemd's "ELF Package Metadata", dlopen(3) notes: owner `FDO`, type `0x407c0c0a`. The
//! description is a JSON array of objects; older drafts have a single object.

use serde_json::Value;

use super::elf_object::ElfObject;
use super::error::{Error, Result};
use super::notes::read_notes;
use coracle_core::content::OpenContent;

/// A library that an object may open with dlopen(3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DlopenNote {
    /// Alternative names, the preferred name first. The first that exists is used.
    pub sonames: Vec<Vec<u8>>,
    /// Short name of the feature that needs it; empty if unspecified.
    pub feature: String,
    /// Description of the feature; empty if unspecified.
    pub description: String,
    /// How important the library is.
    pub priority: DlopenPriority,
}

/// The importance of a library opened with dlopen(3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum DlopenPriority {
    /// The object does not work without it.
    Required,
    /// The library should be installed by default. Used if a note has no priority.
    Recommended,
    /// The library is optional.
    Suggested,
}

const NOTE_OWNER: &[u8] = b"FDO";
const NOTE_TYPE: u32 = 0x407c_0c0a;
const MALFORMED: Error = Error::Damaged("its `.note.dlopen` is not valid JSON of the expected form");

/// Returns the dlopen notes of `object`, which was read from `file`.
///
/// # Errors
/// Fails if a note is damaged or malformed, or the file cannot be read.
pub fn dlopen_notes(file: &OpenContent, object: &ElfObject) -> Result<Vec<DlopenNote>> {
    let mut found = Vec::new();
    for note in read_notes(file, object)?
        .iter()
        .filter(|note| note.owner == NOTE_OWNER && note.note_type == NOTE_TYPE)
    {
        let text = note.description.split(|&byte| byte == 0).next().unwrap_or_default();
        match serde_json::from_slice(text).map_err(|_| MALFORMED)? {
            Value::Array(entries) => {
                for entry in &entries {
                    found.push(parse_entry(entry)?);
                }
            }
            entry => found.push(parse_entry(&entry)?),
        }
    }
    Ok(found)
}

fn parse_entry(entry: &Value) -> Result<DlopenNote> {
    let text = |key: &str| match entry.get(key) {
        None => Ok(String::new()),
        Some(value) => value.as_str().map(str::to_owned).ok_or(MALFORMED),
    };
    let sonames = match entry.get("soname") {
        Some(Value::String(name)) => vec![name.clone().into_bytes()],
        Some(Value::Array(names)) => {
            let names = names.iter().map(|name| name.as_str().map(|name| name.as_bytes().to_vec()));
            names.collect::<Option<Vec<_>>>().ok_or(MALFORMED)?
        }
        _ => return Err(MALFORMED),
    };
    if sonames.is_empty() || sonames.iter().any(|name| name.is_empty() || name.contains(&0)) {
        return Err(MALFORMED);
    }
    let priority = match text("priority")?.as_str() {
        "required" => DlopenPriority::Required,
        "" | "recommended" => DlopenPriority::Recommended,
        // Unknown priorities are treated as optional, so that they do not enlarge images.
        _ => DlopenPriority::Suggested,
    };
    Ok(DlopenNote { sonames, feature: text("feature")?, description: text("description")?, priority })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_entries() {
        let entry = serde_json::json!({ "soname": ["libb.so.2", "libb.so.1"], "feature": "b", "priority": "required" });
        let note = parse_entry(&entry).unwrap();
        assert_eq!(note.sonames, [b"libb.so.2", b"libb.so.1"]);
        assert_eq!((note.feature.as_str(), note.priority), ("b", DlopenPriority::Required));
        let note = parse_entry(&serde_json::json!({ "soname": "libc.so" })).unwrap();
        assert_eq!(note.priority, DlopenPriority::Recommended);
        assert_eq!(
            parse_entry(&serde_json::json!({ "soname": "a", "priority": "urgent" })).unwrap().priority,
            DlopenPriority::Suggested
        );
    }

    #[test]
    fn rejects_entries_without_names() {
        for entry in [
            serde_json::json!({}),
            serde_json::json!([]),
            serde_json::json!({ "soname": [] }),
            serde_json::json!({ "soname": "" }),
            serde_json::json!({ "soname": [1] }),
            serde_json::json!({ "soname": "a\0b" }),
            serde_json::json!({ "soname": "a", "feature": 1 }),
        ] {
            assert!(parse_entry(&entry).is_err(), "{entry}");
        }
    }

    /// Arbitrary JSON, and JSON close to the expected form.
    fn json() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-z.]{0,3}", Just("required".to_owned()), any::<String>()];
        let leaf =
            prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), text.prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let key = proptest::sample::select(vec!["soname", "feature", "description", "priority", "x"]);
            let pairs = proptest::collection::vec((key, inner.clone()), 0..5);
            let object = pairs.prop_map(|pairs| pairs.into_iter().collect::<Value>());
            prop_oneof![proptest::collection::vec(inner, 0..4).prop_map(Value::from), object]
        })
    }

    proptest! {
        #[test]
        fn notes_have_non_empty_names(entry in json()) {
            if let Ok(note) = parse_entry(&entry) {
                prop_assert!(!note.sonames.is_empty() && note.sonames.iter().all(|name| !name.is_empty()));
                prop_assert!(entry.get("soname").is_some());
            }
        }
    }
}
