//! Logins in the formats of programs: URLs, `.netrc`, registries, kubeconfigs, HTTP headers, command
//! lines, `shadow` and `.htpasswd`.

use memchr::memmem;

use super::alphabet::{CharSet, decode_base64_prefix, leading_run};
use super::data::words::EXAMPLE_HOSTS;
use super::finding::RuleMatch;
use super::passwords::{is_password_hash, is_random_password, may_be_password};
use super::randomness;
use super::text_format::TextKind;
use super::window::{Window, first_bytes, last_bytes};

/// `SCHEME://USER:PASSWORD@HOST`
pub(super) fn url_password(window: &Window<'_>, kind: TextKind) -> Option<RuleMatch> {
    let scheme = window
        .before
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        .count();
    let rest = first_bytes(window.rest.get(3..)?, MAX_AUTHORITY);
    let is_in_url = |byte: u8| byte.is_ascii_graphic() && !b"\"'`<>\\|^".contains(&byte);
    let rest = leading_run(rest, is_in_url);
    let user = leading_run(rest, |byte| !b":/?#@{}[]()*,;&".contains(&byte));
    let after = rest.get(user.len()..)?.strip_prefix(b":")?;
    // A password can have an `@` that is not escaped; the host cannot.
    let at = password_end(after)?;
    let (password, host) = (after.get(..at)?, after.get(at + 1..)?);
    let host = leading_run(host, |byte| byte.is_ascii_alphanumeric() || b"-._[%$*{".contains(&byte));
    // `https://HOST:8080/…@…` has no password, and neither has `cvs://:METHOD:USER@HOST`.
    let is_port = password.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_port = is_port > 0 && password.get(is_port) == Some(&b'/');
    let is_method = user.is_empty() && password.contains(&b':');
    if scheme == 0 || is_port || is_method || host.is_empty() || password == user {
        return None;
    }
    let is_example = is_example_host(host, password);
    let is_password = if kind.is_config && !is_example {
        may_be_password(password)
    } else {
        is_random_password(password)
            && !randomness::is_placeholder(user)
            && !(is_example && kind.format.is_code())
    };
    is_password.then(|| RuleMatch::new_error("password", "a password in a URL").starting_before(scheme))
}

/// The maximum length of user, password and host.
const MAX_AUTHORITY: usize = 512;

/// Returns the offset of the `@` after the password: the last one before the path.
fn password_end(after: &[u8]) -> Option<usize> {
    let first = after.iter().position(|byte| *byte == b'@')?;
    let authority = leading_run(after.get(first..)?, |byte| byte != b'/');
    authority.iter().rposition(|byte| *byte == b'@').map(|at| first + at)
}

/// Returns whether `host` is a placeholder in documentation. `localhost` is one only with a short
/// password.
fn is_example_host(host: &[u8], password: &[u8]) -> bool {
    let host = host.to_ascii_lowercase();
    EXAMPLE_HOSTS.iter().any(|start| host.starts_with(start.as_bytes()))
        || memmem::find(&host, b"example").is_some()
        || (host.starts_with(b"localhost") || host.starts_with(b"127.")) && password.len() < 8
}

/// `machine HOST login USER password PASSWORD`, in any order after the host; or `default login …`.
pub(super) fn netrc_login(window: &Window<'_>) -> Option<RuleMatch> {
    if window.previous_byte().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return None;
    }
    let text = first_bytes(window.rest, MAX_AUTHORITY);
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
                password = words.next().is_some_and(|word| may_be_password(unquoted(word)))
            }
            _ => break,
        }
    }
    (login && password).then(|| RuleMatch::new_error("password", "a login of `.netrc`"))
}

/// `"auth": "…"`, which is `USER:PASSWORD` in base64.
pub(super) fn docker_login(window: &Window<'_>) -> Option<RuleMatch> {
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
pub(super) fn authorization(window: &Window<'_>) -> Option<RuleMatch> {
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
pub(super) fn kubeconfig_credential(bytes: &[u8]) -> Option<(usize, RuleMatch)> {
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
pub(super) fn password_hash(window: &Window<'_>) -> Option<RuleMatch> {
    let name = CharSet::BASE64URL.with(b".@").trailing_run(last_bytes(window.before, 64));
    let hash =
        window.rest.get(1..)?.split(|byte| byte.is_ascii_whitespace() || b":\"',\\".contains(byte)).next()?;
    (name > 0 && is_password_hash(hash))
        .then(|| RuleMatch::new_error("password", "the hash of a password").starting_before(name))
}

/// Programs whose flags take passwords, and the flag. `%` takes `USER%PASSWORD`, `:` `USER:PASSWORD`.
const PASSWORD_FLAGS: &[(&str, &str, u8)] = &[
    ("curl", "-u", b':'),
    ("curl", "--user", b':'),
    ("curl", "--proxy-user", b':'),
    ("mysql", "-p", 0),
    ("mysqldump", "-p", 0),
    ("mysqladmin", "-p", 0),
    ("mariadb", "-p", 0),
    ("mongo", "-p", 0),
    ("mongosh", "-p", 0),
    ("mongodump", "-p", 0),
    ("sshpass", "-p", 0),
    ("redis-cli", "-a", 0),
    ("docker", "-p", 0),
    ("podman", "-p", 0),
    ("helm", "--password", 0),
    ("smbclient", "-U", b'%'),
    ("ldapsearch", "-w", 0),
    ("lftp", "-u", b','),
    ("wget", "--password", 0),
];

/// The programs whose command lines are searched.
pub(super) fn programs_with_passwords() -> impl Iterator<Item = &'static str> {
    let mut programs: Vec<&str> = PASSWORD_FLAGS.iter().map(|(program, ..)| *program).collect();
    programs.dedup();
    programs.into_iter()
}

/// A command line with a password, at the offset of the program.
pub(super) fn command_line(window: &Window<'_>) -> Option<RuleMatch> {
    if window.previous_byte().is_some_and(|byte| CharSet::BASE64URL.contains(byte)) {
        return None;
    }
    let line = first_bytes(window.rest, MAX_COMMAND_LINE).split(|byte| b"\n|;".contains(byte)).next()?;
    let words: Vec<&[u8]> = line
        .split(|byte| b" \t\r".contains(byte))
        .map(|word| word.strip_suffix(b"\\").unwrap_or(word))
        .filter(|word| !word.is_empty())
        .collect();
    let program = words.first()?;
    let flags = PASSWORD_FLAGS.iter().filter(|(name, ..)| name.as_bytes() == *program);
    let passwords = flags.flat_map(|(_, flag, separator)| {
        let values = words.iter().enumerate().filter_map(|(index, word)| {
            let attached = word.strip_prefix(flag.as_bytes())?;
            let value = if attached.is_empty() { words.get(index + 1).copied()? } else { attached };
            let value = value.strip_prefix(b"=").unwrap_or(value);
            let value = value.split(|byte| b"'\"".contains(byte)).max_by_key(|part| part.len())?;
            let after = value.iter().position(|byte| byte == separator).map_or(0, |at| at + 1);
            (*separator == 0 || after > 0).then(|| value.get(after..)).flatten()
        });
        values.collect::<Vec<_>>()
    });
    let mut passwords = passwords;
    passwords
        .any(is_random_password)
        .then(|| RuleMatch::new_error("password", "a password in a command line"))
}

const MAX_COMMAND_LINE: usize = 512;

/// Returns whether the last field of a line, after a colon or a space, is a password, as in `.pgpass`.
pub(super) fn has_password_field(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let fields = line.split(|byte| b": \t".contains(byte)).filter(|field| !field.is_empty());
    let last = line.rsplit(|byte| b": \t".contains(byte)).next().unwrap_or_default();
    !line.starts_with(b"#") && fields.count() >= 2 && may_be_password(unquoted(last))
}

/// A JSON Web Token, or a URL that is signed by Azure.
pub(super) fn signed_token(window: &Window<'_>) -> Option<RuleMatch> {
    json_web_token(window).or_else(|| azure_signature(window))
}

/// A signed JSON Web Token: two JSON objects and a signature, each in base64url.
fn json_web_token(window: &Window<'_>) -> Option<RuleMatch> {
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
fn azure_signature(window: &Window<'_>) -> Option<RuleMatch> {
    let body = CharSet::BASE64.with(b"%").leading_run(window.rest.strip_prefix(b"sig=")?);
    let context = [last_bytes(window.before, 300), first_bytes(window.rest, 300)];
    let has_version = context.iter().any(|text| memmem::find(text, b"sv=20").is_some());
    let is_signature = (43..=100).contains(&body.len()) && randomness::is_random(body, CharSet::BASE64);
    (has_version && is_signature).then(|| RuleMatch::new_error("token", "a shared access signature of Azure"))
}

/// Returns `word` without quotes around it.
fn unquoted(word: &[u8]) -> &[u8] {
    let word = word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).unwrap_or(word);
    word.strip_prefix(b"'").and_then(|word| word.strip_suffix(b"'")).unwrap_or(word)
}

/// Returns the window at the first occurrence of `anchor`.
#[cfg(test)]
fn at<'a>(text: &'a str, anchor: &str) -> Window<'a> {
    Window::new(text.as_bytes(), text.find(anchor).unwrap())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn finds_passwords_in_urls() {
        for (text, expected) in [
            (["url = postgres://shop:", "tr0ub4dor@db.internal:5432/shop"], true),
            (["redis://:x", "@cache.internal"], false),
            (["redis://:tr0ub4dor", "@cache.internal"], true),
            (["cvs://:pserver:", "anoncvs@sources.acme.dev"], false),
            (["https://ada:", "correct-horse@git.acme.dev/x.git"], true),
            (["https://user:", "password@git.acme.dev/"], false),
            (["https://ada:", "secretive@www.example.com/"], false),
            (["https://ada:", "x7Kp2q9ZtL@server7.example.com/"], true),
            (["https://ada:", "x7K@p#2q9Zt@db.acme.dev/"], true),
            (["https://ada:", "${PASSWORD}@git.acme.dev/"], false),
            (["https://git.acme.dev:8080/", "a@b"], false),
            (["mailto://", "ada@acme.dev"], false),
            (["http://a:", "<password>@git.acme.dev"], false),
        ] {
            assert_eq!(
                url_password(&at(&text.concat(), "://"), TextKind::VALUE).is_some(),
                expected,
                "{text:?}"
            );
        }
        let text = ["https://ada:", "correct-horse@git.acme.dev/"].concat();
        assert_eq!(
            url_password(&at(&text, "://"), TextKind::of_file(b"notes")),
            None,
            "words count only in configuration"
        );
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
                netrc_login(&Window::new(text.concat().as_bytes(), 0)).is_some(),
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
        assert!(docker_login(&at(&auth("ada:tr0ub4dor!!"), "auth\"")).is_some());
        assert!(docker_login(&at(&auth("no colon at all"), "auth\"")).is_none());
        for (text, expected) in [
            (format!("Basic {}", BASE64_STANDARD.encode("ada:x7Kp2q9ZtL")), true),
            (format!("Basic {}", BASE64_STANDARD.encode("user:pass")), false),
            ("Bearer 8f3kLq92ZxT7vB1nM4cR".to_owned(), true),
            ("Bearer authentication is used".to_owned(), false),
        ] {
            assert_eq!(authorization(&Window::new(text.as_bytes(), 0)).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn finds_kubeconfigs_with_credentials() {
        let authority = "A".repeat(1400);
        let config = format!(
            "kind: Config\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\ncontexts: []\ncurrent-context: dev\nusers:\n- name: a\n  user:\n    "
        );
        let found = |text: &str| kubeconfig_credential(format!("{config}{text}").as_bytes()).is_some();
        assert!(found("token: sha256~Qz8vXw2n"));
        assert!(!found("token: <token>"));
        assert!(!found("exec: {}"));
    }

    #[test]
    fn finds_passwords_in_command_lines_and_fields() {
        for (text, expected) in [
            ("curl -s -u ada:x7Kp2q9ZtL https://acme.dev", true),
            ("mysql -uroot -px7Kp2q9ZtL shop", true),
            ("sshpass -p 'x7Kp2q9ZtL' ssh ada@acme.dev", true),
            ("curl -u user:password https://acme.dev", false),
            ("mysql -u root -p shop", false),
        ] {
            assert_eq!(command_line(&Window::new(text.as_bytes(), 0)).is_some(), expected, "{text}");
        }
        assert!(has_password_field(b"db.internal:5432:shop:ada:tr0ub4dor"));
        assert!(!has_password_field(b"# hostname:port:database:username:password"));
        assert!(!has_password_field(b"*:*:*:*:"));
    }

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
            assert_eq!(json_web_token(&Window::new(token.as_bytes(), 0)).is_some(), expected, "{token}");
        }
    }

    #[test]
    fn finds_password_hashes() {
        let hash = "Xk9wQz7LmR2vTnB4cYp6HsJdEaGf1uoKiW3xZq8UbNeXk9wQz7LmR2vTnB4cYp6HsJdEaGf1uoKiW3xZq8UbNe";
        let found = |text: &str| password_hash(&at(text, ":")).is_some();
        assert!(found(&format!("root:$6$saltsalt${hash}:19000:0")));
        assert!(found(&format!("admin:$apr1$salt${}\n", &hash[..22])));
        assert!(!found(&format!(":$6$saltsalt${hash}")), "no user name");
        assert!(!found(&format!("root:$6$salt${}:", &hash[..43])), "wrong length");
    }
}
