//! The settings of local engines, from the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use coracle_oci::engine::EngineSettings;

/// Returns the engines' sockets and the directories of their programs. Source: Docker's CLI,
/// "Environment variables"; containerd, `cmd/ctr/app/main.go`.
pub(super) fn engine_settings() -> EngineSettings {
    let usual = EngineSettings::default();
    let text = |name| nonempty_env_var(name).map(|value| value.to_string_lossy().into_owned());
    let search = nonempty_env_var("PATH").map(|path| std::env::split_paths(&path).collect());
    EngineSettings {
        docker_endpoints: text("DOCKER_HOST")
            .map_or_else(|| docker_sockets(usual.docker_endpoints), |host| vec![host]),
        containerd_socket: nonempty_env_var("CONTAINERD_ADDRESS")
            .map_or(usual.containerd_socket, PathBuf::from),
        containerd_namespace: text("CONTAINERD_NAMESPACE").unwrap_or(usual.containerd_namespace),
        program_dirs: search.unwrap_or_default(),
        temp_dir: std::env::temp_dir(),
        timeout: usual.timeout,
    }
}

/// Returns the default socket, and those of rootless Docker and Docker Desktop.
fn docker_sockets(usual: Vec<String>) -> Vec<String> {
    let below = |variable_name: &str, rest: &str| {
        let directory = nonempty_env_var(variable_name).map(PathBuf::from);
        directory.map(|directory| format!("unix://{}", directory.join(rest).display()))
    };
    let own = [below("XDG_RUNTIME_DIR", "docker.sock"), below("HOME", ".docker/run/docker.sock")];
    usual.into_iter().chain(own.into_iter().flatten()).collect()
}

/// Returns an environment variable; `None` if unset or empty.
#[allow(clippy::disallowed_methods, reason = "the command line reads the environment, the library never")]
fn nonempty_env_var(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
