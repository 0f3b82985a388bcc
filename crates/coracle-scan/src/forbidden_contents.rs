//! The contents that an image must not have, and the findings that are accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use coracle_core::path::ImagePath;

use super::finding::{Finding, FindingSubject, Severity};

/// The contents that an image must not have, and the findings that are accepted.
#[derive(Clone, Default, Debug)]
pub struct ForbiddenContents {
    /// Mount points of configuration and secrets.
    pub mounts: Vec<ImagePath>,
    /// Directories that the program writes to, which are mounted too.
    pub state_directories: Vec<ImagePath>,
    /// Host files that configuration is rendered from: templates, values, schemas.
    pub config_sources: Vec<ConfigSource>,
    /// Files of the configuration; no included file may have the same content.
    pub config_files: Vec<ConfigFile>,
    /// Secret values that must not occur anywhere in the image.
    pub secrets: Vec<SecretValue>,
    /// Image paths whose findings are accepted, including everything below them, with the reason.
    pub allowed_paths: BTreeMap<ImagePath, String>,
    /// Variables, labels, annotations and arguments whose findings are accepted, with the reason.
    /// The key is the subject of the finding, such as `env:NAME`.
    pub allowed_values: BTreeMap<String, String>,
    /// Treats warnings as errors.
    pub strict: bool,
    /// Returns those of the given host files that packages of the distribution have installed. Their
    /// contents are public, so findings in them are accepted. `None` accepts none.
    pub packaged_files: Option<PackagedFiles>,
}

/// Returns those of the given files that packages of the distribution have installed. `None` if that is
/// unknown.
pub type PackagedFiles = fn(&BTreeSet<ImagePath>) -> Option<BTreeSet<ImagePath>>;

/// A host file that configuration is rendered from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigSource {
    /// The path on the host.
    pub path: PathBuf,
    /// A description for messages, such as `a template`.
    pub description: &'static str,
}

/// A file of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigFile {
    /// A description for messages.
    pub description: String,
    /// The content.
    pub content: Vec<u8>,
}

/// A secret value that was given to the build.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue {
    /// The name, as in values: `db.password`.
    pub name: String,
    /// The value. Leading and trailing white space is ignored.
    pub value: Vec<u8>,
}

/// Omits the value.
impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretValue").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ForbiddenContents {
    /// Returns whether a finding is an error unless it is accepted.
    pub(super) fn is_error(&self, finding: &Finding) -> bool {
        self.strict || finding.severity == Severity::Error
    }

    /// Returns why findings in `subject` are accepted; `None` if they are not. The reason of the
    /// innermost allowed path counts.
    pub(super) fn accepted_reason(&self, subject: &FindingSubject) -> Option<&str> {
        let reason = match subject {
            // Directories are sorted before their entries.
            FindingSubject::File(path) => {
                self.allowed_paths.iter().rfind(|(allowed, _)| path.is_within(allowed)).map(|(_, why)| why)
            }
            FindingSubject::ConfigValue(..) => self.allowed_values.get(&subject.to_string()),
        };
        reason.map(String::as_str)
    }
}

impl ConfigFile {
    /// Returns whether a file of `size` bytes can have the same content. Files of white space only
    /// never count as equal.
    pub(super) fn can_equal_file_of_size(&self, size: u64) -> bool {
        self.content.len() as u64 == size && !self.content.trim_ascii().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn innermost_allowed_path_gives_the_reason() {
        let allowed = [("/srv", "assets"), ("/srv/keys", "keys of a test"), ("/srv/keys.d", "another")];
        let allowed_paths = allowed.map(|(path, why)| (path.parse().unwrap(), why.to_owned())).into();
        let forbidden = ForbiddenContents { allowed_paths, ..ForbiddenContents::default() };
        for (path, reason) in [
            ("/srv/keys/a.pem", Some("keys of a test")),
            ("/srv/keys", Some("keys of a test")),
            ("/srv/keys.pem", Some("assets")),
            ("/srv/page.html", Some("assets")),
            ("/etc/a.pem", None),
        ] {
            let subject = FindingSubject::File(path.parse().unwrap());
            assert_eq!(forbidden.accepted_reason(&subject), reason, "{path}");
        }
    }
}
