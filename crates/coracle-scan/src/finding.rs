//! Findings of the secret scanner, the matches of rules that they are made from, and the error that
//! lists them.

use std::borrow::Cow;
use std::fmt;

use coracle_core::hint::Hint;
use coracle_core::path::{ImagePath, escape_bytes};

use super::finding_list::{common_folder, finding_lines};

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
    /// The severity: an error or a warning.
    pub severity: Severity,
    /// The category, which determines the hint.
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
    /// A value of the image config: kind and name. Arguments are named by their number, from 1.
    ConfigValue(ConfigValueKind, String),
}

/// The kind of a value of the image config. `Display` is the word in `[allow]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConfigValueKind {
    /// An annotation: `annotation`.
    Annotation,
    /// An argument of the program: `arg`.
    Arg,
    /// An environment variable: `env`.
    Env,
    /// A label: `label`.
    Label,
}

impl ConfigValueKind {
    /// Returns the kind with its article, for messages.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Annotation => "an annotation",
            Self::Arg => "an argument",
            Self::Env => "a variable",
            Self::Label => "a label",
        }
    }
}

impl fmt::Display for ConfigValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Annotation => "annotation",
            Self::Arg => "arg",
            Self::Env => "env",
            Self::Label => "label",
        })
    }
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

/// The match of a rule at one offset of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RuleMatch {
    /// The name of the rule.
    pub(super) rule: &'static str,
    /// The description of the match, for messages.
    pub(super) description: Cow<'static, str>,
    /// The number of bytes before the offset at which the match starts.
    pub(super) start_before: usize,
    /// The severity: an error or a warning.
    pub(super) severity: Severity,
}

impl RuleMatch {
    /// Creates an error whose match starts at the offset.
    pub(super) fn new_error(rule: &'static str, description: &'static str) -> Self {
        Self { rule, description: description.into(), start_before: 0, severity: Severity::Error }
    }

    /// Returns the match with its start moved to `start_before` bytes before the offset.
    pub(super) fn starting_before(self, start_before: usize) -> Self {
        Self { start_before, ..self }
    }
}

/// All findings because of which the image is not published.
#[derive(Debug, thiserror::Error)]
#[error("{}", format_findings(.0))]
pub struct FindingsError(Vec<Finding>);

fn format_findings(findings: &[Finding]) -> String {
    let heading = if findings.iter().all(|finding| finding.category == FindingCategory::InConfigMap) {
        "the secret scanner found secrets in a ConfigMap"
    } else {
        "the secret scanner rejected files or values of the image"
    };
    let mut lines = vec![heading.to_owned()];
    lines.extend(finding_lines(findings).iter().map(|line| format!("  {line}")));
    lines.join("\n")
}

impl FindingsError {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self(findings)
    }

    /// The findings, sorted by subject.
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }
}

impl Hint for FindingsError {
    fn hint(&self) -> Option<String> {
        let first_subject = |category| {
            self.0.iter().find(|finding| finding.category == category).map(|finding| &finding.subject)
        };
        let folder = common_folder(&self.0).map(FindingSubject::File);
        let accept = |subject: &FindingSubject| {
            let (which, subject) = match &folder {
                Some(folder) => ("all of them", folder),
                None => ("it", subject),
            };
            format!(
                "to accept {which}, pass `--allow '{subject}=REASON'`, or add `\"{subject}\" = \"REASON\"` to \
                 `[allow]` in the recipe"
            )
        };
        let remove = first_subject(FindingCategory::InImage).map(|subject| {
            let remove =
                "remove it: programs read configuration and secrets from mounted files, see `[[config]]`";
            format!("{remove}\n{}", accept(subject))
        });
        let move_mount = first_subject(FindingCategory::HiddenByMount).map(|_| {
            "choose another mount path, such as `/etc/NAME`: a mount hides everything that the image has there"
                .to_owned()
        });
        let make_secret = first_subject(FindingCategory::InConfigMap).map(|subject| {
            let make_secret =
                "mark the value `writeOnly` in the schema, or move the file to a Secret, see `[[secret]]`";
            format!("{make_secret}\n{}", accept(subject))
        });
        let hints: Vec<String> = remove.into_iter().chain(move_mount).chain(make_secret).collect();
        (!hints.is_empty()).then(|| hints.join("\n"))
    }
}
