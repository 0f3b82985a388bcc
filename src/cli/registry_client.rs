//! Makes the registry client from the environment and the flags.

use std::path::PathBuf;

use coracle_core::reference::ImageReference;
use coracle_oci::copy::{self, RegistryImageName};
use coracle_oci::registry::{Credential, RegistryClient, RegistrySettings, Repository, Secret};

use super::args::RegistryArgs;
use super::environment::{env_path, env_text};
use super::error::CliError;

/// Returns a client. Credentials from the environment apply to the registry in CORACLE_REGISTRY,
/// else to that of `images`. Fails if these are in several registries.
pub(super) fn new_registry_client(
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
        let named = || images.iter().map(|image| Repository::from(&image.reference).registry().to_owned());
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
    RegistryClient::new(settings).map_err(|error| copy::CopyError::from(error).into())
}

/// Returns the registry's name in the form of references. Fails if `text` is not the host of a registry.
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
    let home = env_path("HOME");
    let below_home = |rest: &str| home.as_ref().map(|home| home.join(rest));
    let config = env_path("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let docker = env_path("DOCKER_CONFIG").or_else(|| below_home(".docker"));
    let files = [
        first,
        env_path("REGISTRY_AUTH_FILE"),
        env_path("XDG_RUNTIME_DIR").map(|run| run.join("containers/auth.json")),
        config.map(|config| config.join("containers/auth.json")),
        docker.map(|docker| docker.join("config.json")),
    ];
    files.into_iter().flatten().collect()
}

fn split_list(text: String) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}
