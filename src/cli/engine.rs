//! The settings of local engines, from the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use coracle_oci::engine::Settings;

/// Returns the engines' sockets and the directories of their programs. Source: Docker's CLI,
/// "Environment variables"; containerd, `cmd/ctr/app/main.go`.
pub(super) fn settings() -> Settings {
    let usual = Settings::default();
    let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
    let search = variable("PATH").map(|path| std::env::split_paths(&path).collect());
    Settings {
        docker: text("DOCKER_HOST").map_or_else(|| sockets(usual.docker), |host| vec![host]),
        containerd: variable("CONTAINERD_ADDRESS").map_or(usual.containerd, PathBuf::from),
        namespace: text("CONTAINERD_NAMESPACE").unwrap_or(usual.namespace),
        search: search.unwrap_or_default(),
        temporary: std::env::temp_dir(),
        patience: usual.patience,
    }
}

/// Returns the default socket, and those of rootless Docker and Docker Desktop.
fn sockets(usual: Vec<String>) -> Vec<String> {
    let below = |variable_name: &str, rest: &str| {
        let directory = variable(variable_name).map(PathBuf::from);
        directory.map(|directory| format!("unix://{}", directory.join(rest).display()))
    };
    let own = [below("XDG_RUNTIME_DIR", "docker.sock"), below("HOME", ".docker/run/docker.sock")];
    usual.into_iter().chain(own.into_iter().flatten()).collect()
}

/// Returns an environment variable; `None` if unset or empty.
#[allow(clippy::disallowed_methods, reason = "the command line reads the environment, the library never")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
