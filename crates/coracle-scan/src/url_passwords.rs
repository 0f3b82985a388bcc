//! Passwords in URLs.

use memchr::memmem;

use super::bytes_around_offset::{BytesAroundOffset, first_bytes};
use super::char_sets::leading_run;
use super::data::words::EXAMPLE_HOSTS;
use super::finding::RuleMatch;
use super::passwords::{is_random_password, may_be_password};
use super::randomness;
use super::text_format::TextTraits;

/// `SCHEME://USER:PASSWORD@HOST`
pub(super) fn find_url_password(window: &BytesAroundOffset<'_>, kind: TextTraits) -> Option<RuleMatch> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the window at the first occurrence of `anchor`.
    fn at<'a>(text: &'a str, anchor: &str) -> BytesAroundOffset<'a> {
        BytesAroundOffset::new(text.as_bytes(), text.find(anchor).unwrap())
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
            (["https://ada:", "secretive@www.example.com/"], false),
            (["https://ada:", "x7Kp2q9ZtL@server7.example.com/"], true),
            (["https://ada:", "x7K@p#2q9Zt@db.acme.dev/"], true),
            (["https://ada:", "${PASSWORD}@git.acme.dev/"], false),
            (["https://git.acme.dev:8080/", "a@b"], false),
            (["mailto://", "ada@acme.dev"], false),
            (["http://a:", "<password>@git.acme.dev"], false),
        ] {
            assert_eq!(
                find_url_password(&at(&text.concat(), "://"), TextTraits::VALUE).is_some(),
                expected,
                "{text:?}"
            );
        }
        let text = ["https://ada:", "correct-horse@git.acme.dev/"].concat();
        assert_eq!(
            find_url_password(&at(&text, "://"), TextTraits::of_file(b"notes")),
            None,
            "words count only in configuration"
        );
    }
}
