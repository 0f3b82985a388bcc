//! The plan of the image of one platform.

use crate::rootfs::{Owner, Rootfs};
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_oci::base::BaseImage;

/// The planned image of one platform.
#[derive(Debug)]
pub struct Plan {
    /// The platform of the programs.
    pub platform: Platform,
    /// The file tree, without files of the base image.
    pub rootfs: Rootfs,
    /// Warnings and hints.
    pub notes: Vec<Note>,
    /// The base image.
    pub base: Option<BaseImage>,
    /// The number of files that are omitted because the base image has them.
    pub shared_files: usize,
    /// The user and group that the program runs as: the recipe's, else the base image's.
    pub user: Owner,
    /// The program's working directory.
    pub(crate) working_dir: ImagePath,
    /// Whether a program is a script whose interpreter is found by `env`, so that `PATH` must be
    /// set.
    pub(crate) needs_search_path: bool,
}
