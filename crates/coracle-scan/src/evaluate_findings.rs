//! Evaluates all findings: accepted ones, warnings, and whether the image may be published.

use std::collections::BTreeSet;

use coracle_core::note::Note;
use coracle_core::path::ImagePath;

use super::finding::{Finding, FindingSubject, FindingsError};
use super::finding_list::{MAX_LINES, finding_lines};
use super::scanner::SecretScanner;

impl SecretScanner {
    /// Evaluates the findings of the whole image. Returns notes about accepted findings, warnings,
    /// unused `allow` entries and secrets that were not searched for.
    ///
    /// # Errors
    /// Fails with all findings that are errors and not accepted.
    pub fn evaluate(self) -> Result<Vec<Note>, FindingsError> {
        let unused = self.unused_allow_notes();
        let secrets = self.secrets.unsearched_notes();
        let mut notes = self.evaluate_so_far()?;
        notes.extend(unused);
        notes.extend(secrets);
        Ok(notes)
    }

    /// Evaluates the findings so far, before all content has been scanned.
    ///
    /// # Errors
    /// Fails with all findings that are errors and not accepted.
    pub fn evaluate_so_far(mut self) -> Result<Vec<Note>, FindingsError> {
        // The sort is stable: of findings with the same rule, those by path are first, because plans
        // are scanned before contents.
        self.findings.sort_by(|a, b| (&a.subject, a.offset, a.rule).cmp(&(&b.subject, b.offset, b.rule)));
        // A configuration file also has the same content as itself: one finding is enough.
        self.findings.dedup_by(|next, first| {
            (&next.subject, next.rule, next.offset) == (&first.subject, "configuration", None)
                && first.rule == next.rule
        });
        let packaged = self.packaged_files();
        let (accepted, open): (Vec<Finding>, Vec<Finding>) = self
            .findings
            .into_iter()
            .filter(|finding| !is_in_file(finding, &packaged))
            .partition(|finding| self.forbidden.accepted_reason(&finding.subject).is_some());
        let (errors, warnings): (Vec<Finding>, Vec<Finding>) =
            open.into_iter().partition(|finding| self.forbidden.is_error(finding));
        if !errors.is_empty() {
            return Err(FindingsError::new(errors));
        }
        let accepted: Vec<String> = accepted
            .iter()
            .filter_map(|finding| {
                Some(format!("{finding}: {}", self.forbidden.accepted_reason(&finding.subject)?))
            })
            .collect();
        let warnings = finding_lines(&warnings);
        let strict = "`--strict` makes this an error, and `--allow PATH=REASON` silences it";
        Ok([
            format_list("accepted on purpose", &accepted, None).map(Note::Hint),
            format_list("possible configuration or secrets in the image", &warnings, Some(strict))
                .map(Note::Warning),
        ]
        .into_iter()
        .flatten()
        .collect())
    }

    /// Returns whether a finding so far is an error and not accepted.
    pub fn has_unaccepted_errors(&self) -> bool {
        let packaged = self.packaged_files();
        let is_open = |finding: &&Finding| {
            self.forbidden.accepted_reason(&finding.subject).is_none() && !is_in_file(finding, &packaged)
        };
        self.findings.iter().filter(is_open).any(|finding| self.forbidden.is_error(finding))
    }

    /// Returns a note for each entry of `allow` without a finding.
    fn unused_allow_notes(&self) -> Vec<Note> {
        let covers = |allowed: &dyn Fn(&FindingSubject) -> bool| {
            self.findings.iter().any(|finding| allowed(&finding.subject))
        };
        let paths = self.forbidden.allowed_paths.keys().filter(|allowed| {
            let is_path =
                |subject: &FindingSubject| matches!(subject, FindingSubject::File(path) if path.is_within(allowed));
            !covers(&is_path) && !self.allowed_for_libraries.contains(allowed)
        });
        let values = self.forbidden.allowed_values.keys();
        let values = values.filter(|allowed| !covers(&|subject| subject.to_string() == **allowed));
        paths.map(ToString::to_string).chain(values.cloned()).map(|name| unused_allow_note(&name)).collect()
    }
}

/// Returns whether the finding is in the content of one of `files`.
fn is_in_file(finding: &Finding, files: &BTreeSet<ImagePath>) -> bool {
    finding.offset.is_some() && matches!(&finding.subject, FindingSubject::File(path) if files.contains(path))
}

fn unused_allow_note(name: &str) -> Note {
    Note::Warning(format!("nothing was found at `{name}`: remove it from `[allow]` or `--allow`"))
}

/// Formats `lines` below `heading`; a single one is put on the same line.
fn format_list(heading: &str, lines: &[String], footer: Option<&str>) -> Option<String> {
    let text = match lines {
        [] => return None,
        [only] => format!("{heading}: {only}"),
        lines => {
            let more = lines.len().saturating_sub(MAX_LINES);
            let mut text = vec![heading.to_owned()];
            text.extend(lines.iter().take(MAX_LINES).map(|line| format!("  {line}")));
            text.extend((more > 0).then(|| format!("  and {more} more")));
            text.join("\n")
        }
    };
    Some(footer.map_or(text.clone(), |footer| format!("{text}\n  {footer}")))
}
