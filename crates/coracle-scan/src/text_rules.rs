//! Credentials in included text files: passwords in URLs, logins of `.netrc`, Docker and kubectl,
//! and passwords in configuration files.
//!
//! Not used for programs, because examples in their help texts look the same.

use memchr::memmem;

use super::alphabet::{decode_base64_prefix, is_base64, leading_run};
use super::data::words::{
    EXAMPLE_HOST_STARTS, NOT_PASSWORDS, REFERENCE_PARTS, REFERENCE_STARTS, SECRET_NAME_ENDINGS,
};
use super::entropy;
use super::finding::RuleMatch;
use super::window::{Window, bytes_after, last_bytes};

/// The rules of this file, each with the string that it is searched by.
pub(super) const ANCHORS: [(&[u8], AnchorRule); 4] = [
    (b"://", url_password),
    (b"machine", netrc_login),
    (b"\"auth\"", docker_login),
    (b"current-context", kubeconfig_credential),
];

/// A rule that is called at each occurrence of its anchor.
pub(super) type AnchorRule = fn(&Window<'_>) -> Option<RuleMatch>;

/// Returns whether the bytes around the offset are text: none of them is NUL.
pub(super) fn is_in_text(window: &Window<'_>) -> bool {
    !last_bytes(window.before, TEXT_CONTEXT).contains(&0)
        && !window.rest.get(..TEXT_CONTEXT).unwrap_or(window.rest).contains(&0)
}

/// The number of bytes on each side that [`is_in_text`] tests.
const TEXT_CONTEXT: usize = 128;

/// `SCHEME://USER:PASSWORD@HOST`
fn url_password(window: &Window<'_>) -> Option<RuleMatch> {
    let scheme = window
        .before
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        .count();
    let rest = window.rest.get(3..)?;
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"/?#@:\"'`<>{}[]()\\|^*,;".contains(&byte);
    let user = leading_run(rest, is_part);
    let rest = rest.get(user.len()..)?.strip_prefix(b":")?;
    let password = leading_run(rest, |byte| is_part(byte) || b":*,;(){}[]".contains(&byte));
    let host =
        leading_run(rest.get(password.len()..)?.strip_prefix(b"@")?, |byte| is_part(byte) || byte == b'[');
    // `cvs://:METHOD:USER@HOST` has no password.
    let is_method = user.is_empty() && password.contains(&b':');
    (scheme > 0
        && !is_method
        && !host.is_empty()
        && !is_example_host(host, password)
        && may_be_password(password)
        && password != user)
        .then(|| RuleMatch::new_error("password", "a password in a URL").starting_before(scheme))
}

/// Returns whether `host` is a placeholder in documentation. `localhost` is one only with a short
/// password.
fn is_example_host(host: &[u8], password: &[u8]) -> bool {
    let host = host.to_ascii_lowercase();
    EXAMPLE_HOST_STARTS.iter().any(|start| host.starts_with(start.as_bytes()))
        || memmem::find(&host, b"example").is_some()
        || host.starts_with(b"localhost") && password.len() < 8
}

/// `machine HOST login USER password PASSWORD`, in any order after the host.
fn netrc_login(window: &Window<'_>) -> Option<RuleMatch> {
    if window.previous_byte().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return None;
    }
    let mut words = window.rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (_, _host) = (words.next().filter(|word| *word == b"machine")?, words.next()?);
    let (mut login, mut password) = (false, false);
    for _ in 0..3 {
        let Some(name) = words.next() else { break };
        match name {
            b"login" | b"account" => login = words.next().is_some() || login,
            b"password" => password = words.next().is_some_and(|word| may_be_password(unquoted(word))),
            _ => break,
        }
    }
    (login && password).then(|| RuleMatch::new_error("password", "a login of `.netrc`"))
}

/// `"auth": "…"`, which is `USER:PASSWORD` in base64.
fn docker_login(window: &Window<'_>) -> Option<RuleMatch> {
    let rest = window.rest.strip_prefix(b"\"auth\"")?.trim_ascii_start().strip_prefix(b":")?;
    let value = leading_run(rest.trim_ascii_start().strip_prefix(b"\"")?, is_base64);
    let login = decode_base64_prefix(value);
    let colon = login.iter().position(|&byte| byte == b':')?;
    let (user, password) = login.split_at(colon);
    let is_text = !user.is_empty() && login.iter().all(u8::is_ascii_graphic);
    (is_text && may_be_password(password.get(1..)?))
        .then(|| RuleMatch::new_error("password", "a login of a registry"))
}

/// A kubeconfig with a user's token, password or key.
fn kubeconfig_credential(window: &Window<'_>) -> Option<RuleMatch> {
    let around = [window.before, window.rest].concat();
    let has = |word: &[u8]| memmem::find(&around, word).is_some();
    let value = |name: &[u8]| {
        let rest = bytes_after(&around, name).unwrap_or_default();
        let value = rest.split(|byte| b"\n\r,}".contains(byte)).next().unwrap_or_default().trim_ascii();
        value.len() >= 8 && !value.starts_with(b"<") && !value.starts_with(b"$") && !value.starts_with(b"{")
    };
    let is_config = has(b"clusters") && has(b"users") && has(b"contexts");
    let has_secret =
        [&b"token: "[..], b"password: ", b"client-key-data: ", b"\"token\":", b"\"client-key-data\":"];
    (is_config && has_secret.iter().any(|name| value(name)))
        .then(|| RuleMatch::new_error("kubeconfig", "a kubeconfig with a login"))
}

/// The description of a match of [`password_assignment`].
pub(super) const ASSIGNED_PASSWORD: &str = "a password in a configuration file";

/// Finds an assignment whose sign (`=` or `:`) is at the offset, whose name ends with one of
/// [`SECRET_NAME_ENDINGS`], and whose value can be a password.
pub(super) fn password_assignment(window: &Window<'_>) -> Option<RuleMatch> {
    let sign = *window.rest.first()?;
    let line = window.before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let name = line.trim_ascii().to_ascii_lowercase();
    let is_comment = [&b"#"[..], b";", b"//", b"-- ", b"*", b"!"].iter().any(|mark| name.starts_with(mark));
    // A connection string has several assignments on a line.
    let name = name.rsplit(|byte| b";,&? {".contains(byte)).next()?;
    let name = name.trim_ascii_end();
    let name: Vec<u8> = name
        .iter()
        .filter(|byte| !b"\"'".contains(byte))
        .map(|&byte| if byte == b'-' { b'_' } else { byte })
        .collect();
    let is_secret = SECRET_NAME_ENDINGS.iter().any(|wanted| name.ends_with(wanted.as_bytes()));
    if is_comment || !is_secret || !b"=:".contains(&sign) {
        return None;
    }
    let rest = window.rest.get(1..)?;
    let rest = leading_run(rest, |byte| !b"\n\r".contains(&byte)).trim_ascii();
    let value = match rest.first()? {
        quote @ (b'"' | b'\'') => rest.get(1..)?.split(|byte| byte == quote).next()?,
        _ => rest
            .split(|byte| byte.is_ascii_whitespace() || b";,&\"'".contains(byte))
            .next()
            .filter(|value| !is_expression(value))?,
    };
    may_be_password(value).then(|| RuleMatch::new_error("password", ASSIGNED_PASSWORD))
}

/// Returns `word` without quotes around it.
fn unquoted(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).unwrap_or(word)
}

/// Returns whether `value` is an expression of source code: a call, or names joined by dots.
fn is_expression(value: &[u8]) -> bool {
    let is_name =
        |part: &[u8]| !part.is_empty() && part.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let parts: Vec<&[u8]> = value.split(|&byte| byte == b'.').collect();
    value.iter().any(|byte| b"()".contains(byte)) || parts.len() > 1 && parts.into_iter().all(is_name)
}

/// Returns whether `value` can be a password, and not a placeholder, a reference or a keyword.
fn may_be_password(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_keyword = NOT_PASSWORDS.iter().any(|word| lower == word.as_bytes());
    let is_reference = REFERENCE_STARTS.iter().any(|start| lower.starts_with(start.as_bytes()))
        || REFERENCE_PARTS.iter().any(|part| memmem::find(&lower, part.as_bytes()).is_some());
    let is_one_character = value.iter().all(|byte| Some(byte) == value.first());
    value.len() >= 4
        && !is_keyword
        && !is_reference
        && !is_one_character
        && !entropy::is_placeholder(value)
        && value.iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80)
}

/// Returns the offsets at which [`password_assignment`] is tried: each `=` or `:` of `bytes` from
/// `from` until `to` that follows a name.
pub(super) fn assignment_signs(bytes: &[u8], from: usize, to: usize) -> impl Iterator<Item = usize> + '_ {
    let part = bytes.get(from..to).unwrap_or_default();
    memchr::memchr2_iter(b'=', b':', part).map(move |at| from + at).filter(|at| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        before.is_some_and(|byte| byte.is_ascii_alphanumeric() || b" \t\"'_".contains(byte))
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD as STANDARD;

    use super::*;

    /// Returns whether a rule matches at an occurrence of its anchor in `text`.
    fn found(text: &str) -> bool {
        let at = |anchor: &[u8]| memmem::find_iter(text.as_bytes(), anchor).collect::<Vec<_>>();
        let window = |at| Window::new(text.as_bytes(), at);
        ANCHORS.iter().any(|(anchor, rule)| at(anchor).into_iter().any(|at| rule(&window(at)).is_some()))
    }

    fn assigned(text: &str) -> bool {
        assignment_signs(text.as_bytes(), 0, text.len())
            .any(|at| password_assignment(&Window::new(text.as_bytes(), at)).is_some())
    }

    #[test]
    fn finds_passwords_in_urls() {
        for (text, expected) in [
            (["url = postgres://shop:", "tr0ub4dor@db.internal:5432/shop"], true),
            (["redis://:x", "@cache.internal"], false),
            (["redis://:tr0ub4dor", "@cache.internal"], true),
            (["cvs://:pserver:", "anoncvs@sources.acme.dev"], false),
            (["https://ada:", "correct-horse@git.acme.dev/x.git"], true),
            (["https://user:", "password@git.acme.dev/"], false),
            (["https://ada:", "tr0ub4dor@www.example.com/"], false),
            (["https://ada:", "${PASSWORD}@git.acme.dev/"], false),
            (["https://git.acme.dev:8080/", "a@b"], false),
            (["mailto://", "ada@acme.dev"], false),
            (["http://a:", "<password>@git.acme.dev"], false),
        ] {
            assert_eq!(found(&text.concat()), expected, "{text:?}");
        }
    }

    #[test]
    fn finds_logins() {
        assert!(found(&["machine git.acme.dev login ada ", "password tr0ub4dor"].concat()));
        assert!(found(&["machine git.acme.dev\n\tlogin ada\n\tpass", "word tr0ub4dor\n"].concat()));
        assert!(!found("machine HOST login USER password \"PASSWORD\""));
        assert!(!found("the machine that you login to with a password"));
        assert!(!found("machine learning is not what this login password is"));
        let auth =
            |login: &str| format!("{{\"auths\":{{\"r\":{{\"auth\": \"{}\"}}}}}}", STANDARD.encode(login));
        assert!(found(&auth("ada:tr0ub4dor!!")));
        assert!(!found(&auth("no colon at all")));
        assert!(!found("{\"auth\": true}"));
    }

    #[test]
    fn finds_kubeconfigs_with_credentials() {
        let config = "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\ncurrent-context: dev\nusers:\n- name: a\n  user:\n    ";
        assert!(found(&format!("{config}token: {}", "sha256~Qz8vXw2n")));
        assert!(!found(&format!("{config}token: <token>")));
        assert!(!found(&format!("{config}exec: {{}}")));
    }

    #[test]
    fn finds_passwords_in_configuration() {
        for (text, expected) in [
            ("DB_PASSWORD=tr0ub4dor", true),
            ("spring:\n  datasource:\n    password: tr0ub4dor\n", true),
            ("{ \"apiKey\": \"tr0ub4dor\" }", true),
            ("conn = \"Server=db;User Id=sa;Password=tr0ub4dor;\"", true),
            ("  secret-key = 'tr0ub4dor'", true),
            ("# DB_PASSWORD=tr0ub4dor", false),
            ("DB_PASSWORD=${PASSWORD}", false),
            ("DB_PASSWORD=", false),
            ("DB_PASSWORD=changeme", false),
            ("password_file = /run/secrets/db", false),
            ("password = /run/secrets/db", false),
            ("password: required", false),
            ("token = options.identityToken;", false),
            ("password = config.get(server, 'password')", false),
            ("passwd:         files systemd", false),
            ("tokens = many_of_them", false),
        ] {
            assert_eq!(assigned(text), expected, "{text}");
        }
    }
}
