//! Logins in the formats of programs: `.netrc`, registries, kubeconfigs, HTTP headers, `.pgpass`,
//! `shadow` and `.htpasswd`.

use memchr::memmem;

use super::bytes_around_offset::{BytesAroundOffset, first_bytes, last_bytes};
use super::char_sets::{CharSet, decode_base64_prefix};
use super::finding::RuleMatch;
use super::passwords::{is_password_hash, is_random_password, may_be_password};
use super::randomness;

/// `machine HOST login USER password PASSWORD`, in any order after the host; or `default login …`.
pub(super) fn find_netrc_login(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    if window.previous_byte().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return None;
    }
    let text = first_bytes(window.rest, MAX_LOGIN);
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    match words.next()? {
        b"machine" => drop(words.next()?),
        b"default" => {}
        _ => return None,
    }
    let (mut login, mut password) = (false, false);
    for _ in 0..3 {
        let Some(name) = words.next() else { break };
        match name {
            b"login" | b"account" | b"user" => login = words.next().is_some() || login,
            b"password" | b"passwd" => {
                password = words.next().is_some_and(|word| may_be_password(unquoted(word)));
            }
            _ => break,
        }
    }
    (login && password).then(|| RuleMatch::new_error("password", "a login of `.netrc`"))
}

/// The maximum length of a login of `.netrc`.
const MAX_LOGIN: usize = 512;

/// `"auth": "…"`, which is `USER:PASSWORD` in base64.
pub(super) fn find_docker_login(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    let rest = window.rest.get("auth".len()..)?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\\").unwrap_or(rest).strip_prefix(b"\"")?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let value =
        CharSet::BASE64_ANY.leading_run(rest.strip_prefix(b"\\").unwrap_or(rest).strip_prefix(b"\"")?);
    basic_login(value, false).then(|| RuleMatch::new_error("password", "a login of a registry"))
}

/// Returns whether `value` is `USER:PASSWORD` in base64.
fn basic_login(value: &[u8], has_to_be_random: bool) -> bool {
    let login = decode_base64_prefix(value);
    let login = login.trim_ascii();
    let Some(colon) = login.iter().position(|&byte| byte == b':') else { return false };
    let (user, password) = login.split_at(colon);
    let password = password.get(1..).unwrap_or_default();
    let is_text = login.iter().all(u8::is_ascii_graphic);
    is_text
        && if has_to_be_random {
            is_random_password(password)
        } else {
            !user.is_empty() && may_be_password(password)
        }
}

/// `Authorization: Bearer TOKEN`, `Authorization: Basic LOGIN`
pub(super) fn find_authorization_header(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    let (scheme, value) = window.rest.split_at_checked(window.rest.iter().position(|byte| *byte == b' ')?)?;
    let value = value.trim_ascii_start();
    if scheme.eq_ignore_ascii_case(b"basic") {
        let value = CharSet::BASE64.leading_run(value);
        let is_login = value.len() >= 12 && basic_login(value, true);
        return is_login.then(|| RuleMatch::new_error("password", "a login in an HTTP header"));
    }
    let token = CharSet::BASE64_ANY.with(b".~").leading_run(value);
    let has_digits = token.iter().any(u8::is_ascii_digit);
    let is_token = token.len() >= 20
        && has_digits
        && !token.starts_with(b"eyJ")
        && randomness::is_random(token, CharSet::BASE64URL);
    is_token.then(|| RuleMatch::new_error("token", "a token in an HTTP header"))
}

/// A kubeconfig with a user's token, password or key, anywhere in `bytes`.
pub(super) fn find_kubeconfig_credential(bytes: &[u8]) -> Option<(usize, RuleMatch)> {
    let has = |word: &[u8]| memmem::find(bytes, word).is_some();
    if !has(b"clusters") || !has(b"users") || !has(b"contexts") {
        return None;
    }
    let names = [
        &b"token:"[..],
        b"password:",
        b"client-key-data:",
        b"\"token\":",
        b"\"password\":",
        b"\"client-key-data\":",
    ];
    let found = names
        .iter()
        .filter_map(|name| memmem::find_iter(bytes, name).find(|at| is_value_after(bytes, at + name.len())));
    found.min().map(|at| (at, RuleMatch::new_error("kubeconfig", "a kubeconfig with a login")))
}

fn is_value_after(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let line = rest.split(|byte| b"\n\r,}".contains(byte)).next().unwrap_or_default().trim_ascii();
    let value = unquoted(line);
    value.len() >= 4
        && !value.starts_with(b"<")
        && !value.starts_with(b"$")
        && !value.starts_with(b"{")
        && (may_be_password(value) || value.len() > 40)
}

/// A line of `shadow` or `.htpasswd`: `NAME:$ID$SALT$HASH`, at its first colon.
pub(super) fn find_password_hash(window: &BytesAroundOffset<'_>) -> Option<RuleMatch> {
    let name = CharSet::BASE64URL.with(b".@").trailing_run(last_bytes(window.before, 64));
    let hash =
        window.rest.get(1..)?.split(|byte| byte.is_ascii_whitespace() || b":\"',\\".contains(byte)).next()?;
    (name > 0 && is_password_hash(hash))
        .then(|| RuleMatch::new_error("password", "the hash of a password").starting_before(name))
}

/// Returns whether the last field of a line, after a colon or a space, is a password, as in `.pgpass`.
pub(super) fn has_password_field(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let fields = line.split(|byte| b": \t".contains(byte)).filter(|field| !field.is_empty());
    let last = line.rsplit(|byte| b": \t".contains(byte)).next().unwrap_or_default();
    !line.starts_with(b"#") && fields.count() >= 2 && may_be_password(unquoted(last))
}

/// Returns `word` without quotes around it.
fn unquoted(word: &[u8]) -> &[u8] {
    let word = word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).unwrap_or(word);
    word.strip_prefix(b"'").and_then(|word| word.strip_suffix(b"'")).unwrap_or(word)
}

/// Returns the window at the first occurrence of `anchor`.
#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    /// Returns the window at the first occurrence of `anchor`.
    fn at<'a>(text: &'a str, anchor: &str) -> BytesAroundOffset<'a> {
        BytesAroundOffset::new(text.as_bytes(), text.find(anchor).unwrap())
    }

    #[test]
    fn finds_logins_of_netrc() {
        for (text, expected) in [
            (["machine git.acme.dev login ada ", "password tr0ub4dor"], true),
            (["machine git.acme.dev\n\tlogin ada\n\tpass", "word tr0ub4dor\n"], true),
            (["default login ada ", "password tr0ub4dor"], true),
            (["machine HOST login USER ", "password \"PASSWORD\""], false),
            (["machine learning is not what ", "this login password is"], false),
        ] {
            assert_eq!(
                find_netrc_login(&BytesAroundOffset::new(text.concat().as_bytes(), 0)).is_some(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn finds_logins_of_registries_and_headers() {
        let auth = |login: &str| {
            format!("{{\"auths\":{{\"r\":{{\"auth\": \"{}\"}}}}}}", BASE64_STANDARD.encode(login))
        };
        assert!(find_docker_login(&at(&auth("ada:tr0ub4dor!!"), "auth\"")).is_some());
        assert!(find_docker_login(&at(&auth("no colon at all"), "auth\"")).is_none());
        for (text, expected) in [
            (format!("Basic {}", BASE64_STANDARD.encode("ada:x7Kp2q9ZtL")), true),
            (format!("Basic {}", BASE64_STANDARD.encode("user:pass")), false),
            ("Bearer 8f3kLq92ZxT7vB1nM4cR".to_owned(), true),
            ("Bearer authentication is used".to_owned(), false),
        ] {
            assert_eq!(
                find_authorization_header(&BytesAroundOffset::new(text.as_bytes(), 0)).is_some(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn finds_kubeconfigs_with_credentials() {
        let authority = "A".repeat(1400);
        let config = format!(
            "kind: Config\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\ncontexts: []\ncurrent-context: dev\nusers:\n- name: a\n  user:\n    "
        );
        let found = |text: &str| find_kubeconfig_credential(format!("{config}{text}").as_bytes()).is_some();
        assert!(found("token: sha256~Qz8vXw2n"));
        assert!(!found("token: <token>"));
        assert!(!found("exec: {}"));
    }

    #[test]
    fn finds_password_hashes() {
        let hash = "Xk9wQz7LmR2vTnB4cYp6HsJdEaGf1uoKiW3xZq8UbNeXk9wQz7LmR2vTnB4cYp6HsJdEaGf1uoKiW3xZq8UbNe";
        let found = |text: &str| find_password_hash(&at(text, ":")).is_some();
        assert!(found(&format!("root:$6$saltsalt${hash}:19000:0")));
        assert!(found(&format!("admin:$apr1$salt${}\n", &hash[..22])));
        assert!(!found(&format!(":$6$saltsalt${hash}")), "no user name");
        assert!(!found(&format!("root:$6$salt${}:", &hash[..43])), "wrong length");
    }

    #[test]
    fn finds_passwords_in_fields() {
        assert!(has_password_field(b"db.internal:5432:shop:ada:tr0ub4dor"));
        assert!(!has_password_field(b"# hostname:port:database:username:password"));
        assert!(!has_password_field(b"*:*:*:*:"));
    }
}
