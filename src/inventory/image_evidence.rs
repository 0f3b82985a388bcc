//! The files of an image by which scanners recognize its packages, and licence texts.

use std::collections::BTreeSet;

use super::file_sources::{PackagedFiles, is_same_release, other_release, release_name};
use crate::error::Error;
use crate::recipe::Inventory as InventorySettings;
use crate::rootfs::{BaseFiles, EntryReason, LayerKind, NewFile, Rootfs};
use coracle_core::content::Content;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::path::ImagePath;
use coracle_inventory::{
    Distribution, EvidenceFile, FileSelection, Inventory, Package, PackageKind, distribution_evidence,
    package_evidence,
};

/// The maximum size of a file of the base image that is extended, in bytes.
const MAX_LIST_SIZE: u64 = 64 << 20;
/// The maximum number of licence files of one package.
const MAX_LICENCES: usize = 100;

/// An image, and the packages that its files are from.
pub(super) struct ImageEvidence<'a> {
    pub(super) rootfs: &'a Rootfs,
    pub(super) base: BaseFiles<'a>,
    pub(super) packaged: &'a PackagedFiles<'a>,
}

impl ImageEvidence<'_> {
    /// Returns the files to add, the number of packages that scanners see, and problems, each as a message.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
    pub(super) fn files(
        &self,
        settings: InventorySettings,
    ) -> Result<(Vec<NewFile>, usize, Vec<String>), Error> {
        let Some(root) = self.packaged.root else { return Ok((Vec::new(), 0, Vec::new())) };
        let mut files = Vec::new();
        let (mut visible, mut problems) = (0, Vec::new());
        if settings.packages {
            match self.packages_without_base()? {
                Ok(packages) => {
                    files.extend(self.evidence_files(root, &packages)?);
                    visible = self.packaged.packages.len();
                }
                Err(problem) => problems.push(problem),
            }
        }
        if settings.licences {
            for package in &self.packaged.packages {
                files.extend(self.licence_files(root, package)?);
            }
        }
        Ok((files, visible, problems))
    }

    /// Returns the packages that the base image does not have. `Err` with a message if it is of another
    /// distribution, so that scanners would take the packages for those of the base's.
    fn packages_without_base(&self) -> Result<Result<Vec<Package>, String>, Error> {
        let packages = self.packaged.packages.clone();
        let Some(base) = self.base.read_base() else { return Ok(Ok(packages)) };
        let base = Inventory::read(base, FileSelection::NoFiles)?;
        let ours = self.packaged.distribution.as_ref();
        if base.distribution.is_some() && !is_same_release(ours, base.distribution.as_ref()) {
            let names = [ours, base.distribution.as_ref()].map(release_name);
            return Ok(Err(other_release(packages.len(), &names[0], &names[1])));
        }
        let has = |package: &Package| {
            base.packages.iter().any(|known| {
                (known.kind, &known.name, &known.version) == (package.kind, &package.name, &package.version)
            })
        };
        Ok(Ok(packages.into_iter().filter(|package| !has(package)).collect()))
    }

    fn evidence_files(&self, root: &dyn FileSystem, packages: &[Package]) -> Result<Vec<NewFile>, Error> {
        let Some(first) = packages.first() else { return Ok(Vec::new()) };
        let unknown = Distribution::parse(b"");
        let distribution = self.packaged.distribution.as_ref().unwrap_or(&unknown);
        let mut files = Vec::new();
        for EvidenceFile { path, bytes, package } in package_evidence(packages) {
            let described = package.and_then(|index| packages.get(index));
            let layer_kind = self.layer_of(described.map_or(packages, std::slice::from_ref));
            let (path, bytes) = self.beside_base(path, bytes, described)?;
            files.push(new_file(path, Content::from_bytes(bytes), layer_kind));
        }
        for EvidenceFile { path, bytes, .. } in distribution_evidence(root, distribution, first.kind)? {
            // The distribution of the base image, and files that the recipe includes, are kept.
            if self.base_file(&path)?.is_none() {
                files.push(new_file(path, Content::from_bytes(bytes), self.layer_of(packages)));
            }
        }
        Ok(files)
    }

    /// Returns the first layer with files of one of `packages`: the inventory changes only when they do.
    fn layer_of(&self, packages: &[Package]) -> LayerKind {
        let paths: BTreeSet<&ImagePath> = packages.iter().flat_map(|package| package.files.keys()).collect();
        let entries = self.rootfs.iter().filter(|(path, _)| paths.contains(path));
        entries.map(|(_, entry)| entry.layer_kind).min().unwrap_or(LayerKind::Libraries)
    }

    /// Returns path and bytes of a file such that no package of the base image becomes invisible: a list
    /// is extended, the stanza of another version gets another name.
    fn beside_base(
        &self,
        path: ImagePath,
        bytes: Vec<u8>,
        described: Option<&Package>,
    ) -> Result<(ImagePath, Vec<u8>), Error> {
        let Some(theirs) = self.base_file(&path)? else { return Ok((path, bytes)) };
        let Some(package) = described else {
            let mut list = theirs.read_whole(path.as_bytes(), MAX_LIST_SIZE)?;
            if !list.is_empty() && !list.ends_with(b"\n") {
                list.push(b'\n');
            }
            list.extend(bytes);
            return Ok((path, list));
        };
        let name = path.file_name().unwrap_or_default();
        let suffix: &[u8] = if name.ends_with(b".md5sums") { b".md5sums" } else { b"" };
        let renamed =
            [package.name.as_bytes(), b"_", package.version.replace('/', "_").as_bytes(), suffix].concat();
        let parent = path.parent().unwrap_or_else(ImagePath::root);
        Ok((parent.join(&renamed), bytes))
    }

    /// Returns the base image's file at `path`.
    fn base_file(&self, path: &ImagePath) -> Result<Option<Content>, Error> {
        let Some(base) = self.base.read_base() else { return Ok(None) };
        Ok(match file_system::resolve_path(base, &ImagePath::root(), path.as_bytes())?.end {
            ResolutionEnd::File(_, file) => Some(file.content),
            _ => None,
        })
    }

    /// Returns the licence texts of `package`: its copyright file and the texts that this one names, or
    /// its directory of licences.
    fn licence_files(&self, root: &dyn FileSystem, package: &Package) -> Result<Vec<NewFile>, Error> {
        let mut paths = Vec::new();
        let directory = match package.kind {
            PackageKind::Deb => {
                paths.push(format!("/usr/share/doc/{}/copyright", package.name));
                None
            }
            PackageKind::Apk | PackageKind::Rpm => Some(format!("/usr/share/licenses/{}", package.name)),
        };
        if let Some(directory) = directory.filter(|_| !package.name.contains('/')) {
            let end = file_system::resolve_path(root, &ImagePath::root(), directory.as_bytes())?.end;
            if let ResolutionEnd::Directory(real) = end {
                let names = root.list(&real)?.into_iter().take(MAX_LICENCES);
                let names = names.filter_map(|name| String::from_utf8(name).ok());
                paths.extend(names.map(|name| format!("{directory}/{name}")));
            }
        }
        let mut files = Vec::new();
        let mut common = Vec::new();
        for path in paths {
            let Some((path, content)) = file_at(root, &path)? else { continue };
            if package.kind == PackageKind::Deb {
                common.extend(common_licences(&content.read_whole(path.as_bytes(), MAX_LICENCE_SIZE)?));
            }
            files.push((path, content));
        }
        for path in common {
            files.extend(file_at(root, &path)?);
        }
        let layer_kind = self.layer_of(std::slice::from_ref(package));
        Ok(files.into_iter().map(|(path, content)| new_file(path, content, layer_kind)).collect())
    }
}

/// The maximum size of a copyright file that is searched, in bytes.
const MAX_LICENCE_SIZE: u64 = 16 << 20;

fn new_file(path: ImagePath, content: Content, layer_kind: LayerKind) -> NewFile {
    NewFile { path, content, layer_kind, reason: EntryReason::Inventory }
}

/// Returns the file at `path`, following links, under `path` itself.
fn file_at(root: &dyn FileSystem, path: &str) -> Result<Option<(ImagePath, Content)>, Error> {
    let Ok(image_path) = path.parse() else { return Ok(None) };
    Ok(match file_system::resolve_path(root, &ImagePath::root(), path.as_bytes())?.end {
        ResolutionEnd::File(_, file) => Some((image_path, file.content)),
        _ => None,
    })
}

/// Returns the paths of the common licences that a copyright file names (`debian-policy`, 12.5).
fn common_licences(text: &[u8]) -> BTreeSet<String> {
    const DIRECTORY: &str = "/usr/share/common-licenses/";
    let text = String::from_utf8_lossy(text);
    let names = text.split(DIRECTORY).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-+.".contains(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().trim_end_matches('.')
    });
    names.filter(|name| !name.is_empty()).map(|name| format!("{DIRECTORY}{name}")).collect()
}
