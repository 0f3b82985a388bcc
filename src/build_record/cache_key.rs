//! The cache key of a build record: a hash of everything that shapes the image or its destinations,
//! except the files that the build reads.

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::build_request::BuildRequest;
use crate::error::Error;
use crate::recipe::{BuildChecks, Recipe, RecipeSource};
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
    request: &BuildRequest<'_>,
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
        durability,
        // An image with a lock or attestations is always built.
        locked: _,
        lock_file: _,
        #[cfg(feature = "sign")]
            attestations: _,
        compare_with_previous: _,
    } = settings;
    epoch.hash(hasher);
    // An unchanged build flushes nothing, so one without flushing does not count for one with it.
    durability.hash(hasher);
    hash_paths(private_dirs.iter(), hasher);
}

/// Hashes the groups of a recipe that change the image or its destinations. The budget and the
/// settings of Kubernetes manifests do not.
fn hash_recipe(recipe: &Recipe, hasher: &mut KeyHasher) {
    let Recipe { image, contents, output, checks, source, .. } = recipe;
    let BuildChecks { linkage, allowed_paths, allowed_config_values, budget: _, strict, require_inventory } =
        checks;
    let RecipeSource { recipe_dir, .. } = source;
    image.hash(hasher);
    contents.hash(hasher);
    // `Hash` of a path ignores a trailing slash and `.` components.
    hash_paths(contents.programs.iter().map(|program| &program.from), hasher);
    hash_paths(contents.includes.iter().map(|include| &include.from), hasher);
    #[cfg(feature = "kube")]
    recipe.config.hash(hasher);
    output.hash(hasher);
    (linkage, allowed_paths, allowed_config_values, strict, require_inventory).hash(hasher);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::recipe::{
        BudgetLimit, FileTimes, Linkage, RecipeInclude, RecipeOverrides, RecipeProgram, RootOverride,
        RootOverrideKind,
    };
    use crate::rootfs::Owner;
    use coracle_core::byte_size::ByteSize;
    use coracle_core::path::RawPath;
    use coracle_inventory::sbom::SbomFormat;
    use coracle_ld::implicit::{Inclusion, TimeZones};
    use coracle_ld::ldso::HwcapsSelection;
    use coracle_oci::copy::ImageLocation;
    use coracle_oci::engine::EngineKind;

    type Change = fn(&mut Recipe);

    fn recipe() -> Recipe {
        let flags = RecipeOverrides { programs: vec!["app".into()], ..RecipeOverrides::default() };
        Recipe::from_flags(&flags).unwrap()
    }

    fn recipe_key(recipe: &Recipe) -> Digest {
        let mut hasher = KeyHasher::default();
        hash_recipe(recipe, &mut hasher);
        hasher.0.finish()
    }

    fn key_after(change: Change) -> Digest {
        let mut recipe = recipe();
        change(&mut recipe);
        recipe_key(&recipe)
    }

    fn location(text: &str) -> ImageLocation {
        ImageLocation::parse_new_image(text).unwrap()
    }

    fn program(from: &str, to: Option<&str>) -> RecipeProgram {
        RecipeProgram { from: from.into(), to: to.map(|to| to.parse().unwrap()) }
    }

    /// A change of each field of each group of a recipe that shapes the image.
    const CHANGES: &[Change] = &[
        |recipe| recipe.image.names.push("shop:1".parse().unwrap()),
        |recipe| recipe.image.base = Some(location("docker://debian:12")),
        |recipe| recipe.image.base = Some(location("oci:debian")),
        |recipe| recipe.image.args.push("-v".into()),
        |recipe| recipe.image.args.extend(["-".into(), "v".into()]),
        |recipe| recipe.image.user = Some(Owner { uid: 1, gid: 2 }),
        |recipe| recipe.image.user = Some(Owner { uid: 2, gid: 1 }),
        |recipe| {
            recipe.image.exposed_ports.insert("80/udp".parse().unwrap());
        },
        |recipe| drop(recipe.image.env.insert("A".into(), "b".into())),
        |recipe| recipe.image.working_dir = Some("/srv".parse().unwrap()),
        |recipe| recipe.image.stop_signal = Some("SIGINT".parse().unwrap()),
        |recipe| drop(recipe.image.labels.insert("A".into(), "b".into())),
        |recipe| drop(recipe.image.annotations.insert("A".into(), "b".into())),
        |recipe| recipe.image.platform = Some("linux/arm/v7".parse().unwrap()),
        |recipe| recipe.contents.programs.push(program("app", None)),
        |recipe| recipe.contents.programs = vec![program("app", Some("/app/app"))],
        |recipe| recipe.contents.programs = vec![program("./app", None)],
        |recipe| {
            let (from, to) = ("a".into(), RawPath::new("/a"));
            recipe.contents.includes.push(RecipeInclude { from, to, ..RecipeInclude::default() });
        },
        |recipe| {
            let (exclude, to) = (vec!["b".parse().unwrap()], RawPath::new("/a"));
            let include = RecipeInclude { from: "a".into(), to, exclude, ..RecipeInclude::default() };
            recipe.contents.includes.push(include);
        },
        |recipe| {
            let (times, to) = (FileTimes::Epoch, RawPath::new("/a"));
            let include = RecipeInclude { from: "a".into(), to, times, ..RecipeInclude::default() };
            recipe.contents.includes.push(include);
        },
        |recipe| recipe.contents.exclude.push("b".parse().unwrap()),
        |recipe| recipe.contents.include_times = Some(FileTimes::Zero),
        |recipe| recipe.contents.include_times = Some(FileTimes::Epoch),
        |recipe| {
            let (from, to) = ("a/".into(), RawPath::new("/a"));
            recipe.contents.includes.push(RecipeInclude { from, to, ..RecipeInclude::default() });
        },
        |recipe| recipe.contents.strip = true,
        |recipe| recipe.contents.implicit.certificates = Inclusion::Always,
        |recipe| recipe.contents.implicit.local_certificates = true,
        |recipe| recipe.contents.implicit.nss = Inclusion::Always,
        |recipe| recipe.contents.implicit.nss_modules.push("sss".into()),
        |recipe| recipe.contents.implicit.openssl = Inclusion::Always,
        |recipe| recipe.contents.implicit.libgcc = Inclusion::Never,
        |recipe| recipe.contents.implicit.dlopen.push("sss".into()),
        |recipe| recipe.contents.implicit.dlopen_notes = None,
        |recipe| recipe.contents.implicit.time_zones = Some(TimeZones::All),
        |recipe| recipe.contents.implicit.time_zones = Some(TimeZones::Listed(Vec::new())),
        |recipe| recipe.contents.implicit.locales = Some(Vec::new()),
        |recipe| recipe.contents.implicit.charsets = Some(Vec::new()),
        |recipe| recipe.contents.implicit.pam = Some(Vec::new()),
        |recipe| recipe.contents.implicit.plugins = Some(Vec::new()),
        |recipe| {
            recipe.contents.implicit.ignored.insert("/bin/sh".into());
        },
        |recipe| recipe.contents.complete = true,
        |recipe| recipe.contents.hwcaps = HwcapsSelection::None,
        |recipe| {
            let kind = RootOverrideKind::Root;
            let root = RootOverride { kind, platform: None, directory: "root".into() };
            recipe.contents.root_overrides.push(root);
        },
        |recipe| recipe.output.destinations.push(location("oci:a")),
        |recipe| recipe.output.destinations.push(location("oci:b")),
        |recipe| recipe.output.push = true,
        |recipe| recipe.output.load_engine = Some(EngineKind::Docker),
        |recipe| recipe.output.publish_contract = Some(location("oci:a")),
        |recipe| recipe.output.compression = "zstd:9".parse().unwrap(),
        |recipe| recipe.checks.linkage = Linkage::Static,
        |recipe| drop(recipe.checks.allowed_paths.insert("/a".parse().unwrap(), "b".into())),
        |recipe| drop(recipe.checks.allowed_config_values.insert("/a".into(), "b".into())),
        |recipe| recipe.checks.strict = true,
        |recipe| {
            recipe.output.sbom.attached.insert(SbomFormat::Spdx);
        },
        |recipe| {
            recipe.output.sbom.files.insert("a.json".into(), SbomFormat::Spdx);
        },
        |recipe| recipe.checks.require_inventory = true,
        |recipe| recipe.contents.inventory.packages = false,
        |recipe| recipe.contents.inventory.licences = true,
        |recipe| recipe.source.recipe_dir = "sub".into(),
    ];

    #[test]
    fn key_depends_on_every_field_that_shapes_the_image() {
        let mut keys = BTreeSet::from([recipe_key(&recipe())]);
        for (number, change) in CHANGES.iter().enumerate() {
            assert!(keys.insert(key_after(*change)), "change {number} has the key of another recipe");
        }
    }

    #[test]
    fn key_ignores_the_budget() {
        let limit = |recipe: &mut Recipe| {
            let limit = BudgetLimit { value: ByteSize(1), setting: String::new(), position: None };
            recipe.checks.budget.image = Some(limit);
        };
        assert_eq!(key_after(limit), recipe_key(&recipe()));
    }
}
