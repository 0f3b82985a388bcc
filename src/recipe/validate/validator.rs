//! The validator: takes raw values of flags or file, parses them, and collects all problems.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::recipe::error::{RecipeError, RecipeProblem};
use crate::recipe::recipe_document::RecipeDocument;
use crate::recipe::schema::{BoolOrString, IntOrString, RecipeFile, Spanned};
use coracle_core::fs;
use coracle_core::path::escape_bytes;

/// A raw value and its origin.
pub(super) struct RawValue<T = String> {
    pub(super) value: T,
    pub(super) origin: ValueOrigin,
}

/// The flag or the byte range of the file that a raw value is from.
#[derive(Clone)]
pub(super) enum ValueOrigin {
    Flag(&'static str),
    File(Range<usize>),
}

/// Parses raw values and collects problems, so that all are reported together.
pub(super) struct Validator<'a> {
    pub(super) document: Option<&'a RecipeDocument<'a>>,
    pub(super) problems: Vec<RecipeProblem>,
}

impl<'a> Validator<'a> {
    /// Creates a validator for `document`, or for flags alone.
    pub(super) fn new(document: Option<&'a RecipeDocument<'a>>) -> Self {
        Self { document, problems: Vec::new() }
    }

    /// Reports an unsupported version of the format.
    pub(super) fn check_version(&mut self, file: &RecipeFile) {
        if let Some(version) = file.version.as_ref().filter(|version| *version.get_ref() != 1) {
            let message = format!("recipe version {} is not supported", version.get_ref());
            let hint = "the only version is 1";
            self.report(&ValueOrigin::File(version.span()), message, Some(hint.into()));
        }
    }

    /// Merges the flags' `NAME=VALUE` into the file's map.
    pub(super) fn parse_string_map(
        &mut self,
        file: &BTreeMap<String, Spanned<String>>,
        flags: &[String],
        flag: &'static str,
    ) -> BTreeMap<String, String> {
        let mut raw_map: Vec<(String, RawValue)> =
            file.iter().map(|(name, value)| (name.clone(), RawValue::from_file(value))).collect();
        for raw in from_flag(flags, flag) {
            match raw.value.split_once('=') {
                Some((name, value)) => {
                    raw_map.push((name.into(), RawValue { value: value.into(), origin: raw.origin }));
                }
                None => {
                    let message = format!("`{}` has no value", escape_bytes(raw.value.as_bytes()));
                    self.report(&raw.origin, message, Some(format!("write it as `{flag} NAME=VALUE`")));
                }
            }
        }
        let mut map = BTreeMap::new();
        for (name, raw) in raw_map {
            let raw_name = RawValue { value: name, origin: raw.origin.clone() };
            if raw_name.value.is_empty() {
                self.report(&raw.origin, "a name is empty".into(), None);
            } else if flag == "--env" && raw_name.value.contains('=') {
                let message = format!(
                    "`{}` is not a variable name: it contains `=`",
                    escape_bytes(raw_name.value.as_bytes())
                );
                self.report(&raw.origin, message, None);
            } else if let Some(name) = self.parse_without_nul("a name", &raw_name) {
                map.extend(self.parse_without_nul("a value", &raw).map(|value| (name, value)));
            }
        }
        map
    }

    /// Returns the value. Reports a problem if it contains NUL, which ends arguments and variables
    /// of a process.
    pub(super) fn parse_without_nul(&mut self, subject: &str, raw: &RawValue) -> Option<String> {
        if raw.value.contains('\0') {
            self.report(&raw.origin, format!("{subject} contains a NUL byte"), None);
            return None;
        }
        Some(raw.value.clone())
    }

    pub(super) fn parse_value<T: std::str::FromStr<Err: Display>>(
        &mut self,
        raw: &RawValue,
        hint: impl FnOnce(&T::Err) -> Option<String>,
    ) -> Option<T> {
        self.ok_or_report(raw.value.parse(), &raw.origin, hint)
    }

    pub(super) fn ok_or_report<T, E: Display>(
        &mut self,
        result: Result<T, E>,
        origin: &ValueOrigin,
        hint: impl FnOnce(&E) -> Option<String>,
    ) -> Option<T> {
        result.map_err(|error| self.report(origin, error.to_string(), hint(&error))).ok()
    }

    pub(super) fn report(&mut self, origin: &ValueOrigin, message: String, hint: Option<String>) {
        self.problems.push(match origin {
            ValueOrigin::Flag(flag) => {
                RecipeProblem { message: format!("`{flag}`: {message}"), hint, position: None }
            }
            ValueOrigin::File(span) => RecipeProblem {
                message,
                hint,
                position: self.document.and_then(|document| document.position(span)),
            },
        });
    }

    pub(super) fn into_result(self) -> Result<(), RecipeError> {
        let Self { document, mut problems } = self;
        let document_problems = document.map(|document| document.problems.as_slice()).unwrap_or_default();
        problems.extend(document_problems.iter().map(|(_, problem)| problem.clone()));
        problems.sort_by_key(RecipeProblem::sort_key);
        if problems.is_empty() { Ok(()) } else { Err(RecipeError::Invalid(problems)) }
    }
}

/// A value of the file that has a textual form.
pub(super) trait AsText {
    fn text(&self) -> &str;
}

impl AsText for String {
    fn text(&self) -> &str {
        self
    }
}

impl AsText for BoolOrString {
    fn text(&self) -> &str {
        &self.0
    }
}

impl AsText for IntOrString {
    fn text(&self) -> &str {
        &self.0
    }
}

impl RawValue {
    pub(super) fn from_file(value: &Spanned<impl AsText>) -> Self {
        Self { value: value.get_ref().text().to_owned(), origin: ValueOrigin::File(value.span()) }
    }
}

/// Splits `NAME=PATH` at the first `=`. The path may be any bytes. `None` if there is no `=`, or the
/// name is not UTF-8.
pub(super) fn split_name_and_path(text: &OsStr) -> Option<(String, PathBuf)> {
    let bytes = fs::path_to_bytes(Path::new(text));
    let equals = bytes.iter().position(|&byte| byte == b'=')?;
    let (name, path) = (bytes.get(..equals)?, bytes.get(equals + 1..)?);
    Some((std::str::from_utf8(name).ok()?.to_owned(), fs::path_from_bytes(path)))
}

/// Returns the values of a flag as raw values.
pub(super) fn from_flag(values: &[String], flag: &'static str) -> Vec<RawValue> {
    values.iter().map(|value| RawValue { value: value.clone(), origin: ValueOrigin::Flag(flag) }).collect()
}

/// Returns the flag's values, or the file's if there are none.
pub(super) fn flags_or_file(
    file: &[Spanned<impl AsText>],
    flags: &[String],
    flag: &'static str,
) -> Vec<RawValue> {
    if flags.is_empty() { file.iter().map(RawValue::from_file).collect() } else { from_flag(flags, flag) }
}

/// Returns the flag's value, or the file's.
pub(super) fn flag_or_file(
    file: &Option<Spanned<impl AsText>>,
    value: &Option<String>,
    flag: &'static str,
) -> Option<RawValue> {
    let value =
        value.as_ref().map(|value| RawValue { value: value.clone(), origin: ValueOrigin::Flag(flag) });
    value.or_else(|| file.as_ref().map(RawValue::from_file))
}
