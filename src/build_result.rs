//! The result of a build.

use super::image_plan::Plan;
use super::image_sizes::PlatformSize;
use super::inventory::InventorySummary;
use super::previous_image::PreviousImage;
use super::rootfs::Owner;
use coracle_core::digest::Digest;
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;
#[cfg(feature = "kube")]
use coracle_kube::contract::Contract;
use coracle_oci::copy::{ImageLocation, PushSummary, RegistryImageName};
use coracle_oci::engine::{EngineImageName, LoadedImage};
use coracle_oci::layer::Layer;

/// The result of a build.
#[derive(Debug)]
pub struct Built {
    /// The image's names.
    pub references: Vec<ImageReference>,
    /// The digest of the image's manifest or index, which `index.json` lists.
    pub digest: Digest,
    /// The image's platforms.
    pub platforms: Vec<Platform>,
    /// The base image of each platform.
    pub bases: Vec<BaseInfo>,
    /// The user and group that the program runs as.
    pub user: Owner,
    /// The image's layers without the base image's layers, in order.
    pub layers: Vec<Layer>,
    /// The size of the image's layers, configs, manifests and index, in bytes.
    pub size: u64,
    /// The sizes of the image of each platform.
    pub platform_sizes: Vec<PlatformSize>,
    /// The previous image that the image was compared with.
    pub previous: Option<PreviousImage>,
    /// The number of files in the image, without the base image's files.
    pub file_count: usize,
    /// What scanners see in the image of each platform.
    pub inventories: Vec<InventorySummary>,
    /// The image's destinations: on disk, then registries, then engines.
    pub destinations: Vec<ImageLocation>,
    /// The pushes to registries, in the order of the registries in `destinations`.
    pub pushes: Vec<RegistryPush>,
    /// The images that engines loaded.
    pub loaded: Vec<(EngineImageName, LoadedImage)>,
    /// The contract: what the image expects of its configuration.
    #[cfg(feature = "kube")]
    pub contract: Contract,
    /// Warnings and hints of the build. If the image is unchanged, also the warnings and hints of
    /// the recorded plans.
    pub notes: Vec<Note>,
    /// `true` if the image was up to date, so that nothing was built.
    pub is_unchanged: bool,
}

/// The base of an image of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseInfo {
    /// The base image's full name. `None` if it has no name.
    pub name: Option<String>,
    /// The digest of the base image's manifest.
    pub digest: Digest,
    /// The number of the base image's layers.
    pub layer_count: usize,
    /// The size of the base image's layers, in bytes.
    pub size: u64,
    /// The number of files that the image omits because the base image has them.
    pub shared_files: usize,
}

/// A push of the image to one name at a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryPush {
    /// The image's name at the registry.
    pub name: ImageReference,
    /// The numbers of blobs sent.
    pub sent: PushSummary,
}

impl From<(RegistryImageName, PushSummary)> for RegistryPush {
    fn from((name, sent): (RegistryImageName, PushSummary)) -> Self {
        Self { name: name.reference, sent }
    }
}

impl BaseInfo {
    pub(crate) fn from_plan(plan: &Plan) -> Option<Self> {
        let base = plan.base.as_ref()?;
        let layers = &base.base_layers.layers;
        let size = layers.iter().map(|(layer, _)| layer.size).sum();
        let (name, digest, shared) = (base.name.clone(), base.digest, plan.shared_files);
        Some(Self { name, digest, layer_count: layers.len(), size, shared_files: shared })
    }
}
