//! Runs an image on this machine as a restricted Kubernetes pod would: a user without rights, a
//! read-only root, no capabilities, and configuration in volumes as a kubelet writes them.
//!
//! - [`Container`] is what is run. [`bundle`] converts it to the `config.json` of an OCI runtime,
//!   [`engine_command`] to the command line of Podman or Docker, to Compose or to a Quadlet.
//! - [`VolumeFile`] is a file of a mounted ConfigMap or Secret.
//! - On Linux, `RootfsStore` unpacks images, and shares their files between runs; `Sandbox` runs an
//!   OCI runtime in its own namespaces, which end with this process; `VolumeWriter` replaces the files
//!   of a volume as a kubelet does.
//!
//! ```
//! use coracle_run::{Container, bundle};
//!
//! let container = Container { args: vec!["/app/shop".into()], uid: 65532, gid: 65532, ..Container::new("shop") };
//! let config = bundle::bundle_config(&container, "/run/shop/rootfs".as_ref(), &bundle::BundleSettings::default());
//! assert_eq!(config["process"]["noNewPrivileges"], true);
//! assert_eq!(config["root"]["readonly"], true);
//! ```
//!
//! The crate knows nothing of recipes, templates or the command line, and reads no environment
//! variables. It needs no daemon of its own.

pub mod bundle;
mod container;
pub mod engine_command;
mod error;
#[cfg(target_os = "linux")]
mod linux;
mod port_mapping;
mod port_proxy;
pub mod probe;
mod runtime;
pub mod seccomp;
mod volume;

pub use container::{BindMount, Container};
pub use error::RunError;
#[cfg(target_os = "linux")]
pub use linux::{
    ChangeWatcher, ContainerExit, OpenedFile, Rootfs, RootfsStore, RunDirectory, RunRecord, Sandbox,
    SandboxEvent, SandboxSettings, SandboxVolume, VolumeWriter, enter_namespaces, report_opens, run_stage,
    signal_number, signal_process,
};
pub use port_mapping::{ParsePortMappingError, PortMapping};
pub use port_proxy::PortProxy;
pub use runtime::{ParseRuntimeError, Runtime, RuntimeKind, find_runtime};
pub use volume::VolumeFile;
