//! Read-only file system views, and resolution of raw paths in them.
//!
//! A host directory, a base image and a planned image all implement [`FileSystem`], so dependencies
//! resolve in each of them alike. Links never leave the root: absolute targets start at the root,
//! and `..` stops there.

mod child_names;
mod host_fs;
mod memory_fs;
mod path_resolution;
mod view;

pub use child_names::child_names;
pub use host_fs::HostFs;
pub use memory_fs::MemoryFs;
pub use path_resolution::{PathResolution, ResolutionEnd, ResolutionStep, resolve_path};
pub use view::{CancellableFs, FileSystem, FsFile, FsNode, OverlayFs, UntrackedFs};
