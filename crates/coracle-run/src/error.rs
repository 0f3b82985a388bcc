//! Errors of running images.

use std::io;
use std::path::PathBuf;

use coracle_core::digest::Digest;
use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::path::ImagePath;
use coracle_oci::layout::LayoutError;

use crate::port_mapping::PortMapping;
use crate::runtime::{Runtime, RuntimeKind};

/// Why an image cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// The image cannot be read.
    #[error(transparent)]
    Image(LayoutError),
    /// A layer cannot be unpacked.
    #[error("cannot unpack the layer `{diff_id}`")]
    Layer {
        /// The digest of its tar.
        diff_id: Digest,
        /// The cause.
        source: io::Error,
    },
    /// The config does not have a diff ID for each layer.
    #[error("cannot unpack `{0}`: its config does not have one diff ID for each layer")]
    DiffIds(String),
    /// A path that has something else than a directory above it.
    #[error("cannot unpack `{0}`: what is above it in the image is not a directory")]
    ImpossiblePath(ImagePath),
    /// A mount point that is a file in the image.
    #[error("cannot mount anything at `{0}`: the image has something else than a directory there")]
    MountPointIsNoDirectory(ImagePath),
    /// There is no program that runs containers.
    #[error(
        "nothing on this machine can run a container: crun, runc, youki, podman and docker are not in PATH"
    )]
    NoRuntime,
    /// The runtime that was asked for is not installed.
    #[error("`--runtime {0}`: there is no such program in PATH")]
    MissingRuntime(RuntimeKind),
    /// A program cannot be started.
    #[error("cannot run `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The kernel refuses namespaces.
    #[error("cannot create {what}")]
    Namespaces {
        /// Which namespaces.
        what: &'static str,
        /// `true` if this process is root.
        is_root: bool,
        /// The cause.
        source: io::Error,
    },
    /// A process of the sandbox has reported an error.
    #[error("cannot set the container up: {0}")]
    Sandbox(String),
    /// The runtime could not start the program.
    #[error("{runtime} cannot start the program: {message}")]
    Runtime {
        /// The runtime.
        runtime: Runtime,
        /// What it said.
        message: String,
    },
    /// A port cannot be listened on.
    #[error("port {port} of this machine {}", port_problem(source))]
    Port {
        /// The port.
        port: u16,
        /// The cause.
        source: io::Error,
    },
    /// A protocol that cannot be forwarded.
    #[error("`{0}`: only TCP can be forwarded from one port to another")]
    ForwardedProtocol(PortMapping),
    /// The image is for another machine, and nothing emulates it.
    #[error("the image is for {image}, but this machine is {host}")]
    Architecture {
        /// The image's architecture.
        image: String,
        /// This machine's architecture.
        host: String,
    },
}

fn port_problem(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "is in use",
        io::ErrorKind::PermissionDenied => "may be used by root alone",
        _ => "cannot be listened on",
    }
}

impl RunError {
    /// Returns the error that a layer cannot be unpacked.
    pub(crate) fn layer(diff_id: Digest, source: io::Error) -> Self {
        Self::Layer { diff_id, source }
    }
}

impl Hint for RunError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.hint(),
            Self::Image(error) => return error.hint(),
            Self::Layer { .. } | Self::DiffIds(_) | Self::ImpossiblePath(_) => {
                "build the image again, or copy it again from where it came from".into()
            }
            Self::MountPointIsNoDirectory(_) => "choose another mount path, such as `/etc/NAME`".into(),
            Self::NoRuntime => {
                "install one of them: `apt install crun`, `dnf install crun`, `pacman -S crun` or `apk add crun`".into()
            }
            Self::MissingRuntime(kind) => format!("install it, such as with `apt install {kind}`, or leave `--runtime` out"),
            Self::Start { .. } => "check that it is installed and executable".into(),
            Self::Namespaces { is_root: true, .. } => {
                "this process is root without the right to create namespaces: give its container `--privileged`, or \
                 `--cap-add SYS_ADMIN` with `--security-opt seccomp=unconfined`"
                    .into()
            }
            Self::Namespaces { .. } => "allow user namespaces: `sysctl -w user.max_user_namespaces=15000`; on Debian before 12 \
                 also `sysctl -w kernel.unprivileged_userns_clone=1`, on Ubuntu from 24.04 \
                 `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; or use `--runtime podman`"
                .into(),
            Self::Sandbox(_) => return None,
            Self::Runtime { message, .. } if message.contains("cgroup") => {
                "mount cgroups, or install crun, which can do without them; `--runtime podman` and `--runtime docker` \
                 use an engine"
                    .into()
            }
            Self::Runtime { .. } => "`--runtime` chooses another runtime".into(),
            Self::Port { port, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                format!("choose a port from 1024 on, or `sysctl -w net.ipv4.ip_unprivileged_port_start={port}`")
            }
            Self::Port { port, .. } => {
                format!("end the program that uses it (`ss -ltnp sport = :{port}` shows it), or choose another port")
            }
            Self::ForwardedProtocol(mapping) => format!("use the same number for both: `-p {}`", mapping.container),
            Self::Architecture { image, .. } => format!(
                "build it for this machine, or let QEMU run programs for {image}: `apt install qemu-user-static binfmt-support`"
            ),
        })
    }
}
