//! Expansion of `$ORIGIN`, `$LIB` and `$PLATFORM` in paths and names.
//!
//! A token is the longest possible identifier: `$ORIGINAL` is plain text. Source: `_dl_dst_count`
//! and `_dl_dst_substitute`, `elf/dl-load.c`.

use coracle_core::path::RawPath;

/// The values of the tokens. A path element that contains a token without a value is dropped.
#[derive(Debug)]
pub(super) struct TokenValues<'a> {
    pub(super) origin: &'a RawPath,
    pub(super) lib: Option<&'a [u8]>,
    pub(super) platform: Option<&'a [u8]>,
}

/// An expanded text, and whether it contained `$ORIGIN`.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct ExpandedText {
    pub(super) bytes: Vec<u8>,
    pub(super) has_origin: bool,
}

impl TokenValues<'_> {
    /// Expands the tokens in `text`. `None` if a token has no value.
    pub(super) fn expand(&self, text: &[u8]) -> Option<ExpandedText> {
        let mut expanded = ExpandedText { bytes: Vec::with_capacity(text.len()), has_origin: false };
        let mut rest = text;
        while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
            let (plain, from) = rest.split_at(dollar);
            expanded.bytes.extend_from_slice(plain);
            match parse_token(from) {
                Some((b"ORIGIN", after)) => {
                    expanded.bytes.extend_from_slice(self.origin.as_bytes());
                    expanded.has_origin = true;
                    rest = after;
                }
                Some((b"LIB", after)) => {
                    expanded.bytes.extend_from_slice(self.lib?);
                    rest = after;
                }
                Some((b"PLATFORM", after)) => {
                    expanded.bytes.extend_from_slice(self.platform?);
                    rest = after;
                }
                _ => {
                    expanded.bytes.push(b'$');
                    rest = from.get(1..).unwrap_or_default();
                }
            }
        }
        expanded.bytes.extend_from_slice(rest);
        Some(expanded)
    }
}

/// Parses the identifier after the `$` at the start of `text`, with or without braces, and returns
/// it with the rest.
fn parse_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"$")?;
    let braced = inner.strip_prefix(b"{");
    let name = braced.unwrap_or(inner);
    let end =
        name.iter().position(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_')).unwrap_or(name.len());
    let (name, after) = name.split_at(end);
    match braced {
        Some(_) => Some((name, after.strip_prefix(b"}")?)),
        None => Some((name, after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_tokens() {
        let origin = RawPath::new("/app/bin");
        let tokens = TokenValues { origin: &origin, lib: Some(b"lib64"), platform: None };
        for (text, expected) in [
            ("$ORIGIN/../lib", Some(("/app/bin/../lib", true))),
            ("${ORIGIN}x", Some(("/app/binx", true))),
            ("/opt/$LIB/x", Some(("/opt/lib64/x", false))),
            ("$ORIGINAL/$X/${ORIGIN/$", Some(("$ORIGINAL/$X/${ORIGIN/$", false))),
            ("/a/$PLATFORM", None),
            ("", Some(("", false))),
        ] {
            let expected =
                expected.map(|(bytes, origin)| ExpandedText { bytes: bytes.into(), has_origin: origin });
            assert_eq!(tokens.expand(text.as_bytes()), expected, "{text}");
        }
    }
}
