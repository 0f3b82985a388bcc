//! Reads existing images from any tool: an [`ImageSource`] is an image in a layout, in an archive
//! or at a registry, and gives access to its manifests and blobs; a [`ParsedImage`] also has
//! configs, labels and the paths in layers.
//!
//! Every document is limited in size and verified by its digest. An archive is not unpacked.
//! Source: image-spec, `image-layout.md`, `image-index.md`, `manifest.md`; Moby,
//! `image/spec/v1.2.md` for archives that only have a `manifest.json`.

mod blob_source;
mod check_image;
mod compressed_shares;
mod disk_blobs;
mod image_files;
mod image_fs;
mod image_source;
mod layer_changes;
mod parsed_image;
mod parsed_platform;
mod pax_records;
mod read_artifact;
mod read_failure;
mod select_entry;
mod tar_header_reader;
mod unpacked_image;

pub use check_image::ImageFault;
pub(super) use disk_blobs::index_entries;
pub use image_files::ImageFiles;
pub use image_fs::ImageFs;
pub use image_source::{ImageSource, find_replaced_image};
pub use layer_changes::{ImageEntry, ImageEntryKind, LayerExtent};
pub use parsed_image::{ParsedImage, read_disk_image};
pub use parsed_platform::{ParsedLayer, ParsedPlatform};
pub use read_artifact::{read_artifact, read_only_artifact, read_remote_artifact};
pub use tar_header_reader::{TarHeader, TarMemberKind};
pub use unpacked_image::{LayerMember, LayerProblem, UnpackOptions, UnpackedImage, UnpackedLayer};

#[cfg(test)]
mod unpacked_image_tests;
