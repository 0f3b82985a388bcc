//! The file system that each program is resolved in: the host, a root with everything, or a sysroot
//! with libraries.

mod program_groups;
mod root_file_systems;
mod sysroot_fs;

pub(crate) use program_groups::{ProgramGroup, program_groups};
pub(crate) use root_file_systems::platform_at;
pub use root_file_systems::{RootFileSystems, RootId};
