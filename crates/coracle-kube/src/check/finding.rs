//! Findings and their rules.

use std::fmt;

use coracle_core::path::escape_bytes;

/// A mismatch or a note, with its position.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CheckFinding {
    /// The file name, as given.
    pub file: String,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The rule that was violated.
    pub rule: CheckRule,
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
pub enum CheckRule {
    /// Invalid YAML, or a duplicate key.
    InvalidYaml,
    /// The container of the image cannot be determined.
    ContainerNotFound,
    /// A container has another digest of the image.
    OtherImage,
    /// Nothing is mounted where files are expected.
    MissingMount,
    /// An expected file is not in the mounted volume.
    MissingFile,
    /// A key of a ConfigMap or Secret is referenced but missing.
    MissingKey,
    /// Not checked because an object is not in the manifests.
    NotInManifests,
    /// A secret file is in a ConfigMap.
    SecretInConfigMap,
    /// A `subPath` mount, which is not updated, of files that must be updated.
    SubPathNotUpdated,
    /// No container can send the signal that the program expects on changes.
    SignalNotSent,
    /// An immutable object with files that must be updated.
    ImmutableNotUpdated,
    /// A mount hides files of the image.
    HidesImageFiles,
    /// A mount on a directory that the container runtime needs.
    ReservedDirectory,
    /// A mount that Kubernetes rejects.
    InvalidMount,
    /// A key that Kubernetes rejects.
    InvalidObjectKey,
    /// A value that Kubernetes rejects.
    InvalidObjectValue,
    /// An object that is too large for Kubernetes.
    TooLarge,
    /// An object that is too large for client-side `kubectl apply`.
    TooLargeForApply,
    /// A file that is invalid in its format.
    InvalidFormat,
    /// An expected environment variable is not set.
    MissingVariable,
    /// A secret in an environment variable that the contract does not request.
    SecretInEnvironment,
    /// A directory that the program writes to is read-only.
    WritableDirectoryReadOnly,
    /// A persistent directory is deleted with the pod.
    NotPersistent,
    /// A user that differs from the image's, or that `runAsNonRoot` rejects.
    UserMismatch,
    /// A file that the program's user cannot read.
    UnreadableFile,
    /// A port that the image does not expose.
    UndeclaredPort,
    /// Values that violate the schema.
    ValuesViolateSchema,
    /// A file that differs from what the contract renders from the values.
    ContentDiffers,
}

impl CheckRule {
    /// Returns the rule's public name.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidYaml => "yaml",
            Self::ContainerNotFound => "no-container",
            Self::OtherImage => "other-image",
            Self::MissingMount => "missing-mount",
            Self::MissingFile => "missing-file",
            Self::MissingKey => "missing-key",
            Self::NotInManifests => "not-in-manifests",
            Self::SecretInConfigMap => "secret-in-config-map",
            Self::SubPathNotUpdated => "sub-path",
            Self::SignalNotSent => "no-signal",
            Self::ImmutableNotUpdated => "immutable",
            Self::HidesImageFiles => "hides-image-files",
            Self::ReservedDirectory => "reserved-path",
            Self::InvalidMount => "bad-mount",
            Self::InvalidObjectKey => "illegal-key",
            Self::InvalidObjectValue => "bad-value",
            Self::TooLarge => "too-large",
            Self::TooLargeForApply => "too-large-for-apply",
            Self::InvalidFormat => "format",
            Self::MissingVariable => "missing-variable",
            Self::SecretInEnvironment => "secret-in-environment",
            Self::WritableDirectoryReadOnly => "read-only",
            Self::NotPersistent => "not-persistent",
            Self::UserMismatch => "user",
            Self::UnreadableFile => "unreadable",
            Self::UndeclaredPort => "port",
            Self::ValuesViolateSchema => "values",
            Self::ContentDiffers => "content-differs",
        }
    }
}

impl fmt::Display for CheckRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl CheckFinding {
    /// Returns a finding about a whole file.
    pub fn for_file(file: impl Into<String>, rule: CheckRule, message: String) -> Self {
        let (object, container, field) = (None, None, None);
        Self { file: file.into(), line: 0, column: 0, rule, object, container, field, message }
    }
}

impl fmt::Display for CheckFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", escape_bytes(self.file.as_bytes()))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if let Some(object) = &self.object {
            write!(f, "{}", escape_bytes(object.as_bytes()))?;
            if let Some(container) = &self.container {
                write!(f, ", container `{}`", escape_bytes(container.as_bytes()))?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

/// The result of a check.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CheckReport {
    /// Mismatches.
    pub findings: Vec<CheckFinding>,
    /// Information that is not an error, such as what could not be checked.
    pub notes: Vec<CheckFinding>,
    /// Titles of the checked containers: ``Deployment/shop, container `app` ``.
    pub containers: Vec<String>,
}

impl CheckReport {
    /// Returns the report sorted by position, without duplicates.
    pub(super) fn into_sorted(mut self) -> Self {
        for list in [&mut self.findings, &mut self.notes] {
            list.sort();
            list.dedup();
        }
        self
    }
}

/// Returns `text` with control characters escaped, for messages.
pub(super) fn printable_text(text: &str) -> String {
    escape_bytes(text.as_bytes())
}
