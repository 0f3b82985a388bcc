//! The result of a rule at one offset of a file.

use std::borrow::Cow;

use super::finding::Severity;

/// A match of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Match {
    /// The name of the rule.
    pub(super) rule: &'static str,
    /// What was found, for messages.
    pub(super) what: Cow<'static, str>,
    /// The number of bytes before the offset at which the match starts.
    pub(super) back: usize,
    /// Whether it is an error or a warning.
    pub(super) severity: Severity,
}

impl Match {
    pub(super) fn error(rule: &'static str, what: &'static str) -> Self {
        Self { rule, what: what.into(), back: 0, severity: Severity::Error }
    }

    /// Returns the match with its start moved `back` bytes before the offset.
    pub(super) fn from(self, back: usize) -> Self {
        Self { back, ..self }
    }
}
