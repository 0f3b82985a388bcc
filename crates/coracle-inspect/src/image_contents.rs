//! The files of one image: paths, sizes and layers.

use std::collections::BTreeMap;
use std::path::Path;

use coracle_core::path::{ImagePath, RawPath};
use coracle_core::progress::Progress;
use coracle_oci::layout::{
    ImageEntry, ImageEntryKind, LayerMember, LayoutError, ParsedImage, ParsedPlatform, TarHeader,
    UnpackOptions, UnpackedImage,
};
use serde::Serialize;

use crate::dependency_graph::DependencyGraph;
use crate::packages::PackageIndex;

/// The image of one platform, whose layers have been read.
#[derive(Debug)]
pub struct ImageContents {
    /// The layers and the merged file system.
    pub unpacked: UnpackedImage,
    /// The packages that own files of the image.
    pub packages: PackageIndex,
    _files: Option<UnpackedImage>,
}

/// What is read of the layers besides the headers and the package databases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReadDepth {
    /// `true` if all contents are kept, to resolve programs and to print files.
    pub contents: bool,
    /// `true` if the digest of each file is computed.
    pub digests: bool,
}

/// A path of the image.
#[derive(Clone, Debug)]
pub struct ImagePathEntry<'a> {
    /// The path.
    pub path: &'a ImagePath,
    /// The entry of the merged file system.
    pub entry: &'a ImageEntry,
    /// The member of the tar; `None` for a directory that no layer contains.
    pub member: Option<&'a LayerMember>,
}

/// A path of the image, in a report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FileReport {
    /// The path.
    pub path: String,
    /// `file`, `directory`, `link`, `hard-link` or `device`.
    pub kind: &'static str,
    /// The size of the content, in bytes.
    pub size: u64,
    /// The estimated number of bytes in the compressed layer.
    pub compressed: u64,
    /// The mode, in octal.
    pub mode: String,
    /// UID and GID.
    pub owner: (u32, u32),
    /// The time of the last modification, in seconds since 1970.
    pub modified: i64,
    /// The number of the layer; 0 is the lowest.
    pub layer: usize,
    /// The target of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The digest of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The package that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Why it is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl ImageContents {
    /// Reads the layers of `image`. Temporary files are in `temp_dir`.
    ///
    /// # Errors
    /// Fails if a request fails, a temporary file cannot be written, or `progress` cancels.
    pub fn read(
        image: &ParsedImage,
        platform: &ParsedPlatform,
        depth: ReadDepth,
        temp_dir: &Path,
        progress: &dyn Progress,
    ) -> Result<Self, LayoutError> {
        let keeps = |header: &TarHeader| depth.contents || PackageIndex::needs(&header.name);
        let unpacked = image.unpack(
            platform,
            &UnpackOptions {
                temp_dir,
                keeps_content: &keeps,
                hashes_files: depth.digests,
                known_layer: &|_| None,
                progress,
            },
        )?;
        Ok(Self::from_unpacked(unpacked))
    }

    /// Reads the packages of an image whose layers have been read.
    pub(crate) fn from_unpacked(unpacked: UnpackedImage) -> Self {
        let packages = PackageIndex::read(&unpacked.file_system);
        Self { unpacked, packages, _files: None }
    }

    /// Keeps the temporary files of `other`, whose layers are part of this image.
    pub(crate) fn keeping_files_of(self, other: UnpackedImage) -> Self {
        Self { _files: Some(other), ..self }
    }

    /// Returns all paths of the image, each with its member of a layer.
    pub fn entries(&self) -> Vec<ImagePathEntry<'_>> {
        image_entries(&self.unpacked)
    }

    /// Returns all paths of the image, with the reasons in `graph`.
    pub fn file_reports(&self, graph: Option<&DependencyGraph>) -> Vec<FileReport> {
        let reports = self.entries().into_iter().map(|entry| {
            let package = self.packages.owner_of(entry.path).map(ToString::to_string);
            let why = graph.and_then(|graph| graph.reason(entry.path));
            FileReport { package, why, ..FileReport::from(&entry) }
        });
        reports.collect()
    }
}

/// Returns all paths of an image, each with its member of a layer.
pub(crate) fn image_entries(unpacked: &UnpackedImage) -> Vec<ImagePathEntry<'_>> {
    let members: Vec<BTreeMap<&ImagePath, &LayerMember>> = unpacked
        .layers
        .iter()
        .map(|layer| layer.members.iter().map(|member| (&member.path, member)).collect())
        .collect();
    let entries = unpacked.file_system.files().iter().map(|(path, entry)| {
        let member = members.get(entry.layer).and_then(|members| members.get(path)).copied();
        ImagePathEntry { path, entry, member }
    });
    entries.collect()
}

impl ImagePathEntry<'_> {
    /// The size of the content of a file, in bytes; 0 for other entries.
    pub fn size(&self) -> u64 {
        match &self.entry.node {
            ImageEntryKind::File(extent) => extent.size,
            ImageEntryKind::Directory | ImageEntryKind::Link(_) | ImageEntryKind::Special => 0,
        }
    }

    /// The estimated number of bytes in the compressed layer.
    pub fn compressed(&self) -> u64 {
        self.member.map_or(0, |member| member.compressed)
    }
}

impl From<&ImagePathEntry<'_>> for FileReport {
    fn from(found: &ImagePathEntry<'_>) -> Self {
        let entry = found.entry;
        let is_hard_link = found.member.is_some_and(|member| !member.header.link.is_empty());
        let (kind, target) = match &entry.node {
            ImageEntryKind::Directory => ("directory", None),
            ImageEntryKind::File(_) if is_hard_link => {
                let target = found.member.map(|member| member.header.link.as_slice()).unwrap_or_default();
                ("hard-link", Some(RawPath::new(target).to_string()))
            }
            ImageEntryKind::File(_) => ("file", None),
            ImageEntryKind::Link(target) => ("link", Some(RawPath::new(target.as_slice()).to_string())),
            ImageEntryKind::Special => ("device", None),
        };
        Self {
            path: found.path.to_string(),
            kind,
            size: found.size(),
            compressed: found.compressed(),
            mode: format!("{:04o}", entry.mode),
            owner: entry.owner,
            modified: found.member.map_or(0, |member| member.header.modified),
            layer: entry.layer,
            target,
            digest: found.member.and_then(|member| member.digest).map(|digest| digest.to_string()),
            package: None,
            why: None,
        }
    }
}
