//! Docker's `config.json` and Podman's `auth.json`, which have one form. Source: containers-auth.json(5), and Docker's
//! `docker login`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use coracle_core::fs::Context;
use crate::registry::repository::canonical;
use crate::registry::{Credential, Error, Repository, Secret};

/// Docker Hub's key, which is no URL of any registry.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// No such file is a hundredth of it.
const LARGEST: u64 = 4 << 20;

#[derive(Deserialize)]
pub(super) struct File {
    #[serde(skip)]
    path: PathBuf,
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// The file at `path`; nothing when there is none.
pub(super) fn read(path: &Path) -> Result<Option<File>, Error> {
    let open = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        open => open.context("open", path)?,
    };
    let mut bytes = Vec::new();
    open.take(LARGEST).read_to_end(&mut bytes).context("read", path)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    // Serde's own message could repeat a value.
    let file: Result<File, serde_json::Error> = serde_json::from_slice(&bytes);
    match file {
        Ok(file) => Ok(Some(File { path: path.to_owned(), ..file })),
        Err(error) => {
            let why = format!("line {}, column {} is not what Docker writes", error.line(), error.column());
            Err(Error::Credentials { path: path.to_owned(), why })
        }
    }
}

impl File {
    /// The helper for `registry`: its own, or the one for all.
    pub(super) fn helper(&self, registry: &str) -> Option<String> {
        let own = self.helpers.iter().find(|(key, _)| host(key) == registry).map(|(_, helper)| helper);
        own.or(self.store.as_ref()).filter(|helper| !helper.is_empty()).cloned()
    }

    /// What helpers may know `registry` by: as this file spells it, then as everybody does.
    pub(super) fn keys(&self, registry: &str) -> Vec<String> {
        let spelled = self.auths.keys().chain(self.helpers.keys()).filter(|key| host(key) == registry);
        let usual = if registry == "docker.io" { HUB_KEY } else { registry };
        let mut keys = vec![usual.to_owned()];
        for key in spelled {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// The credentials that stand here: of the repository, of the namespaces above it, of the registry.
    pub(super) fn find(&self, repository: &Repository) -> Option<Result<Credential, Error>> {
        let whole = repository.to_string();
        let scopes = whole.match_indices('/').map(|(at, _)| whole.get(..at).unwrap_or_default());
        let mut scopes: Vec<&str> = scopes.chain([whole.as_str()]).collect();
        scopes.reverse();
        for scope in scopes {
            let exact = self.auths.get_key_value(scope);
            let same = || self.auths.iter().find(|(key, _)| normal(key) == scope);
            if let Some(found) = exact.or_else(same).and_then(|(key, entry)| self.credential(key, entry)) {
                return Some(found);
            }
        }
        None
    }

    /// Nothing for an entry that only says that a helper knows.
    fn credential(&self, key: &str, entry: &Entry) -> Option<Result<Credential, Error>> {
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
            let why = format!("`auth` of `{key}` is not `USER:PASSWORD` in base64");
            Error::Credentials { path: self.path.clone(), why }
        };
        Some(decoded(&entry.auth).ok_or_else(error))
    }
}

fn decoded(auth: &str) -> Option<Credential> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    // Docker once padded what it encoded.
    Some(Credential::password(user, password.trim_end_matches('\0')))
}

/// The registry that a key is for.
fn host(key: &str) -> String {
    canonical(without_scheme(key).split('/').next().unwrap_or_default())
}

/// A key as a registry, a namespace or a repository: the path of a URL (`/v1/`) names none.
fn normal(key: &str) -> String {
    match without_scheme(key).split_once('/') {
        Some((_, rest)) if without_scheme(key) == key && !["", "v1", "v1/", "v2", "v2/"].contains(&rest) => {
            format!("{}/{}", host(key), rest.trim_end_matches('/'))
        }
        _ => host(key),
    }
}

fn without_scheme(key: &str) -> &str {
    key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::reference::Reference;

    fn user(json: &str, name: &str) -> Option<String> {
        let file: File = serde_json::from_str(json).unwrap();
        match file.find(&Repository::from(&name.parse::<Reference>().unwrap()))? {
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
    fn the_most_specific_key_counts() {
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
    fn docker_hub_has_many_names() {
        for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"] {
            assert_eq!(user(&auths(&[(key, "me")]), "acme/shop").as_deref(), Some("me:p:w"), "{key}");
        }
        let json = auths(&[("https://index.docker.io/v1/", "me"), ("docker.io/acme", "acme")]);
        assert_eq!(user(&json, "acme/shop").as_deref(), Some("acme:p:w"));
    }

    #[test]
    fn kinds_of_entries() {
        for (entry, expected) in [
            (r#"{"identitytoken":"hush","auth":"bTo="}"#, Some("Ok(IdentityToken([secret]))")),
            (r#"{"registrytoken":"hush"}"#, Some("Ok(RegistryToken([secret]))")),
            (r#"{"username":"u","password":"p"}"#, Some("u:p")),
            ("{}", None),
            (r#"{"email":"a@b"}"#, None),
        ] {
            let json = format!(r#"{{"auths":{{"r.io":{entry}}}}}"#);
            assert_eq!(user(&json, "r.io/a").as_deref(), expected, "{entry}");
        }
        for auth in ["aHVzaA==", "!", "hush"] {
            let said = user(&format!(r#"{{"auths":{{"r.io":{{"auth":"{auth}"}}}}}}"#), "r.io/a").unwrap();
            assert!(said.contains("Err") && !said.contains("hush"), "{said}");
        }
    }

    #[test]
    fn helpers_are_chosen_by_registry() {
        let json = r#"{"credsStore":"all","credHelpers":{"https://r.io":"own"},"auths":{"https://index.docker.io/v1/":{}}}"#;
        let file: File = serde_json::from_str(json).unwrap();
        assert_eq!(file.helper("r.io").as_deref(), Some("own"));
        assert_eq!(file.helper("docker.io").as_deref(), Some("all"));
        assert_eq!(file.keys("docker.io"), [HUB_KEY]);
        assert_eq!(file.keys("r.io"), ["r.io", "https://r.io"]);
    }

    #[test]
    fn a_broken_file_is_told_without_its_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        assert!(read(&path).unwrap().is_none());
        for text in [r#"{"auths":{"r.io":{"auth":12345}}}"#, r#"{"auths":{"r.io":"hush"}}"#, "{"] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).err().unwrap();
            let said = format!("{error} {error:?}");
            assert!(said.contains("line 1") && !said.contains("hush") && !said.contains("12345"), "{said}");
        }
    }
}
