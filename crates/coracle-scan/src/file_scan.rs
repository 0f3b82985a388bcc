//! Scans one file, in the chunks in which it is packed, and the files and texts that are encoded in it.

use super::bytes_around_offset::{BYTES_AFTER, BytesAroundOffset};
use super::compressed_files::{CompressedFileEvent, CompressedFileSearch};
use super::encodings::{self, DecodedText};
use super::file_segments::{FileSegment, FileSegments};
use super::finding::{Finding, FindingSubject, RuleMatch, Severity};
use super::forbidden_contents::ConfigFile;
use super::scan_scope::ScanScope;
use super::secret_values::SecretSearch;
use super::text_format::TextTraits;
use super::{credential_runs, credentials_in_text, escapes, key_files, private_keys, signed_tokens, tokens};

/// The maximum number of findings per file.
const MAX_FINDINGS: usize = 64;
/// The maximum depth of encodings: compressed text in base64.
const MAX_DEPTH: usize = 2;

/// The scan of one file. Its content is passed in chunks of any size, in order.
#[derive(Debug)]
pub(super) struct FileScan<'a> {
    segments: FileSegments,
    examiner: Examiner<'a>,
    /// The number of bytes received.
    received: u64,
    /// Files of the configuration that have had the same content so far.
    equal_candidates: Vec<&'a ConfigFile>,
}

/// What is known about a file, and what was found so far.
#[derive(Debug)]
struct Examiner<'a> {
    secrets: &'a SecretSearch,
    subject: FindingSubject,
    scope: ScanScope,
    kind: TextTraits,
    depth: usize,
    archives: CompressedFileSearch,
    /// The compressed file that is being read: where it is, and its scan.
    member: Option<(u64, Box<FileScan<'a>>)>,
    findings: Vec<Finding>,
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
        let kind = match &subject {
            FindingSubject::File(path) => TextTraits::of_file(path.as_bytes()),
            FindingSubject::ConfigValue(..) => TextTraits::VALUE,
        };
        Self { equal_candidates, ..Self::encoded(secrets, subject, scope, kind, 0) }
    }

    /// Sets whether the file is part of a published package.
    pub(super) fn set_published(&mut self, is_published: bool) {
        self.examiner.kind.is_public |= is_published;
    }

    /// Creates the scan of a text or file that is encoded in another one.
    fn encoded(
        secrets: &'a SecretSearch,
        subject: FindingSubject,
        scope: ScanScope,
        kind: TextTraits,
        depth: usize,
    ) -> Self {
        let (archives, member, findings) = (CompressedFileSearch::default(), None, Vec::new());
        let examiner = Examiner { secrets, subject, scope, kind, depth, archives, member, findings };
        Self { segments: FileSegments::default(), examiner, received: 0, equal_candidates: Vec::new() }
    }

    /// Scans the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.compare_with_config_files(bytes);
        self.received += bytes.len() as u64;
        let examiner = &mut self.examiner;
        self.segments.push(bytes, |segment| examiner.examine(&segment));
    }

    /// Returns the findings once all bytes have been received.
    pub(super) fn finish(self) -> Vec<Finding> {
        let mut examiner = self.examiner;
        self.segments.finish(|segment| examiner.examine(&segment));
        examiner.finish_member();
        for file in self.equal_candidates {
            let description = format!("it has the same content as {}", file.description);
            examiner.add_finding(Finding::new_error(examiner.subject.clone(), "configuration", description));
        }
        examiner.findings
    }

    /// Drops the files of the configuration that do not continue with `bytes`.
    fn compare_with_config_files(&mut self, bytes: &[u8]) {
        let received = usize::try_from(self.received).unwrap_or(usize::MAX);
        self.equal_candidates
            .retain(|file| file.content.get(received..).is_some_and(|rest| rest.starts_with(bytes)));
    }
}

impl<'a> Examiner<'a> {
    /// Examines a segment.
    fn examine(&mut self, segment: &FileSegment<'_>) {
        if segment.position(segment.from) == 0 {
            self.inspect_first_bytes(segment.bytes);
        }
        let is_text = segment.is_text();
        self.examine_key_headers(segment);
        self.examine_runs(segment, is_text && self.scope != ScanScope::Program);
        self.search_secrets(segment);
        if self.scope != ScanScope::Program {
            self.examine_escapes(segment);
            self.examine_text(segment);
            self.examine_encodings(segment, is_text);
        }
    }

    /// Recognizes ELF and key files by the first bytes.
    fn inspect_first_bytes(&mut self, bytes: &[u8]) {
        if bytes.starts_with(b"\x7fELF") {
            self.scope = ScanScope::Program;
        }
        self.kind.inspect_first_bytes(bytes);
        if self.scope == ScanScope::Program {
            return;
        }
        // A store can have a certificate before its first key.
        if let Some(found) = key_files::recognize_key_file(bytes) {
            self.add_match(found, 0);
        }
    }

    /// Finds tokens.
    fn examine_runs(&mut self, segment: &FileSegment<'_>, is_text: bool) {
        let FileSegment { bytes, from, to, .. } = *segment;
        credential_runs::visit_credential_runs(bytes, from, to, &mut |start, end| {
            // The text that a form is searched by can start with the separator before a run.
            let first = start.saturating_sub(1).max(from);
            for at in tokens::candidates(bytes, first, end.min(to), is_text) {
                self.examine_anchor(&BytesAroundOffset::new(bytes, at), segment.position(at));
            }
            let decodes = self.scope != ScanScope::Program && self.depth < MAX_DEPTH;
            let decoded = decodes.then(|| encodings::decode_run(bytes, start, end, is_text)).flatten();
            if let Some(decoded) = decoded {
                self.examine_decoded(decoded, segment);
            }
        });
    }

    fn examine_anchor(&mut self, window: &BytesAroundOffset<'_>, position: u64) {
        let is_program = self.scope == ScanScope::Program;
        let found = tokens::find_token(window, is_program)
            .or_else(|| signed_tokens::find_signed_token(window).filter(|_| !self.kind.is_public));
        if let Some(found) = found {
            self.add_match(found, position);
        }
    }

    /// Finds private keys by their headers.
    fn examine_key_headers(&mut self, segment: &FileSegment<'_>) {
        let mut apply_rule = |text: &[u8], rule: fn(&BytesAroundOffset<'_>) -> Option<RuleMatch>| {
            for at in segment.find_all(text) {
                if let Some(found) = rule(&BytesAroundOffset::new(segment.bytes, at)) {
                    self.add_match(found, segment.position(at));
                }
            }
        };
        for header in private_keys::KEY_HEADERS {
            apply_rule(header, private_keys::find_private_key);
        }
        apply_rule(private_keys::PUTTY_HEADER, private_keys::find_putty_key);
    }

    /// Finds the secret values of the build.
    fn search_secrets(&mut self, segment: &FileSegment<'_>) {
        let secrets = self.secrets;
        secrets.visit_matches(segment.bytes, segment.from, segment.to, &mut |at, name| {
            let description = format!("the secret value `{name}`").into();
            let found = RuleMatch { rule: "secret", description, start_before: 0, severity: Severity::Error };
            self.add_match(found, segment.position(at));
        });
    }

    /// Finds tokens that are written with escapes.
    fn examine_escapes(&mut self, segment: &FileSegment<'_>) {
        let FileSegment { bytes, from, to, .. } = *segment;
        escapes::visit_escaped_runs(bytes, from, to, &mut |start, text| {
            for at in tokens::candidates(&text, 0, text.len(), true) {
                self.examine_anchor(&BytesAroundOffset::new(&text, at), segment.position(start + at));
            }
        });
    }

    /// Applies the rules for text.
    fn examine_text(&mut self, segment: &FileSegment<'_>) {
        let has_assignments = self.scope != ScanScope::ConfigMap;
        credentials_in_text::visit_credentials(
            segment,
            self.kind,
            has_assignments,
            &mut |at, length, found| {
                let position = segment.position(at);
                // A token is not also a password.
                let value = position..=position + (length as u64 + MAX_NAME);
                let is_known = self
                    .findings
                    .iter()
                    .any(|finding| finding.offset.is_some_and(|offset| value.contains(&offset)));
                if !is_known || length == 0 {
                    self.add_match(found, position);
                }
            },
        );
    }

    /// Scans what is compressed or in UTF-16.
    fn examine_encodings(&mut self, segment: &FileSegment<'_>, is_text: bool) {
        if self.depth >= MAX_DEPTH {
            return;
        }
        if !is_text {
            encodings::visit_utf16(segment.bytes, segment.from, segment.to, &mut |decoded| {
                self.examine_decoded(decoded, segment);
            });
        }
        // Headers of compressed files have control characters.
        if is_text && !self.archives.is_in_file() {
            return;
        }
        let mut archives = std::mem::take(&mut self.archives);
        let end = segment.position(segment.to);
        archives.read(segment.bytes, segment.start, end, &mut |event| match event {
            CompressedFileEvent::Start { position, name } => {
                let kind = self.kind_of_member(name);
                self.member = Some((position, Box::new(self.encoded_scan(kind))));
            }
            CompressedFileEvent::Content(bytes) => {
                if let Some((_, scan)) = &mut self.member {
                    scan.update(bytes);
                }
            }
            CompressedFileEvent::End => self.finish_member(),
        });
        self.archives = archives;
    }

    /// Scans text that was decoded.
    fn examine_decoded(&mut self, decoded: DecodedText, segment: &FileSegment<'_>) {
        // Text in UTF-16 has the format of the file.
        let text = TextTraits { is_public: self.kind.is_public, ..TextTraits::of_file(b"") };
        let kind = if decoded.encoding == "in UTF-16" { self.kind } else { text };
        let mut scan = self.encoded_scan(kind);
        scan.update(&decoded.text);
        let start = segment.position(decoded.start);
        // The body of a key is a key, too.
        let is_body = self.findings.iter().any(|finding| {
            finding.rule == "private-key"
                && finding.offset.is_some_and(|offset| (offset..offset + BYTES_AFTER as u64).contains(&start))
        });
        for finding in scan.finish().into_iter().filter(|finding| !is_body || finding.rule != "private-key") {
            let inner = finding.offset.unwrap_or_default();
            let offset = Some(start + inner * decoded.bytes_per_three as u64 / 3);
            let description = format!("{} {}", finding.description, decoded.encoding);
            self.add_finding(Finding { offset, description, ..finding });
        }
    }

    /// Returns the kind of a compressed file. One without a name is named as the file that has it.
    fn kind_of_member(&self, name: &[u8]) -> TextTraits {
        let kind = match &self.subject {
            FindingSubject::File(path) if name.is_empty() => {
                TextTraits::of_file(path.as_bytes().strip_suffix(b".gz").unwrap_or_default())
            }
            _ => TextTraits::of_file(name),
        };
        TextTraits { is_public: self.kind.is_public || kind.is_public, ..kind }
    }

    /// Creates the scan of a text or file in this file.
    fn encoded_scan(&self, kind: TextTraits) -> FileScan<'a> {
        FileScan::encoded(self.secrets, self.subject.clone(), self.scope, kind, self.depth + 1)
    }

    /// Adds the findings in a compressed file, at its start.
    fn finish_member(&mut self) {
        let Some((position, scan)) = self.member.take() else { return };
        for finding in scan.finish() {
            let description = format!("{} in compressed data", finding.description);
            self.add_finding(Finding { offset: Some(position), description, ..finding });
        }
    }

    fn add_match(&mut self, found: RuleMatch, position: u64) {
        let offset = Some(position.saturating_sub(found.start_before as u64));
        let finding = Finding::new_error(self.subject.clone(), found.rule, found.description.into_owned());
        self.add_finding(Finding { offset, severity: found.severity, ..finding });
    }

    /// The same token can be found by several forms, and in overlapping encodings.
    fn add_finding(&mut self, finding: Finding) {
        let is_known = self.findings.iter().any(|known| {
            known.rule == finding.rule && known.offset == finding.offset && finding.offset.is_some()
        });
        if self.findings.len() < MAX_FINDINGS && !is_known && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// The maximum length of a name and the signs before its value.
const MAX_NAME: u64 = 80;
