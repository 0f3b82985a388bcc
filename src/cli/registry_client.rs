//! Makes the registry client from the environment and the flags.

use std::ffi::OsString;
use std::path::PathBuf;

use coracle_core::reference::ImageReference;
use coracle_oci::copy::{CopyError, RegistryImageName};
use coracle_oci::registry::{Credential, RegistryClient, RegistrySettings, Repository, Secret};

use super::args::RegistryArgs;
use super::error::{CliError, error_chain};
use super::exit::CliExit;

/// Returns a client. Credentials from the environment apply to the registry in CORACLE_REGISTRY,
/// else to that of `images`. Fails if these are in several registries.
pub(super) fn registry_client(
    args: &RegistryArgs,
    images: &[&RegistryImageName],
) -> Result<RegistryClient, CliError> {
    let mut settings = RegistrySettings {
        credential_files: credential_files(args.authfile.clone()),
        certificate_files: args.ca_file.clone(),
        insecure_registries: args.insecure.clone(),
        proxy: ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
            .into_iter()
            .find_map(env_text)
            .map(Secret::new),
        no_proxy: ["NO_PROXY", "no_proxy"].into_iter().find_map(env_text).map(split_list).unwrap_or_default(),
        ..RegistrySettings::default()
    };
    if let Some(credential) = env_credential()? {
        let configured = env_text("CORACLE_REGISTRY").map(|text| normalize_registry(&text)).transpose()?;
        let named = || images.iter().map(|named| Repository::from(&named.reference).registry().to_owned());
        let registries = configured.map_or_else(|| named().collect(), |registry| vec![registry]);
        settings.credentials =
            registries.into_iter().map(|registry| (registry, credential.clone())).collect();
        if settings.credentials.len() > 1 {
            let named: Vec<String> =
                settings.credentials.keys().map(|registry| format!("`{registry}`")).collect();
            return Err(CliError::usage(
                format!(
                    "the credentials in the environment are for one registry, but the images are in several: {}",
                    named.join(", ")
                ),
                "name their registry in CORACLE_REGISTRY, or log in to each with `podman login` or `docker login`",
            ));
        }
    }
    RegistryClient::new(settings).map_err(|error| from_transfer_error(&CopyError::from(error)))
}

/// Converts the error of a copy. Errors of a registry or the network have their own exit code.
pub(super) fn from_transfer_error(error: &CopyError) -> CliError {
    let exit = match error {
        CopyError::Cancelled => CliExit::Interrupted,
        error if error.is_network() => CliExit::Network,
        _ => CliExit::Failed,
    };
    CliError { exit, message: error_chain(error), hint: error.hint() }
}

/// Normalizes a registry's name.
fn normalize_registry(text: &str) -> Result<String, CliError> {
    let reference =
        (!text.contains('/')).then(|| format!("{text}/x").parse::<ImageReference>().ok()).flatten();
    let repository = reference.map(|reference| Repository::from(&reference));
    let named = repository.filter(|repository| repository.name() == "x" || repository.name() == "library/x");
    named.map(|repository| repository.registry().to_owned()).ok_or_else(|| {
        CliError::usage(
            format!("CORACLE_REGISTRY: `{text}` is not the host of a registry"),
            "write it as in image names, such as `ghcr.io` or `localhost:5000`",
        )
    })
}

/// Returns the credentials from the environment, as set by CI.
fn env_credential() -> Result<Option<Credential>, CliError> {
    let [user, password, token] =
        ["CORACLE_REGISTRY_USER", "CORACLE_REGISTRY_PASSWORD", "CORACLE_REGISTRY_TOKEN"].map(env_text);
    match (user, password, token) {
        (None, None, None) => Ok(None),
        (None, None, Some(token)) => Ok(Some(Credential::RegistryToken(Secret::new(token)))),
        (Some(user), Some(password), None) => Ok(Some(Credential::password(user, password))),
        _ => Err(CliError::usage(
            "the registry credentials in the environment are incomplete or ambiguous",
            "set either CORACLE_REGISTRY_USER and CORACLE_REGISTRY_PASSWORD, or only CORACLE_REGISTRY_TOKEN",
        )),
    }
}

/// Returns the credential files of Podman and Docker, after `first`. Source:
/// containers-auth.json(5); Docker's CLI, `config.json`.
fn credential_files(first: Option<PathBuf>) -> Vec<PathBuf> {
    let path = |name: &str| nonempty_env_var(name).map(PathBuf::from);
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

fn split_list(text: String) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn env_text(name: &str) -> Option<String> {
    nonempty_env_var(name).map(|value| value.to_string_lossy().into_owned())
}

/// Returns an environment variable; `None` if unset or empty.
#[allow(clippy::disallowed_methods, reason = "the command line reads the environment, the library never")]
fn nonempty_env_var(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
