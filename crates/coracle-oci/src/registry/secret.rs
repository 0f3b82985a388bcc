//! Secrets, and their redaction in texts of servers.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::escape;

/// A password or token. `Display` and `Debug` do not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A credential for a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credential {
    /// A user name and a password or access token.
    Password {
        /// The user name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An OAuth 2 refresh token, for the token server.
    IdentityToken(Secret),
    /// A bearer token, for the registry itself.
    RegistryToken(Secret),
}

/// All secrets that were used. They are removed from texts of servers before display.
#[derive(Default)]
pub(super) struct Redactor(Mutex<Vec<Secret>>);

/// Shorter secrets are not redacted, because they would match unrelated text.
const MIN_SECRET_LEN: usize = 4;

/// The maximum length of a displayed text, in characters.
const MAX_SHOWN_CHARS: usize = 300;

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Credential {
    /// A user name and a password.
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Password { user: user.into(), password: Secret::new(password) }
    }

    /// The secret part of the credential.
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::Password { password, .. } => password,
            Self::IdentityToken(token) | Self::RegistryToken(token) => token,
        }
    }
}

impl Redactor {
    /// Adds a secret to redact.
    pub(super) fn add_secret(&self, secret: &Secret) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.0.len() >= MIN_SECRET_LEN && !known.contains(secret) {
            known.push(secret.clone());
            // Longest first: a secret that is part of another must not leave the rest of it.
            known.sort_by_key(|secret| std::cmp::Reverse(secret.0.len()));
        }
    }

    /// Adds the credentials of an `Authorization` header, without the scheme.
    pub(super) fn add_header(&self, header: &Secret) {
        self.add_secret(&Secret::new(header.0.rsplit(' ').next().unwrap_or_default()));
    }

    /// Returns `text` with secrets redacted, control characters escaped, and truncated.
    pub(super) fn redact(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = known.iter().fold(text.to_owned(), |text, secret| text.replace(&secret.0, "[secret]"));
        escape::escape_untrusted(&text, MAX_SHOWN_CHARS)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_hides_secrets() {
        let credential = Credential::password("me", "hunter2hunter2");
        let token = Credential::RegistryToken(Secret::new("hunter2hunter2"));
        let shown = format!("{credential:?} {credential:#?} {token:?} {}", credential.secret());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("me"));
    }

    #[test]
    fn redacts_all_occurrences() {
        let redactor = Redactor::default();
        redactor.add_secret(&Secret::new("hunter2"));
        redactor.add_secret(&Secret::new("hunter2hunter2"));
        redactor.add_secret(&Secret::new("a"));
        assert_eq!(
            redactor.redact("bad password hunter2hunter2, hunter2\n"),
            r"bad password [secret], [secret]\n"
        );
    }
}
