//! The verdict: what is accepted, what is told, and whether the image may be published.

use super::finding::{Error, Finding, Severity, Subject};
use super::{Gate, Policy};
use coracle_core::note::Note;

/// Files that are listed in one note.
const LISTED: usize = 16;

impl Gate {
    /// Decides when everything has been judged.
    ///
    /// # Errors
    /// All findings that refuse the image.
    pub fn verdict(self) -> Result<Vec<Note>, Error> {
        let unused = self.unused();
        let secrets = self.secrets.notes();
        let mut notes = self.foreseen()?;
        notes.extend(unused);
        notes.extend(secrets);
        Ok(notes)
    }

    /// Decides by what is known before any content is read.
    ///
    /// # Errors
    /// As [`Gate::verdict`].
    pub fn foreseen(mut self) -> Result<Vec<Note>, Error> {
        let findings = self.findings.get_mut();
        findings.sort();
        // Two rules, or two places of one word, may say the same.
        findings.dedup();
        // A file of the configuration is equal to itself, too: one word is enough.
        findings.dedup_by(|next, first| {
            (&next.subject, next.rule, next.offset) == (&first.subject, "configuration", None)
                && first.rule == next.rule
        });
        let (accepted, open): (Vec<Finding>, Vec<Finding>) =
            self.findings.into_inner().into_iter().partition(|finding| self.policy.reason(&finding.subject).is_some());
        let (errors, warnings): (Vec<Finding>, Vec<Finding>) =
            open.into_iter().partition(|finding| self.policy.refuses(finding));
        if !errors.is_empty() {
            return Err(Error(errors));
        }
        let accepted: Vec<String> = accepted
            .iter()
            .filter_map(|finding| Some(format!("{finding}: {}", self.policy.reason(&finding.subject)?)))
            .collect();
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let strict = "`--strict` would refuse the image, and `--allow PATH=REASON` ends the warning";
        Ok([
            list("accepted on purpose", &accepted, None).map(Note::Hint),
            list("what is included may not belong into an image", &warnings, Some(strict)).map(Note::Warning),
        ]
        .into_iter()
        .flatten()
        .collect())
    }

    /// Whether what was found so far refuses the image already.
    pub fn refuses(&self) -> bool {
        let open = |finding: &&Finding| self.policy.reason(&finding.subject).is_none();
        self.findings.borrow().iter().filter(open).any(|finding| self.policy.refuses(finding))
    }

    /// Entries of `allow` that nothing needs.
    fn unused(&self) -> Vec<Note> {
        let covers = |allowed: &dyn Fn(&Subject) -> bool| {
            self.findings.borrow().iter().any(|finding| allowed(&finding.subject))
        };
        let paths = self.policy.allow.keys().filter(|allowed| {
            let is_path =
                |subject: &Subject| matches!(subject, Subject::File(path) if path.is_within(allowed));
            !covers(&is_path) && !self.served.contains(allowed)
        });
        let words = self.policy.allow_words.keys();
        let words = words.filter(|allowed| !covers(&|subject| subject.to_string() == **allowed));
        paths.map(ToString::to_string).chain(words.cloned()).map(|name| unused(&name)).collect()
    }
}

fn unused(name: &str) -> Note {
    Note::Warning(format!("nothing is found at `{name}`, which is allowed on purpose: take it out"))
}

impl Policy {
    /// Whether this refuses an image, where nobody accepts it.
    fn refuses(&self, finding: &Finding) -> bool {
        self.strict || finding.severity == Severity::Error
    }

    /// Why findings at `subject` are accepted, if they are.
    fn reason(&self, subject: &Subject) -> Option<&str> {
        let reason = match subject {
            Subject::File(path) => {
                self.allow.iter().find(|(allowed, _)| path.is_within(allowed)).map(|(_, why)| why)
            }
            Subject::Word(..) => self.allow_words.get(&subject.to_string()),
        };
        reason.map(String::as_str)
    }
}

/// One note with all of `lines`: on one line where there is one.
fn list(heading: &str, lines: &[String], footer: Option<&str>) -> Option<String> {
    let text = match lines {
        [] => return None,
        [only] => format!("{heading}: {only}"),
        lines => {
            let more = lines.len().saturating_sub(LISTED);
            let mut text = vec![heading.to_owned()];
            text.extend(lines.iter().take(LISTED).map(|line| format!("  {line}")));
            text.extend((more > 0).then(|| format!("  and {more} more")));
            text.join("\n")
        }
    };
    Some(footer.map_or(text.clone(), |footer| format!("{text}\n  {footer}")))
}
