//! Tokens that are signed: JSON Web Tokens, shared access URLs of Azure.

use memchr::memmem;

use super::bytes_around_offset::{BytesAroundOffset, first_bytes, last_bytes};
use super::char_sets::{CharSet, decode_base64_prefix};
use super::finding::RuleMatch;
use super::randomness;

/// A JSON Web Token, or a URL that is signed by Azure.
pub(super) fn find_signed_token(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    find_json_web_token(window).or_else(|| find_azure_signature(window))
}

/// A signed JSON Web Token: two JSON objects and a signature, each in base64url.
fn find_json_web_token(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    if !window.rest.starts_with(b"eyJ") && !window.rest.starts_with(b"ewo") {
        return None;
    }
    let run = CharSet::BASE64URL.with(b".=").leading_run(window.rest);
    let mut parts = run.splitn(3, |&byte| byte == b'.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let signature = CharSet::BASE64URL.leading_run(signature);
    let (header, payload) = (decode_base64_prefix(header), decode_base64_prefix(payload));
    let is_token =
        memmem::find(&header, b"\"alg\"").is_some() && payload.trim_ascii_start().starts_with(b"{");
    let is_signed = signature.len() >= 40 && randomness::is_random(signature, CharSet::BASE64URL);
    (is_token && is_signed && !is_example_payload(&payload))
        .then(|| RuleMatch::new_error("token", "a signed JSON Web Token"))
}

/// Returns whether the claims of a token are those of documentation: no registered claim that a
/// service needs (RFC 7519, section 4.1), or the examples of the RFC and of jwt.io.
fn is_example_payload(payload: &[u8]) -> bool {
    let has = |text: &[u8]| memmem::find(payload, text).is_some();
    let claims = [&b"\"exp\""[..], b"\"iat\"", b"\"iss\"", b"\"aud\"", b"\"sub\"", b"\"jti\"", b"\"nbf\""];
    let examples =
        [&b"\"1234567890\""[..], b"example", b"John Doe", b"\"joe\"", b"\"foo\"", b"\"bar\"", b"\"test\""];
    !claims.iter().any(|claim| has(claim)) || examples.iter().any(|text| has(text))
}

/// The signature in a shared access URL of Azure: `sig=`, with the version `sv=` nearby.
fn find_azure_signature(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    let body = CharSet::BASE64.with(b"%").leading_run(window.rest.strip_prefix(b"sig=")?);
    let context = [last_bytes(window.before, 300), first_bytes(window.rest, 300)];
    let has_version = context.iter().any(|text| memmem::find(text, b"sv=20").is_some());
    let is_signature = (43..=100).contains(&body.len()) && randomness::is_random(body, CharSet::BASE64);
    (has_version && is_signature).then(|| RuleMatch::new_error("token", "a shared access signature of Azure"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn finds_signed_web_tokens() {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let header = encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"} ");
        let payload = encode("{\"sub\":\"service\",\"exp\":1900000000}  ");
        let example = encode("{\"sub\":\"1234567890\",\"name\":\"John Doe\"}");
        let hash = "Xk9wQz7LmR2vTnB4cYp6HsJdEaGf1uoKiW3xZq8UbNe";
        for (parts, expected) in [
            ([&header, &payload, hash], true),
            ([&header, &payload, "sig"], false),
            ([&header, &example, hash], false),
            ([&payload, &payload, hash], false),
        ] {
            let token = parts.join(".");
            assert_eq!(
                find_json_web_token(&BytesAroundOffset::new(token.as_bytes(), 0)).is_some(),
                expected,
                "{token}"
            );
        }
    }
}
