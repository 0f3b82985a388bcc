//! How the images of one platform differ.

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::digest::Digest;
use coracle_core::path::ImagePath;
use coracle_kube::contract::{CONTRACT_LABEL, Contract, diff_contracts};
use coracle_oci::layout::{
    ImageEntryKind, LayoutError, ParsedImage, ParsedPlatform, TarHeader, UnpackOptions, UnpackedImage,
    UnpackedLayer,
};
use serde::Serialize;
use serde_json::Value;

use super::DiffOptions;
use super::documents::{KeyChange, diff_documents};
use super::files::{FileDiff, diff_files};
use super::layers::{LayerDiff, Side, diff_layers};
use crate::image_contents::ImageContents;
use crate::packages::{PackageIndex, PackageName};

/// The differences of the images of one platform.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PlatformDiff {
    /// The platform of the old image.
    pub platform: String,
    /// `true` if the manifests are the same, byte for byte.
    pub same: bool,
    /// The size of the old image's layers, config and manifest, in bytes.
    pub old_size: u64,
    /// The size of the new image's layers, config and manifest, in bytes.
    pub new_size: u64,
    /// The packages that were added, removed or have another version.
    pub packages: Vec<PackageChange>,
    /// The paths that differ.
    pub files: Vec<FileDiff>,
    /// The keys of the config that differ, without the digests of layers.
    pub config: Vec<KeyChange>,
    /// The keys of the manifest that differ, without the descriptors of config and layers.
    pub manifest: Vec<KeyChange>,
    /// The changes of the contract.
    pub contract: Vec<ContractChangeReport>,
    /// The layers of both images.
    pub layers: Vec<LayerDiff>,
    /// The reasons why parts of the images cannot be compared.
    pub problems: Vec<String>,
}

/// A package that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PackageChange {
    /// The name.
    pub name: String,
    /// The package manager.
    pub kind: &'static str,
    /// The old version; `None` if it was added.
    pub old: Option<String>,
    /// The new version; `None` if it was removed.
    pub new: Option<String>,
}

/// A change of the contract.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ContractChangeReport {
    /// The part of the contract.
    pub part: &'static str,
    /// The path, key or name of the changed item.
    pub name: String,
    /// The description of the change.
    pub message: String,
    /// `true` if configuration that fits the old image does not fit the new one.
    pub breaking: bool,
}

/// An image and its image for one platform.
type Located<'a> = (&'a ParsedImage, &'a ParsedPlatform);

impl PlatformDiff {
    /// Compares two images of one platform.
    pub(super) fn compare(
        old: Located<'_>,
        new: Located<'_>,
        options: &DiffOptions<'_>,
    ) -> Result<Self, LayoutError> {
        let is_same = old.1.digest().is_some() && old.1.digest() == new.1.digest();
        let mut diff = Self {
            platform: old.1.platform.to_string(),
            same: is_same,
            old_size: old.1.total_size(),
            new_size: new.1.total_size(),
            packages: Vec::new(),
            files: Vec::new(),
            config: diff_documents(&old.1.config, &new.1.config, &["rootfs.diff_ids"]),
            manifest: diff_documents(&manifest(old.1), &manifest(new.1), &["config", "layers"]),
            contract: diff_contract_labels(old.1, new.1),
            layers: Vec::new(),
            problems: Vec::new(),
        };
        if is_same {
            return Ok(diff);
        }
        let shared = shared_layers(old.1, new.1);
        let (one, other) = read_both(old, new, &shared, options)?;
        let is_shared = |a: usize, b: usize| {
            let digest = layer_digest(old.1, a);
            digest.is_some() && digest == layer_digest(new.1, b)
        };
        diff.files = diff_files(&one, &other, &is_shared);
        diff.packages = diff_packages(&one.packages, &other.packages);
        let sides = (
            Side { image: old.0, platform: old.1, contents: &one },
            Side { image: new.0, platform: new.1, contents: &other },
        );
        diff.layers = diff_layers(sides.0, sides.1);
        diff.problems = problems(old.0, &one).chain(problems(new.0, &other)).collect();
        // Archives without manifests have no digest to compare.
        if old.1.digest().is_none() || new.1.digest().is_none() {
            diff.same = !diff.has_differences();
        }
        Ok(diff)
    }

    /// Returns whether a difference was found.
    fn has_differences(&self) -> bool {
        let has_changed_layer = self
            .layers
            .iter()
            .any(|layer| layer.difference.is_some() || layer.old.is_none() || layer.new.is_none());
        has_changed_layer
            || !(self.files.is_empty() && self.config.is_empty() && self.packages.is_empty())
            || !self.problems.is_empty()
    }
}

fn manifest(image: &ParsedPlatform) -> Value {
    let manifest = image.manifest.as_ref().and_then(|manifest| serde_json::from_slice(&manifest.bytes).ok());
    manifest.unwrap_or_default()
}

fn layer_digest(image: &ParsedPlatform, number: usize) -> Option<Digest> {
    image.layers.get(number)?.descriptor.as_ref().map(|descriptor| descriptor.digest)
}

/// Returns the digests of the layers that both images have.
fn shared_layers(old: &ParsedPlatform, new: &ParsedPlatform) -> BTreeSet<Digest> {
    let digests = |image: &ParsedPlatform| -> BTreeSet<Digest> {
        image.layers.iter().filter_map(|layer| Some(layer.descriptor.as_ref()?.digest)).collect()
    };
    digests(old).intersection(&digests(new)).copied().collect()
}

/// Reads the layers that differ, and the headers of shared layers if the differences depend on
/// them.
fn read_both(
    old: Located<'_>,
    new: Located<'_>,
    shared: &BTreeSet<Digest>,
    options: &DiffOptions<'_>,
) -> Result<(ImageContents, ImageContents), LayoutError> {
    let skip = |digest: &Digest| shared.contains(digest).then(UnpackedLayer::default);
    let keep_all = |_: &TarHeader| true;
    let one = unpack(old, &skip, &keep_all, options)?;
    let other = unpack(new, &skip, &keep_all, options)?;
    if is_independent_of_shared_layers(old.1, &one, new.1, &other, shared) {
        return Ok((ImageContents::from_unpacked(one), ImageContents::from_unpacked(other)));
    }
    let paths: BTreeSet<&ImagePath> = [&one, &other]
        .into_iter()
        .flat_map(|read| read.file_system.files().iter().map(|(path, _)| path))
        .collect();
    let keep = |header: &TarHeader| {
        let path = [b"/", header.name.strip_prefix(b"./").unwrap_or(&header.name)].concat();
        PackageIndex::needs(&header.name) || ImagePath::parse(&path).is_ok_and(|path| paths.contains(&path))
    };
    let known = |image: &ParsedPlatform, read: &UnpackedImage, digest: &Digest| {
        let position = image.layers.iter().position(|layer| {
            layer.descriptor.as_ref().is_some_and(|descriptor| descriptor.digest == *digest)
        });
        position.and_then(|position| read.layers.get(position)).cloned()
    };
    let is_read = |digest: &Digest| !shared.contains(digest);
    let of_old = |digest: &Digest| known(old.1, &one, digest).filter(|_| is_read(digest));
    let whole_old = unpack(old, &of_old, &keep, options)?;
    let of_new = |digest: &Digest| match is_read(digest) {
        true => known(new.1, &other, digest),
        false => known(old.1, &whole_old, digest),
    };
    let whole_new = unpack(new, &of_new, &keep, options)?;
    Ok((
        ImageContents::from_unpacked(whole_old).keeping_files_of(one),
        ImageContents::from_unpacked(whole_new).keeping_files_of(other),
    ))
}

fn unpack(
    (image, platform): Located<'_>,
    known_layer: &dyn Fn(&Digest) -> Option<UnpackedLayer>,
    keeps_content: &dyn Fn(&TarHeader) -> bool,
    options: &DiffOptions<'_>,
) -> Result<UnpackedImage, LayoutError> {
    let (temp_dir, progress) = (options.temp_dir, options.progress);
    image.unpack(
        platform,
        &UnpackOptions { temp_dir, keeps_content, hashes_files: false, known_layer, progress },
    )
}

/// Returns whether the layers that only one image has are all that is needed to compare the images:
/// the shared layers are below them, they remove nothing, and they have the same paths.
fn is_independent_of_shared_layers(
    old: &ParsedPlatform,
    one: &UnpackedImage,
    new: &ParsedPlatform,
    other: &UnpackedImage,
    shared: &BTreeSet<Digest>,
) -> bool {
    let digests = |image: &ParsedPlatform| -> Vec<Option<Digest>> {
        (0..image.layers.len()).map(|number| layer_digest(image, number)).collect()
    };
    let (old, new) = (digests(old), digests(new));
    let is_shared = |digest: &Option<Digest>| digest.as_ref().is_some_and(|digest| shared.contains(digest));
    let common = old.iter().zip(&new).take_while(|(a, b)| a == b && is_shared(a)).count();
    let is_below = !old.iter().skip(common).chain(new.iter().skip(common)).any(is_shared);
    let removes = |image: &UnpackedImage| {
        let mut members = image.layers.iter().flat_map(|layer| &layer.members);
        members.any(|member| member.path.file_name().is_some_and(|name| name.starts_with(b".wh.")))
    };
    let has_problem = |image: &UnpackedImage| image.layers.iter().any(|layer| layer.problem.is_some());
    let paths = |image: &UnpackedImage| -> BTreeSet<ImagePath> {
        let files = image.file_system.files().iter();
        files
            .filter(|(_, entry)| entry.node != ImageEntryKind::Directory)
            .map(|(path, _)| path.clone())
            .collect()
    };
    is_below
        && !removes(one)
        && !removes(other)
        && !has_problem(one)
        && !has_problem(other)
        && paths(one) == paths(other)
}

fn diff_packages(old: &PackageIndex, new: &PackageIndex) -> Vec<PackageChange> {
    type Versions<'a> = BTreeMap<(&'a str, &'static str), BTreeSet<&'a str>>;
    fn by_name(index: &PackageIndex) -> Versions<'_> {
        let mut found = Versions::new();
        for PackageName { name, version, kind } in &index.packages {
            found.entry((name, kind)).or_default().insert(version);
        }
        found
    }
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let text = |versions: Option<&BTreeSet<&str>>| {
        versions.map(|versions| versions.iter().copied().collect::<Vec<_>>().join(", "))
    };
    let changes = names.into_iter().filter(|key| old.get(key) != new.get(key)).map(|key| PackageChange {
        name: key.0.to_owned(),
        kind: key.1,
        old: text(old.get(key)),
        new: text(new.get(key)),
    });
    changes.collect()
}

fn diff_contract_labels(old: &ParsedPlatform, new: &ParsedPlatform) -> Vec<ContractChangeReport> {
    let contract = |image: &ParsedPlatform| {
        image.label(CONTRACT_LABEL).and_then(|label| Contract::parse(label).ok()).unwrap_or_default()
    };
    let changes = diff_contracts(&contract(old), &contract(new)).into_iter();
    let reports = changes.map(|change| ContractChangeReport {
        part: change.part,
        name: change.name,
        message: change.message,
        breaking: change.is_breaking,
    });
    reports.collect()
}

fn problems<'a>(image: &'a ParsedImage, contents: &'a ImageContents) -> impl Iterator<Item = String> + 'a {
    let layers = contents.unpacked.layers.iter().enumerate();
    layers.filter_map(|(number, layer)| {
        let why = &layer.problem.as_ref()?.why;
        Some(format!("layer {} of {} cannot be read: {why}", number + 1, image.source.location))
    })
}
