//! What must never be seen: passwords and tokens, and whatever a server repeats of them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::text;

/// A password or a token. Neither printing nor debugging shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What proves to a registry who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credential {
    /// A user's password, or what registries take for one, such as an access token.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// What a token server takes for a login that was made before (OAuth 2's refresh token).
    IdentityToken(Secret),
    /// A token that the registry itself takes.
    RegistryToken(Secret),
}

/// Every secret that was used: no text of a server is shown before they are struck out of it.
#[derive(Default)]
pub(super) struct Censor(Mutex<Vec<Secret>>);

/// Below this a secret is in any text by chance.
const SHORTEST: usize = 4;

/// How much of a server's text is shown, in characters.
const SHOWN: usize = 300;

impl Secret {
    /// Keeps `text` from being seen.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

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
    /// A user with a password.
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Password { user: user.into(), password: Secret::new(password) }
    }

    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::Password { password, .. } => password,
            Self::IdentityToken(token) | Self::RegistryToken(token) => token,
        }
    }
}

impl Censor {
    /// Strikes `secret` out of every text from now on.
    pub(super) fn learn(&self, secret: &Secret) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.0.len() >= SHORTEST && !known.contains(secret) {
            known.push(secret.clone());
            // A secret that is part of another must not leave the rest of it.
            known.sort_by_key(|secret| std::cmp::Reverse(secret.0.len()));
        }
    }

    /// The same for what stands behind `Basic` or `Bearer`.
    pub(super) fn learn_header(&self, header: &Secret) {
        self.learn(&Secret::new(header.0.rsplit(' ').next().unwrap_or_default()));
    }

    /// `text` without secrets, without control characters, and not long.
    pub(super) fn clean(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = known.iter().fold(text.to_owned(), |text, secret| text.replace(&secret.0, "[secret]"));
        text::shown(&text, SHOWN)
    }
}

impl fmt::Debug for Censor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Censor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let credential = Credential::password("me", "hunter2hunter2");
        let token = Credential::RegistryToken(Secret::new("hunter2hunter2"));
        let shown = format!("{credential:?} {credential:#?} {token:?} {}", credential.secret());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("me"));
    }

    #[test]
    fn what_a_server_repeats_is_struck_out() {
        let censor = Censor::default();
        censor.learn(&Secret::new("hunter2"));
        censor.learn(&Secret::new("hunter2hunter2"));
        censor.learn(&Secret::new("a"));
        assert_eq!(
            censor.clean("bad password hunter2hunter2, hunter2\n"),
            r"bad password [secret], [secret]\u{a}"
        );
    }
}
