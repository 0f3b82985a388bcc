//! Makes the registry client from the environment and the flags.

use std::ffi::OsString;
use std::path::PathBuf;

use coracle_core::reference::Reference;
use coracle_oci::registry::{Client, Credential, Repository, Secret, Settings};
use coracle_oci::copy::{Error, Named};

use super::args::RegistryArgs;
use super::exit::Exit;
use super::failure::{Failure, chain};

/// Returns a client. Credentials from the environment apply to the registry in CORACLE_REGISTRY,
/// else to that of `images`. Fails if these are in several registries.
pub(super) fn client(args: &RegistryArgs, images: &[&Named]) -> Result<Client, Failure> {
    let mut settings = Settings {
        credential_files: credential_files(args.authfile.clone()),
        certificates: args.ca_file.clone(),
        insecure: args.insecure.clone(),
        proxy: ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
            .into_iter()
            .find_map(text)
            .map(Secret::new),
        no_proxy: ["NO_PROXY", "no_proxy"].into_iter().find_map(text).map(list).unwrap_or_default(),
        ..Settings::default()
    };
    if let Some(credential) = credential()? {
        let configured = text("CORACLE_REGISTRY").map(|text| registry_named(&text)).transpose()?;
        let named = || images.iter().map(|named| Repository::from(&named.reference).registry().to_owned());
        let registries = configured.map_or_else(|| named().collect(), |registry| vec![registry]);
        settings.credentials =
            registries.into_iter().map(|registry| (registry, credential.clone())).collect();
        if settings.credentials.len() > 1 {
            let named: Vec<String> =
                settings.credentials.keys().map(|registry| format!("`{registry}`")).collect();
            return Err(Failure::usage(
                format!(
                    "the credentials in the environment are for one registry, but the images are in several: {}",
                    named.join(", ")
                ),
                "name their registry in CORACLE_REGISTRY, or log in to each with `podman login` or `docker login`",
            ));
        }
    }
    Client::new(settings).map_err(|error| failure(&Error::from(error)))
}

/// Converts the error of a copy. Errors of a registry or the network have their own exit code.
pub(super) fn failure(error: &Error) -> Failure {
    let exit = match error {
        Error::Interrupted => Exit::Interrupted,
        error if error.is_network() => Exit::Network,
        _ => Exit::Failed,
    };
    Failure { exit, message: chain(error), hint: error.hint() }
}

/// Normalizes a registry's name.
fn registry_named(text: &str) -> Result<String, Failure> {
    let reference = (!text.contains('/')).then(|| format!("{text}/x").parse::<Reference>().ok()).flatten();
    let repository = reference.map(|reference| Repository::from(&reference));
    let named = repository.filter(|repository| repository.name() == "x" || repository.name() == "library/x");
    named.map(|repository| repository.registry().to_owned()).ok_or_else(|| {
        Failure::usage(
            format!("CORACLE_REGISTRY: `{text}` is not the host of a registry"),
            "write it as in image names, such as `ghcr.io` or `localhost:5000`",
        )
    })
}

/// Returns the credentials from the environment, as set by CI.
fn credential() -> Result<Option<Credential>, Failure> {
    let [user, password, token] =
        ["CORACLE_REGISTRY_USER", "CORACLE_REGISTRY_PASSWORD", "CORACLE_REGISTRY_TOKEN"].map(text);
    match (user, password, token) {
        (None, None, None) => Ok(None),
        (None, None, Some(token)) => Ok(Some(Credential::RegistryToken(Secret::new(token)))),
        (Some(user), Some(password), None) => Ok(Some(Credential::password(user, password))),
        _ => Err(Failure::usage(
            "the registry credentials in the environment are incomplete or ambiguous",
            "set either CORACLE_REGISTRY_USER and CORACLE_REGISTRY_PASSWORD, or only CORACLE_REGISTRY_TOKEN",
        )),
    }
}

/// Returns the credential files of Podman and Docker, after `first`. Source:
/// containers-auth.json(5); Docker's CLI, `config.json`.
fn credential_files(first: Option<PathBuf>) -> Vec<PathBuf> {
    let path = |name: &str| variable(name).map(PathBuf::from);
    let home = path("HOME");
    let below_home = |rest: &str| home.as_ref().map(|home| home.join(rest));
    let config = path("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let docker = path("DOCKER_CONFIG").or_else(|| below_home(".docker"));
    let files = [
        first,
        path("REGISTRY_AUTH_FILE"),
        path("XDG_RUNTIME_DIR").map(|run| run.join("containers/auth.json")),
        config.map(|config| config.join("containers/auth.json")),
        docker.map(|docker| docker.join("config.json")),
    ];
    files.into_iter().flatten().collect()
}

fn list(text: String) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn text(name: &str) -> Option<String> {
    variable(name).map(|value| value.to_string_lossy().into_owned())
}

/// Returns an environment variable; `None` if unset or empty.
#[allow(clippy::disallowed_methods, reason = "the command line reads the environment, the library never")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
