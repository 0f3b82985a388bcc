//! The cache key of a build record: a hash of everything that shapes the image or its destinations,
//! except the files that the build reads.

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::recipe::{Policy, Recipe, RecipeSource};
use crate::request::Request;
use crate::settings::Settings;
use coracle_core::digest::{Digest, DigestHasher};
use coracle_core::fs;
use coracle_oci::layout::DiskLocation;

/// Returns the cache key of the record of a build. `base` is the digest of the base image, `tool_id`
/// identifies the version of Coracle.
///
/// # Errors
/// Fails if a destination or the working directory cannot be resolved.
pub(super) fn build_cache_key(
    request: &Request<'_>,
    base: Option<Digest>,
    tool_id: impl Hash,
) -> Result<Digest, Error> {
    let paths = request.destinations.on_disk().map(DiskLocation::resolved_path);
    let mut hasher = KeyHasher::default();
    tool_id.hash(&mut hasher);
    base.hash(&mut hasher);
    request.config_fingerprint().hash(&mut hasher);
    hash_paths(paths.collect::<Result<Vec<_>, _>>()?.iter(), &mut hasher);
    hash_paths([fs::absolute_path(Path::new("."))?].iter(), &mut hasher);
    hash_settings(request.settings, &mut hasher);
    hash_recipe(request.recipe, &mut hasher);
    Ok(hasher.0.finish())
}

/// Hashes the settings that change an image.
fn hash_settings(settings: &Settings, hasher: &mut KeyHasher) {
    let Settings {
        epoch,
        private_dirs,
        cache: _,
        registry_client: _,
        scratch_dir: _,
        remote_cache: _,
        engines: _,
        compare_with_previous: _,
    } = settings;
    epoch.hash(hasher);
    hash_paths(private_dirs.iter(), hasher);
}

/// Hashes the groups of a recipe that change the image or its destinations. The budget and the
/// settings of Kubernetes manifests do not.
fn hash_recipe(recipe: &Recipe, hasher: &mut KeyHasher) {
    let Recipe { image, contents, config, kubernetes: _, output, policy, source } = recipe;
    let Policy { linkage, allowed_paths, allowed_config_values, budget: _, strict } = policy;
    let RecipeSource { recipe_dir, positions: _ } = source;
    image.hash(hasher);
    contents.hash(hasher);
    // `Hash` of a path ignores a trailing slash and `.` components.
    hash_paths(contents.programs.iter().map(|program| &program.from), hasher);
    hash_paths(contents.includes.iter().map(|include| &include.from), hasher);
    config.hash(hasher);
    output.hash(hasher);
    (linkage, allowed_paths, allowed_config_values, strict).hash(hasher);
    hash_paths([recipe_dir].into_iter(), hasher);
}

/// Hashes the exact bytes of paths.
fn hash_paths<'a>(paths: impl ExactSizeIterator<Item = &'a PathBuf>, hasher: &mut KeyHasher) {
    paths.len().hash(hasher);
    paths.for_each(|path| path.as_os_str().hash(hasher));
}

/// Passes the bytes of `Hash` implementations to SHA-256. Lengths and enum variants are hashed with
/// the values, so that two different values do not have the same bytes.
#[derive(Default)]
struct KeyHasher(DigestHasher);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not used: the key is the whole digest.
    fn finish(&self) -> u64 {
        0
    }
}
