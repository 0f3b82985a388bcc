//! A program's configuration, as a recipe describes it and as it is rendered.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::mounted_path::object_key;
use crate::template::{FileFormat, FormatChoice, TemplateSyntax, UsedKeys};
use crate::values::ValueSource;
use coracle_core::hint::Hint;
use coracle_core::path::ImagePath;
use coracle_core::signal_name::{ParseSignalNameError, SignalName};

/// The files, Secrets, directories and variables that a program needs in addition to its image.
#[derive(Clone, PartialEq, Eq, Default, Debug, Hash)]
pub struct Configuration {
    /// Mounted directories with rendered files.
    pub mounts: Vec<ConfigMount>,
    /// Mounted directories of Secrets that are created elsewhere.
    pub secrets: Vec<SecretMount>,
    /// Directories that the program writes to.
    pub writable_directories: Vec<WritableDirectory>,
    /// Environment variables whose value is the text of a mounted file.
    pub variables: Vec<FileVariable>,
    /// Sources of values; later ones override earlier ones.
    pub values: Vec<ValueSource>,
    /// The JSON Schema of the values.
    pub schema: Option<PathBuf>,
}

impl Configuration {
    /// Returns whether the program needs nothing but its image.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
            && self.secrets.is_empty()
            && self.writable_directories.is_empty()
            && self.variables.is_empty()
    }
}

/// A mounted directory and the sources of its files.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct ConfigMount {
    /// The mount path in the container.
    pub path: ImagePath,
    /// The files of the directory.
    pub files: Vec<MountFileSource>,
    /// How a change reaches the running program.
    pub reload: ReloadMethod,
    /// `true` if the program starts without it.
    pub is_optional: bool,
}

/// A directory of a Secret that is not rendered here; it may share the path of a
/// [`ConfigMount`].
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct SecretMount {
    /// The mount path in the container.
    pub path: ImagePath,
    /// The Secret's name; `None` for a name made from the program's.
    pub name: Option<String>,
    /// The files that the program reads.
    pub files: Vec<SecretFile>,
    /// How a change reaches the running program.
    pub reload: ReloadMethod,
    /// `true` if the program starts without it.
    pub is_optional: bool,
}

/// A file of a [`SecretMount`].
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct SecretFile {
    /// The key in the Secret.
    pub key: String,
    /// The path in the mount.
    pub path: String,
}

/// A directory that the program writes to.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct WritableDirectory {
    /// The mount path in the container.
    pub path: ImagePath,
    /// The size as a Kubernetes quantity (`10Gi`) of storage that outlives the pod; `None` for
    /// ephemeral storage.
    pub size: Option<String>,
    /// `true` if several pods write to it (`ReadWriteMany`).
    pub is_shared: bool,
}

/// An environment variable whose value is the text of a mounted file.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct FileVariable {
    /// The variable's name.
    pub name: String,
    /// The file's path in the container.
    pub file: ImagePath,
    /// `true` if the user allowed a secret file, although environment variables are easily exposed.
    pub is_secret_allowed: bool,
}

/// A file of a mount.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct MountFileSource {
    /// The source file: a template, or a file that is copied unchanged.
    pub source: PathBuf,
    /// The path in the mount, such as `conf.d/site.conf`.
    pub path: String,
    /// The template's syntax; `None` if the file is copied unchanged.
    pub syntax: Option<TemplateSyntax>,
    /// The format that the file is checked in.
    pub format: FormatChoice,
}

/// A mount with rendered files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderedMount {
    /// The mount path in the container.
    pub path: ImagePath,
    /// How a change reaches the running program.
    pub reload: ReloadMethod,
    /// `true` if the program starts without it.
    pub is_optional: bool,
    /// The files, sorted by path.
    pub files: Vec<RenderedFile>,
}

/// A rendered file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderedFile {
    /// The path in the mount.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// `true` if it may contain a secret.
    pub is_secret: bool,
    /// The format that it was validated as.
    pub format: Option<FileFormat>,
    /// Why it is not valid in the format that its name suggests, for a file that is copied unchanged.
    pub format_warning: Option<String>,
    /// The keys whose values may be in it.
    pub used_keys: UsedKeys,
}

impl RenderedFile {
    /// Returns the key in the ConfigMap or Secret.
    pub(crate) fn object_key(&self) -> String {
        object_key(&self.path)
    }
}

impl SecretFile {
    /// Returns the file of a key, at the path of the same name.
    pub fn from_key(key: &str) -> Self {
        Self { key: key.to_owned(), path: key.to_owned() }
    }
}

/// How a program picks up a configuration change.
#[derive(Clone, PartialEq, Eq, Default, Debug, Hash)]
pub enum ReloadMethod {
    /// By a new pod: the object is immutable and its name has a hash of its content.
    #[default]
    Restart,
    /// The program watches the directory.
    Watch,
    /// The program reloads on this signal.
    Signal(SignalName),
}

/// Signals that a program cannot handle, by name and number. Source: signal(7).
const UNHANDLEABLE_SIGNALS: [&str; 4] = ["SIGKILL", "SIGSTOP", "9", "19"];

/// An invalid value of `reload`.
#[derive(Debug, thiserror::Error)]
pub enum ParseReloadError {
    /// An unknown value.
    #[error("`{}` is not one of `restart`, `watch` and `signal:NAME`", coracle_core::path::escape_bytes(.0.as_bytes()))]
    UnknownMethod(String),
    /// An invalid signal.
    #[error(transparent)]
    Signal(#[from] ParseSignalNameError),
    /// A signal that a program cannot handle.
    #[error("a program cannot handle `{0}`")]
    UnhandleableSignal(SignalName),
}

impl Hint for ParseReloadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownMethod(_) => None,
            Self::Signal(error) => error.hint(),
            Self::UnhandleableSignal(_) => {
                Some("use a signal that the program handles, such as `signal:SIGHUP`".into())
            }
        }
    }
}

impl FromStr for ReloadMethod {
    type Err = ParseReloadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "restart" => Ok(Self::Restart),
            "watch" => Ok(Self::Watch),
            _ => match text.strip_prefix("signal:") {
                Some(name) if UNHANDLEABLE_SIGNALS.contains(&name) => {
                    Err(ParseReloadError::UnhandleableSignal(name.parse()?))
                }
                Some(name) => Ok(Self::Signal(name.parse()?)),
                None => Err(ParseReloadError::UnknownMethod(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for ReloadMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart => f.write_str("restart"),
            Self::Watch => f.write_str("watch"),
            Self::Signal(signal) => write!(f, "signal:{signal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_displays_every_value() {
        for text in ["restart", "watch", "signal:SIGHUP"] {
            assert_eq!(text.parse::<ReloadMethod>().unwrap().to_string(), text);
        }
        for (text, part) in [
            ("", "not one of"),
            ("reload", "not one of"),
            ("signal:HUP", "not a signal"),
            ("signal", "not one of"),
            ("signal:SIGKILL", "a program cannot handle `SIGKILL`"),
            ("signal:SIGSTOP", "a program cannot handle"),
            ("signal:9", "a program cannot handle"),
            ("signal:19", "a program cannot handle"),
        ] {
            assert!(text.parse::<ReloadMethod>().unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
