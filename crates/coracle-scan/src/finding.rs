//! Findings of the secret scanner, and the error that lists them.

use std::fmt;

use coracle_core::path::{ImagePath, escape_bytes};

/// Configuration or a secret that should not be in the image, or a mount that hides files.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// The file or value with the finding.
    pub subject: FindingSubject,
    /// The offset in the file, in bytes; `None` if the finding concerns the whole file.
    pub offset: Option<u64>,
    /// The name of the rule, which is stable.
    pub rule: &'static str,
    /// A description for messages, which never contains the secret.
    pub description: String,
    /// Whether it is an error or a warning.
    pub severity: Severity,
    /// What has to be changed.
    pub category: FindingCategory,
}

/// The category of a finding, which determines the hint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FindingCategory {
    /// The image contains configuration or a secret.
    InImage,
    /// A mount would hide a file that the image needs.
    HiddenByMount,
    /// A ConfigMap contains a secret.
    InConfigMap,
}

/// The file or value with a finding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FindingSubject {
    /// A file of the image.
    File(ImagePath),
    /// A variable, label, annotation or argument: kind and name.
    ConfigValue(&'static str, String),
}

/// The severity of a finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The image is not published.
    Error,
    /// A warning is printed; an error with `strict`.
    Warning,
}

impl Finding {
    /// Creates an error about the whole of `subject`.
    pub(super) fn new_error(subject: FindingSubject, rule: &'static str, description: String) -> Self {
        Self {
            subject,
            offset: None,
            rule,
            description,
            severity: Severity::Error,
            category: FindingCategory::InImage,
        }
    }
}

/// The form that is written in `[allow]`.
impl fmt::Display for FindingSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::ConfigValue(kind, name) => write!(f, "{kind}:{}", escape_bytes(name.as_bytes())),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.subject)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        write!(f, ": {} ({})", self.description, self.rule)
    }
}

/// All findings because of which the image is not published.
#[derive(Debug, thiserror::Error)]
#[error("{}", format_findings(.0))]
pub struct Error(pub Vec<Finding>);

/// The maximum number of findings in a message.
const MAX_LISTED: usize = 500;

fn format_findings(findings: &[Finding]) -> String {
    let heading = if findings.iter().all(|finding| finding.category == FindingCategory::InConfigMap) {
        "the secret scanner found secrets in a ConfigMap"
    } else {
        "the secret scanner rejected files or values of the image"
    };
    let mut lines = vec![heading.to_owned()];
    lines.extend(findings.iter().take(MAX_LISTED).map(|finding| format!("  {finding}")));
    if findings.len() > MAX_LISTED {
        lines.push(format!("  and {} more", findings.len() - MAX_LISTED));
    }
    lines.join("\n")
}

impl Error {
    /// A suggested next step.
    pub fn hint(&self) -> Option<String> {
        let first =
            |fault| self.0.iter().find(|finding| finding.category == fault).map(|found| &found.subject);
        let accept = |subject: &FindingSubject| {
            format!(
                "to accept it, pass `--allow '{subject}=REASON'`, or add `\"{subject}\" = \"REASON\"` to `[allow]` in \
                 the recipe"
            )
        };
        let leave_out = first(FindingCategory::InImage).map(|subject| {
            let read =
                "remove it: programs read configuration and secrets from mounted files, see `[[config]]`";
            format!("{read}\n{}", accept(subject))
        });
        let mount = first(FindingCategory::HiddenByMount).map(|_| {
            "choose another mount path, such as `/etc/NAME`: a mount hides everything that the image has there"
                .to_owned()
        });
        let mark = first(FindingCategory::InConfigMap).map(|subject| {
            let mark =
                "mark the value `writeOnly` in the schema, or move the file to a Secret, see `[[secret]]`";
            format!("{mark}\n{}", accept(subject))
        });
        let hints: Vec<String> = leave_out.into_iter().chain(mount).chain(mark).collect();
        (!hints.is_empty()).then(|| hints.join("\n"))
    }
}
