//! `.note.dlopen`: what an object says of the libraries that it opens by itself.
//!
//! Source: systemd's "ELF Package Metadata", dlopen(3) notes: owner `FDO`, type `0x407c0c0a`, the description is JSON, an
//! array of objects; older drafts have a single one.

use serde_json::Value;

use super::{Error, Object, Result, notes};
use coracle_core::content::Reader;

/// A library that an object opens by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DlopenNote {
    /// Its names: alternatives, the first that is there counts.
    pub sonames: Vec<Vec<u8>>,
    /// What it is for, in a word; empty when nothing is said.
    pub feature: String,
    /// What it is for, in a sentence; empty when nothing is said.
    pub description: String,
    /// How much the object wants it.
    pub priority: Priority,
}

/// How much an object wants a library that it opens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Priority {
    /// Without it the object does not do its work.
    Required,
    /// It should be there unless somebody knows better; what a note means that says nothing.
    Recommended,
    /// It may be of use.
    Suggested,
}

const OWNER: &[u8] = b"FDO";
const KIND: u32 = 0x407c_0c0a;
const UNREADABLE: Error =
    Error::Damaged("its note about libraries that it opens is not the JSON that is agreed on");

/// What `object`, whose bytes are `file`, says of the libraries that it opens.
///
/// # Errors
/// When a note is damaged or not what was agreed on, or the file can't be read.
pub fn dlopen_notes(file: &Reader, object: &Object) -> Result<Vec<DlopenNote>> {
    let mut found = Vec::new();
    for note in notes(file, object)?.iter().filter(|note| note.owner == OWNER && note.kind == KIND) {
        let text = note.description.split(|&byte| byte == 0).next().unwrap_or_default();
        match serde_json::from_slice(text).map_err(|_| UNREADABLE)? {
            Value::Array(entries) => {
                for entry in &entries {
                    found.push(read(entry)?);
                }
            }
            entry => found.push(read(&entry)?),
        }
    }
    Ok(found)
}

fn read(entry: &Value) -> Result<DlopenNote> {
    let text = |key: &str| match entry.get(key) {
        None => Ok(String::new()),
        Some(value) => value.as_str().map(str::to_owned).ok_or(UNREADABLE),
    };
    let sonames = match entry.get("soname") {
        Some(Value::String(name)) => vec![name.clone().into_bytes()],
        Some(Value::Array(names)) => {
            let names = names.iter().map(|name| name.as_str().map(|name| name.as_bytes().to_vec()));
            names.collect::<Option<Vec<_>>>().ok_or(UNREADABLE)?
        }
        _ => return Err(UNREADABLE),
    };
    if sonames.is_empty() || sonames.iter().any(|name| name.is_empty() || name.contains(&0)) {
        return Err(UNREADABLE);
    }
    let priority = match text("priority")?.as_str() {
        "required" => Priority::Required,
        "" | "recommended" => Priority::Recommended,
        // A word that is not known yet is no reason to take everything in.
        _ => Priority::Suggested,
    };
    Ok(DlopenNote { sonames, feature: text("feature")?, description: text("description")?, priority })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries() {
        let entry = serde_json::json!({ "soname": ["libb.so.2", "libb.so.1"], "feature": "b", "priority": "required" });
        let note = read(&entry).unwrap();
        assert_eq!(note.sonames, [b"libb.so.2", b"libb.so.1"]);
        assert_eq!((note.feature.as_str(), note.priority), ("b", Priority::Required));
        let note = read(&serde_json::json!({ "soname": "libc.so" })).unwrap();
        assert_eq!(note.priority, Priority::Recommended);
        assert_eq!(
            read(&serde_json::json!({ "soname": "a", "priority": "urgent" })).unwrap().priority,
            Priority::Suggested
        );
    }

    #[test]
    fn entries_that_say_nothing_are_damaged() {
        for entry in [
            serde_json::json!({}),
            serde_json::json!([]),
            serde_json::json!({ "soname": [] }),
            serde_json::json!({ "soname": "" }),
            serde_json::json!({ "soname": [1] }),
            serde_json::json!({ "soname": "a\0b" }),
            serde_json::json!({ "soname": "a", "feature": 1 }),
        ] {
            assert!(read(&entry).is_err(), "{entry}");
        }
    }
    /// JSON of any shape, and of nearly the right one.
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
        fn what_is_read_can_be_opened(entry in json()) {
            if let Ok(note) = read(&entry) {
                prop_assert!(!note.sonames.is_empty() && note.sonames.iter().all(|name| !name.is_empty()));
                prop_assert!(entry.get("soname").is_some());
            }
        }
    }
}
