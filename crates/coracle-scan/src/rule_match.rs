//! The result of a rule at one offset of a file.

use std::borrow::Cow;

use super::finding::Severity;

/// A match of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RuleMatch {
    /// The name of the rule.
    pub(super) rule: &'static str,
    /// What was found, for messages.
    pub(super) description: Cow<'static, str>,
    /// The number of bytes before the offset at which the match starts.
    pub(super) start_before: usize,
    /// Whether it is an error or a warning.
    pub(super) severity: Severity,
}

impl RuleMatch {
    pub(super) fn new_error(rule: &'static str, what: &'static str) -> Self {
        Self { rule, description: what.into(), start_before: 0, severity: Severity::Error }
    }

    /// Returns the match with its start moved `back` bytes before the offset.
    pub(super) fn starting_before(self, back: usize) -> Self {
        Self { start_before: back, ..self }
    }
}
