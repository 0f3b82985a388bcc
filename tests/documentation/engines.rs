//! Podman, Docker and containerd in a sandbox of their own, which ends with the test.

use std::process::Command;

use coracle_testing::requirement::Program;
use coracle_testing::sandbox::Sandbox;

/// Required programs, and the other programs that pages run with containers.
pub(crate) const NEEDS: &[Program] = &[
    Program("podman", "podman"),
    Program("dockerd", "docker.io"),
    Program("docker", "docker.io"),
    Program("containerd", "containerd"),
    Program("ctr", "containerd"),
    Program("runc", "runc"),
    Program("umoci", "umoci"),
    Program("strace", "strace"),
];

/// Limits and control groups as a container of a CI has them: podman's own are for a host with systemd.
const CONTAINERS: &str = r#"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"#;

/// Flags that keep dockerd away from the host's network, which is not in the sandbox.
const NO_NETWORK: [&str; 5] =
    ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"];

pub(crate) struct Engines {
    sandbox: Sandbox,
}

impl Engines {
    /// Podman alone, which has no daemon.
    pub(crate) fn podman_alone() -> Self {
        let sandbox = Sandbox::new();
        let root = sandbox.data().join("podman");
        sandbox.file("containers.conf", CONTAINERS);
        let storage =
            format!("[storage]\ndriver = \"overlay\"\ngraphroot = {root:?}\nrunroot = \"/run/podman\"\n");
        sandbox.file("storage.conf", &storage);
        Self { sandbox }
    }

    /// All three.
    pub(crate) fn all() -> Self {
        let engines = Self::podman_alone();
        engines.docker();
        engines.containerd();
        engines
    }

    fn docker(&self) {
        let sandbox = &self.sandbox;
        let config = sandbox.file("daemon.json", "{}");
        let mut daemon =
            sandbox.command(["dockerd", "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid"]);
        daemon.arg("--config-file").arg(config).arg("--data-root").arg(sandbox.data().join("docker"));
        daemon.args(["--host", &self.docker_host(), "--cgroup-parent", &format!("/{}", sandbox.cgroup)]);
        sandbox.daemon(daemon.args(NO_NETWORK), || {
            sandbox.command(["docker", "--host", &self.docker_host(), "info"])
        });
    }

    fn containerd(&self) {
        let (sandbox, socket) = (&self.sandbox, self.containerd_socket());
        let root = sandbox.data().join("containerd");
        let config = format!(
            "version = 2\nroot = {root:?}\nstate = \"/run/containerd-state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {socket:?}\n"
        );
        let config = sandbox.file("containerd.toml", &config);
        let mut daemon = sandbox.command(["containerd", "--config", config.to_str().unwrap()]);
        sandbox.daemon(&mut daemon, || sandbox.command(["ctr", "--address", &socket, "version"]));
    }

    fn docker_host(&self) -> String {
        format!("unix://{}/docker.sock", self.sandbox.data().display())
    }

    fn containerd_socket(&self) -> String {
        self.sandbox.data().join("containerd.sock").display().to_string()
    }

    /// The usual settings of users of these engines.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let file = |name: &str| self.sandbox.shared().join(name).display().to_string();
        vec![
            ("CONTAINERS_CONF", file("containers.conf")),
            ("CONTAINERS_STORAGE_CONF", file("storage.conf")),
            ("DOCKER_HOST", self.docker_host()),
            ("CONTAINERD_ADDRESS", self.containerd_socket()),
        ]
    }

    /// A script that is `podman`: its containers have no network, and belong to the sandbox.
    pub(crate) fn podman(&self) -> String {
        let more = format!("--network=none --pull=never --cgroup-parent=/{}", self.sandbox.cgroup);
        format!("verb=$1; shift\n[ \"$verb\" = run ] && verb='run {more}'\nexec /usr/bin/podman $verb \"$@\"")
    }

    /// A command among them.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.sandbox.command(words)
    }
}
