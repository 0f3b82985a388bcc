//! Finds the parts of an image, and which of them needs which.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::inventory::{FileModules, ImageInventory};
use coracle_core::content::Content;
use coracle_core::entry::EntryReason;
use coracle_core::file_system::{self, FileSystem, FsNode, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::ImagePath;
use coracle_inventory::sbom::{Sbom, SbomFile, SbomImage, SbomPart};
use coracle_inventory::{FileSelection, Inventory, ProgramModules};
use coracle_ld::elf::{self, ElfObject};

/// What is known about an image.
pub struct ImageContents<'a> {
    /// The image's files.
    pub file_system: &'a dyn FileSystem,
    /// Its packages and modules.
    pub inventory: &'a ImageInventory,
    /// Why entries are in the image, as far as it is known.
    pub reasons: BTreeMap<ImagePath, EntryReason>,
}

/// Returns the SBOM of an image.
///
/// # Errors
/// Fails if a file cannot be read.
pub fn sbom_of_contents(image: SbomImage, contents: &ImageContents<'_>) -> Result<Sbom, Error> {
    let files = ImageFiles::read(contents.file_system)?;
    let mut sbom = Sbom::new(image, contents.inventory.distribution.clone());
    let mut parts: BTreeMap<&ImagePath, SbomPart> = BTreeMap::new();
    for package in &contents.inventory.packages {
        let mut described = Vec::new();
        for path in package.files.keys() {
            // Links, and files that another package owns as well.
            if let Some(content) = files.contents.get(path).filter(|_| !parts.contains_key(path)) {
                described.push(SbomFile::read(path, content)?);
            }
        }
        let part = sbom.add_package(package, described);
        for path in package.files.keys() {
            parts.entry(path).or_insert(part);
        }
    }
    for package in &contents.inventory.base_packages {
        sbom.add_package(package, Vec::new());
    }
    for (path, content) in &files.contents {
        if !parts.contains_key(path) {
            sbom.add_file(SbomFile::read(path, content)?);
        }
    }
    let part_of = |path: &ImagePath| parts.get(path).copied().unwrap_or(SbomPart::Image);
    for file in &contents.inventory.modules {
        sbom.add_modules(&file.path.to_string(), part_of(&file.path), &file.list);
    }
    for need in files.needs(contents)? {
        sbom.add_relation(part_of(&need.by), part_of(&need.path), need.is_optional, need.reason);
    }
    Ok(sbom)
}

/// Returns the SBOM of an image by what is in its files: package databases, and the lists of modules in
/// programs.
///
/// # Errors
/// Fails if a file or a package database cannot be read.
pub fn sbom_of_file_system(image: SbomImage, file_system: &dyn FileSystem) -> Result<Sbom, Error> {
    let packages = Inventory::read(file_system, FileSelection::All)?;
    let mut modules = Vec::new();
    for (path, content) in ImageFiles::read(file_system)?.contents {
        if let ProgramModules::Listed(list) = ProgramModules::read(&content)? {
            modules.push(FileModules { path, list });
        }
    }
    let inventory = ImageInventory {
        distribution: packages.distribution,
        packages: packages.packages,
        modules,
        ..ImageInventory::default()
    };
    sbom_of_contents(image, &ImageContents { file_system, inventory: &inventory, reasons: BTreeMap::new() })
}

/// The files of an image.
struct ImageFiles {
    contents: BTreeMap<ImagePath, Content>,
    /// Files and links to files, by their name; the first of several.
    by_name: BTreeMap<Vec<u8>, ImagePath>,
}

/// A file that another file needs.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    by: ImagePath,
    path: ImagePath,
    is_optional: bool,
    reason: String,
}

impl ImageFiles {
    fn read(file_system: &dyn FileSystem) -> fs::Result<Self> {
        let mut files = Self { contents: BTreeMap::new(), by_name: BTreeMap::new() };
        let mut directories = vec![ImagePath::root()];
        while let Some(directory) = directories.pop() {
            for name in file_system.list(&directory)? {
                let path = directory.join(&name);
                match file_system.node(&path)? {
                    Some(FsNode::Directory) => directories.push(path),
                    Some(FsNode::File(file)) => {
                        files.by_name.entry(name).or_insert_with(|| path.clone());
                        files.contents.insert(path, file.content);
                    }
                    Some(FsNode::Link(_)) => {
                        let end =
                            file_system::resolve_path(file_system, &ImagePath::root(), path.as_bytes())?.end;
                        if let ResolutionEnd::File(target, _) = end {
                            files.by_name.entry(name).or_insert(target);
                        }
                    }
                    Some(FsNode::Special(_)) | None => {}
                }
            }
        }
        Ok(files)
    }

    /// Returns what each ELF file needs (`DT_NEEDED`, `PT_INTERP`), and what the plan has found besides.
    fn needs(&self, contents: &ImageContents<'_>) -> fs::Result<BTreeSet<Need>> {
        let mut needs = BTreeSet::new();
        for (path, content) in &self.contents {
            let reason = contents.reasons.get(path);
            needs.extend(
                reason
                    .and_then(|reason| planned_need(contents.file_system, path, reason).transpose())
                    .transpose()?,
            );
            let object = match ElfObject::read(&content.open()?) {
                Ok(object) => object,
                Err(elf::Error::Io(error)) => return Err(error),
                Err(_) => continue,
            };
            let libraries = object.dynamic.needed();
            let names = libraries.map(|name| (name, "DT_NEEDED"));
            let interpreter =
                object.interpreter.iter().map(|interpreter| (interpreter.as_bytes(), "PT_INTERP"));
            for (name, kind) in names.chain(interpreter) {
                let file_name = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
                let Some(target) = self.by_name.get(file_name) else { continue };
                needs.insert(Need {
                    by: path.clone(),
                    path: target.clone(),
                    is_optional: false,
                    reason: format!(
                        "{target} needed by {path}, {kind}{}",
                        rule(contents.reasons.get(target), path)
                    ),
                });
            }
        }
        Ok(needs)
    }
}

/// Returns the rule by which the loader found a file for `by`.
fn rule(reason: Option<&EntryReason>, by: &ImagePath) -> String {
    match reason {
        Some(EntryReason::Needed { by: first, rule })
            if first.file_name() == by.file_name().unwrap_or_default() =>
        {
            format!(", {rule}")
        }
        _ => String::new(),
    }
}

/// Returns the need that is the reason of an entry and that no ELF header names.
fn planned_need(
    file_system: &dyn FileSystem,
    path: &ImagePath,
    reason: &EntryReason,
) -> fs::Result<Option<Need>> {
    let (by, is_optional) = match reason {
        EntryReason::Dlopened { by, .. } => (by, true),
        EntryReason::Interpreter(by) => (by, false),
        _ => return Ok(None),
    };
    // A program that moved is not at its raw path: it belongs to the image's own files.
    let by = match file_system::resolve_path(file_system, &ImagePath::root(), by.as_bytes())?.end {
        ResolutionEnd::File(by, _) => by,
        _ => ImagePath::root(),
    };
    let reason = format!("{path} {reason}");
    Ok(Some(Need { by, path: path.clone(), is_optional, reason }))
}
