//! The report of `coracle verify`.

use coracle_core::escape::escape_text;
use serde::Serialize;

/// The report of one image.
#[derive(Serialize)]
pub(super) struct VerifyReport {
    pub(super) image: String,
    pub(super) digest: String,
    pub(super) checks: Vec<CheckReport>,
}

/// The result of one check.
#[derive(Serialize)]
pub(super) struct CheckReport {
    /// `whole`, `sound`, `rebuild`, `signature`, `sbom` or `provenance`.
    pub(super) check: &'static str,
    /// `true` if there are no findings.
    passed: bool,
    /// What is wrong.
    findings: Vec<String>,
    /// What was found, such as the digest of a signature.
    notes: Vec<String>,
}

impl CheckReport {
    pub(super) fn new(check: &'static str, findings: Vec<String>) -> Self {
        Self { check, passed: findings.is_empty(), findings, notes: Vec::new() }
    }

    pub(super) fn with_notes(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }
}

impl VerifyReport {
    pub(super) fn has_findings(&self) -> bool {
        self.checks.iter().any(|check| !check.passed)
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{}: {}\n", escape_text(&self.image), self.digest);
        for CheckReport { check, passed, findings, notes } in &self.checks {
            text += &format!("  {check:<10}  {}\n", if *passed { "passed" } else { "failed" });
            for line in findings.iter().chain(notes) {
                text += &format!("    {}\n", escape_text(line));
            }
        }
        text
    }
}
