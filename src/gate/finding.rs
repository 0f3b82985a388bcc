//! What the gate found, and what is said about it.

use std::fmt;

use crate::path::{ImagePath, printable};

/// Something that has no place in an image, or may have none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// Where it is.
    pub subject: Subject,
    /// Bytes from the start of the file on; nothing when the file as a whole is meant.
    pub offset: Option<u64>,
    /// The rule's short name, which stays.
    pub rule: &'static str,
    /// What it is, for people; never the secret itself.
    pub what: String,
    /// Whether it refuses the image.
    pub severity: Severity,
    /// Whether it belongs into the image and a mount would hide it, so that the mount is what is wrong.
    pub hidden: bool,
}

/// Where a finding is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A file of the image.
    File(ImagePath),
    /// A variable, a label, an annotation or an argument: kind and name.
    Word(&'static str, String),
}

/// How much a finding weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// It refuses the image.
    Error,
    /// It is told; with `strict` it refuses the image as well.
    Warning,
}

impl Finding {
    /// One that refuses the image, about `subject` as a whole.
    pub(super) fn error(subject: Subject, rule: &'static str, what: String) -> Self {
        Self { subject, offset: None, rule, what, severity: Severity::Error, hidden: false }
    }
}

/// As it is written in `[allow]`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Word(kind, name) => write!(f, "{kind}:{}", printable(name.as_bytes())),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.subject)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        write!(f, ": {} ({})", self.what, self.rule)
    }
}

/// Findings that refuse an image, all of them.
#[derive(Debug, thiserror::Error)]
#[error("{}", text(.0))]
pub struct Error(pub Vec<Finding>);

/// Findings that are listed.
const LISTED: usize = 500;

fn text(findings: &[Finding]) -> String {
    let mut lines = vec!["something would be in the image that does not belong there".to_owned()];
    lines.extend(findings.iter().take(LISTED).map(|finding| format!("  {finding}")));
    if findings.len() > LISTED {
        lines.push(format!("  and {} more", findings.len() - LISTED));
    }
    lines.join("\n")
}

impl Error {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        let leave_out = self.0.iter().find(|finding| !finding.hidden).map(|Finding { subject: first, .. }| {
            format!(
                "leave it out: a program reads configuration and secrets from what is mounted, see `[[config]]`\n\
                 to accept it on purpose, pass `--allow '{first}=REASON'`, or write `\"{first}\" = \"REASON\"` below \
                 `[allow]` in the recipe"
            )
        });
        let mount = self.0.iter().any(|finding| finding.hidden).then(|| {
            "mount it elsewhere, such as at `/etc/NAME`: a mount takes the place of all that the image has there"
                .to_owned()
        });
        let hints: Vec<String> = leave_out.into_iter().chain(mount).collect();
        (!hints.is_empty()).then(|| hints.join("\n"))
    }
}
