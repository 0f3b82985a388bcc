//! The plan of the image of one platform.

use crate::inventory::ImageInventory;
use crate::rootfs::{Owner, Rootfs};
use coracle_core::note::{DependencyNote, Note};
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_ld::implicit::DependencyHint;
use coracle_oci::base::BaseImage;

/// The planned image of one platform.
#[derive(Debug)]
pub struct Plan {
    /// The platform of the programs.
    pub platform: Platform,
    /// The file tree, without files of the base image.
    pub rootfs: Rootfs,
    /// The things that the programs may need and the image lacks, the most likely first.
    pub hints: Vec<DependencyHint>,
    /// The script that the entrypoint, its interpreter, starts. `None` if the entrypoint is the program.
    pub(crate) entrypoint_script: Option<ImagePath>,
    /// Directories that the program writes to and that were added because of hints.
    pub(crate) added_state_dirs: Vec<ImagePath>,
    /// The packages and modules of the image.
    pub inventory: ImageInventory,
    /// Warnings and hints.
    pub notes: Vec<Note>,
    /// The base image.
    pub base: Option<BaseImage>,
    /// The number of files that are omitted because the base image has them.
    pub shared_files: usize,
    /// The user and group that the program runs as: from the recipe, else from the base image.
    pub user: Owner,
    /// The program's working directory.
    pub(crate) working_dir: ImagePath,
    /// `true` if a program is a script whose interpreter is found by `env`, so that `PATH` must be
    /// set.
    pub(crate) needs_path_variable: bool,
}

impl Plan {
    /// Returns the notes about [`Self::hints`], in the same order.
    pub fn dependency_notes(&self) -> impl Iterator<Item = &DependencyNote> {
        self.notes.iter().filter_map(Note::dependency)
    }
}
