//! Findings and their rules.

use std::fmt;

use coracle_core::path::printable;

/// A mismatch or a note, with its position.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// The file name, as given.
    pub file: String,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The rule that was violated.
    pub rule: Rule,
    /// The object: `Deployment/shop`.
    pub object: Option<String>,
    /// The container's name.
    pub container: Option<String>,
    /// The path of the field in its document: `spec.template.spec.containers[0].image`.
    pub field: Option<String>,
    /// The message.
    pub message: String,
}

/// The rules. Their names are a stable interface for scripts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// Invalid YAML, or a duplicate key.
    Yaml,
    /// The container of the image cannot be determined.
    NoContainer,
    /// A container has another digest of the image.
    OtherImage,
    /// Nothing is mounted where files are expected.
    MissingMount,
    /// An expected file is not in the mounted volume.
    MissingFile,
    /// A key of a ConfigMap or Secret is referenced but missing.
    MissingKey,
    /// Not checked because an object is not in the manifests.
    Elsewhere,
    /// A secret file is in a ConfigMap.
    SecretInConfigMap,
    /// A `subPath` mount, which is not updated, of files that must be updated.
    SubPath,
    /// No container can send the signal that the program expects on changes.
    NoSignal,
    /// An immutable object with files that must be updated.
    Immutable,
    /// A mount hides files of the image.
    Hidden,
    /// A mount on a directory that the container runtime needs.
    Taken,
    /// A mount that Kubernetes rejects.
    BadMount,
    /// A key that Kubernetes rejects.
    IllegalKey,
    /// A value that Kubernetes rejects.
    BadValue,
    /// An object that is too large for Kubernetes.
    TooLarge,
    /// An object that is too large for client-side `kubectl apply`.
    Large,
    /// A file that is invalid in its format.
    Format,
    /// An expected environment variable is not set.
    MissingVariable,
    /// A secret in an environment variable that the contract does not request.
    SecretInEnvironment,
    /// A directory that the program writes to is read-only.
    ReadOnly,
    /// A persistent directory is deleted with the pod.
    NotPersistent,
    /// A user that differs from the image's, or that `runAsNonRoot` rejects.
    User,
    /// A file that the program's user cannot read.
    Unreadable,
    /// A port that the image does not expose.
    Port,
    /// Values that violate the schema.
    Values,
    /// A file that differs from what the contract renders from the values.
    Differs,
}

impl Rule {
    /// Returns the rule's public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::NoContainer => "no-container",
            Self::OtherImage => "other-image",
            Self::MissingMount => "missing-mount",
            Self::MissingFile => "missing-file",
            Self::MissingKey => "missing-key",
            Self::Elsewhere => "elsewhere",
            Self::SecretInConfigMap => "secret-in-config-map",
            Self::SubPath => "sub-path",
            Self::NoSignal => "no-signal",
            Self::Immutable => "immutable",
            Self::Hidden => "hidden",
            Self::Taken => "taken",
            Self::BadMount => "bad-mount",
            Self::IllegalKey => "illegal-key",
            Self::BadValue => "bad-value",
            Self::TooLarge => "too-large",
            Self::Large => "large",
            Self::Format => "format",
            Self::MissingVariable => "missing-variable",
            Self::SecretInEnvironment => "secret-in-environment",
            Self::ReadOnly => "read-only",
            Self::NotPersistent => "not-persistent",
            Self::User => "user",
            Self::Unreadable => "unreadable",
            Self::Port => "port",
            Self::Values => "values",
            Self::Differs => "differs",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Finding {
    /// Returns a finding about a whole file.
    pub fn about(file: impl Into<String>, rule: Rule, message: String) -> Self {
        let (object, container, field) = (None, None, None);
        Self { file: file.into(), line: 0, column: 0, rule, object, container, field, message }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(self.file.as_bytes()))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if let Some(object) = &self.object {
            write!(f, "{}", printable(object.as_bytes()))?;
            if let Some(container) = &self.container {
                write!(f, ", container `{}`", printable(container.as_bytes()))?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

/// The result of a check.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// Mismatches.
    pub findings: Vec<Finding>,
    /// Information that is not an error, such as what could not be checked.
    pub notes: Vec<Finding>,
    /// Titles of the checked containers: ``Deployment/shop, container `app` ``.
    pub containers: Vec<String>,
}

impl Report {
    /// Returns the report sorted by position, without duplicates.
    pub(super) fn sorted(mut self) -> Self {
        for list in [&mut self.findings, &mut self.notes] {
            list.sort();
            list.dedup();
        }
        self
    }
}
