//! Docker's `config.json` and Podman's `auth.json`, which share a format. Source:
//! containers-auth.json(5), and Docker's `docker login`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

use crate::registry::error::RegistryError;
use crate::registry::repository::{Repository, canonical_registry};
use crate::registry::secret::{Credential, Secret};
use coracle_core::fs::Context;

/// The key of Docker Hub, which is not the URL of its API.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The number of bytes that are read of a file.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// A parsed file.
#[derive(Deserialize)]
pub(super) struct CredentialFile {
    #[serde(skip)]
    path: PathBuf,
    #[serde(default, deserialize_with = "null_as_default")]
    auths: BTreeMap<String, Option<AuthEntry>>,
    #[serde(default, rename = "credHelpers", deserialize_with = "null_as_default")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuthEntry {
    #[serde(deserialize_with = "null_as_default")]
    auth: String,
    #[serde(deserialize_with = "null_as_default")]
    username: String,
    #[serde(deserialize_with = "null_as_default")]
    password: String,
    #[serde(deserialize_with = "null_as_default")]
    identitytoken: String,
    #[serde(deserialize_with = "null_as_default")]
    registrytoken: String,
}

/// Reads the file at `path`. `None` if it does not exist or is empty.
pub(super) fn read_credential_file(path: &Path) -> Result<Option<CredentialFile>, RegistryError> {
    let open = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        open => open.context("open", path)?,
    };
    let mut bytes = Vec::new();
    open.take(MAX_FILE_BYTES).read_to_end(&mut bytes).context("read", path)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    // Serde's message may contain a value, so only the position is reported.
    let file: Result<CredentialFile, serde_json::Error> = serde_json::from_slice(&bytes);
    match file {
        Ok(file) => Ok(Some(CredentialFile { path: path.to_owned(), ..file })),
        Err(error) => {
            let why = format!("invalid content at line {}, column {}", error.line(), error.column());
            Err(RegistryError::InvalidCredentialFile { path: path.to_owned(), why })
        }
    }
}

impl CredentialFile {
    /// The credential helper of `registry`: from `credHelpers`, or else from `credsStore`.
    pub(super) fn helper_for(&self, registry: &str) -> Option<String> {
        let own = self.helpers.iter().find(|(key, _)| registry_of(key) == registry).map(|(_, helper)| helper);
        own.or(self.store.as_ref()).filter(|helper| !helper.is_empty()).cloned()
    }

    /// The server names to ask a helper for: the usual one, then the keys of this file.
    pub(super) fn helper_keys(&self, registry: &str) -> Vec<String> {
        let own = self.auths.keys().chain(self.helpers.keys()).filter(|key| registry_of(key) == registry);
        let usual = if registry == "docker.io" { DOCKER_HUB_KEY } else { registry };
        let mut keys = vec![usual.to_owned()];
        for key in own {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// The credentials in this file, of the most specific key: the repository, its namespaces, then
    /// the registry.
    pub(super) fn find_credential(
        &self,
        repository: &Repository,
    ) -> Option<Result<Credential, RegistryError>> {
        let whole = repository.to_string();
        let scopes = whole.match_indices('/').map(|(at, _)| whole.get(..at).unwrap_or_default());
        let mut scopes: Vec<&str> = scopes.chain([whole.as_str()]).collect();
        scopes.reverse();
        for scope in scopes {
            let exact = self.auths.get_key_value(scope);
            let same = || self.auths.iter().find(|(key, _)| normalize_key(key) == scope);
            if let Some((key, Some(entry))) = exact.or_else(same)
                && let Some(found) = self.entry_credential(key, entry)
            {
                return Some(found);
            }
        }
        None
    }

    /// The credentials of an entry. `None` for an empty entry, which refers to a helper.
    fn entry_credential(&self, key: &str, entry: &AuthEntry) -> Option<Result<Credential, RegistryError>> {
        if !entry.identitytoken.is_empty() {
            return Some(Ok(Credential::IdentityToken(Secret::new(&entry.identitytoken))));
        }
        if !entry.registrytoken.is_empty() {
            return Some(Ok(Credential::RegistryToken(Secret::new(&entry.registrytoken))));
        }
        if entry.auth.is_empty() {
            let known = !entry.username.is_empty() && !entry.password.is_empty();
            return known.then(|| Ok(Credential::password(&entry.username, &entry.password)));
        }
        let error = || {
            let why = format!("`auth` of `{key}` is not `USER:PASSWORD` encoded in base64");
            RegistryError::InvalidCredentialFile { path: self.path.clone(), why }
        };
        match decode_auth(&entry.auth) {
            // Tools write so after a logout.
            Some((user, password)) if user.is_empty() && password.is_empty() => None,
            Some((user, password)) => Some(Ok(Credential::password(user, password))),
            None => Some(Err(error())),
        }
    }
}

/// Decodes `USER:PASSWORD`.
fn decode_auth(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    // Old versions of Docker padded the password with NUL bytes.
    Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Reads `null` as the default value, as Go's programs do.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The registry of a key.
fn registry_of(key: &str) -> String {
    canonical_registry(without_scheme(key).split('/').next().unwrap_or_default())
}

/// Normalizes a key to a registry, namespace or repository. The path of a URL, such as `/v1/`, is
/// dropped.
fn normalize_key(key: &str) -> String {
    match without_scheme(key).split_once('/') {
        Some((_, rest)) if without_scheme(key) == key && !["", "v1", "v1/", "v2", "v2/"].contains(&rest) => {
            format!("{}/{}", registry_of(key), rest.trim_end_matches('/'))
        }
        _ => registry_of(key),
    }
}

fn without_scheme(key: &str) -> &str {
    key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::reference::ImageReference;

    fn user(json: &str, name: &str) -> Option<String> {
        let file: CredentialFile = serde_json::from_str(json).unwrap();
        match file.find_credential(&Repository::from(&name.parse::<ImageReference>().unwrap()))? {
            Ok(Credential::Password { user, password }) => Some(format!("{user}:{}", password.reveal())),
            other => Some(format!("{other:?}")),
        }
    }

    fn auths(keys: &[(&str, &str)]) -> String {
        let entries: Vec<String> = keys
            .iter()
            .map(|(key, user)| {
                format!(r#""{key}": {{"auth": "{}"}}"#, STANDARD.encode(format!("{user}:p:w")))
            })
            .collect();
        format!(r#"{{"auths": {{{}}}, "HttpHeaders": {{}}}}"#, entries.join(","))
    }

    #[test]
    fn the_most_specific_key_wins() {
        let json = auths(&[
            ("r.io", "host"),
            ("r.io/team", "team"),
            ("r.io/team/app", "app"),
            ("https://s.io/v2/", "url"),
            ("T.io:5000", "port"),
        ]);
        for (name, expected) in [
            ("r.io/other/app", Some("host:p:w")),
            ("r.io/team/other", Some("team:p:w")),
            ("r.io/team/app:1", Some("app:p:w")),
            ("r.io/teams/app", Some("host:p:w")),
            ("s.io/app", Some("url:p:w")),
            ("t.io:5000/app", Some("port:p:w")),
            ("t.io/app", None),
            ("app", None),
        ] {
            assert_eq!(user(&json, name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn all_keys_of_docker_hub_match() {
        for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"] {
            assert_eq!(user(&auths(&[(key, "me")]), "acme/shop").as_deref(), Some("me:p:w"), "{key}");
        }
        let json = auths(&[("https://index.docker.io/v1/", "me"), ("docker.io/acme", "acme")]);
        assert_eq!(user(&json, "acme/shop").as_deref(), Some("acme:p:w"));
    }

    #[test]
    fn reads_all_forms_of_entries() {
        for (entry, expected) in [
            (r#"{"identitytoken":"hush","auth":"bTo="}"#, Some("Ok(IdentityToken([secret]))")),
            (r#"{"registrytoken":"hush"}"#, Some("Ok(RegistryToken([secret]))")),
            (r#"{"username":"u","password":"p"}"#, Some("u:p")),
            ("{}", None),
            ("null", None),
            (r#"{"auth":"Og=="}"#, None),
            (r#"{"auth":null,"identitytoken":null}"#, None),
            (r#"{"auth":"OnB3"}"#, Some(":pw")),
            (r#"{"email":"a@b"}"#, None),
        ] {
            let json = format!(r#"{{"auths":{{"r.io":{entry}}}}}"#);
            assert_eq!(user(&json, "r.io/a").as_deref(), expected, "{entry}");
        }
        for auth in ["aHVzaA==", "!", "hush"] {
            let message = user(&format!(r#"{{"auths":{{"r.io":{{"auth":"{auth}"}}}}}}"#), "r.io/a").unwrap();
            assert!(message.contains("Err") && !message.contains("hush"), "{message}");
        }
    }

    #[test]
    fn selects_the_helper_of_the_registry() {
        let json = r#"{"credsStore":"all","credHelpers":{"https://r.io":"own"},"auths":{"https://index.docker.io/v1/":{}}}"#;
        let file: CredentialFile = serde_json::from_str(json).unwrap();
        assert_eq!(file.helper_for("r.io").as_deref(), Some("own"));
        assert_eq!(file.helper_for("docker.io").as_deref(), Some("all"));
        assert_eq!(file.helper_keys("docker.io"), [DOCKER_HUB_KEY]);
        assert_eq!(file.helper_keys("r.io"), ["r.io", "https://r.io"]);
    }

    #[test]
    fn syntax_errors_do_not_show_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        assert!(read_credential_file(&path).unwrap().is_none());
        for text in [r#"{"auths":{"r.io":{"auth":12345}}}"#, r#"{"auths":{"r.io":"hush"}}"#, "{"] {
            std::fs::write(&path, text).unwrap();
            let error = read_credential_file(&path).err().unwrap();
            let message = format!("{error} {error:?}");
            assert!(
                message.contains("line 1") && !message.contains("hush") && !message.contains("12345"),
                "{message}"
            );
        }
    }
}
