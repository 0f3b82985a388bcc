//! Credentials without a distinctive format, recognized by the text around them.

use super::chance;
use super::rule::Match;
use super::window::{Window, alphanumeric, base64, base64url, last, run};

/// Finds a credential that starts at the offset, by the text around it.
pub(super) fn find(window: &Window<'_>) -> Option<Match> {
    // Each rule first tests the one or two bytes that rule out most offsets.
    [web_token, aws_secret, telegram, terraform, entra, password_hash, wireguard]
        .iter()
        .find_map(|rule| rule(window))
}

/// A signed JSON Web Token: two JSON objects and a signature, each in base64url.
fn web_token(window: &Window<'_>) -> Option<Match> {
    if !window.at.starts_with(b"eyJ") {
        return None;
    }
    let mut parts = window.run(|byte| base64url(byte) || byte == b'.').splitn(3, |&byte| byte == b'.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let signature = run(signature, base64url);
    let (header, payload) = (chance::base64_decoded(header), chance::base64_decoded(payload));
    let is_token = memchr::memmem::find(&header, b"\"alg\"").is_some() && payload.starts_with(b"{\"");
    // The example token of jwt.io has this subject.
    let is_shown = memchr::memmem::find(&payload, b"\"1234567890\"").is_some();
    let is_signed = signature.len() >= 40 && chance::is_random(signature);
    (is_token && is_signed && !is_shown && memchr::memmem::find(&payload, b"example").is_none())
        .then(|| Match::error("token", "a signed JSON Web Token"))
}

/// Returns whether `bytes` may start with exactly `size` base64 characters. Tests only the last one
/// and the next byte.
fn may_have(bytes: &[u8], size: usize) -> bool {
    let is_in = |at: usize| bytes.get(at).is_some_and(|&byte| base64(byte));
    is_in(size - 1) && !is_in(size)
}

/// Forty characters after a name such as `aws_secret_access_key`.
fn aws_secret(window: &Window<'_>) -> Option<Match> {
    if !may_have(window.at, 40) {
        return None;
    }
    let secret = window.run(base64);
    (secret.len() == 40
        && is_named(window, &["secret_access_key", "secretaccesskey", "aws_secret_key", "aws_secret"])
        && chance::is_random(secret))
    .then(|| Match::error("token", "a secret key of AWS"))
}

/// Returns whether one of `names` precedes the offset, separated only by `=`, `:`, quotes, commas
/// and white space.
fn is_named(window: &Window<'_>, names: &[&str]) -> bool {
    let before = last(window.before, 64).to_ascii_lowercase();
    let is_between = |byte: &u8| {
        matches!(byte, b'=' | b':' | b'"' | b'\'' | b'`' | b',' | b'>' | b'\\') || byte.is_ascii_whitespace()
    };
    let between = before.iter().rev().take_while(|byte| is_between(byte)).count();
    let name = before.get(..before.len() - between).unwrap_or_default();
    between > 0 && names.iter().any(|wanted| name.ends_with(wanted.as_bytes()))
}

/// `BOT:AA…`, where BOT is a number.
fn telegram(window: &Window<'_>) -> Option<Match> {
    if !window.at.starts_with(b"AA") || window.previous() != Some(b':') {
        return None;
    }
    let digits = window.before.iter().rev().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let secret = window.run(base64url);
    ((8..=10).contains(&digits) && secret.len() == 35 && chance::is_random(secret))
        .then(|| Match::error("token", "a token of a Telegram bot").from(digits + 1))
}

/// `ID.atlasv1.SECRET`
fn terraform(window: &Window<'_>) -> Option<Match> {
    let secret = run(window.at.strip_prefix(b"atlasv1.")?, base64url);
    let id = window.before.strip_suffix(b".")?.iter().rev().take_while(|&&byte| alphanumeric(byte)).count();
    (id == 14 && (60..=70).contains(&secret.len()) && chance::is_random(secret))
        .then(|| Match::error("token", "a token of Terraform Cloud").from(id + 1))
}

/// A client secret of Microsoft Entra ID: three characters, a digit, `Q~`, 31 to 34 characters.
fn entra(window: &Window<'_>) -> Option<Match> {
    if window.at.get(4..6) != Some(b"Q~") {
        return None;
    }
    let secret = window.run(|byte| base64url(byte) || matches!(byte, b'.' | b'~'));
    let is_secret =
        matches!(secret, [_, _, _, b'0'..=b'9', b'Q', b'~', rest @ ..] if (31..=34).contains(&rest.len()));
    (is_secret && chance::is_random(secret)).then(|| Match::error("token", "a client secret of Azure"))
}

/// A line of `shadow` or `.htpasswd`: `NAME:$ID$SALT$HASH`, see `crypt(5)`.
fn password_hash(window: &Window<'_>) -> Option<Match> {
    if window.previous() != Some(b'$') {
        return None;
    }
    let before = last(window.before, 96);
    let start = before.iter().rposition(|&byte| byte == b':')?;
    let mut fields = before.get(start + 1..)?.split(|&byte| byte == b'$');
    let (nothing, id) = (fields.next()?, fields.next()?);
    let hash = window.run(|byte| alphanumeric(byte) || matches!(byte, b'.' | b'/'));
    let wanted = match id {
        b"1" | b"apr1" => 22,
        b"2a" | b"2b" | b"2y" => 53,
        b"5" | b"y" | b"gy" | b"7" => 43,
        b"6" => 86,
        _ => return None,
    };
    let name = before.get(..start)?.last().is_some_and(|&byte| alphanumeric(byte));
    (nothing.is_empty() && name && hash.len() == wanted && chance::is_random(hash))
        .then(|| Match::error("password", "the hash of a password").from(before.len() - start - 1))
}

/// `PrivateKey = KEY` of WireGuard. Without spaces it is one of the forms in `tokens.rs`.
fn wireguard(window: &Window<'_>) -> Option<Match> {
    if !may_have(window.at, 44) {
        return None;
    }
    let key = window.run(base64);
    (key.len() == 44
        && key.ends_with(b"=")
        && is_named(window, &["privatekey", "presharedkey"])
        && chance::is_random(key))
    .then(|| Match::error("private-key", "a private key of WireGuard"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a credential is found at `^`, which is removed. The text is split into
    /// pieces so that secret scanners do not report this file.
    #[track_caller]
    fn found(pieces: &[&str]) -> bool {
        let text = pieces.concat();
        let at = text.find('^').unwrap();
        find(&Window::of(text.replace('^', "").as_bytes(), at)).is_some()
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
        let encode = |text: &str| String::from_utf8(chance::base64_encoded(text.as_bytes())).unwrap();
        let header = encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"} ");
        let payload = encode("{\"sub\":\"service\",\"exp\":1900000000}  ");
        assert!(found(&["Bearer ^", &header, ".", &payload, ".", HASH]));
        assert!(!found(&["Bearer ^", &header, ".", &payload, ".", "sig"]), "no signature");
        let shown = encode("{\"sub\":\"1234567890\",\"name\":\"John Doe\"}");
        assert!(!found(&["Bearer ^", &header, ".", &shown, ".", HASH]));
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
