//! glob(3) patterns for one path component: `*`, `?`, `[…]` and `\`. Character classes
//! (`[[:digit:]]`) are not supported.
//!
//! Source: POSIX.1-2017, "Pattern Matching Notation".

/// `NAME_MAX`.
const MAX_NAME: usize = 255;

/// A parsed pattern.
pub(super) struct Pattern {
    tokens: Vec<Token>,
    /// A leading dot in a name is only matched by a literal dot.
    matches_hidden: bool,
}

enum Token {
    Byte(u8),
    /// `?`
    One,
    /// `*`
    Any,
    /// `[…]`
    Set {
        is_negated: bool,
        ranges: Vec<(u8, u8)>,
    },
}

impl Pattern {
    pub(super) fn new(text: &[u8]) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((&first, after)) = rest.split_first() {
            let (token, next) = match (first, after) {
                (b'\\', [escaped, after @ ..]) => (Token::Byte(*escaped), after),
                (b'?', _) => (Token::One, after),
                (b'*', _) => (Token::Any, after),
                (b'[', _) => set(after).unwrap_or((Token::Byte(first), after)),
                _ => (Token::Byte(first), after),
            };
            rest = next;
            if !(matches!(token, Token::Any) && matches!(tokens.last(), Some(Token::Any))) {
                tokens.push(token);
            }
        }
        Self { tokens, matches_hidden: text.starts_with(b".") || text.starts_with(b"\\.") }
    }

    /// Returns the name if the pattern has no wildcards.
    pub(super) fn literal(&self) -> Option<Vec<u8>> {
        let byte = |token: &Token| if let Token::Byte(byte) = token { Some(*byte) } else { None };
        self.tokens.iter().map(byte).collect()
    }

    /// Returns whether the pattern matches all of `name`. Only the last `*` is retried, so the time
    /// is bounded by the product of the lengths.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        if name.starts_with(b".") && !self.matches_hidden || name.len() > MAX_NAME {
            return false;
        }
        if self.tokens.iter().filter(|token| !matches!(token, Token::Any)).count() > name.len() {
            return false;
        }
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < name.len() || token < self.tokens.len() {
            match (self.tokens.get(token), name.get(at)) {
                (Some(Token::Any), _) => {
                    star = Some((token + 1, at));
                    token += 1;
                }
                (Some(one), Some(&byte)) if one.takes(byte) => {
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

impl Token {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::One | Self::Any => true,
            Self::Set { is_negated, ranges } => {
                ranges.iter().any(|&(first, last)| (first..=last).contains(&byte)) != *is_negated
            }
        }
    }
}

/// Parses a set after its `[`, and returns it with the rest of the text. `None` if there is no `]`:
/// then the bracket is literal.
fn set(text: &[u8]) -> Option<(Token, &[u8])> {
    let (is_negated, mut rest) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        let (first, after) = member(rest, ranges.is_empty())?;
        rest = after;
        let last = match rest {
            [b'-', after @ ..] if after.first() != Some(&b']') => {
                let (last, after) = member(after, true)?;
                rest = after;
                last
            }
            _ => first,
        };
        ranges.push((first, last));
        if let [b']', rest @ ..] = rest {
            return Some((Token::Set { is_negated, ranges }, rest));
        }
    }
}

/// Parses one byte of a set. A `]` is literal only as the first member.
fn member(text: &[u8], is_first: bool) -> Option<(u8, &[u8])> {
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
            let matches = |name: &&str| Pattern::new(pattern.as_bytes()).matches(name.as_bytes());
            assert!(yes.iter().all(matches), "{pattern}: {yes:?}");
            assert!(!no.iter().any(matches), "{pattern}: {no:?}");
        }
        assert_eq!(Pattern::new(b"a\\*b").literal().unwrap(), b"a*b");
        assert!(Pattern::new(b"a*b").literal().is_none());
    }

    proptest! {
        #[test]
        fn terminates_and_matches_escaped_text(
            pattern in "[\\[\\]*?!^a-c\\\\.-]{0,24}", name in "[a-c.\\]*-]{1,24}"
        ) {
            Pattern::new(pattern.as_bytes()).matches(name.as_bytes());
            let escaped: Vec<u8> = name.bytes().flat_map(|byte| [b'\\', byte]).collect();
            prop_assert!(Pattern::new(&escaped).matches(name.as_bytes()));
        }
    }
}
