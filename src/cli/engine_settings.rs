//! The settings of local engines, from the environment.

use coracle_oci::engine::EngineSettings;

use super::environment::{env_path, env_text, nonempty_env_var};

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

/// Returns the default socket, and those of rootless Docker and Docker Desktop.
fn docker_sockets(defaults: Vec<String>) -> Vec<String> {
    let below = |variable: &str, rest: &str| {
        env_path(variable).map(|directory| format!("unix://{}", directory.join(rest).display()))
    };
    let of_user = [below("XDG_RUNTIME_DIR", "docker.sock"), below("HOME", ".docker/run/docker.sock")];
    defaults.into_iter().chain(of_user.into_iter().flatten()).collect()
}
