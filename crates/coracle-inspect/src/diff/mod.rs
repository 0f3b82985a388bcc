//! How two images differ, at the level at which a person understands it, and to the byte.

mod documents;
mod elf_diff;
mod files;
mod layers;
mod platform_diff;
mod tar_position;

use std::collections::BTreeSet;
use std::path::Path;

use coracle_core::platform::Platform;
use coracle_core::progress::Progress;
use coracle_oci::layout::{LayoutError, ParsedImage};
use serde::Serialize;

pub use documents::KeyChange;
pub use elf_diff::{ElfDiff, SectionChange};
pub use files::{FieldChange, FileChange, FileDiff};
pub use layers::{LayerDiff, LayerDifference, LayerSide};
pub use platform_diff::{ContractChangeReport, PackageChange, PlatformDiff};

use crate::image_report::REPORT_VERSION;

/// The differences of two images.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ImageDiff {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// `true` if the images are the same, byte for byte.
    pub same: bool,
    /// The old image.
    pub old: DiffSide,
    /// The new image.
    pub new: DiffSide,
    /// The platforms that both images have.
    pub platforms: Vec<PlatformDiff>,
    /// The platforms that only the old image has.
    pub removed_platforms: Vec<String>,
    /// The platforms that only the new image has.
    pub added_platforms: Vec<String>,
}

/// One of two images.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DiffSide {
    /// The location, as the user wrote it.
    pub location: String,
    /// The digest of its manifest or index; `None` in an archive that only has a `manifest.json`.
    pub digest: Option<String>,
}

/// How images are compared.
pub struct DiffOptions<'a> {
    /// The platform to compare; `None` for all that both images have.
    pub platform: Option<&'a Platform>,
    /// The directory for temporary files.
    pub temp_dir: &'a Path,
    /// Receives the number of compressed bytes that were read.
    pub progress: &'a dyn Progress,
}

impl ImageDiff {
    /// Compares two images. Layers that both have are read only where that is necessary.
    ///
    /// # Errors
    /// Fails if an image has no image for the platform, a request fails, a temporary file cannot be
    /// written, or the operation is cancelled. A layer that cannot be read is reported in
    /// [`PlatformDiff::problems`].
    pub fn compare(
        old: &ParsedImage,
        new: &ParsedImage,
        options: &DiffOptions<'_>,
    ) -> Result<Self, LayoutError> {
        let mut pairs = Vec::new();
        let (mut removed, mut matched) = (Vec::new(), BTreeSet::new());
        if options.platform.is_some() {
            pairs
                .push((old.image_for_platform(options.platform)?, new.image_for_platform(options.platform)?));
        } else if let ([one], [other]) = (old.images.as_slice(), new.images.as_slice()) {
            pairs.push((one, other));
            matched.insert(other.platform.to_string());
        } else {
            for image in &old.images {
                match new.images.iter().find(|other| other.platform == image.platform) {
                    Some(other) => {
                        matched.insert(other.platform.to_string());
                        pairs.push((image, other));
                    }
                    None => removed.push(image.platform.to_string()),
                }
            }
        }
        let added = new.images.iter().map(|image| image.platform.to_string());
        let added: Vec<String> =
            added.filter(|name| options.platform.is_none() && !matched.contains(name)).collect();
        let mut platforms = Vec::new();
        for (one, other) in pairs {
            platforms.push(PlatformDiff::compare((old, one), (new, other), options)?);
        }
        let is_same_root = old.source.digest().is_some() && old.source.digest() == new.source.digest();
        let is_same = match options.platform {
            None if old.source.digest().is_some() && new.source.digest().is_some() => is_same_root,
            _ => platforms.iter().all(|platform| platform.same) && removed.is_empty() && added.is_empty(),
        };
        Ok(Self {
            version: REPORT_VERSION,
            same: is_same,
            old: DiffSide::from(old),
            new: DiffSide::from(new),
            platforms,
            removed_platforms: removed,
            added_platforms: added,
        })
    }
}

impl From<&ParsedImage> for DiffSide {
    fn from(image: &ParsedImage) -> Self {
        let digest = image.source.digest().map(|digest| digest.to_string());
        Self { location: image.source.location.clone(), digest }
    }
}
