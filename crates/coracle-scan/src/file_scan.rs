//! Scans one file, in the chunks in which it is packed.
//!
//! Every offset is examined with the same bytes around it, however the file was split: offsets near
//! the end of a chunk are examined once the next one is available.

use memchr::memmem;

use coracle_core::entry::{Entry, EntryReason, LayerKind};
use coracle_core::path::ImagePath;

use super::finding::{Finding, FindingSubject, RuleMatch, Severity};
use super::policy::ConfigFile;
use super::secret_values::SecretSearch;
use super::window::{BYTES_AFTER, BYTES_BEFORE, Window, last_bytes};
use super::{candidates, config_file_names, context_rules, private_keys, text_rules, token_formats};

/// The maximum number of findings per file.
const MAX_FINDINGS: usize = 16;

/// The scan of one file. Its content is passed in chunks of any size, in order.
#[derive(Debug)]
pub(super) struct FileScan<'a> {
    secrets: &'a SecretSearch,
    subject: FindingSubject,
    scope: ScanScope,
    /// The number of bytes received.
    received: u64,
    /// The last bytes received. The last [`BYTES_AFTER`] of them have not been examined yet.
    tail: Vec<u8>,
    /// Files of the configuration that have had the same content so far.
    equal_candidates: Vec<&'a ConfigFile>,
    findings: Vec<Finding>,
}

/// Which rules apply to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScanScope {
    /// An included file: all rules except passwords in assignments.
    Included,
    /// An included file that looks like configuration: all rules.
    IncludedConfig,
    /// A file of a ConfigMap: as `Included`, but not compared with files of the configuration.
    ConfigMap,
    /// A program or one of its own libraries: only tokens, keys and secret values.
    Program,
}

impl ScanScope {
    /// Returns the scope for a file of an image; `None` if it is a file of the distribution.
    pub(super) fn for_entry(path: &ImagePath, entry: &Entry) -> Option<Self> {
        match &entry.reason {
            EntryReason::Included(_)
                if path.file_name().is_some_and(config_file_names::is_config_file_name) =>
            {
                Some(Self::IncludedConfig)
            }
            EntryReason::Included(_) => Some(Self::Included),
            EntryReason::Program => Some(Self::Program),
            // Libraries that are packed with the program are the user's own, as the program is.
            EntryReason::Needed { .. } | EntryReason::Dlopened { .. }
                if entry.layer_kind == LayerKind::Program =>
            {
                Some(Self::Program)
            }
            _ => None,
        }
    }
}

impl<'a> FileScan<'a> {
    pub(super) fn new(
        config_files: &'a [ConfigFile],
        secrets: &'a SecretSearch,
        subject: FindingSubject,
        scope: ScanScope,
        size: u64,
    ) -> Self {
        let equal_candidates = match scope {
            ScanScope::Program | ScanScope::ConfigMap => Vec::new(),
            ScanScope::Included | ScanScope::IncludedConfig => {
                config_files.iter().filter(|file| file.can_equal_file_of_size(size)).collect()
            }
        };
        let (tail, findings) = (Vec::new(), Vec::new());
        Self { secrets, subject, scope, received: 0, tail, equal_candidates, findings }
    }

    /// Scans the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        if self.received == 0 {
            self.inspect_first_bytes(bytes);
        }
        self.compare_with_config_files(bytes);
        let start = self.received;
        self.received += bytes.len() as u64;
        let mut tail = std::mem::take(&mut self.tail);
        let old_len = tail.len();
        // The first offset that has not been examined.
        let pending = old_len - old_len.min(BYTES_AFTER);
        // The boundary of the tail and the new bytes.
        tail.extend_from_slice(bytes.get(..BYTES_AFTER + BYTES_BEFORE).unwrap_or(bytes));
        let tail_start = start - old_len as u64;
        if bytes.len() <= BYTES_AFTER + BYTES_BEFORE {
            let end = tail.len().saturating_sub(BYTES_AFTER);
            self.examine(&tail, tail_start, pending.min(end), end);
            tail.drain(..tail.len().saturating_sub(BYTES_AFTER + BYTES_BEFORE));
        } else {
            self.examine(&tail, tail_start, pending, old_len + BYTES_BEFORE);
            self.examine(bytes, start, BYTES_BEFORE, bytes.len() - BYTES_AFTER);
            tail.clear();
            tail.extend_from_slice(last_bytes(bytes, BYTES_AFTER + BYTES_BEFORE));
        }
        self.tail = tail;
    }

    /// Returns the findings once all bytes have been received.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        let tail = std::mem::take(&mut self.tail);
        let tail_start = self.received - tail.len() as u64;
        self.examine(&tail, tail_start, tail.len() - tail.len().min(BYTES_AFTER), tail.len());
        for file in std::mem::take(&mut self.equal_candidates) {
            let description = format!("it has the same content as {}", file.description);
            self.add_finding(Finding::new_error(self.subject.clone(), "configuration", description));
        }
        self.findings
    }

    /// Drops the files of the configuration that do not continue with `bytes`.
    fn compare_with_config_files(&mut self, bytes: &[u8]) {
        let received = usize::try_from(self.received).unwrap_or(usize::MAX);
        self.equal_candidates
            .retain(|file| file.content.get(received..).is_some_and(|rest| rest.starts_with(bytes)));
    }

    /// Recognizes ELF and key files by the first bytes.
    fn inspect_first_bytes(&mut self, bytes: &[u8]) {
        if bytes.starts_with(b"\x7fELF") {
            self.scope = ScanScope::Program;
        }
        if self.scope == ScanScope::Program {
            return;
        }
        if let Some(found) = private_keys::recognize_key_file(bytes) {
            self.add_match(found, 0);
        }
    }

    /// Examines the offsets of `bytes` from `from` until `to`. `start` is the position of `bytes` in
    /// the file.
    fn examine(&mut self, bytes: &[u8], start: u64, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let in_file = |position: usize| start + position as u64;
        candidates::visit_candidates(bytes, from, to, &mut |position| {
            let window = Window::new(bytes, position);
            let found = token_formats::find_token(&window)
                .or_else(|| context_rules::find_contextual_credential(&window))
                .or_else(|| private_keys::find_encoded_key(&window));
            if let Some(found) = found.or_else(|| private_keys::find_key_body(&window)) {
                self.add_match(found, in_file(position));
            }
        });
        let secrets = self.secrets;
        secrets.visit_matches(bytes, from, to, &mut |position, name| {
            let description = format!("the secret value `{name}`").into();
            let found = RuleMatch { rule: "secret", description, start_before: 0, severity: Severity::Error };
            self.add_match(found, in_file(position));
        });
        if self.scope != ScanScope::Program {
            self.examine_text(bytes, start, from, to);
        }
    }

    /// Applies the rules for text, like [`FileScan::examine`].
    fn examine_text(&mut self, bytes: &[u8], start: u64, from: usize, to: usize) {
        let scope = self.scope;
        let mut apply_rule = |position: usize, rule: text_rules::AnchorRule| {
            let window = Window::new(bytes, position);
            if let Some(found) = rule(&window).filter(|_| text_rules::is_in_text(&window)) {
                self.add_match(found, start + position as u64);
            }
        };
        for (anchor, rule) in text_rules::ANCHORS {
            // An anchor that starts before `to` may end after it.
            let part = bytes.get(from..(to + anchor.len() - 1).min(bytes.len())).unwrap_or_default();
            memmem::find_iter(part, anchor).for_each(|position| apply_rule(from + position, rule));
        }
        if scope == ScanScope::IncludedConfig {
            text_rules::assignment_signs(bytes, from, to)
                .for_each(|position| apply_rule(position, text_rules::password_assignment));
        }
    }

    fn add_match(&mut self, found: RuleMatch, position: u64) {
        let offset = Some(position.saturating_sub(found.start_before as u64));
        let finding = Finding::new_error(self.subject.clone(), found.rule, found.description.into_owned());
        self.add_finding(Finding { offset, severity: found.severity, ..finding });
    }

    /// Several offsets can produce the same finding: a key is found at each of its first lines.
    fn add_finding(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}
