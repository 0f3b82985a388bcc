//! The result of a build as it is recorded: a line of JSON.

use serde::{Deserialize, Serialize};

use crate::build_request::BuildRequest;
use crate::build_result::{BaseInfo, Built, RegistryPush};
#[cfg(feature = "kube")]
use crate::contract::Contract;
use crate::image_sizes::PlatformSize;
use crate::inventory::InventorySummary;
use crate::rootfs::{LayerKind, Owner};
use coracle_core::digest::{DiffId, Digest};
use coracle_core::note::{DependencyNote, Note};
use coracle_core::platform::Platform;
use coracle_oci::copy::{PushSummary, RegistryImageName};
use coracle_oci::layer::{Codec, Layer};
use coracle_oci::layout::IndexStamp;

/// The result of a build as it is recorded: a line of JSON, followed by the
/// fingerprint of the inputs.
#[derive(Serialize, Deserialize)]
pub(super) struct RecordedResult {
    digest: String,
    platforms: Vec<String>,
    /// The size in bytes and the number of own layers of the image of each platform.
    platform_sizes: Vec<(u64, usize)>,
    layers: Vec<RecordedLayer>,
    bases: Vec<RecordedBase>,
    user: (u32, u32),
    size: u64,
    file_count: usize,
    inventories: Vec<InventorySummary>,
    #[cfg(feature = "kube")]
    contract: Contract,
    warnings: Vec<String>,
    hints: Vec<String>,
    dependencies: Vec<DependencyNote>,
    pub(super) index_stamps: Vec<IndexStamp>,
    /// The digest of the contract's artifact at a registry.
    pub(super) contract_digest: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RecordedLayer {
    digest: String,
    diff_id: String,
    size: u64,
    unpacked_size: u64,
    media_type: String,
    kind: String,
}

impl RecordedResult {
    /// Returns the record of `built` with these notes.
    pub(super) fn new<'a>(
        built: &Built,
        contract_digest: Option<Digest>,
        notes: impl Iterator<Item = &'a Note>,
        index_stamps: Vec<IndexStamp>,
    ) -> Self {
        let (mut warnings, mut hints, mut dependencies) = (Vec::new(), Vec::new(), Vec::new());
        for note in notes {
            match note {
                Note::Warning(text) => warnings.push(text.clone()),
                Note::Hint(text) => hints.push(text.clone()),
                Note::Dependency(note) => dependencies.push(note.clone()),
            }
        }
        Self {
            digest: built.digest.to_string(),
            platforms: built.platforms.iter().map(ToString::to_string).collect(),
            platform_sizes: built.platform_sizes.iter().map(|size| (size.size, size.layer_count)).collect(),
            layers: built.layers.iter().map(RecordedLayer::from_layer).collect(),
            bases: built.bases.iter().map(RecordedBase::from_base_info).collect(),
            user: (built.user.uid, built.user.gid),
            size: built.size,
            file_count: built.file_count,
            inventories: built.inventories.clone(),
            #[cfg(feature = "kube")]
            contract: built.contract.clone(),
            warnings,
            hints,
            dependencies,
            index_stamps,
            contract_digest: contract_digest.map(|digest| digest.to_string()),
        }
    }

    /// Returns the recorded result. `None` if a value cannot be parsed.
    pub(super) fn into_built(self, request: &BuildRequest<'_>) -> Option<Built> {
        let BuildRequest { recipe, destinations, .. } = request;
        let warnings = self.warnings.into_iter().map(Note::Warning);
        let hints = self.hints.into_iter().map(Note::Hint);
        let dependencies = self.dependencies.into_iter().map(Note::Dependency);
        let platforms: Vec<Platform> =
            self.platforms.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
        let platform_size = |(platform, (size, layers)): (&Platform, (u64, usize))| PlatformSize {
            platform: platform.clone(),
            size,
            layer_count: layers,
            previous: None,
        };
        Some(Built {
            references: recipe.image.names.clone(),
            digest: self.digest.parse().ok()?,
            platform_sizes: platforms.iter().zip(self.platform_sizes).map(platform_size).collect(),
            previous: None,
            platforms,
            layers: self.layers.iter().map(RecordedLayer::to_layer).collect::<Option<_>>()?,
            bases: self.bases.into_iter().map(RecordedBase::into_base_info).collect::<Option<_>>()?,
            user: Owner { uid: self.user.0, gid: self.user.1 },
            size: self.size,
            file_count: self.file_count,
            inventories: self.inventories,
            destinations: destinations.locations().collect(),
            pushes: destinations.remote.iter().map(unchanged_push).collect(),
            loaded: Vec::new(),
            #[cfg(feature = "kube")]
            contract: self.contract,
            notes: warnings.chain(hints).chain(dependencies).collect(),
            is_unchanged: true,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct RecordedBase {
    name: Option<String>,
    digest: String,
    layers: usize,
    size: u64,
    shared: usize,
}

impl RecordedBase {
    fn from_base_info(base: &BaseInfo) -> Self {
        let BaseInfo { name, digest, layer_count: layers, size, shared_files: shared } = base.clone();
        Self { name, digest: digest.to_string(), layers, size, shared }
    }

    fn into_base_info(self) -> Option<BaseInfo> {
        let Self { name, digest, layers, size, shared } = self;
        Some(BaseInfo { name, digest: digest.parse().ok()?, layer_count: layers, size, shared_files: shared })
    }
}

fn unchanged_push(name: &RegistryImageName) -> RegistryPush {
    RegistryPush {
        name: name.reference.clone(),
        sent: PushSummary { is_unchanged: true, ..PushSummary::default() },
    }
}

impl RecordedLayer {
    fn from_layer(layer: &Layer) -> Self {
        Self {
            digest: layer.digest.to_string(),
            diff_id: layer.diff_id.to_string(),
            size: layer.size,
            unpacked_size: layer.unpacked_size,
            media_type: layer.media_type.into(),
            kind: layer.kind.to_string(),
        }
    }

    fn to_layer(&self) -> Option<Layer> {
        Some(Layer {
            digest: self.digest.parse().ok()?,
            diff_id: DiffId::new(self.diff_id.parse().ok()?),
            size: self.size,
            unpacked_size: self.unpacked_size,
            media_type: Codec::ALL
                .map(Codec::media_type)
                .into_iter()
                .find(|word| *word == self.media_type)?,
            kind: LayerKind::ALL.into_iter().find(|kind| kind.to_string() == self.kind)?,
        })
    }
}
