//! Reads environment variables, and makes from them the settings of local engines and, with the flags,
//! the registry client. The library never reads the environment: the command line passes it settings.

use std::ffi::OsString;
use std::path::PathBuf;

use coracle_core::reference::ImageReference;
use coracle_oci::copy::{self, RegistryImageName};
use coracle_oci::engine::EngineSettings;
use coracle_oci::registry::{Credential, RegistryClient, RegistrySettings, Repository, Secret};

use super::args::RegistryArgs;
use super::error::CliError;

/// Returns an environment variable, even if it is empty; `None` if it is unset.
#[allow(clippy::disallowed_methods, reason = "the only function that reads the environment")]
pub(super) fn env_var(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Returns an environment variable; `None` if it is unset or empty.
pub(super) fn nonempty_env_var(name: &str) -> Option<OsString> {
    env_var(name).filter(|value| !value.is_empty())
}

/// Returns an environment variable as text; `None` if it is unset or empty.
pub(super) fn env_text(name: &str) -> Option<String> {
    nonempty_env_var(name).map(|value| value.to_string_lossy().into_owned())
}

/// Returns an environment variable as a path; `None` if it is unset or empty.
pub(super) fn env_path(name: &str) -> Option<PathBuf> {
    nonempty_env_var(name).map(PathBuf::from)
}

/// Returns the engines' sockets and the directories of their programs. Source: Docker's CLI,
/// "Environment variables"; containerd, `cmd/ctr/app/main.go`.
pub(super) fn engine_settings() -> EngineSettings {
    let defaults = EngineSettings::default();
    let search = nonempty_env_var("PATH").map(|path| std::env::split_paths(&path).collect());
    EngineSettings {
        docker_endpoints: env_text("DOCKER_HOST")
            .map_or_else(|| docker_sockets(defaults.docker_endpoints), |host| vec![host]),
        containerd_socket: env_path("CONTAINERD_ADDRESS").unwrap_or(defaults.containerd_socket),
        containerd_namespace: env_text("CONTAINERD_NAMESPACE").unwrap_or(defaults.containerd_namespace),
        program_dirs: search.unwrap_or_default(),
        temp_dir: std::env::temp_dir(),
        timeout: defaults.timeout,
    }
}

/// Returns the default socket, and the sockets of rootless Docker and Docker Desktop.
fn docker_sockets(defaults: Vec<String>) -> Vec<String> {
    let below = |variable: &str, rest: &str| {
        env_path(variable).map(|directory| format!("unix://{}", directory.join(rest).display()))
    };
    let of_user = [below("XDG_RUNTIME_DIR", "docker.sock"), below("HOME", ".docker/run/docker.sock")];
    defaults.into_iter().chain(of_user.into_iter().flatten()).collect()
}

/// Returns a client. Credentials from the environment apply to the registry in CORACLE_REGISTRY,
/// else to that of `written`, the images that the command writes. Images that are only read may be
/// named by a file of a checkout, so their registry gets them only if CORACLE_REGISTRY names it.
/// Fails if `written` are in several registries.
pub(super) fn new_registry_client(
    args: &RegistryArgs,
    written: &[&RegistryImageName],
) -> Result<RegistryClient, CliError> {
    let mut settings = RegistrySettings {
        credential_files: credential_files(args.authfile.clone()),
        certificate_files: args.ca_file.clone(),
        insecure_registries: args.insecure.clone(),
        upload_hosts: args.upload_host.clone(),
        proxy: ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
            .into_iter()
            .find_map(env_text)
            .map(Secret::new),
        no_proxy: ["NO_PROXY", "no_proxy"].into_iter().find_map(env_text).map(split_list).unwrap_or_default(),
        ..RegistrySettings::default()
    };
    if let Some(credential) = env_credential()? {
        let configured = env_text("CORACLE_REGISTRY").map(|text| normalize_registry(&text)).transpose()?;
        let named = || written.iter().map(|image| Repository::from(&image.reference).registry().to_owned());
        let registries = configured.map_or_else(|| named().collect(), |registry| vec![registry]);
        settings.credentials =
            registries.into_iter().map(|registry| (registry, credential.clone())).collect();
        if settings.credentials.len() > 1 {
            let named: Vec<String> =
                settings.credentials.keys().map(|registry| format!("`{registry}`")).collect();
            return Err(CliError::usage(
                format!(
                    "the credentials in the environment are for one registry, but the images are written to several: {}",
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
    let hint =
        "set either CORACLE_REGISTRY_USER and CORACLE_REGISTRY_PASSWORD, or only CORACLE_REGISTRY_TOKEN";
    let incomplete = |set, missing| {
        Err(CliError::usage(format!("{set} is set, but {missing} is not set or is empty"), hint))
    };
    match (user, password, token) {
        (None, None, None) => Ok(None),
        (None, None, Some(token)) => Ok(Some(Credential::RegistryToken(Secret::new(token)))),
        (Some(user), Some(password), None) => Ok(Some(Credential::password(user, password))),
        (Some(_), None, None) => incomplete("CORACLE_REGISTRY_USER", "CORACLE_REGISTRY_PASSWORD"),
        (None, Some(_), None) => incomplete("CORACLE_REGISTRY_PASSWORD", "CORACLE_REGISTRY_USER"),
        (user, _, Some(_)) => {
            let other = if user.is_some() { "CORACLE_REGISTRY_USER" } else { "CORACLE_REGISTRY_PASSWORD" };
            Err(CliError::usage(format!("CORACLE_REGISTRY_TOKEN and {other} are both set"), hint))
        }
    }
}

/// Returns the credential files of Podman and Docker, after `authfile`. Source:
/// containers-auth.json(5); Docker's CLI, `config.json`.
fn credential_files(authfile: Option<PathBuf>) -> Vec<PathBuf> {
    let home = env_path("HOME");
    let below_home = |rest: &str| home.as_ref().map(|home| home.join(rest));
    let config = env_path("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let docker = env_path("DOCKER_CONFIG").or_else(|| below_home(".docker"));
    let files = [
        authfile,
        env_path("REGISTRY_AUTH_FILE"),
        env_path("XDG_RUNTIME_DIR").map(|run| run.join("containers/auth.json")),
        config.map(|config| config.join("containers/auth.json")),
        docker.map(|docker| docker.join("config.json")),
    ];
    files.into_iter().flatten().collect()
}

fn split_list(text: String) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}
