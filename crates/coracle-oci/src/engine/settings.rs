//! The configuration of engines: plain values, set by the caller.

use std::path::PathBuf;
use std::time::Duration;

/// The configuration of engines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineSettings {
    /// Docker endpoints in the form of `DOCKER_HOST`: `unix:///var/run/docker.sock`,
    /// `tcp://127.0.0.1:2375`. The first that accepts connections is used.
    pub docker_endpoints: Vec<String>,
    /// The socket of containerd.
    pub containerd_socket: PathBuf,
    /// The containerd namespace of image names without one.
    pub containerd_namespace: String,
    /// The directories to search for `podman` and `ctr`.
    pub program_dirs: Vec<PathBuf>,
    /// The directory for temporary archives, which copying from an engine needs.
    pub temp_dir: PathBuf,
    /// The timeout of each read and write. While an image is loaded it is 20 times as long.
    pub timeout: Duration,
}

impl Default for EngineSettings {
    /// The usual sockets, and no directories to search for programs.
    fn default() -> Self {
        Self {
            docker_endpoints: vec!["unix:///var/run/docker.sock".into()],
            containerd_socket: "/run/containerd/containerd.sock".into(),
            containerd_namespace: "default".into(),
            program_dirs: Vec::new(),
            temp_dir: "/var/tmp".into(),
            timeout: Duration::from_secs(30),
        }
    }
}
