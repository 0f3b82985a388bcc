//! Reports about OCI images of any tool: what is in an image, why each file is in it, and how two
//! images differ.
//!
//! - [`ImageReport`] has the platforms, the config, the layers and their contents, the packages,
//!   the contract and the artifacts about an image.
//! - [`DependencyGraph`] resolves the programs of an image inside it, and [`WhyReport`] is the chain
//!   of files that needs one path.
//! - [`ImageDiff`] compares two images: packages, files, ELF files, JSON documents, tar headers,
//!   contracts and configs.
//!
//! All reports are typed values that serialize to JSON; their text for people is made by the
//! caller. Images are read with [`coracle_oci`], wherever it reads them. They are untrusted: sizes
//! are limited, nothing in them is executed, and a damaged layer does not hide the others.
//!
//! The crate does not depend on recipes or on a command line, and prints nothing.
//!
//! ```no_run
//! use coracle_inspect::{ImageContents, ImageReport, ReadDepth};
//! use coracle_oci::layout::{DiskLocation, read_disk_image};
//!
//! let image = read_disk_image(&DiskLocation::layout("app.oci"))?;
//! let platform = image.image_for_platform(None)?;
//! let temp_dir = std::env::temp_dir();
//! let contents = ImageContents::read(&image, platform, ReadDepth::default(), &temp_dir, &())?;
//! let report = ImageReport::new(&image, platform, Some(&contents));
//! for layer in &report.image.layers {
//!     println!("{:?}: {} bytes, {} files", layer.digest, layer.size, layer.files);
//! }
//! # Ok::<(), coracle_oci::layout::LayoutError>(())
//! ```

mod dependency_graph;
mod diff;
mod image_contents;
mod image_report;
mod mtree;
mod packages;
mod page;
mod referrer_report;
mod run_config;
mod why_report;

pub use dependency_graph::{ChainStep, DependencyGraph, GraphEdge, GraphNode, RootKind};
pub use diff::{
    ContractChangeReport, DiffOptions, DiffSide, ElfDiff, FieldChange, FileChange, FileDiff, ImageDiff,
    KeyChange, LayerDiff, LayerDifference, LayerSide, PackageChange, PlatformDiff, SectionChange,
};
pub use image_contents::{FileReport, ImageContents, ImagePathEntry, ReadDepth};
pub use image_report::{
    BaseReport, DirectoryReport, ImageReport, LayerReport, PackageReport, PlatformName, PlatformReport,
    REPORT_VERSION,
};
pub use mtree::to_mtree;
pub use packages::{PackageIndex, PackageName};
pub use page::{diff_page, image_page};
pub use referrer_report::ReferrerReport;
pub use run_config::RunConfigReport;
pub use why_report::{WhyError, WhyReport};
