//! Finds the packages that own the files of an image, by the paths that they were read from.

use std::collections::{BTreeMap, BTreeSet};

use crate::root_file_systems::RootFileSystems;
use crate::rootfs::{EntryNode, Rootfs};
use coracle_core::content::Content;
use coracle_core::file_system::{self, FileSystem, FsNode, HostFs, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::ImagePath;
use coracle_inventory::{Distribution, FileSelection, Inventory, InventoryError, Package};

/// Where each file of an image was read from.
pub(super) struct FileSources<'a> {
    /// For each file, the file systems that may have a package database with it, and its path there.
    candidates: BTreeMap<ImagePath, Vec<(&'a HostFs, ImagePath)>>,
    /// The files whose bytes are not those of the package, because they were stripped.
    changed: BTreeSet<ImagePath>,
}

/// The packages of an image.
#[derive(Default)]
pub(super) struct PackagedFiles<'a> {
    pub(super) distribution: Option<Distribution>,
    /// The packages of the distribution, with the paths of their files in the image.
    pub(super) packages: Vec<Package>,
    /// The file system that they are from.
    pub(super) root: Option<&'a HostFs>,
    pub(super) owned: BTreeSet<ImagePath>,
    pub(super) unowned: BTreeSet<ImagePath>,
}

impl<'a> FileSources<'a> {
    /// Collects the sources of all files, and of links to files.
    ///
    /// # Errors
    /// Fails if a link cannot be followed.
    pub(super) fn new(roots: &'a RootFileSystems, rootfs: &Rootfs) -> fs::Result<Self> {
        let mut sources = Self { candidates: BTreeMap::new(), changed: BTreeSet::new() };
        for (path, entry) in rootfs.iter() {
            let content = match &entry.node {
                EntryNode::Directory => continue,
                EntryNode::File(_) | EntryNode::HardLink(_) => file_content(rootfs, path)?,
                // A link to a file belongs to a package by its own path.
                EntryNode::Symlink(_) => {
                    let end = file_system::resolve_path(rootfs, &ImagePath::root(), path.as_bytes())?.end;
                    let ResolutionEnd::File(target, file) = end else { continue };
                    for (root, source) in candidates(roots, &file.content) {
                        if source == target {
                            sources.candidates.entry(path.clone()).or_default().push((root, path.clone()));
                        }
                    }
                    continue;
                }
            };
            let Some(content) = content else { continue };
            if content.host_path().is_none() {
                sources.changed.insert(path.clone());
            }
            sources.candidates.insert(path.clone(), candidates(roots, &content));
        }
        sources.candidates.retain(|_, candidates| !candidates.is_empty());
        Ok(sources)
    }

    /// Reads the packages that own the files. Returns problems, too, each as a message: databases that
    /// are damaged, and packages of another distribution than that of the most files.
    ///
    /// # Errors
    /// Fails if a file of a database cannot be read: the image would be another one if it could.
    pub(super) fn read_packages(mut self) -> Result<(PackagedFiles<'a>, Vec<String>), InventoryError> {
        let mut by_root: Vec<(&HostFs, Inventory, BTreeSet<ImagePath>)> = Vec::new();
        let mut problems = Vec::new();
        let mut unowned: BTreeSet<ImagePath> = BTreeSet::new();
        while let Some(root) = self.candidates.values().find_map(|found| found.first()).map(|(root, _)| *root)
        {
            // Image paths by the path in the root.
            let mut wanted: BTreeMap<ImagePath, Vec<ImagePath>> = BTreeMap::new();
            for (path, found) in &self.candidates {
                if let Some((_, source)) = found.first().filter(|(first, _)| std::ptr::eq(*first, root)) {
                    wanted.entry(source.clone()).or_default().push(path.clone());
                }
            }
            let paths: BTreeSet<ImagePath> = wanted.keys().cloned().collect();
            let inventory = Inventory::read(root, FileSelection::Paths(&paths));
            let has_database = inventory.as_ref().map_or(true, |inventory| inventory.has_database);
            for path in wanted.values().flatten() {
                // A root without a database is a directory that a package of the host may have installed.
                match self.candidates.get_mut(path).filter(|found| !has_database && found.len() > 1) {
                    Some(found) => drop(found.remove(0)),
                    None => {
                        self.candidates.remove(path);
                        unowned.insert(path.clone());
                    }
                }
            }
            match inventory {
                Ok(inventory) => {
                    let (packages, owned) = self.with_image_paths(inventory.packages.clone(), &wanted);
                    by_root.push((root, Inventory { packages, ..inventory }, owned));
                }
                Err(error @ InventoryError::Io(_)) => return Err(error),
                Err(error) => problems.push(damaged_database(&error)),
            }
        }
        by_root.retain(|(_, inventory, _)| !inventory.packages.is_empty());
        by_root.sort_by_key(|(_, _, owned)| std::cmp::Reverse(owned.len()));
        let mut packaged = PackagedFiles { unowned, ..PackagedFiles::default() };
        for (root, inventory, owned) in by_root {
            packaged.unowned.retain(|path| !owned.contains(path));
            packaged.owned.extend(owned);
            let is_first = packaged.root.is_none();
            if is_first || is_same_release(packaged.distribution.as_ref(), inventory.distribution.as_ref()) {
                packaged.root.get_or_insert(root);
                packaged.distribution = packaged.distribution.or(inventory.distribution);
                packaged.packages.extend(inventory.packages);
            } else {
                let names =
                    [inventory.distribution.as_ref(), packaged.distribution.as_ref()].map(release_name);
                problems.push(other_release(inventory.packages.len(), &names[0], &names[1]));
            }
        }
        packaged
            .packages
            .sort_by(|a, b| (a.kind, &a.name, &a.architecture).cmp(&(b.kind, &b.name, &b.architecture)));
        Ok((packaged, problems))
    }

    /// Returns `packages` with the paths in the image, and these paths.
    fn with_image_paths(
        &self,
        mut packages: Vec<Package>,
        wanted: &BTreeMap<ImagePath, Vec<ImagePath>>,
    ) -> (Vec<Package>, BTreeSet<ImagePath>) {
        let mut owned = BTreeSet::new();
        for package in &mut packages {
            for (source, checksum) in std::mem::take(&mut package.files) {
                for path in wanted.get(&source).into_iter().flatten() {
                    let checksum = checksum.clone().filter(|_| !self.changed.contains(path));
                    package.files.insert(path.clone(), checksum);
                    owned.insert(path.clone());
                }
            }
        }
        (packages, owned)
    }
}

fn file_content(rootfs: &Rootfs, path: &ImagePath) -> fs::Result<Option<Content>> {
    Ok(match rootfs.node(path)? {
        Some(FsNode::File(file)) => Some(file.content),
        _ => None,
    })
}

fn candidates<'a>(roots: &'a RootFileSystems, content: &Content) -> Vec<(&'a HostFs, ImagePath)> {
    content.source_path().map(|source| roots.roots_with(source)).unwrap_or_default()
}

/// Returns whether packages of both distributions have the same versions and vulnerabilities.
pub(super) fn is_same_release(a: Option<&Distribution>, b: Option<&Distribution>) -> bool {
    let release = |distribution: Option<&Distribution>| {
        distribution.map(|distribution| (distribution.id.clone(), distribution.version_id.clone()))
    };
    release(a) == release(b)
}

pub(super) fn release_name(distribution: Option<&Distribution>) -> String {
    match distribution {
        None => "an unknown distribution".into(),
        Some(Distribution { id, version_id, .. }) => {
            let words: Vec<&str> = std::iter::once(id.as_str()).chain(version_id.as_deref()).collect();
            coracle_core::escape::escape_text(&words.join(" "))
        }
    }
}

pub(super) fn other_release(count: usize, release: &str, image: &str) -> String {
    format!(
        "{count} packages of {release} are not listed for scanners: an image has one distribution, and this one is \
         {image}"
    )
}

fn damaged_database(error: &InventoryError) -> String {
    format!("scanners do not see the packages of this image: {error}")
}
