//! Finds tokens with a distinctive format: prefix, alphabet and length.
//!
//! [`crate::data::token_formats`] lists the formats. A token with another length is not a finding,
//! and one with a wrong checksum is only a warning.

use super::alphabet::{is_base64url, is_escaped_base64, is_word_byte, leading_run};
use super::data::token_formats::{CHECKSUM_TOKENS, GITLEAKS_FORMATS, ISSUER_FORMATS, TokenFormat};
use super::entropy;
use super::finding::{RuleMatch, Severity};
use super::window::{Window, last_bytes};

/// All formats without a checksum.
fn token_formats() -> impl Iterator<Item = &'static TokenFormat> {
    GITLEAKS_FORMATS.iter().chain(ISSUER_FORMATS)
}

/// Finds a token that starts at the offset.
pub(super) fn find_token(window: &Window<'_>) -> Option<RuleMatch> {
    if !may_be_token(window.rest) {
        return None;
    }
    let matches = |format: &&TokenFormat| format.token_body(window.rest).is_some_and(entropy::is_random);
    token_formats()
        .find(matches)
        .map(|format| RuleMatch::new_error("token", format.description))
        .or_else(|| find_checksum_token(window))
        .or_else(|| find_azure_signature(window))
        .or_else(|| find_openai_key(window))
}

/// A bit set of the first two bytes of tokens, which rules out nearly every offset with one test.
#[allow(clippy::indexing_slicing, reason = "it is evaluated by the compiler")]
const FIRST_BYTE_PAIRS: [u64; 1024] = {
    const fn insert(pairs: &mut [u64; 1024], prefix: &str) {
        let pair = (prefix.as_bytes()[0] as usize) << 8 | prefix.as_bytes()[1] as usize;
        pairs[pair / 64] |= 1 << (pair % 64);
    }
    const fn insert_formats(pairs: &mut [u64; 1024], formats: &[TokenFormat]) {
        let mut index = 0;
        while index < formats.len() {
            insert(pairs, formats[index].prefix);
            index += 1;
        }
    }
    let mut pairs = [0; 1024];
    insert_formats(&mut pairs, GITLEAKS_FORMATS);
    insert_formats(&mut pairs, ISSUER_FORMATS);
    let mut index = 0;
    while index < CHECKSUM_TOKENS.len() {
        insert(&mut pairs, CHECKSUM_TOKENS[index].1);
        index += 1;
    }
    insert(&mut pairs, AZURE_SIGNATURE_PREFIX);
    insert(&mut pairs, OPENAI_PREFIX);
    pairs
};

/// The start of the parameter that signs a shared access URL of Azure.
const AZURE_SIGNATURE_PREFIX: &str = "sig=";
/// The start of every key of OpenAI.
const OPENAI_PREFIX: &str = "sk-";

/// Returns whether a token of any format can start with the first two bytes.
fn may_be_token(bytes: &[u8]) -> bool {
    let [first, second, ..] = bytes else { return false };
    let pair = usize::from(*first) << 8 | usize::from(*second);
    FIRST_BYTE_PAIRS.get(pair / 64).is_some_and(|bits| bits >> (pair % 64) & 1 == 1)
}

impl TokenFormat {
    /// Returns the characters after the prefix; `None` if the length is wrong.
    fn token_body<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let rest = bytes.strip_prefix(self.prefix.as_bytes())?;
        let body = leading_run(rest, self.alphabet);
        let body = body.strip_suffix(b".").unwrap_or(body);
        let (min_length, max_length) = self.length;
        // A longer word with the same prefix is not a token.
        let ends = rest.get(body.len()).is_none_or(|&next| !is_word_byte(next));
        ((min_length..=max_length).contains(&body.len()) && ends).then_some(body)
    }
}

/// Finds a token with a checksum. A wrong checksum is only a warning: such a token is probably an
/// example, and its issuer would reject it.
fn find_checksum_token(window: &Window<'_>) -> Option<RuleMatch> {
    let (description, rest) = CHECKSUM_TOKENS.iter().find_map(|(description, prefix)| {
        Some((*description, window.rest.strip_prefix(prefix.as_bytes())?))
    })?;
    let body = leading_run(rest, is_base64url);
    if body.len() != 36 || !body.iter().all(u8::is_ascii_alphanumeric) || !entropy::is_random(body) {
        return None;
    }
    let found = RuleMatch::new_error("token", description);
    if has_crc32_checksum(body) {
        return Some(found);
    }
    let description = format!("{description} with a wrong checksum").into();
    Some(RuleMatch { description, severity: Severity::Warning, ..found })
}

/// The digits of base 62, in the order of GitHub and npm.
const BASE62_DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns whether the last six characters are the CRC-32 of those before, in base 62, as in tokens
/// of GitHub and npm.
fn has_crc32_checksum(text: &[u8]) -> bool {
    let Some((body, checksum)) = text.split_last_chunk::<6>() else { return false };
    let (mut rest, mut expected) = (crc32fast::hash(body), [b'0'; 6]);
    for digit in expected.iter_mut().rev() {
        *digit = BASE62_DIGITS.get(rest as usize % 62).copied().unwrap_or_default();
        rest /= 62;
    }
    *checksum == expected
}

/// The signature in a shared access URL of Azure: `sig=`, with the version `sv=` nearby.
fn find_azure_signature(window: &Window<'_>) -> Option<RuleMatch> {
    let body = leading_run(window.rest.strip_prefix(AZURE_SIGNATURE_PREFIX.as_bytes())?, is_escaped_base64);
    let context = [last_bytes(window.before, 300), window.rest.get(..300).unwrap_or(window.rest)];
    let has_version = context.iter().any(|text| memchr::memmem::find(text, b"sv=20").is_some());
    let is_signature = (43..=100).contains(&body.len()) && entropy::is_random(body);
    (has_version && is_signature).then(|| RuleMatch::new_error("token", "a shared access signature of Azure"))
}

/// Every key of OpenAI contains `OpenAI` in base64.
fn find_openai_key(window: &Window<'_>) -> Option<RuleMatch> {
    let body = leading_run(window.rest.strip_prefix(OPENAI_PREFIX.as_bytes())?, is_base64url);
    let mark = [b"T3Blb".as_slice(), b"kFJ"].concat();
    let is_key = body.len() >= 40 && memchr::memmem::find(body, &mark).is_some() && entropy::is_random(body);
    is_key.then(|| RuleMatch::new_error("token", "a key of OpenAI"))
}

#[cfg(test)]
mod tests {
    use super::super::alphabet::{Alphabet, is_alphanumeric, is_base64};
    use super::*;

    fn found(text: &str, at: usize) -> Option<RuleMatch> {
        find_token(&Window::new(text.as_bytes(), at))
    }

    /// Returns `size` pseudorandom characters of `alphabet`, always the same.
    fn random_text(alphabet: Alphabet, size: usize) -> String {
        let mut state = 88_172_645_463_325_252_u64;
        let mut text = String::new();
        while text.len() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let [_, _, _, byte, ..] = state.to_be_bytes();
            let byte = byte & 0x7f;
            // Punctuation would end some tokens.
            if alphabet(byte) && byte.is_ascii_alphanumeric() {
                text.push(char::from(byte));
            }
        }
        text
    }

    #[test]
    fn finds_every_format_only_at_its_length() {
        for format in token_formats() {
            let (min_length, max_length) = format.length;
            let token = |size| format!("{}{}", format.prefix, random_text(format.alphabet, size));
            assert!(found(&token(min_length), 0).is_some(), "{}: {}", format.description, format.prefix);
            assert!(found(&token(max_length), 0).is_some(), "{}: {}", format.description, format.prefix);
            let short = found(&token(min_length - 1), 0);
            assert_eq!(short, None, "{}: {} is too short", format.description, format.prefix);
            let padded = format!("x {} y", token(min_length));
            assert!(found(&padded, 2).is_some(), "{}", format.description);
            let example = format!("{}{}", format.prefix, "x".repeat(min_length));
            assert_eq!(found(&example, 0), None, "{}", format.description);
        }
    }

    #[test]
    fn every_format_is_at_least_as_long_as_a_run() {
        for format in token_formats() {
            assert!(
                format.prefix.len() + format.length.0 >= crate::candidates::MIN_RUN,
                "{}",
                format.description
            );
            assert!(format.prefix.bytes().all(crate::candidates::is_run_byte), "{}", format.description);
        }
    }

    #[test]
    fn recognizes_checksums_of_github() {
        // The example in GitHub's description of its token format, without the first four
        // characters.
        let token = [b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ".as_slice(), b"0mLq17"].concat();
        assert!(has_crc32_checksum(&token));
        assert!(!has_crc32_checksum(&token[1..]));
        assert!(!has_crc32_checksum(b"short"));
    }

    #[test]
    fn wrong_checksum_is_a_warning() {
        let token = ["gh", "p_zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat();
        assert_eq!(found(&token, 0).unwrap().severity, Severity::Error);
        let wrong = token.replace('Q', "R");
        assert_eq!(found(&wrong, 0).unwrap().severity, Severity::Warning);
        assert_eq!(found(&token[..39], 0), None);
        assert_eq!(found(&format!("{token}x"), 0), None);
    }

    #[test]
    fn finds_azure_signatures_and_openai_keys() {
        let url = format!("?sv=2022-11-02&ss=b&sig={}%3D", random_text(is_base64, 43));
        let at = url.find("sig=").unwrap();
        assert!(found(&url, at).is_some());
        assert_eq!(found(&url.replace("sv=20", "vs=20"), at), None);
        let key = format!(
            "sk-proj-{}T3Blb{}{}",
            random_text(is_alphanumeric, 30),
            "kFJ",
            random_text(is_alphanumeric, 30)
        );
        assert!(found(&key, 0).is_some());
        assert_eq!(found(&key.replace("T3", "T4"), 0), None);
    }
}
