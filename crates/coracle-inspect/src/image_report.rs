//! The report of one image: what a reviewer wants to know about it.

use std::collections::BTreeMap;

use coracle_core::escape::escape_text;
use coracle_kube::contract::{CONTRACT_LABEL, Contract};
use coracle_oci::layout::{ImageEntryKind, ParsedImage, ParsedPlatform, UnpackedLayer};
use serde::Serialize;
use serde_json::Value;

use crate::image_contents::{FileReport, ImageContents, ImagePathEntry};
use crate::packages::{PackageIndex, PackageName};
use crate::referrer_report::ReferrerReport;
use crate::run_config::RunConfigReport;

/// The version of the JSON of this crate's reports.
pub const REPORT_VERSION: u32 = 1;

/// An image at its location, with details of one platform.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ImageReport {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// The location, as the user wrote it.
    pub location: String,
    /// The full names of the image at its location.
    pub names: Vec<String>,
    /// The digest of its manifest or index; `None` in an archive that only has a `manifest.json`.
    pub digest: Option<String>,
    /// The platforms of the image, with the digests of their manifests.
    pub platforms: Vec<PlatformName>,
    /// The details of the selected platform.
    pub image: PlatformReport,
    /// The artifacts about the image: signatures, SBOMs, provenance, contracts.
    pub referrers: Vec<ReferrerReport>,
    /// Why the referrers cannot be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrers_problem: Option<String>,
}

/// A platform of an image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PlatformName {
    /// The platform, such as `linux/arm64`.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: Option<String>,
    /// The size of its layers, config and manifest, in bytes.
    pub size: u64,
}

/// The image of one platform.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PlatformReport {
    /// The platform.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: Option<String>,
    /// The type, if it is an artifact and not an image with a file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The size of layers, config and manifest, in bytes.
    pub size: u64,
    /// The size of the layers' tars in bytes; `None` if the layers were not read.
    pub unpacked_size: Option<u64>,
    /// What a container engine runs.
    pub config: RunConfigReport,
    /// The layers, the lowest first.
    pub layers: Vec<LayerReport>,
    /// The base image, if the image names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseReport>,
    /// The name of the distribution, by its `os-release`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// The packages that own files of the image; `None` if the layers were not read.
    pub packages: Option<Vec<PackageReport>>,
    /// The number of files that no package owns, without those of package databases.
    pub unowned_files: usize,
    /// Why the packages cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages_problem: Option<String>,
    /// The contract in its label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// All paths, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileReport>>,
}

/// A layer of an image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LayerReport {
    /// The digest of the blob.
    pub digest: Option<String>,
    /// The digest of the tar, as in the config.
    pub diff_id: Option<String>,
    /// The media type.
    pub media_type: Option<String>,
    /// The size of the blob, in bytes.
    pub size: u64,
    /// The size of the tar in bytes; `None` if it was not read.
    pub unpacked_size: Option<u64>,
    /// The number of files and links.
    pub files: usize,
    /// The number of paths of lower layers that it removes.
    pub removed: usize,
    /// The directories that take most of it, by compressed size.
    pub largest: Vec<DirectoryReport>,
    /// The command or the comment in the config's history.
    pub history: Option<String>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// `true` if it is damaged.
    #[serde(skip)]
    pub is_damaged: bool,
}

/// A directory that takes space.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DirectoryReport {
    /// The path.
    pub path: String,
    /// The number of files and links below it.
    pub files: usize,
    /// The size of the contents below it, in bytes.
    pub size: u64,
    /// The estimated number of bytes in the compressed layer.
    pub compressed: u64,
}

/// The base image that an image names in its annotations or labels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BaseReport {
    /// The name.
    pub name: Option<String>,
    /// The digest of the manifest.
    pub digest: Option<String>,
}

/// A package that owns files of the image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PackageReport {
    /// Name and version.
    #[serde(flatten)]
    pub package: PackageName,
    /// The number of its files and links in the image.
    pub files: usize,
    /// The size of their contents, in bytes.
    pub size: u64,
    /// The estimated number of bytes in the compressed layers.
    pub compressed: u64,
}

impl ImageReport {
    /// Creates the report of `platform` of `image`. Without `contents`, it has only what the
    /// documents say.
    pub fn new(image: &ParsedImage, platform: &ParsedPlatform, contents: Option<&ImageContents>) -> Self {
        let platforms = image.images.iter().map(|image| PlatformName {
            platform: image.platform.to_string(),
            digest: image.digest().map(|digest| digest.to_string()),
            size: image.total_size(),
        });
        let (referrers, referrers_problem) = match ReferrerReport::list(image, platform) {
            Ok(referrers) => (referrers, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        Self {
            version: REPORT_VERSION,
            location: image.source.location.clone(),
            names: image.source.names.clone(),
            digest: image.source.digest().map(|digest| digest.to_string()),
            platforms: platforms.collect(),
            image: PlatformReport::new(platform, contents),
            referrers,
            referrers_problem,
        }
    }

    /// Returns the first layer that is damaged.
    pub fn damaged_layer(&self) -> Option<(usize, &LayerReport)> {
        self.image.layers.iter().enumerate().find(|(_, layer)| layer.is_damaged)
    }
}

impl PlatformReport {
    /// Creates the report of an image. Without `contents`, it has only what the documents say.
    pub fn new(image: &ParsedPlatform, contents: Option<&ImageContents>) -> Self {
        let config = RunConfigReport::new(&image.config);
        let entries = contents.map(ImageContents::entries);
        let packages =
            contents.zip(entries.as_ref()).map(|(contents, entries)| package_reports(contents, entries));
        let owned = |entry: &&ImagePathEntry<'_>| {
            !entry.entry.is_directory()
                && !PackageIndex::needs(entry.path.relative_bytes())
                && contents.is_none_or(|contents| contents.packages.owner_of(entry.path).is_none())
        };
        let unpacked = contents.map(|contents| contents.unpacked.layers.as_slice());
        let contract = image.label(CONTRACT_LABEL).and_then(|label| Contract::parse(label).ok());
        let layers = layer_reports(image, unpacked);
        Self {
            platform: image.platform.to_string(),
            digest: image.digest().map(|digest| digest.to_string()),
            artifact_type: artifact_type(image),
            size: match image.total_size() {
                0 => layers.iter().map(|layer| layer.size).sum(),
                size => size,
            },
            unpacked_size: unpacked.map(|layers| layers.iter().map(|layer| layer.unpacked_size).sum()),
            layers,
            base: BaseReport::find(image, &config),
            distribution: contents.and_then(|contents| contents.packages.distribution.clone()),
            packages,
            unowned_files: entries.iter().flatten().filter(owned).count(),
            packages_problem: contents.and_then(|contents| contents.packages.problem.clone()),
            contract,
            files: None,
            config,
        }
    }
}

/// Returns the artifact type of a manifest that is not an image with a file system.
fn artifact_type(image: &ParsedPlatform) -> Option<String> {
    let manifest: Value = serde_json::from_slice(&image.manifest.as_ref()?.bytes).ok()?;
    let config = manifest.get("config")?.get("mediaType")?.as_str()?;
    let named = manifest.get("artifactType").and_then(Value::as_str);
    let is_image =
        ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"]
            .contains(&config);
    (!is_image || named.is_some()).then(|| named.unwrap_or(config).to_owned())
}

impl BaseReport {
    /// Finds the base that annotations of the manifest or labels name. Source: image-spec,
    /// `annotations.md`.
    fn find(image: &ParsedPlatform, config: &RunConfigReport) -> Option<Self> {
        let manifest =
            image.manifest.as_ref().and_then(|manifest| serde_json::from_slice(&manifest.bytes).ok());
        let manifest: Value = manifest.unwrap_or_default();
        let find = |part: &str| {
            let key = format!("org.opencontainers.image.base.{part}");
            let annotation =
                manifest.get("annotations").and_then(|annotations| annotations.get(&key)?.as_str());
            annotation.or(config.labels.get(&key).map(String::as_str)).map(str::to_owned)
        };
        let base = Self { name: find("name"), digest: find("digest") };
        (base.name.is_some() || base.digest.is_some()).then_some(base)
    }
}

fn layer_reports(image: &ParsedPlatform, unpacked: Option<&[UnpackedLayer]>) -> Vec<LayerReport> {
    let diff_ids = image.config.get("rootfs").and_then(|rootfs| rootfs.get("diff_ids")?.as_array());
    let history = layer_history(&image.config);
    let layers = image.layers.iter().enumerate().map(|(number, layer)| {
        let read = unpacked.and_then(|layers| layers.get(number));
        let size = layer.descriptor.as_ref().map_or(0, |descriptor| descriptor.size);
        let members = read.map(|read| read.members.as_slice()).unwrap_or_default();
        let is_removal = |path: &[u8]| path.starts_with(b".wh.");
        let removed = members.iter().filter(|member| member.path.file_name().is_some_and(is_removal)).count();
        let directories = members
            .iter()
            .filter(|member| member.header.kind == coracle_oci::layout::TarMemberKind::Directory)
            .count();
        let problem = read.and_then(|read| read.problem.as_ref());
        LayerReport {
            digest: layer.descriptor.as_ref().map(|descriptor| descriptor.digest.to_string()),
            diff_id: diff_ids.and_then(|ids| ids.get(number)?.as_str()).map(escape_text),
            media_type: layer.descriptor.as_ref().map(|descriptor| escape_text(&descriptor.media_type)),
            size: read.map_or(size, |read| read.size),
            unpacked_size: read.filter(|read| read.problem.is_none()).map(|read| read.unpacked_size),
            files: members.len() - removed - directories,
            removed,
            largest: read.map(largest_directories).unwrap_or_default(),
            history: history.get(number).cloned().flatten(),
            problem: problem.map(|problem| problem.why.clone()),
            is_damaged: problem.is_some_and(|problem| problem.is_damaged),
        }
    });
    layers.collect()
}

/// Returns the text of the history for each layer; `None` if there is none.
fn layer_history(config: &Value) -> Vec<Option<String>> {
    let entries = config.get("history").and_then(Value::as_array).into_iter().flatten();
    let layers = entries.filter(|entry| entry.get("empty_layer").and_then(Value::as_bool) != Some(true));
    let text = |entry: &Value| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text("comment").filter(|text| !text.starts_with("buildkit")).or(text("created_by")).map(str::to_owned)
    };
    layers.map(text).collect()
}

/// The number of directories that are reported for each layer.
const MAX_DIRECTORIES: usize = 3;

/// Returns the directories of a layer that take most of it, at most two levels deep.
fn largest_directories(layer: &UnpackedLayer) -> Vec<DirectoryReport> {
    let mut found: BTreeMap<String, DirectoryReport> = BTreeMap::new();
    for member in layer
        .members
        .iter()
        .filter(|member| member.header.kind != coracle_oci::layout::TarMemberKind::Directory)
    {
        let mut ancestors = member.path.ancestors();
        ancestors.retain(|path| path.file_name().is_some() && *path != member.path);
        ancestors.sort_by_key(|path| path.components().count());
        let directory = ancestors.get(1).or(ancestors.first());
        let path = directory.map_or_else(|| "/".to_owned(), ToString::to_string);
        let report =
            found.entry(path.clone()).or_insert(DirectoryReport { path, files: 0, size: 0, compressed: 0 });
        report.files += 1;
        report.size += member.header.size;
        report.compressed += member.compressed;
    }
    let mut found: Vec<DirectoryReport> = found.into_values().collect();
    found.sort_by(|a, b| b.compressed.cmp(&a.compressed).then_with(|| a.path.cmp(&b.path)));
    found.truncate(MAX_DIRECTORIES);
    found
}

fn package_reports(contents: &ImageContents, entries: &[ImagePathEntry<'_>]) -> Vec<PackageReport> {
    let packages = &contents.packages;
    let mut reports: Vec<PackageReport> = packages
        .packages
        .iter()
        .map(|package| PackageReport { package: package.clone(), files: 0, size: 0, compressed: 0 })
        .collect();
    for entry in entries.iter().filter(|entry| entry.entry.node != ImageEntryKind::Directory) {
        let index = packages.owner_index(entry.path);
        if let Some(report) = index.and_then(|index| reports.get_mut(index)) {
            report.files += 1;
            report.size += entry.size();
            report.compressed += entry.compressed();
        }
    }
    reports
}
