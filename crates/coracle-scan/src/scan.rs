//! Scans one file, in the chunks in which it is packed.
//!
//! Every offset is examined with the same bytes around it, however the file was split: offsets near
//! the end of a chunk are examined once the next one is available.

use memchr::memmem;

use super::finding::{Finding, Severity, Subject};
use super::rule::Match;
use super::window::{AHEAD, BEHIND, Window, last};
use super::{Gate, Text, context, keys, runs, text, tokens};

/// The maximum number of findings per file.
const KEPT: usize = 16;

/// The scan of one file while it is packed.
#[derive(Debug)]
pub struct Scan<'a> {
    pub(super) gate: &'a Gate,
    subject: Subject,
    kind: Kind,
    /// The number of bytes received.
    size: u64,
    /// The last bytes received. The last [`AHEAD`] of them have not been examined yet.
    tail: Vec<u8>,
    /// Files of the configuration that have had the same content so far.
    equals: Vec<&'a Text>,
    findings: Vec<Finding>,
}

/// Which rules apply to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An included file: all rules except passwords in assignments.
    Included,
    /// An included file that looks like configuration: all rules.
    Configuration,
    /// A file of a ConfigMap: as `Included`, but not compared with files of the configuration.
    Public,
    /// A program or one of its own libraries: only tokens, keys and secret values.
    Program,
}

impl<'a> Scan<'a> {
    pub(super) fn new(gate: &'a Gate, subject: Subject, kind: Kind, size: u64) -> Self {
        let equals = match kind {
            Kind::Program | Kind::Public => Vec::new(),
            Kind::Included | Kind::Configuration => {
                gate.policy.texts.iter().filter(|text| text.matters(size)).collect()
            }
        };
        Self { gate, subject, kind, size: 0, tail: Vec::new(), equals, findings: Vec::new() }
    }

    /// Scans the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if self.size == 0 {
            self.start(bytes);
        }
        let at = usize::try_from(self.size).unwrap_or(usize::MAX);
        self.equals.retain(|text| text.bytes.get(at..).is_some_and(|rest| rest.starts_with(bytes)));
        let start = self.size;
        self.size += bytes.len() as u64;
        let mut tail = std::mem::take(&mut self.tail);
        let (waiting, old) = (tail.len().min(AHEAD), tail.len());
        // The boundary of the tail and the new bytes.
        tail.extend_from_slice(bytes.get(..AHEAD + BEHIND).unwrap_or(bytes));
        let base = start - old as u64;
        if bytes.len() <= AHEAD + BEHIND {
            let ready = tail.len().saturating_sub(AHEAD);
            self.examine(&tail, base, (old - waiting).min(ready), ready);
            tail.drain(..tail.len().saturating_sub(AHEAD + BEHIND));
        } else {
            self.examine(&tail, base, old - waiting, old + BEHIND);
            let ready = bytes.len() - AHEAD;
            self.examine(bytes, start, BEHIND, ready);
            tail.clear();
            tail.extend_from_slice(last(bytes, AHEAD + BEHIND));
        }
        self.tail = tail;
    }

    /// Returns the findings once all bytes have been received.
    pub fn finish(mut self) -> Vec<Finding> {
        let tail = std::mem::take(&mut self.tail);
        let base = self.size - tail.len() as u64;
        let waiting = tail.len().min(AHEAD);
        self.examine(&tail, base, tail.len() - waiting, tail.len());
        for text in std::mem::take(&mut self.equals) {
            let what = format!("it has the same content as {}", text.name);
            self.add(Finding::error(self.subject.clone(), "configuration", what));
        }
        self.findings
    }

    /// Recognizes ELF and key files by the first bytes.
    fn start(&mut self, bytes: &[u8]) {
        if bytes.starts_with(b"\x7fELF") {
            self.kind = Kind::Program;
        }
        if self.kind == Kind::Program {
            return;
        }
        if let Some(found) = keys::file(bytes) {
            self.found(found, 0);
        }
    }

    /// Examines the offsets of `bytes` from `from` until `to`. The first byte is at `base` in the
    /// file.
    fn examine(&mut self, bytes: &[u8], base: u64, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let at = |position: usize| base + position as u64;
        runs::starts(bytes, from, to, &mut |position| {
            let window = Window::of(bytes, position);
            let found =
                tokens::find(&window).or_else(|| context::find(&window)).or_else(|| keys::encoded(&window));
            if let Some(found) = found.or_else(|| keys::body(&window)) {
                self.found(found, at(position));
            }
        });
        let gate = self.gate;
        gate.secrets.search(bytes, from, to, &mut |position, name| {
            let what = format!("the secret value `{name}`").into();
            self.found(Match { rule: "secret", what, back: 0, severity: Severity::Error }, at(position));
        });
        if self.kind != Kind::Program {
            self.examine_text(bytes, base, from, to);
        }
    }

    fn examine_text(&mut self, bytes: &[u8], base: u64, from: usize, to: usize) {
        let kind = self.kind;
        let mut judge = |position: usize, rule: text::Rule| {
            let window = Window::of(bytes, position);
            if let Some(found) = rule(&window).filter(|_| text::is_text(&window)) {
                self.found(found, base + position as u64);
            }
        };
        for (anchor, rule) in text::ANCHORS {
            // An anchor that starts before `to` may end after it.
            let part = bytes.get(from..(to + anchor.len() - 1).min(bytes.len())).unwrap_or_default();
            memmem::find_iter(part, anchor).for_each(|position| judge(from + position, rule));
        }
        if kind == Kind::Configuration {
            text::signs(bytes, from, to).for_each(|position| judge(position, text::assignment));
        }
    }

    fn found(&mut self, found: Match, position: u64) {
        let offset = Some(position.saturating_sub(found.back as u64));
        let finding = Finding::error(self.subject.clone(), found.rule, found.what.into_owned());
        self.add(Finding { offset, severity: found.severity, ..finding });
    }

    /// Several offsets can produce the same finding: a key is found at each of its first lines.
    fn add(&mut self, finding: Finding) {
        if self.findings.len() < KEPT && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}
