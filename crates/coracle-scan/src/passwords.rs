//! Whether a value can be a password: it is neither a keyword, nor a placeholder, nor a reference to
//! a secret elsewhere.

use memchr::memmem;

use super::char_sets::CharSet;
use super::data::words::{NOT_PASSWORDS, REFERENCE_STARTS};
use super::randomness;

/// Returns whether `value` can be a password.
pub(super) fn may_be_password(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_keyword = NOT_PASSWORDS.iter().any(|word| lower == word.as_bytes());
    let is_one_character = value.iter().all(|byte| Some(byte) == value.first());
    value.len() >= 4
        && !is_keyword
        && !is_one_character
        && !is_reference(&lower)
        && !randomness::is_placeholder(value)
        && value.iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80)
        && !is_path(value)
}

/// Returns whether `value` is a password that a program has chosen.
pub(super) fn is_random_password(value: &[u8]) -> bool {
    may_be_password(value) && randomness::is_random_password(value)
}

/// Returns whether `value` is a long secret that a program has chosen: not one of the identifiers and
/// public keys that look like one.
pub(super) fn is_random_secret(value: &[u8]) -> bool {
    may_be_password(value) && randomness::is_random_secret(value) && !is_uuid(value) && !is_public_key(value)
}

/// Returns whether `value` is a UUID.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    let mut groups = value.split(|byte| *byte == b'-');
    let is_group = |group: &[u8], size| group.len() == size && CharSet::HEX.leading_run(group).len() == size;
    [8, 4, 4, 4, 12].iter().all(|size| groups.next().is_some_and(|group| is_group(group, *size)))
        && groups.next().is_none()
}

/// Returns whether `value` is a public key or certificate in base64: DER, or a key of SSH.
fn is_public_key(value: &[u8]) -> bool {
    let starts: [&[u8]; 6] = [b"MI", b"MFkw", b"MHYw", b"MCow", b"AAAAB3Nza", b"AAAAC3Nza"];
    value.len() >= 48 && starts.iter().any(|start| value.starts_with(start))
}

/// Returns whether `value`, in lower case, refers to a secret elsewhere, such as `${NAME}`, or is an
/// encrypted one.
fn is_reference(value: &[u8]) -> bool {
    let is_name = |name: &[u8]| !name.is_empty() && name.iter().all(|byte| CharSet::WORD.contains(*byte));
    let is_between = |start: &[u8], end: &[u8]| {
        let rest = memmem::find(value, start).and_then(|at| value.get(at + start.len()..));
        rest.is_some_and(|rest| memmem::find(rest, end).is_some())
    };
    let is_whole = |start: &[u8], end: &[u8]| {
        let inner = value.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        inner.is_some_and(|inner| inner.len() >= 2)
    };
    let is_variable = value.strip_prefix(b"$").is_some_and(|name| {
        is_name(name) && !randomness::is_random_password(name) && !name.starts_with(b"2")
    });
    let is_quoted_name = |sign: &[u8]| {
        let inner = value.strip_prefix(sign).and_then(|rest| rest.strip_suffix(sign));
        inner.is_some_and(is_name)
    };
    is_variable
        || is_quoted_name(b"%")
        || is_quoted_name(b"@")
        || is_quoted_name(b"__")
        || is_between(b"${", b"}")
        || is_between(b"{{", b"}}")
        || is_between(b"<%", b"%>")
        || is_between(b"#{", b"}")
        || is_between(b"%(", b")")
        || is_between(b"$(", b")")
        || is_whole(b"<", b">")
        || is_whole(b"[", b"]")
        || is_whole(b"((", b"))")
        || is_whole(b"{", b"}")
        || value == b"%s"
        || memmem::find(value, b"://").is_some()
        // Translations of a label.
        || memmem::find(value, b"\\u").is_some()
        || REFERENCE_STARTS.iter().any(|start| value.starts_with(start.as_bytes()))
}

/// Returns whether `value` is the path of a file, or a pattern of paths.
fn is_path(value: &[u8]) -> bool {
    let is_relative = [&b"./"[..], b"../", b"~/"].iter().any(|start| value.starts_with(start));
    let is_windows = matches!(value, [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic());
    let is_absolute = value.starts_with(b"/") || value.starts_with(b"*");
    is_relative || is_windows || is_absolute && !randomness::is_random_password(value)
}

/// Returns whether `value` is an expression of source code: a call, an index, or names joined by
/// dots.
pub(super) fn is_expression(value: &[u8]) -> bool {
    let is_name =
        |part: &[u8]| !part.is_empty() && part.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let names =
        value.split(|&byte| b".:".contains(&byte)).filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let is_path = names.len() > 1 && names.into_iter().all(is_name);
    let is_call = value.iter().position(|byte| b"([".contains(byte)).is_some_and(|at| {
        let (name, inner) = value.split_at(at);
        let is_end = inner.last().is_some_and(|byte| b"()[],;\"'".contains(byte));
        is_end && at > 1 && name.iter().all(|byte| byte.is_ascii_alphabetic() || b"_.:$".contains(byte))
    });
    is_path || is_call
}

/// Returns whether `value` is the hash of a password: `$ID$SALT$HASH`, see `crypt(5)`.
pub(super) fn is_password_hash(value: &[u8]) -> bool {
    let Some(rest) = value.strip_prefix(b"$") else { return false };
    let mut fields = rest.split(|byte| *byte == b'$');
    let (id, last) = (fields.next().unwrap_or_default(), rest.rsplit(|byte| *byte == b'$').next());
    let hash = CharSet::BASE64.with(b".").leading_run(last.unwrap_or_default());
    let wanted = match id {
        b"1" | b"apr1" => 22..=22,
        b"2a" | b"2b" | b"2x" | b"2y" => 53..=53,
        b"5" | b"y" | b"gy" | b"7" => 43..=43,
        b"6" => 86..=86,
        b"argon2i" | b"argon2d" | b"argon2id" | b"scrypt" => 22..=172,
        id if id.starts_with(b"pbkdf2") => 22..=172,
        _ => return false,
    };
    wanted.contains(&hash.len()) && randomness::is_random(hash, CharSet::BASE64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_keywords_are_no_passwords() {
        for value in [
            "password",
            "changeme",
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "{{ password }}",
            "<password>",
            "%DB_PASSWORD%",
            "@DB_PASSWORD@",
            "/run/secrets/db",
            "~/.ssh/id",
            "C:\\keys\\id",
            "ENC[AES256_GCM,data:uj2tbg9GzMZ7wA==,iv:abc]",
            "ENC(b6ZDkMfp8Yf)",
            "op://vault/item/field",
            "vault:secret/data/db#password",
            "arn:aws:secretsmanager:eu-west-1:1:secret:x",
            "true",
            "xxxx",
            "abc",
            "https://acme.dev/reset",
            "%s",
            "****",
            "[secret]",
        ] {
            assert!(!may_be_password(value.as_bytes()), "{value}");
        }
        for value in [
            "tr0ub4dor",
            "$aX9k#Lm2",
            "%x7Kq2Lm",
            "@b8Rt5%nQ",
            "/kL9x+Qz7vB",
            "*9xKq#mL2",
            "{q8Z;t!Lx",
            "x(9)Kq..L",
            "[k9X#qL2z",
            "<k9X#qL2z",
            "!K9xq#mL2",
            "postgres",
        ] {
            assert!(may_be_password(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn recognizes_expressions() {
        for value in ["options.token", "config.get(server,", "record[\"_id\"]", "os.environ['X']", "Foo::bar"]
        {
            assert!(is_expression(value.as_bytes()), "{value}");
        }
        for value in ["tr0ub4dor", "x9(k#L)q", "a1.b2", "(x)"] {
            assert!(!is_expression(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn recognizes_password_hashes() {
        let hash = "Xk9wQz7LmR2vTnB4cYp6HsJdEaGf1uoKiW3xZq8UbNeXk9wQz7LmR2vTnB4cYp6HsJdEaGf1uoKiW3xZq8UbNe";
        for (start, length, expected) in [
            ("$6$salt$", 86, true),
            ("$2y$10$", 53, true),
            ("$apr1$salt$", 22, true),
            ("$9$x$", 22, false),
            ("$6$x$", 22, false),
        ] {
            assert_eq!(
                is_password_hash(format!("{start}{}", &hash[..length]).as_bytes()),
                expected,
                "{start}"
            );
        }
    }
}
