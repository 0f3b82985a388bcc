//! Scans one file, in the chunks in which it is packed.
//!
//! Every offset is examined with the same bytes around it, however the file was split: offsets near
//! the end of a chunk are examined once the next one is available.

use memchr::memmem;

use super::finding::{Finding, FindingSubject, Severity};
use super::rule_match::RuleMatch;
use super::window::{BYTES_AFTER, BYTES_BEFORE, Window, last_bytes};
use super::{ConfigFile, SecretScanner, candidates, context_rules, private_keys, text_rules, token_formats};

/// The maximum number of findings per file.
const MAX_FINDINGS: usize = 16;

/// The scan of one file while it is packed.
#[derive(Debug)]
pub struct FileScan<'a> {
    pub(super) gate: &'a SecretScanner,
    subject: FindingSubject,
    scope: ScanScope,
    /// The number of bytes received.
    received: u64,
    /// The last bytes received. The last [`AHEAD`] of them have not been examined yet.
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

impl<'a> FileScan<'a> {
    pub(super) fn new(gate: &'a SecretScanner, subject: FindingSubject, scope: ScanScope, size: u64) -> Self {
        let equal_candidates = match scope {
            ScanScope::Program | ScanScope::ConfigMap => Vec::new(),
            ScanScope::Included | ScanScope::IncludedConfig => {
                gate.policy.config_files.iter().filter(|text| text.can_equal_file_of_size(size)).collect()
            }
        };
        Self { gate, subject, scope, received: 0, tail: Vec::new(), equal_candidates, findings: Vec::new() }
    }

    /// Scans the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if self.received == 0 {
            self.inspect_first_bytes(bytes);
        }
        let at = usize::try_from(self.received).unwrap_or(usize::MAX);
        self.equal_candidates
            .retain(|text| text.content.get(at..).is_some_and(|rest| rest.starts_with(bytes)));
        let start = self.received;
        self.received += bytes.len() as u64;
        let mut tail = std::mem::take(&mut self.tail);
        let (waiting, old) = (tail.len().min(BYTES_AFTER), tail.len());
        // The boundary of the tail and the new bytes.
        tail.extend_from_slice(bytes.get(..BYTES_AFTER + BYTES_BEFORE).unwrap_or(bytes));
        let base = start - old as u64;
        if bytes.len() <= BYTES_AFTER + BYTES_BEFORE {
            let ready = tail.len().saturating_sub(BYTES_AFTER);
            self.examine(&tail, base, (old - waiting).min(ready), ready);
            tail.drain(..tail.len().saturating_sub(BYTES_AFTER + BYTES_BEFORE));
        } else {
            self.examine(&tail, base, old - waiting, old + BYTES_BEFORE);
            let ready = bytes.len() - BYTES_AFTER;
            self.examine(bytes, start, BYTES_BEFORE, ready);
            tail.clear();
            tail.extend_from_slice(last_bytes(bytes, BYTES_AFTER + BYTES_BEFORE));
        }
        self.tail = tail;
    }

    /// Returns the findings once all bytes have been received.
    pub fn finish(mut self) -> Vec<Finding> {
        let tail = std::mem::take(&mut self.tail);
        let base = self.received - tail.len() as u64;
        let waiting = tail.len().min(BYTES_AFTER);
        self.examine(&tail, base, tail.len() - waiting, tail.len());
        for text in std::mem::take(&mut self.equal_candidates) {
            let what = format!("it has the same content as {}", text.description);
            self.add_finding(Finding::new_error(self.subject.clone(), "configuration", what));
        }
        self.findings
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

    /// Examines the offsets of `bytes` from `from` until `to`. The first byte is at `base` in the
    /// file.
    fn examine(&mut self, bytes: &[u8], base: u64, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let at = |position: usize| base + position as u64;
        candidates::visit_candidates(bytes, from, to, &mut |position| {
            let window = Window::new(bytes, position);
            let found = token_formats::find_token(&window)
                .or_else(|| context_rules::find_contextual_credential(&window))
                .or_else(|| private_keys::find_encoded_key(&window));
            if let Some(found) = found.or_else(|| private_keys::find_key_body(&window)) {
                self.add_match(found, at(position));
            }
        });
        let gate = self.gate;
        gate.secrets.visit_matches(bytes, from, to, &mut |position, name| {
            let what = format!("the secret value `{name}`").into();
            self.add_match(
                RuleMatch { rule: "secret", description: what, start_before: 0, severity: Severity::Error },
                at(position),
            );
        });
        if self.scope != ScanScope::Program {
            self.examine_text(bytes, base, from, to);
        }
    }

    fn examine_text(&mut self, bytes: &[u8], base: u64, from: usize, to: usize) {
        let kind = self.scope;
        let mut judge = |position: usize, rule: text_rules::AnchorRule| {
            let window = Window::new(bytes, position);
            if let Some(found) = rule(&window).filter(|_| text_rules::is_in_text(&window)) {
                self.add_match(found, base + position as u64);
            }
        };
        for (anchor, rule) in text_rules::ANCHORS {
            // An anchor that starts before `to` may end after it.
            let part = bytes.get(from..(to + anchor.len() - 1).min(bytes.len())).unwrap_or_default();
            memmem::find_iter(part, anchor).for_each(|position| judge(from + position, rule));
        }
        if kind == ScanScope::IncludedConfig {
            text_rules::assignment_signs(bytes, from, to)
                .for_each(|position| judge(position, text_rules::password_assignment));
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
