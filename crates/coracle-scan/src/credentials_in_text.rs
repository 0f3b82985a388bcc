//! Credentials in text: values of names such as `password`, and logins.
//!
//! Not used for programs, because examples in their help texts look the same.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::assignments::{Assignment, assignment_of, name_range};
use super::bytes_around_offset::{BytesAroundOffset, first_bytes, last_bytes};
use super::char_sets::CharSet;
use super::data::words::{
    ENCRYPTED_DOCUMENTS, NAME_ANCHORS, PASSWORD_NAMES, PUBLIC_WORDS, SECRET_NAMES, SECRET_WORDS,
};
use super::file_segments::FileSegment;
use super::finding::RuleMatch;
use super::passwords::{
    is_expression, is_password_hash, is_random_password, is_random_secret, is_uuid, may_be_password,
};
use super::text_format::{TextFormat, TextTraits};
use super::{command_line_passwords, logins, private_keys, tokens, url_passwords};

/// The description of a password with a name.
pub(super) const ASSIGNED_PASSWORD: &str = "a password in a configuration file";

type Rule = fn(&BytesAroundOffset<'_>) -> Option<RuleMatch>;

/// What is done where a text occurs.
#[derive(Clone, Copy, Debug)]
enum AnchorAction {
    /// The text is a word of a name.
    Name,
    Url,
    Login(Rule),
    Kubeconfig,
}

/// Finds the anchors of some rules, in upper and lower case.
struct RuleAnchors(Vec<AnchorSearch>);

/// Finds a few anchors.
struct AnchorSearch {
    /// Finds the anchors that start with no other one, in [folded](fold) text.
    searcher: AhoCorasick,
    /// For each pattern of the searcher, the anchors that start with it.
    anchors: Vec<AnchorGroup>,
}

/// RuleAnchors that start with the first of them.
type AnchorGroup = Vec<(&'static str, AnchorAction)>;

/// The number of patterns of a searcher. Vector instructions find up to eight in one pass without testing many
/// other offsets; several passes over a segment are faster than one with more patterns.
const PATTERNS_AT_ONCE: usize = 8;

/// RuleAnchors for all kinds of text, for text that has logins of programs, and for configuration, in which
/// names of issuers count.
static ANCHORS: LazyLock<[RuleAnchors; 3]> =
    LazyLock::new(|| {
        let mut anchors: Vec<(&str, AnchorAction)> = vec![
            ("://", AnchorAction::Url),
            ("auth\"", AnchorAction::Login(logins::find_docker_login)),
            ("auth\\\"", AnchorAction::Login(logins::find_docker_login)),
            ("bearer ", AnchorAction::Login(logins::find_authorization_header)),
            ("basic ", AnchorAction::Login(logins::find_authorization_header)),
            ("\"kty\"", AnchorAction::Login(private_keys::find_json_web_key)),
            ("\\\"kty\\\"", AnchorAction::Login(private_keys::find_json_web_key)),
            ("current-context", AnchorAction::Kubeconfig),
        ];
        anchors.extend(NAME_ANCHORS.iter().map(|word| (*word, AnchorAction::Name)));
        let all = anchors.clone();
        anchors.extend([
            ("machine", AnchorAction::Login(logins::find_netrc_login)),
            ("default", AnchorAction::Login(logins::find_netrc_login)),
        ]);
        let hashes = [":$1", ":$2", ":$5", ":$6", ":$7", ":$a", ":$g", ":$p", ":$s", ":$y"];
        anchors.extend(hashes.map(|start| (start, AnchorAction::Login(logins::find_password_hash as Rule))));
        anchors.extend(command_line_passwords::programs_with_passwords().map(|program| {
            (program, AnchorAction::Login(command_line_passwords::find_command_line_password))
        }));
        let with_logins = anchors.clone();
        let mut words: Vec<&str> = tokens::name_words().filter(|word| !NAME_ANCHORS.contains(word)).collect();
        words.sort();
        words.dedup();
        anchors.extend(words.into_iter().map(|word| (word, AnchorAction::Name)));
        [all, with_logins, anchors].map(RuleAnchors::new)
    });

impl RuleAnchors {
    fn new(mut all: Vec<(&'static str, AnchorAction)>) -> Self {
        all.sort_by_key(|(anchor, _)| anchor.len());
        let mut groups: Vec<AnchorGroup> = Vec::new();
        for anchor in all {
            let is_start = |group: &&mut AnchorGroup| {
                group.first().is_some_and(|(start, _)| anchor.0.starts_with(start))
            };
            match groups.iter_mut().find(is_start) {
                Some(group) => group.push(anchor),
                None => groups.push(vec![anchor]),
            }
        }
        Self(groups.chunks(PATTERNS_AT_ONCE).filter_map(AnchorSearch::new).collect())
    }

    /// Returns the offsets of all anchors in `bytes`, in order, and their actions.
    fn find_all(&self, bytes: &[u8]) -> Vec<(usize, AnchorAction)> {
        let folded = fold(bytes);
        let mut found = Vec::new();
        self.0
            .iter()
            .for_each(|search| search.visit(bytes, &folded, &mut |at, action| found.push((at, action))));
        found.sort_by_key(|(at, _)| *at);
        found
    }

    /// Returns the anchors for a kind of file; `None` if no rule applies.
    fn of_kind(kind: TextTraits) -> Option<&'static Self> {
        let [all, with_logins, with_issuers] = &*ANCHORS;
        match kind {
            TextTraits { is_config: true, .. } => Some(with_issuers),
            TextTraits { is_public: true, .. } => None,
            TextTraits { format, .. } if format.has_logins() => Some(with_logins),
            _ => Some(all),
        }
    }
}

/// Makes upper-case letters lower-case; other bytes become equal, too.
fn fold(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte | 0x20).collect()
}

impl AnchorSearch {
    fn new(groups: &[AnchorGroup]) -> Option<Self> {
        let starts = groups.iter().filter_map(|group| Some(fold(group.first()?.0.as_bytes())));
        let searcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(starts).ok()?;
        Some(Self { searcher, anchors: groups.to_vec() })
    }

    /// Calls `visit` with the offset of each anchor in `bytes`, and its action.
    fn visit(&self, bytes: &[u8], folded: &[u8], visit: &mut dyn FnMut(usize, AnchorAction)) {
        let mut from = 0;
        while let Some(found) = self.searcher.find(Input::new(folded).range(from..)) {
            let at = found.start();
            from = at + 1;
            let rest = bytes.get(at..).unwrap_or_default();
            for (anchor, action) in self.anchors.get(found.pattern().as_usize()).into_iter().flatten() {
                let start = rest.get(..anchor.len());
                if start.is_some_and(|start| start.eq_ignore_ascii_case(anchor.as_bytes())) {
                    visit(at, *action);
                }
            }
        }
    }
}

/// The maximum length of an anchor.
const MAX_ANCHOR: usize = 24;
/// The number of bytes on each side of an offset that have no NUL in text.
const TEXT_CONTEXT: usize = 128;

/// Calls `visit` with each credential in the text of a segment: its offset, and the match.
pub(super) fn visit_credentials(
    segment: &FileSegment<'_>,
    kind: TextTraits,
    has_assignments: bool,
    visit: &mut dyn FnMut(usize, usize, RuleMatch),
) {
    let Some(anchors) = RuleAnchors::of_kind(kind) else { return };
    let bytes = segment.bytes;
    let end = (segment.to + MAX_ANCHOR).min(bytes.len());
    // All names before this offset have been examined.
    let mut named = 0;
    for (at, action) in anchors.find_all(bytes.get(segment.from..end).unwrap_or_default()) {
        let at = segment.from + at;
        let window = BytesAroundOffset::new(bytes, at);
        match action {
            _ if at >= segment.to => {}
            AnchorAction::Name if !has_assignments || at < named => {}
            AnchorAction::Name => {
                let Some((start, end)) = name_range(bytes, at) else { continue };
                named = end;
                let assignment =
                    assignment_of(bytes, start, end, kind.format).filter(|_| is_in_text(&window));
                let found = assignment.and_then(|assignment| {
                    Some((assignment.value.len(), match_assigned_value(&assignment, kind, &window)?))
                });
                if let Some((length, found)) = found {
                    visit(start, length, found);
                }
            }
            AnchorAction::Url => visit_if_found(url_passwords::find_url_password(&window, kind), at, visit),
            AnchorAction::Login(rule) => visit_if_found(rule(&window), at, visit),
            AnchorAction::Kubeconfig => {
                if let Some((at, found)) = logins::find_kubeconfig_credential(bytes) {
                    visit(at, 0, found);
                }
            }
        }
    }
    if kind.has_password_fields {
        visit_lines_that_end_with_password(segment, visit);
    }
}

fn visit_if_found(found: Option<RuleMatch>, at: usize, visit: &mut dyn FnMut(usize, usize, RuleMatch)) {
    if let Some(found) = found {
        visit(at, 0, found);
    }
}

/// Returns whether the bytes around the offset are text: none of them is NUL.
fn is_in_text(window: &BytesAroundOffset<'_>) -> bool {
    !last_bytes(window.before, TEXT_CONTEXT).contains(&0)
        && !first_bytes(window.rest, TEXT_CONTEXT).contains(&0)
}

/// Visits the lines whose last field is a password.
fn visit_lines_that_end_with_password(
    segment: &FileSegment<'_>,
    visit: &mut dyn FnMut(usize, usize, RuleMatch),
) {
    let mut start = segment.from;
    for line in segment.bytes.get(segment.from..segment.to).unwrap_or_default().split(|byte| *byte == b'\n') {
        if logins::has_password_field(line) {
            visit(start, line.len(), RuleMatch::new_error("password", "a login in a file of passwords"));
        }
        start += line.len() + 1;
    }
}

/// Returns the match if the value of the assignment is a credential.
fn match_assigned_value(
    assignment: &Assignment<'_>,
    kind: TextTraits,
    window: &BytesAroundOffset<'_>,
) -> Option<RuleMatch> {
    let Assignment { name, value, is_quoted, .. } = assignment;
    let value = value.strip_prefix(b"Bearer ").or(value.strip_prefix(b"Token ")).unwrap_or(value);
    if value.len() < 4 || !is_quoted && is_expression(value) || kind.is_public && !kind.is_config {
        return None;
    }
    let (is_login, is_named) = (ends_with_any(name, PASSWORD_NAMES), ends_with_any(name, SECRET_NAMES));
    let is_named = is_login || is_named;
    let is_token = value.len() >= MIN_TOKEN && (is_named || has_secret_word(name) || kind.is_config);
    let named = is_token.then(|| tokens::find_named_token(name, value)).flatten();
    if let Some(description) = named.filter(|_| may_be_password(value)) {
        return Some(RuleMatch::new_error("token", description));
    }
    let is_found = if is_named {
        is_password_hash(value)
            || (is_login || !has_brackets(value)) && is_password(value, is_login, kind, window)
    } else {
        has_secret_word(name)
            && is_random_secret(value)
            && may_be_secret_in_format(value, kind.format)
            && !is_fingerprint(value, kind.format)
            && kind.format != TextFormat::Prose
    };
    (is_found && !is_encrypted_document(window)).then(|| RuleMatch::new_error("password", ASSIGNED_PASSWORD))
}

/// The minimum length of a value with the form of an issuer.
const MIN_TOKEN: usize = 14;

/// Returns whether `value` is a password: any of a login in configuration, else one that a program has
/// chosen.
fn is_password(value: &[u8], is_login: bool, kind: TextTraits, window: &BytesAroundOffset<'_>) -> bool {
    let is_random = is_random_password(value)
        && (kind.is_config || may_be_secret_in_format(value, kind.format) && !is_uuid(value));
    let is_any = || {
        is_login
            && kind.is_config
            && !kind.is_public
            && may_be_password(value)
            && !is_default_login(value, window)
    };
    is_random && kind.format != TextFormat::Prose || is_any()
}

/// Returns whether `value` has the length of the fingerprint of a key, in hexadecimal; in source code,
/// that of any hash.
fn is_fingerprint(value: &[u8], format: TextFormat) -> bool {
    let is_length = matches!(value.len(), 16 | 40) || format.is_code() && matches!(value.len(), 32 | 64);
    is_length && CharSet::HEX.leading_run(value).len() == value.len()
}

/// Returns whether a value with these characters can be a secret in a file of this format. In source code and
/// documentation, a secret has no brackets and no separators of paths, and both letters and digits.
fn may_be_secret_in_format(value: &[u8], format: TextFormat) -> bool {
    let has = |is_in: fn(&u8) -> bool| value.iter().any(is_in);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    let is_data = !format.is_code() && !matches!(format, TextFormat::Unknown | TextFormat::Prose);
    is_data || is_mixed && !has_brackets(value)
}

fn has_brackets(value: &[u8]) -> bool {
    value.iter().any(|byte| b"()[]{}\\".contains(byte))
}

/// Returns whether `value` also occurs nearby as a word, such as the name of the user: it is then the publicly
/// known default of a program.
fn is_default_login(value: &[u8], window: &BytesAroundOffset<'_>) -> bool {
    let around = [last_bytes(window.before, 256), first_bytes(window.rest, 256)].concat();
    value.iter().all(u8::is_ascii_lowercase) && memchr::memmem::find_iter(&around, value).count() > 1
}

/// Returns whether `name` ends with one of `endings`; the last words can be a number.
fn ends_with_any(name: &[u8], endings: &[&str]) -> bool {
    let name = name.strip_suffix(b"_").unwrap_or(name);
    let digits = CharSet::DIGITS.trailing_run(name);
    let name = name.get(..name.len() - digits).unwrap_or(name);
    let name = [b"_", name.strip_suffix(b"_").unwrap_or(name)].concat();
    let is_public = name
        .split(|byte| *byte == b'_')
        .any(|word| [&b"public"[..], b"csrf", b"next", b"page"].contains(&word));
    !is_public && endings.iter().any(|ending| name.ends_with(ending.as_bytes()))
}

/// Returns whether a word of `name` says that its value is a secret, and none that it is not.
fn has_secret_word(name: &[u8]) -> bool {
    let mut words = name.split(|byte| *byte == b'_');
    let is_in = |words: &[&str], word: &[u8]| words.iter().any(|known| known.as_bytes() == word);
    words.clone().any(|word| is_in(SECRET_WORDS, word)) && !words.any(|word| is_in(PUBLIC_WORDS, word))
}

/// Returns whether the document around the offset has encrypted secrets.
fn is_encrypted_document(window: &BytesAroundOffset<'_>) -> bool {
    ENCRYPTED_DOCUMENTS.iter().any(|mark| {
        let has = |text| memchr::memmem::find(text, mark.as_bytes()).is_some();
        has(window.before) || has(window.rest)
    })
}
