//! The secret scanner: finds configuration and secrets in an image before anything is published.
//!
//! Files are checked by path, by comparison with files of the configuration, and by content. The
//! last two happen while files are packed, so that nothing is read twice. Does not depend on
//! recipes or tar. docs/secret-scanner.md lists what is found and what is not.

mod chance;
mod context;
mod finding;
mod keys;
mod names;
mod place;
mod rule;
mod runs;
mod scan;
mod secrets;
#[cfg(test)]
mod tests;
mod text;
mod tokens;
mod verdict;
mod window;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use finding::{Error, Fault, Finding, Severity, Subject};
pub use scan::{Kind, Scan};

use coracle_core::path::ImagePath;
use coracle_core::content_scanner::{ContentScan, ContentScanner};
use coracle_core::entry::{Entry, Node, Reason, Stratum};

/// What an image must not contain, and which findings are accepted.
#[derive(Clone, Default, Debug)]
pub struct Policy {
    /// Mount points of configuration and secrets.
    pub mounts: Vec<ImagePath>,
    /// Host files that configuration is rendered from: templates, values, schemas.
    pub sources: Vec<Source>,
    /// Files of the configuration; no included file may have the same content.
    pub texts: Vec<Text>,
    /// Secret values that must not occur anywhere in the image.
    pub secrets: Vec<Secret>,
    /// Image paths whose findings are accepted, including everything below them, with the reason.
    pub allow: BTreeMap<ImagePath, String>,
    /// Variables, labels, annotations and arguments whose findings are accepted, with the reason.
    /// The key is the subject of the finding, such as `env:NAME`.
    pub allow_words: BTreeMap<String, String>,
    /// Treats warnings as errors.
    pub strict: bool,
}

/// A host file that configuration is rendered from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The path on the host.
    pub path: PathBuf,
    /// A description for messages, such as `a template`.
    pub what: &'static str,
}

/// A file of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// A description for messages.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// A secret value that was given to the build.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The name, as in values: `db.password`.
    pub name: String,
    /// The value. Leading and trailing white space is ignored.
    pub value: Vec<u8>,
}

/// Omits the value.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The secret scanner of one build. It is passed every planned file system, every packed file and
/// every value of the config, and then decides whether the image may be published.
#[derive(Debug, Default)]
pub struct Gate {
    policy: Policy,
    secrets: secrets::Secrets,
    findings: RefCell<Vec<Finding>>,
    /// Entries of `allow` that are used because they contain libraries of the closure.
    served: Vec<ImagePath>,
}

impl Gate {
    /// Creates a scanner for `policy`.
    pub fn new(policy: Policy) -> Self {
        Self { secrets: secrets::Secrets::new(&policy.secrets), policy, ..Self::default() }
    }

    /// Starts to scan the content of a file that is about to be packed. `None` for files of the
    /// distribution: libraries of the closure and implicit dependencies.
    pub fn scan(&self, path: &ImagePath, entry: &Entry) -> Option<Scan<'_>> {
        let Node::File(content) = &entry.node else { return None };
        let kind = match &entry.reason {
            Reason::Included(_) if path.name().is_some_and(names::look_like_configuration) => {
                Kind::Configuration
            }
            Reason::Included(_) => Kind::Included,
            Reason::Program => Kind::Program,
            // Libraries that are packed with the program are the user's own, as the program is.
            Reason::Needed { .. } | Reason::Opened { .. } if entry.stratum == Stratum::Program => {
                Kind::Program
            }
            _ => return None,
        };
        Some(Scan::new(self, Subject::File(path.clone()), kind, content.size()))
    }

    /// Scans a value of the image config. `kind` is `env`, `label`, `annotation` or `arg`.
    pub fn word(&mut self, kind: &'static str, name: &str, value: &str) {
        let subject = Subject::Word(kind, name.to_owned());
        // As a configuration file would contain it.
        let line = if kind == "arg" { value.to_owned() } else { format!("{name}={value}") };
        let mut scan = Scan::new(self, subject.clone(), Kind::Configuration, line.len() as u64);
        scan.update(line.as_bytes());
        let mut found = scan.finish();
        for finding in &mut found {
            finding.offset = None;
            if finding.what == text::ASSIGNED {
                finding.what = format!("a password in {}", noun(kind));
            }
        }
        if let Some(secret) = self.secrets.in_word(value) {
            found.push(Finding::error(subject, "secret", format!("the secret value `{secret}`")));
        }
        self.take(found);
    }

    /// Scans a file of the configuration that is stored in a ConfigMap; `path` is where it is
    /// mounted.
    pub fn public(&mut self, path: &ImagePath, bytes: &[u8]) {
        let mut scan = Scan::new(self, Subject::File(path.clone()), Kind::Public, bytes.len() as u64);
        scan.update(bytes);
        let mut found = scan.finish();
        found.iter_mut().for_each(|finding| finding.fault = Fault::Public);
        self.take(found);
    }

    /// Adds findings, such as those of a [`Scan`]. Duplicates are ignored.
    pub fn take(&self, findings: Vec<Finding>) {
        let mut kept = self.findings.borrow_mut();
        let new = findings.into_iter().filter(|finding| !kept.contains(finding)).collect::<Vec<_>>();
        kept.extend(new);
    }
}

impl ContentScanner for Gate {
    fn start(&self, path: &ImagePath, entry: &Entry) -> Option<Box<dyn ContentScan + '_>> {
        Some(Box::new(self.scan(path, entry)?))
    }
}

impl ContentScan for Scan<'_> {
    fn update(&mut self, bytes: &[u8]) {
        Scan::update(self, bytes);
    }

    fn finish(self: Box<Self>) {
        let gate = self.gate;
        gate.take(Scan::finish(*self));
    }
}

/// Returns the description of a kind of config value.
fn noun(kind: &str) -> &'static str {
    match kind {
        "env" => "a variable",
        "label" => "a label",
        "annotation" => "an annotation",
        _ => "an argument",
    }
}

impl Text {
    /// Returns whether a file of `size` bytes can have the same content. False for a file that has
    /// nothing but white space.
    fn matters(&self, size: u64) -> bool {
        self.bytes.len() as u64 == size && !self.bytes.trim_ascii().is_empty()
    }
}
