//! glob(3) patterns for one path component: `*`, `?`, `[…]` and `\`. Character classes
//! (`[[:digit:]]`) are not supported.
//!
//! The crate `globset` differs in ways that matter here: it matches hidden files, treats braces as
//! alternatives, fails on unclosed brackets and trailing backslashes, and takes UTF-8 patterns only.
//!
//! Source: POSIX.1-2017, "Pattern Matching Notation".

/// `NAME_MAX`.
const MAX_NAME: usize = 255;

/// A parsed pattern.
pub(super) struct GlobPattern {
    tokens: Vec<GlobToken>,
    /// A leading dot in a name is only matched by a literal dot.
    matches_hidden: bool,
}

enum GlobToken {
    Byte(u8),
    /// `?`
    AnyByte,
    /// `*`
    AnyRun,
    /// `[…]`
    ByteSet {
        is_negated: bool,
        ranges: Vec<(u8, u8)>,
    },
}

impl GlobPattern {
    /// Parses a pattern. Every text is a valid pattern.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((&first, after)) = rest.split_first() {
            let (token, next) = match (first, after) {
                (b'\\', [escaped, after @ ..]) => (GlobToken::Byte(*escaped), after),
                (b'?', _) => (GlobToken::AnyByte, after),
                (b'*', _) => (GlobToken::AnyRun, after),
                (b'[', _) => parse_set(after).unwrap_or((GlobToken::Byte(first), after)),
                _ => (GlobToken::Byte(first), after),
            };
            rest = next;
            if !(matches!(token, GlobToken::AnyRun) && matches!(tokens.last(), Some(GlobToken::AnyRun))) {
                tokens.push(token);
            }
        }
        Self { tokens, matches_hidden: text.starts_with(b".") || text.starts_with(b"\\.") }
    }

    /// Returns the name if the pattern has no wildcards.
    pub(super) fn as_literal(&self) -> Option<Vec<u8>> {
        let byte = |token: &GlobToken| if let GlobToken::Byte(byte) = token { Some(*byte) } else { None };
        self.tokens.iter().map(byte).collect()
    }

    /// Returns whether the pattern matches all of `name`. Only the last `*` is retried, so the time
    /// is bounded by the product of the lengths.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        if name.starts_with(b".") && !self.matches_hidden || name.len() > MAX_NAME {
            return false;
        }
        if self.tokens.iter().filter(|token| !matches!(token, GlobToken::AnyRun)).count() > name.len() {
            return false;
        }
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < name.len() || token < self.tokens.len() {
            match (self.tokens.get(token), name.get(at)) {
                (Some(GlobToken::AnyRun), _) => {
                    star = Some((token + 1, at));
                    token += 1;
                }
                (Some(one), Some(&byte)) if one.matches_byte(byte) => {
                    token += 1;
                    at += 1;
                }
                _ => match star {
                    Some((after, from)) if from < name.len() => {
                        star = Some((after, from + 1));
                        (token, at) = (after, from + 1);
                    }
                    _ => return false,
                },
            }
        }
        true
    }
}

impl GlobToken {
    fn matches_byte(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::AnyByte | Self::AnyRun => true,
            Self::ByteSet { is_negated, ranges } => {
                ranges.iter().any(|&(first, last)| (first..=last).contains(&byte)) != *is_negated
            }
        }
    }
}

/// Parses a set after its `[`, and returns it with the rest of the text. `None` if there is no `]`:
/// then the bracket is literal.
fn parse_set(text: &[u8]) -> Option<(GlobToken, &[u8])> {
    let (is_negated, mut rest) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        let (first, after) = parse_set_member(rest, ranges.is_empty())?;
        rest = after;
        let last = match rest {
            [b'-', after @ ..] if after.first() != Some(&b']') => {
                let (last, after) = parse_set_member(after, true)?;
                rest = after;
                last
            }
            _ => first,
        };
        ranges.push((first, last));
        if let [b']', rest @ ..] = rest {
            return Some((GlobToken::ByteSet { is_negated, ranges }, rest));
        }
    }
}

/// Parses one byte of a set. A `]` is literal only as the first member.
fn parse_set_member(text: &[u8], is_first: bool) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', byte, rest @ ..] => Some((*byte, rest)),
        [b']', ..] if !is_first => None,
        [byte, rest @ ..] => Some((*byte, rest)),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches_names() {
        for (pattern, yes, no) in [
            ("*.conf", &["a.conf", "a.b.conf"][..], &[".conf", "conf", "a.conf~", ".a.conf"][..]),
            ("*", &["a"], &[".a"]),
            (".*", &[".a", "."], &["a"]),
            ("a*b*c", &["abc", "axxbxbxc"], &["ab", "acb", "abcd"]),
            ("??", &["ab"], &["a", "abc", ".a"]),
            ("[a-c]x", &["ax", "cx"], &["dx", "-x", "x"]),
            ("[!a-c]", &["d"], &["a", ""]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[a", &["[a"], &["a"]),
            ("\\*", &["*"], &["a"]),
            ("x\\", &["x\\"], &["x"]),
        ] {
            let matches = |name: &&str| GlobPattern::parse(pattern.as_bytes()).matches(name.as_bytes());
            assert!(yes.iter().all(matches), "{pattern}: {yes:?}");
            assert!(!no.iter().any(matches), "{pattern}: {no:?}");
        }
        assert_eq!(GlobPattern::parse(b"a\\*b").as_literal().unwrap(), b"a*b");
        assert!(GlobPattern::parse(b"a*b").as_literal().is_none());
    }

    proptest! {
        #[test]
        fn terminates_and_matches_escaped_text(
            pattern in "[\\[\\]*?!^a-c\\\\.-]{0,24}", name in "[a-c.\\]*-]{1,24}"
        ) {
            GlobPattern::parse(pattern.as_bytes()).matches(name.as_bytes());
            let escaped: Vec<u8> = name.bytes().flat_map(|byte| [b'\\', byte]).collect();
            prop_assert!(GlobPattern::parse(&escaped).matches(name.as_bytes()));
        }
    }
}
