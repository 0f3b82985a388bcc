//! What the gate found, and what is said about it.

use std::fmt;

use coracle_core::path::{ImagePath, printable};

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
    /// What has to change.
    pub fault: Fault,
}

/// What is wrong about a finding, and so what mends it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// It is in the image, and does not belong there.
    Content,
    /// It belongs into the image, and a mount would hide it.
    Hidden,
    /// It is in a file of the configuration that is not secret.
    Public,
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
        Self { subject, offset: None, rule, what, severity: Severity::Error, fault: Fault::Content }
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
    let heading = if findings.iter().all(|finding| finding.fault == Fault::Public) {
        "a secret would be in a ConfigMap, which is no place for it"
    } else {
        "something would be in the image that does not belong there"
    };
    let mut lines = vec![heading.to_owned()];
    lines.extend(findings.iter().take(LISTED).map(|finding| format!("  {finding}")));
    if findings.len() > LISTED {
        lines.push(format!("  and {} more", findings.len() - LISTED));
    }
    lines.join("\n")
}

impl Error {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        let first = |fault| self.0.iter().find(|finding| finding.fault == fault).map(|found| &found.subject);
        let accept = |subject: &Subject| {
            format!(
                "to accept it on purpose, pass `--allow '{subject}=REASON'`, or write `\"{subject}\" = \"REASON\"` below \
                 `[allow]` in the recipe"
            )
        };
        let leave_out = first(Fault::Content).map(|subject| {
            let read = "leave it out: a program reads configuration and secrets from what is mounted, see `[[config]]`";
            format!("{read}\n{}", accept(subject))
        });
        let mount = first(Fault::Hidden).map(|_| {
            "mount it elsewhere, such as at `/etc/NAME`: a mount takes the place of all that the image has there"
                .to_owned()
        });
        let mark = first(Fault::Public).map(|subject| {
            let mark =
                "mark the value `writeOnly` in the schema, or let a Secret hold the file, see `[[secret]]`";
            format!("{mark}\n{}", accept(subject))
        });
        let hints: Vec<String> = leave_out.into_iter().chain(mount).chain(mark).collect();
        (!hints.is_empty()).then(|| hints.join("\n"))
    }
}
