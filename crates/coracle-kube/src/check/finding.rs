//! What is found, and where.

use std::fmt;

use coracle_core::path::printable;

/// One thing that does not fit, or that should be known.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// The file, as it was named.
    pub file: String,
    /// From 1; 0 where the whole file is meant.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The rule, a word for programs.
    pub rule: Rule,
    /// The object: `Deployment/shop`.
    pub object: Option<String>,
    /// The container.
    pub container: Option<String>,
    /// The way to the field in its document: `spec.template.spec.containers[0].image`.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// The rules. Their names are public: scripts may rely on them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// A text that is no YAML, or has a key twice.
    Yaml,
    /// No container, or none of several, could be meant.
    NoContainer,
    /// A container has another version of the image.
    OtherImage,
    /// Nothing is mounted where files are expected.
    MissingMount,
    /// A file is not in what is mounted there.
    MissingFile,
    /// An object, or a key of one, is asked for and not there.
    MissingKey,
    /// An object that is not among the manifests.
    Elsewhere,
    /// A secret file stands in a ConfigMap.
    SecretInConfigMap,
    /// A `subPath` where a change has to arrive.
    SubPath,
    /// Nobody who sends the signal that a change is told by.
    NoSignal,
    /// An immutable object where a change has to arrive.
    Immutable,
    /// A mount hides files of the image.
    Hidden,
    /// A mount where the container needs something itself.
    Taken,
    /// A mount that Kubernetes refuses.
    BadMount,
    /// A key that Kubernetes refuses.
    IllegalKey,
    /// A value that Kubernetes refuses.
    BadValue,
    /// More than an object holds.
    TooLarge,
    /// More than a client-side apply can record.
    Large,
    /// A file that is not what its format says.
    Format,
    /// An environment variable is not given.
    MissingVariable,
    /// A secret in the environment that nobody allowed.
    SecretInEnvironment,
    /// A directory that the program writes to can't be written.
    ReadOnly,
    /// What has to outlive the pod goes with it.
    NotPersistent,
    /// Another user than the image's.
    User,
    /// A file that the user can't read.
    Unreadable,
    /// A port that the image does not say.
    Port,
    /// Values that the schema does not allow.
    Values,
    /// A file is not what the contract makes of the values.
    Differs,
}

impl Rule {
    /// Its name.
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
    /// One about a file as a whole, or what stands for one.
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

/// What one check says: findings, and notes about what can't be told from here.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Report {
    /// What does not fit.
    pub findings: Vec<Finding>,
    /// What should be known, but is no fault.
    pub notes: Vec<Finding>,
    /// The containers that were looked at: `Deployment/shop, container app`.
    pub containers: Vec<String>,
}

impl Report {
    /// Sorted by place, and each once.
    pub(super) fn sorted(mut self) -> Self {
        for list in [&mut self.findings, &mut self.notes] {
            list.sort();
            list.dedup();
        }
        self
    }
}
