//! The settings of a build that do not come from its recipe.

use std::path::PathBuf;
use std::sync::Arc;

use coracle_core::fs::Durability;
use coracle_oci::cache::BuildCache;
use coracle_oci::engine::EngineSettings;
use coracle_oci::registry::RegistryClient;
use coracle_oci::remote_cache::RemoteCacheConfig;

/// Settings from the environment, which the caller reads once.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// The time of `created` in the image's config and history, in seconds since 1970.
    pub epoch: u64,
    /// Directories that exist only on this machine: the home directory, the temporary directory.
    pub private_dirs: Vec<PathBuf>,
    /// The local cache of layers and build records. `None` disables caching.
    pub cache: Option<Arc<BuildCache>>,
    /// The registry client. Required only if an image is read from or pushed to a registry.
    pub registry_client: Option<RegistryClient>,
    /// The directory for temporary files of an image without a destination on disk. Default: the
    /// working directory. The files are removed after the build.
    pub scratch_dir: Option<PathBuf>,
    /// The remote layer cache. It requires a client.
    pub remote_cache: RemoteCacheConfig,
    /// The settings of local engines.
    pub engines: EngineSettings,
    /// The durability of layouts and archives if the machine crashes.
    pub durability: Durability,
    /// `true` if the build fails if the image differs from its lock.
    pub locked: bool,
    /// The lock. Default: `coracle.lock` in the directory of the recipe.
    pub lock_file: Option<PathBuf>,
    /// The signatures and attestations that are published with the image.
    #[cfg(feature = "sign")]
    pub attestations: crate::attestations::AttestationSettings,
    /// `true` if the image is compared with the one that it replaces even without a budget.
    pub compare_with_previous: bool,
}

impl Settings {
    /// Returns whether the image must be built even if nothing has changed since a recorded build: its lock is
    /// compared with a plan, and attestations are made from one.
    pub(crate) fn needs_build(&self) -> bool {
        #[cfg(feature = "sign")]
        let has_attestations = self.attestations.are_requested();
        #[cfg(not(feature = "sign"))]
        let has_attestations = false;
        self.locked || has_attestations
    }
}
