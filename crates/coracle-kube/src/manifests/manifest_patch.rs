//! A patch of one generated object, read from a file, for what `[kubernetes]` has no key for.

use std::path::{Path, PathBuf};

use coracle_core::path;
use serde_json::Value;

use crate::located_problem::{LocatedProblem, ManifestsError};
use crate::values;
use crate::values::{Ambiguity, AmbiguousValue};
use crate::yaml::{self, Node};

/// A patch of one object.
#[derive(Clone, PartialEq, Debug)]
pub struct ManifestPatch {
    /// The file of the patch.
    pub path: PathBuf,
    /// The number of the document in the file, from 1.
    pub document: usize,
    /// The document: `kind`, `metadata` that identifies the object, and the changes.
    pub value: Value,
}

/// Members that identify the object; a patch cannot change them.
const IDENTITY_KEYS: [&str; 2] = ["apiVersion", "kind"];

impl ManifestPatch {
    /// Reads the patches in these YAML files; each may have several documents.
    ///
    /// # Errors
    /// Fails if a file cannot be read or parsed; reports every such file.
    pub fn read(paths: &[PathBuf]) -> Result<Vec<Self>, ManifestsError> {
        let (mut patches, mut problems) = (Vec::new(), Vec::new());
        for path in paths {
            match Self::read_file(path) {
                Ok(read) => patches.extend(read),
                Err(problem) => problems.push(problem.at_patch(path.clone())),
            }
        }
        if problems.is_empty() { Ok(patches) } else { Err(ManifestsError(problems)) }
    }

    fn read_file(path: &Path) -> Result<Vec<Self>, LocatedProblem> {
        let bytes = std::fs::read(path).map_err(|error| {
            let hint =
                "check the spelling and the permissions; relative paths start at the recipe's directory";
            LocatedProblem::new(format!("cannot read `{}`: {error}", path.display()), hint)
        })?;
        let problem = |message: String| {
            LocatedProblem::new(message, "a patch is YAML with `kind` and the members to change")
        };
        let text =
            String::from_utf8(bytes).map_err(|_| problem(format!("`{}` is not UTF-8", path.display())))?;
        let documents =
            yaml::parse_nodes(&text).map_err(|error| problem(format!("`{}`: {error}", path.display())))?;
        if let Some(found) = values::find_ambiguous_values(&text, &documents).first() {
            return Err(ambiguous_value(path, found));
        }
        let documents =
            documents.iter().map(Node::to_value).enumerate().filter(|(_, value)| !value.is_null());
        Ok(documents
            .map(|(index, value)| Self { path: path.to_owned(), document: index + 1, value })
            .collect())
    }

    /// Returns a problem located at this patch.
    pub(super) fn problem_here(&self, message: &str, hint: impl Into<String>) -> LocatedProblem {
        let message = format!("{}, document {}: {message}", self.path.display(), self.document);
        LocatedProblem::new(message, hint).at_patch(self.path.clone())
    }

    pub(super) fn kind(&self) -> Option<&str> {
        self.value.get("kind")?.as_str()
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.value.pointer("/metadata/name")?.as_str()
    }

    /// Returns whether the patch applies to `object`, whose name without prefix or hash is `base`.
    pub(super) fn matches(&self, object: &Value, base: &str) -> bool {
        self.matches_kind_and_name(object, base) && self.mismatched_pointer(object).is_none()
    }

    /// Returns whether kind and name match `object`.
    pub(super) fn matches_kind_and_name(&self, object: &Value, base: &str) -> bool {
        let is_named = self
            .name()
            .is_none_or(|name| name == base || object.pointer("/metadata/name") == Some(&name.into()));
        is_named && self.value.get("kind") == object.get("kind")
    }

    /// Returns the JSON pointer of another identifying member that differs from `object`'s.
    pub(super) fn mismatched_pointer(&self, object: &Value) -> Option<&'static str> {
        ["/apiVersion", "/metadata/namespace"].into_iter().find(|pointer| {
            let expected = self.value.pointer(pointer);
            expected.is_some() && object.pointer(pointer) != expected
        })
    }

    /// Returns the changes, without the members that identify the object.
    pub(super) fn changes(&self) -> Value {
        let mut change = self.value.clone();
        if let Some(members) = change.as_object_mut() {
            IDENTITY_KEYS.iter().for_each(|key| drop(members.remove(*key)));
        }
        if let Some(metadata) = change.get_mut("metadata").and_then(Value::as_object_mut) {
            ["name", "namespace"].iter().for_each(|key| drop(metadata.remove(*key)));
        }
        change
    }

    pub(super) fn not_a_table_problem(&self, key: &str) -> LocatedProblem {
        self.problem_here(
            &format!("`{key}` must be a table: a {} requires it", self.target_title()),
            "write the members to change in it; `null` removes a member",
        )
    }

    pub(super) fn target_title(&self) -> String {
        let kind = path::escape_bytes(self.kind().unwrap_or("object").as_bytes());
        match self.name() {
            Some(name) => format!("{kind} `{}`", path::escape_bytes(name.as_bytes())),
            None => kind,
        }
    }
}

/// Returns the problem that tools read a value of a patch differently.
fn ambiguous_value(path: &Path, found: &AmbiguousValue) -> LocatedProblem {
    let (path, line, key) = (path.display(), found.line, &found.key);
    let (message, hint) = match found.kind {
        Ambiguity::Number => (
            format!("`{path}`, line {line}: the number at `{key}` is ambiguous: tools read it differently"),
            "write it in decimal, as in JSON: the mode `0440` is 288",
        ),
        Ambiguity::Boolean => (
            format!("`{path}`, line {line}: the word at `{key}` is ambiguous: Kubernetes reads a boolean"),
            "write `true` or `false`, or quote it if it is text",
        ),
    };
    LocatedProblem::new(message, hint)
}
