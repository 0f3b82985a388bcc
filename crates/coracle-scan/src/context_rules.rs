//! Credentials without a distinctive format, recognized by the text around them.

use super::alphabet::{decode_base64_prefix, is_alphanumeric, is_base64, is_base64url, leading_run};
use super::entropy;
use super::finding::RuleMatch;
use super::window::{Window, last_bytes};

/// Finds a credential that starts at the offset, by the text around it.
pub(super) fn find_contextual_credential(window: &Window<'_>) -> Option<RuleMatch> {
    // Each rule first tests the one or two bytes that rule out most offsets.
    [
        json_web_token,
        aws_secret_key,
        telegram_token,
        terraform_token,
        entra_client_secret,
        password_hash,
        wireguard_key,
    ]
    .iter()
    .find_map(|rule| rule(window))
}

/// A signed JSON Web Token: two JSON objects and a signature, each in base64url.
fn json_web_token(window: &Window<'_>) -> Option<RuleMatch> {
    if !window.rest.starts_with(b"eyJ") {
        return None;
    }
    let mut parts =
        window.leading_run(|byte| is_base64url(byte) || byte == b'.').splitn(3, |&byte| byte == b'.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let signature = leading_run(signature, is_base64url);
    let (header, payload) = (decode_base64_prefix(header), decode_base64_prefix(payload));
    let is_token = memchr::memmem::find(&header, b"\"alg\"").is_some() && payload.starts_with(b"{\"");
    // The example token of jwt.io has this subject.
    let is_example = [b"\"1234567890\"".as_slice(), b"example"]
        .iter()
        .any(|part| memchr::memmem::find(&payload, part).is_some());
    let is_signed = signature.len() >= 40 && entropy::is_random(signature);
    (is_token && is_signed && !is_example).then(|| RuleMatch::new_error("token", "a signed JSON Web Token"))
}

/// Returns whether `bytes` may start with exactly `size` base64 characters. Tests only the last one
/// and the next byte.
fn may_have_base64_run(bytes: &[u8], size: usize) -> bool {
    let is_in = |at: usize| bytes.get(at).is_some_and(|&byte| is_base64(byte));
    is_in(size - 1) && !is_in(size)
}

/// Forty characters after a name such as `aws_secret_access_key`.
fn aws_secret_key(window: &Window<'_>) -> Option<RuleMatch> {
    if !may_have_base64_run(window.rest, 40) {
        return None;
    }
    let secret = window.leading_run(is_base64);
    (secret.len() == 40
        && has_name_before(window, &["secret_access_key", "secretaccesskey", "aws_secret_key", "aws_secret"])
        && entropy::is_random(secret))
    .then(|| RuleMatch::new_error("token", "a secret key of AWS"))
}

/// Returns whether one of `names` precedes the offset, separated only by `=`, `:`, quotes, commas
/// and white space.
fn has_name_before(window: &Window<'_>, names: &[&str]) -> bool {
    let before = last_bytes(window.before, 64).to_ascii_lowercase();
    let is_between = |byte: &u8| {
        matches!(byte, b'=' | b':' | b'"' | b'\'' | b'`' | b',' | b'>' | b'\\') || byte.is_ascii_whitespace()
    };
    let between = before.iter().rev().take_while(|byte| is_between(byte)).count();
    let name = before.get(..before.len() - between).unwrap_or_default();
    between > 0 && names.iter().any(|wanted| name.ends_with(wanted.as_bytes()))
}

/// `BOT:AA…`, where BOT is a number.
fn telegram_token(window: &Window<'_>) -> Option<RuleMatch> {
    if !window.rest.starts_with(b"AA") || window.previous_byte() != Some(b':') {
        return None;
    }
    let digits = window.before.iter().rev().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let secret = window.leading_run(is_base64url);
    ((8..=10).contains(&digits) && secret.len() == 35 && entropy::is_random(secret))
        .then(|| RuleMatch::new_error("token", "a token of a Telegram bot").starting_before(digits + 1))
}

/// `ID.atlasv1.SECRET`
fn terraform_token(window: &Window<'_>) -> Option<RuleMatch> {
    let secret = leading_run(window.rest.strip_prefix(b"atlasv1.")?, is_base64url);
    let id =
        window.before.strip_suffix(b".")?.iter().rev().take_while(|&&byte| is_alphanumeric(byte)).count();
    (id == 14 && (60..=70).contains(&secret.len()) && entropy::is_random(secret))
        .then(|| RuleMatch::new_error("token", "a token of Terraform Cloud").starting_before(id + 1))
}

/// A client secret of Microsoft Entra ID: three characters, a digit, `Q~`, 31 to 34 characters.
fn entra_client_secret(window: &Window<'_>) -> Option<RuleMatch> {
    if window.rest.get(4..6) != Some(b"Q~") {
        return None;
    }
    let secret = window.leading_run(|byte| is_base64url(byte) || matches!(byte, b'.' | b'~'));
    let is_secret =
        matches!(secret, [_, _, _, b'0'..=b'9', b'Q', b'~', rest @ ..] if (31..=34).contains(&rest.len()));
    (is_secret && entropy::is_random(secret))
        .then(|| RuleMatch::new_error("token", "a client secret of Azure"))
}

/// A line of `shadow` or `.htpasswd`: `NAME:$ID$SALT$HASH`, see `crypt(5)`.
fn password_hash(window: &Window<'_>) -> Option<RuleMatch> {
    if window.previous_byte() != Some(b'$') {
        return None;
    }
    let before = last_bytes(window.before, 96);
    let start = before.iter().rposition(|&byte| byte == b':')?;
    let mut fields = before.get(start + 1..)?.split(|&byte| byte == b'$');
    let (nothing, id) = (fields.next()?, fields.next()?);
    let hash = window.leading_run(|byte| is_alphanumeric(byte) || matches!(byte, b'.' | b'/'));
    let wanted = match id {
        b"1" | b"apr1" => 22,
        b"2a" | b"2b" | b"2y" => 53,
        b"5" | b"y" | b"gy" | b"7" => 43,
        b"6" => 86,
        _ => return None,
    };
    let name = before.get(..start)?.last().is_some_and(|&byte| is_alphanumeric(byte));
    (nothing.is_empty() && name && hash.len() == wanted && entropy::is_random(hash)).then(|| {
        RuleMatch::new_error("password", "the hash of a password").starting_before(before.len() - start - 1)
    })
}

/// `PrivateKey = KEY` of WireGuard. Without spaces it is one of the token formats.
fn wireguard_key(window: &Window<'_>) -> Option<RuleMatch> {
    if !may_have_base64_run(window.rest, 44) {
        return None;
    }
    let key = window.leading_run(is_base64);
    (key.len() == 44
        && key.ends_with(b"=")
        && has_name_before(window, &["privatekey", "presharedkey"])
        && entropy::is_random(key))
    .then(|| RuleMatch::new_error("private-key", "a private key of WireGuard"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    /// Returns whether a credential is found at `^`, which is removed. The text is split into
    /// pieces so that secret scanners do not report this file.
    #[track_caller]
    fn found(pieces: &[&str]) -> bool {
        let text = pieces.concat();
        let at = text.find('^').unwrap();
        find_contextual_credential(&Window::new(text.replace('^', "").as_bytes(), at)).is_some()
    }

    const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYzQ9vT2LsE4pH";
    const HASH: &str = "Xk9wQz7LmR2vTnB4cYp6HsJdEaGf1uoKiW3xZq8UbNe";

    #[test]
    fn finds_credentials_by_name() {
        for name in ["aws_secret_access_key = ", "AWS_SECRET_ACCESS_KEY=", "\"SecretAccessKey\": \""] {
            assert!(found(&[name, "^", SECRET, "\n"]), "{name}");
        }
        assert!(!found(&["aws_secret_access_key = ^", SECRET, "x\n"]), "too long");
        assert!(!found(&["sha1 = ^", SECRET, "\n"]), "another name");
        assert!(
            !found(&["aws_secret_access_key = ^wJalrXUtnFEMI/K7MDENG/bPxRfiCY", "EXAMPLEKEY"]),
            "an example"
        );
        assert!(found(&["PrivateKey = ^", HASH, "="]));
        assert!(!found(&["PublicKey = ^", HASH, "="]));
    }

    #[test]
    fn finds_signed_web_tokens() {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let header = encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"} ");
        let payload = encode("{\"sub\":\"service\",\"exp\":1900000000}  ");
        assert!(found(&["Bearer ^", &header, ".", &payload, ".", HASH]));
        assert!(!found(&["Bearer ^", &header, ".", &payload, ".", "sig"]), "no signature");
        let example = encode("{\"sub\":\"1234567890\",\"name\":\"John Doe\"}");
        assert!(!found(&["Bearer ^", &header, ".", &example, ".", HASH]));
        assert!(!found(&["Bearer ^", &payload, ".", &payload, ".", HASH]), "no algorithm");
    }

    #[test]
    fn finds_credentials_by_surrounding_text() {
        let secret = &SECRET[..33];
        assert!(found(&["bot ", "123456789:^", "AA", secret]));
        assert!(!found(&["bot 1234:^", "AA", secret]));
        let long = [HASH, &SECRET[..22]].concat();
        assert!(found(&["pJ4kXn2QwRt9Zb", ".^atlas", "v1.", &long]));
        assert!(!found(&["pJ4k.^atlas", "v1.", &long]));
        assert!(found(&["secret=^Ab~8", "Q~", &SECRET[..34]]));
        assert!(!found(&["secret=^Ab~xQ~", &SECRET[..34]]));
    }

    #[test]
    fn finds_password_hashes() {
        let long = [HASH, SECRET, "abc"].concat();
        assert!(found(&["root:$6$", "saltsalt$^", &long, ":19000:0"]));
        assert!(found(&["admin:$apr1$", "salt$^", &HASH[..22], "\n"]));
        assert!(found(&["ada:$y$j9T$", "salt$^", HASH, ":1"]));
        assert!(!found(&["$6$saltsalt$^", &long]), "no user name");
        assert!(!found(&["root:$6$salt$^", HASH, ":"]), "wrong length");
    }
}
