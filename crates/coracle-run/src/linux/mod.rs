//! What needs Linux: namespaces, mounts, users, inotify.

mod change_watcher;
mod id_map;
mod namespace_entry;
mod open_watcher;
mod process;
mod protocol;
mod root_builder;
mod rootfs_store;
mod run_directory;
mod runtime_process;
mod sandbox;
mod sandbox_init;
mod stage;
mod volume_writer;

pub use change_watcher::ChangeWatcher;
pub use namespace_entry::enter_namespaces;
pub use open_watcher::report_opens;
pub use process::{signal_number, signal_process};
pub use protocol::{ContainerExit, OpenedFile, SandboxEvent, SandboxVolume};
pub use rootfs_store::{Rootfs, RootfsStore};
pub use run_directory::{RunDirectory, RunRecord};
pub use sandbox::{Sandbox, SandboxSettings};
pub use stage::run_stage;
pub use volume_writer::VolumeWriter;
