//! The leak gate: configuration and secrets that would be in an image, found before anything is published.
//!
//! Files are judged by their place, by what they are equal to, and by what is in them; the last two while they are packed,
//! so that nothing is read twice. It knows no recipe and no tar. docs/leak-gate.md says what is found and what is not.

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

/// What an image must not hold, and what is accepted all the same.
#[derive(Clone, Default, Debug)]
pub struct Policy {
    /// Directories that are mounted when the program runs.
    pub mounts: Vec<ImagePath>,
    /// Files of the host that configuration is made of: templates, values, schemas.
    pub sources: Vec<Source>,
    /// What no included file may be equal to.
    pub texts: Vec<Text>,
    /// Values that must not be seen anywhere.
    pub secrets: Vec<Secret>,
    /// Files and directories whose findings are accepted, and why.
    pub allow: BTreeMap<ImagePath, String>,
    /// Likewise variables, labels, annotations and arguments, written as findings show them: `env:NAME`.
    pub allow_words: BTreeMap<String, String>,
    /// What is a warning otherwise refuses the image as well.
    pub strict: bool,
}

/// A file of the host that configuration is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What it is, such as `a template`.
    pub what: &'static str,
}

/// The bytes of a file of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// What it is, for people.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// A secret value that was given to the build.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its key.
    pub name: String,
    /// The value; white space around it does not count.
    pub value: Vec<u8>,
}

/// Without the value.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The gate of one build: asked about every plan, every file that is packed and every word of the config; then it
/// decides.
#[derive(Debug, Default)]
pub struct Gate {
    policy: Policy,
    secrets: secrets::Secrets,
    findings: RefCell<Vec<Finding>>,
    /// Entries of `allow` that served the closure: they are libraries' directories.
    served: Vec<ImagePath>,
}

impl Gate {
    /// A gate that holds an image to `policy`.
    pub fn new(policy: Policy) -> Self {
        Self { secrets: secrets::Secrets::new(&policy.secrets), policy, ..Self::default() }
    }

    /// The search of the file at `path`, which is about to be packed; none for what the closure and the rules of run time
    /// bring: it is the distribution's.
    pub fn scan(&self, path: &ImagePath, entry: &Entry) -> Option<Scan<'_>> {
        let Node::File(content) = &entry.node else { return None };
        let kind = match &entry.reason {
            Reason::Included(_) if path.name().is_some_and(names::look_like_configuration) => {
                Kind::Configuration
            }
            Reason::Included(_) => Kind::Included,
            Reason::Program => Kind::Program,
            // What moves along with a program is as much somebody's own as the program is.
            Reason::Needed { .. } | Reason::Opened { .. } if entry.stratum == Stratum::Program => {
                Kind::Program
            }
            _ => return None,
        };
        Some(Scan::new(self, Subject::File(path.clone()), kind, content.size()))
    }

    /// Judges a word of the image's config: `kind` is `env`, `label`, `annotation` or `arg`.
    pub fn word(&mut self, kind: &'static str, name: &str, value: &str) {
        let subject = Subject::Word(kind, name.to_owned());
        // As configuration would write it.
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

    /// Judges a file of the configuration that is not secret; `path` is where the program finds it.
    pub fn public(&mut self, path: &ImagePath, bytes: &[u8]) {
        let mut scan = Scan::new(self, Subject::File(path.clone()), Kind::Public, bytes.len() as u64);
        scan.update(bytes);
        let mut found = scan.finish();
        found.iter_mut().for_each(|finding| finding.fault = Fault::Public);
        self.take(found);
    }

    /// Remembers what a [`Scan`] has found.
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

/// What a word of this kind is, for people.
fn noun(kind: &str) -> &'static str {
    match kind {
        "env" => "a variable",
        "label" => "a label",
        "annotation" => "an annotation",
        _ => "an argument",
    }
}

impl Text {
    /// Whether a file of `size` bytes can be equal to it. What is empty but for white space tells nothing.
    fn matters(&self, size: u64) -> bool {
        self.bytes.len() as u64 == size && !self.bytes.trim_ascii().is_empty()
    }
}
