//! The secret scanner of a build, which collects the findings of all scans.

use std::collections::BTreeSet;

use coracle_core::content_scanner::{ContentScan, ContentScanner};
use coracle_core::entry::{Entry, EntryNode};
use coracle_core::fs;
use coracle_core::path::ImagePath;

use super::credentials_in_text;
use super::file_scan::FileScan;
use super::finding::{ConfigValueKind, Finding, FindingCategory, FindingSubject};
use super::forbidden_contents::ForbiddenContents;
use super::scan_scope::ScanScope;
use super::secret_values::SecretSearch;

/// The secret scanner of one build. It is passed every planned file system, every packed file and
/// every value of the config, and then decides whether the image may be published.
#[derive(Debug, Default)]
pub struct SecretScanner {
    pub(super) forbidden: ForbiddenContents,
    pub(super) secrets: SecretSearch,
    pub(super) findings: Vec<Finding>,
    /// Entries of `allow` that are used because they contain libraries of the closure.
    pub(super) allowed_for_libraries: Vec<ImagePath>,
    /// Directories of published packages, such as those of npm.
    pub(super) package_directories: BTreeSet<ImagePath>,
    /// Files that have the same path on the host.
    host_files: BTreeSet<ImagePath>,
    /// The last argument of the image config.
    previous_argument: String,
}

impl SecretScanner {
    /// Creates a scanner for `forbidden`.
    pub fn new(forbidden: ForbiddenContents) -> Self {
        Self { secrets: SecretSearch::new(&forbidden.secrets), forbidden, ..Self::default() }
    }

    /// Returns the files with findings in their contents that packages of the distribution have installed.
    pub(super) fn packaged_files(&self) -> BTreeSet<ImagePath> {
        let Some(packaged_files) = self.forbidden.packaged_files else { return BTreeSet::new() };
        let in_content = self.findings.iter().filter(|finding| finding.offset.is_some());
        let files = in_content.filter_map(|finding| match &finding.subject {
            FindingSubject::File(path) => Some(path),
            FindingSubject::ConfigValue(..) => None,
        });
        let files: BTreeSet<ImagePath> =
            files.filter(|path| self.host_files.contains(path)).cloned().collect();
        // Lists of packages are long.
        if files.is_empty() { files } else { packaged_files(&files).unwrap_or_default() }
    }

    /// The findings collected so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Scans a whole file in memory. The findings are returned, not collected.
    pub fn scan_bytes(&self, path: &ImagePath, scope: ScanScope, bytes: &[u8]) -> Vec<Finding> {
        self.scan_subject(FindingSubject::File(path.clone()), scope, bytes)
    }

    /// Scans a value of the image config and collects the findings.
    pub fn scan_config_value(&mut self, kind: ConfigValueKind, name: &str, value: &str) {
        let subject = FindingSubject::ConfigValue(kind, name.to_owned());
        // As a configuration file would contain it.
        let line = match kind {
            // `--password VALUE` is two arguments.
            ConfigValueKind::Arg => {
                let previous = std::mem::replace(&mut self.previous_argument, value.to_owned());
                if previous.starts_with('-') { format!("{previous} {value}") } else { value.to_owned() }
            }
            _ => format!("{name}={value}"),
        };
        let mut found = self.scan_subject(subject.clone(), ScanScope::IncludedConfig, line.as_bytes());
        for finding in &mut found {
            finding.offset = None;
            if finding.description == credentials_in_text::ASSIGNED_PASSWORD {
                finding.description = format!("a password in {}", kind.description());
            }
        }
        if let Some(secret) = self.secrets.find_in_config_value(value) {
            found.push(Finding::new_error(subject, "secret", format!("the secret value `{secret}`")));
        }
        collect_findings(&mut self.findings, found);
    }

    /// Scans a file of the configuration that is stored in a ConfigMap, and collects the findings.
    /// `path` is where it is mounted.
    pub fn scan_config_map_file(&mut self, path: &ImagePath, bytes: &[u8]) {
        let mut found = self.scan_bytes(path, ScanScope::ConfigMap, bytes);
        found.iter_mut().for_each(|finding| finding.category = FindingCategory::InConfigMap);
        collect_findings(&mut self.findings, found);
    }

    fn scan_subject(&self, subject: FindingSubject, scope: ScanScope, bytes: &[u8]) -> Vec<Finding> {
        let (config_files, size) = (&self.forbidden.config_files, bytes.len() as u64);
        let mut scan = FileScan::new(config_files, &self.secrets, subject, scope, size);
        scan.update(bytes);
        scan.finish()
    }
}

/// Adds `new` findings to those `collected` so far. Duplicates are ignored.
pub(super) fn collect_findings(collected: &mut Vec<Finding>, new: Vec<Finding>) {
    for finding in new {
        if !collected.contains(&finding) {
            collected.push(finding);
        }
    }
}

/// Scans files while they are packed, and collects the findings. Files of the distribution are not
/// scanned: libraries of the closure and implicit dependencies.
impl ContentScanner for SecretScanner {
    fn start_scan(&mut self, path: &ImagePath, entry: &Entry) -> Option<Box<dyn ContentScan + '_>> {
        let EntryNode::File(content) = &entry.node else { return None };
        let scope = ScanScope::for_entry(path, entry)?;
        if content.host_path().is_some_and(|host| fs::path_to_bytes(host) == path.as_bytes()) {
            self.host_files.insert(path.clone());
        }
        let Self { forbidden, secrets, findings, package_directories, .. } = self;
        let mut directories = std::iter::successors(path.parent(), ImagePath::parent);
        let is_published = directories.any(|directory| package_directories.contains(&directory));
        let subject = FindingSubject::File(path.clone());
        let mut scan = FileScan::new(&forbidden.config_files, secrets, subject, scope, content.size());
        scan.set_published(is_published);
        Some(Box::new(PackedFileScan { scan, collected: findings }))
    }
}

/// The scan of a file while it is packed. Its findings are collected by the scanner.
struct PackedFileScan<'a> {
    scan: FileScan<'a>,
    collected: &'a mut Vec<Finding>,
}

impl ContentScan for PackedFileScan<'_> {
    fn update(&mut self, bytes: &[u8]) {
        self.scan.update(bytes);
    }

    fn finish(self: Box<Self>) {
        collect_findings(self.collected, self.scan.finish());
    }
}
