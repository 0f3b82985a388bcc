//! What a rule says of a place.

use std::borrow::Cow;

use super::finding::Severity;

/// Something that was found at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Match {
    /// The rule's short name.
    pub(super) rule: &'static str,
    /// What it is, for people.
    pub(super) what: Cow<'static, str>,
    /// How many bytes before the place it starts.
    pub(super) back: usize,
    /// Whether it refuses the image.
    pub(super) severity: Severity,
}

impl Match {
    pub(super) fn error(rule: &'static str, what: &'static str) -> Self {
        Self { rule, what: what.into(), back: 0, severity: Severity::Error }
    }

    /// The same, `back` bytes further to the front.
    pub(super) fn from(self, back: usize) -> Self {
        Self { back, ..self }
    }
}
