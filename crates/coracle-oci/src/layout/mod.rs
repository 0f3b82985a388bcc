//! Image layouts and archives: writes images to them, and reads images from them or from a
//! registry.
//!
//! An image becomes visible under its name only when it is complete, and other images are kept.
//! Does not depend on how an image was made. Prints nothing: problems that are not errors are
//! returned as [`LayoutWarning`]s.

mod archive;
mod atomic_file;
mod disk_location;
mod error;
mod garbage_collection;
mod image_names;
mod index_json;
mod layout_files;
mod location_checks;
mod locked_directory;
mod locked_layout;
mod output_stamp;
pub mod read;
mod staging;
mod stale_artifacts;
mod verify_layout;
mod write;

pub use archive::{ArchiveWriteError, BlobOpener, ImageArchive};
pub use disk_location::{DiskFormat, DiskLocation, ParseDiskLocationError};
pub use error::{LayoutError, LayoutWarning};
pub use image_names::ImageNames;
pub use output_stamp::{IndexStamp, OutputStamp};
pub use read::{
    ImageEntry, ImageEntryKind, ImageFault, ImageFiles, ImageFs, ImageSource, LayerExtent, LayerMember,
    LayerProblem, ParsedImage, ParsedLayer, ParsedPlatform, TarHeader, TarMemberKind, UnpackOptions,
    UnpackedImage, UnpackedLayer, find_replaced_image, read_artifact, read_disk_image, read_only_artifact,
    read_remote_artifact,
};
pub use staging::Staging;
pub use verify_layout::{LayoutProblem, verify_layout};
pub use write::{add_artifacts, write_artifact, write_graph, write_image};

#[cfg(test)]
mod tests;
#[cfg(test)]
#[cfg(unix)]
mod untrusted_directory_tests;
