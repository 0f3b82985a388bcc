//! The secret scanner: finds configuration and secrets in an image before anything is published.
//!
//! Files are checked by path, by comparison with files of the configuration, and by content. The
//! last two happen while files are packed, so that nothing is read twice. Does not depend on
//! recipes or tar. docs/secret-scanner.md lists what is found and what is not.

mod candidates;
mod config_file_names;
mod context_rules;
mod entropy;
mod evaluate;
mod file_scan;
mod finding;
mod plan_scan;
mod private_keys;
mod rule_match;
mod secret_values;
#[cfg(test)]
mod tests;
mod text_rules;
mod token_formats;
mod window;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use file_scan::{FileScan, ScanScope};
pub use finding::{Error, Finding, FindingCategory, FindingSubject, Severity};

use coracle_core::content_scanner::{ContentScan, ContentScanner};
use coracle_core::entry::{Entry, EntryNode, EntryReason, LayerKind};
use coracle_core::path::ImagePath;

/// What an image must not contain, and which findings are accepted.
#[derive(Clone, Default, Debug)]
pub struct ScanPolicy {
    /// Mount points of configuration and secrets.
    pub mounts: Vec<ImagePath>,
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
}

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
impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The secret scanner of one build. It is passed every planned file system, every packed file and
/// every value of the config, and then decides whether the image may be published.
#[derive(Debug, Default)]
pub struct SecretScanner {
    policy: ScanPolicy,
    secrets: secret_values::SecretSearch,
    findings: RefCell<Vec<Finding>>,
    /// Entries of `allow` that are used because they contain libraries of the closure.
    allowed_for_libraries: Vec<ImagePath>,
}

impl SecretScanner {
    /// Creates a scanner for `policy`.
    pub fn new(policy: ScanPolicy) -> Self {
        Self { secrets: secret_values::SecretSearch::new(&policy.secrets), policy, ..Self::default() }
    }

    /// Starts to scan the content of a file that is about to be packed. `None` for files of the
    /// distribution: libraries of the closure and implicit dependencies.
    pub fn scan_file(&self, path: &ImagePath, entry: &Entry) -> Option<FileScan<'_>> {
        let EntryNode::File(content) = &entry.node else { return None };
        let kind = match &entry.reason {
            EntryReason::Included(_)
                if path.file_name().is_some_and(config_file_names::is_config_file_name) =>
            {
                ScanScope::IncludedConfig
            }
            EntryReason::Included(_) => ScanScope::Included,
            EntryReason::Program => ScanScope::Program,
            // Libraries that are packed with the program are the user's own, as the program is.
            EntryReason::Needed { .. } | EntryReason::Dlopened { .. }
                if entry.layer_kind == LayerKind::Program =>
            {
                ScanScope::Program
            }
            _ => return None,
        };
        Some(FileScan::new(self, FindingSubject::File(path.clone()), kind, content.size()))
    }

    /// Scans a value of the image config. `kind` is `env`, `label`, `annotation` or `arg`.
    pub fn scan_config_value(&mut self, kind: &'static str, name: &str, value: &str) {
        let subject = FindingSubject::ConfigValue(kind, name.to_owned());
        // As a configuration file would contain it.
        let line = if kind == "arg" { value.to_owned() } else { format!("{name}={value}") };
        let mut scan = FileScan::new(self, subject.clone(), ScanScope::IncludedConfig, line.len() as u64);
        scan.update(line.as_bytes());
        let mut found = scan.finish();
        for finding in &mut found {
            finding.offset = None;
            if finding.description == text_rules::ASSIGNED_PASSWORD {
                finding.description = format!("a password in {}", describe_value_kind(kind));
            }
        }
        if let Some(secret) = self.secrets.find_in_config_value(value) {
            found.push(Finding::new_error(subject, "secret", format!("the secret value `{secret}`")));
        }
        self.add_findings(found);
    }

    /// Scans a file of the configuration that is stored in a ConfigMap; `path` is where it is
    /// mounted.
    pub fn scan_config_map_file(&mut self, path: &ImagePath, bytes: &[u8]) {
        let mut scan =
            FileScan::new(self, FindingSubject::File(path.clone()), ScanScope::ConfigMap, bytes.len() as u64);
        scan.update(bytes);
        let mut found = scan.finish();
        found.iter_mut().for_each(|finding| finding.category = FindingCategory::InConfigMap);
        self.add_findings(found);
    }

    /// Adds findings, such as those of a [`Scan`]. Duplicates are ignored.
    pub fn add_findings(&self, findings: Vec<Finding>) {
        let mut kept = self.findings.borrow_mut();
        let new = findings.into_iter().filter(|finding| !kept.contains(finding)).collect::<Vec<_>>();
        kept.extend(new);
    }
}

impl ContentScanner for SecretScanner {
    fn start(&self, path: &ImagePath, entry: &Entry) -> Option<Box<dyn ContentScan + '_>> {
        Some(Box::new(self.scan_file(path, entry)?))
    }
}

impl ContentScan for FileScan<'_> {
    fn update(&mut self, bytes: &[u8]) {
        FileScan::update(self, bytes);
    }

    fn finish(self: Box<Self>) {
        let gate = self.gate;
        gate.add_findings(FileScan::finish(*self));
    }
}

/// Returns the description of a kind of config value.
fn describe_value_kind(kind: &str) -> &'static str {
    match kind {
        "env" => "a variable",
        "label" => "a label",
        "annotation" => "an annotation",
        _ => "an argument",
    }
}

impl ConfigFile {
    /// Returns whether a file of `size` bytes can have the same content. False for a file that has
    /// nothing but white space.
    fn can_equal_file_of_size(&self, size: u64) -> bool {
        self.content.len() as u64 == size && !self.content.trim_ascii().is_empty()
    }
}
