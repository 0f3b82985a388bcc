//! The packages of distributions that own files of an image, by the databases in it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fmt;

use coracle_core::path::ImagePath;
use coracle_inventory::{FileSelection, Inventory, InventoryError, PackageKind};
use coracle_oci::layout::ImageFs;
use serde::Serialize;

/// The directories and files of package databases, and of the name of the distribution.
const DATABASES: [&str; 12] = [
    "var/lib/dpkg/",
    "lib/apk/db/",
    "usr/lib/apk/db/",
    "var/lib/rpm/",
    "usr/lib/sysimage/rpm/",
    "usr/share/rpm/",
    "var/lib/rpmmanifest/",
    "etc/os-release",
    "usr/lib/os-release",
    "etc/debian_version",
    "etc/lsb-release",
    "etc/alpine-release",
];

/// The packages of an image, and the files that they own.
#[derive(Clone, Debug, Default)]
pub struct PackageIndex {
    /// The name of the distribution.
    pub distribution: Option<String>,
    /// The packages, sorted by name.
    pub packages: Vec<PackageName>,
    /// Why the packages cannot be read.
    pub problem: Option<String>,
    owners: BTreeMap<ImagePath, usize>,
}

/// A package.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct PackageName {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The package manager: `deb`, `apk` or `rpm`.
    pub kind: &'static str,
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl PackageIndex {
    /// Returns whether the content of the tar member `name` is needed to find packages.
    pub(crate) fn needs(name: &[u8]) -> bool {
        let name = name.strip_prefix(b"./").or(name.strip_prefix(b"/")).unwrap_or(name);
        DATABASES.iter().any(|path| {
            if path.ends_with('/') { name.starts_with(path.as_bytes()) } else { name == path.as_bytes() }
        })
    }

    /// Reads the packages that own files of `file_system`.
    pub(crate) fn read(file_system: &ImageFs) -> Self {
        let files = file_system.files().iter().filter(|(_, entry)| !entry.is_directory());
        let paths: BTreeSet<ImagePath> = files.map(|(path, _)| path.clone()).collect();
        match Inventory::read(file_system, FileSelection::Paths(&paths)) {
            Ok(inventory) => Self::new(inventory),
            Err(error) => Self { problem: Some(error_text(&error)), ..Self::default() },
        }
    }

    fn new(inventory: Inventory) -> Self {
        let mut owners = BTreeMap::new();
        for (index, package) in inventory.packages.iter().enumerate() {
            for path in package.files.keys() {
                owners.entry(path.clone()).or_insert(index);
            }
        }
        let packages = inventory.packages.into_iter().map(|package| PackageName {
            name: package.name,
            version: package.version,
            kind: match package.kind {
                PackageKind::Deb => "deb",
                PackageKind::Apk => "apk",
                PackageKind::Rpm => "rpm",
            },
        });
        let distribution = inventory.distribution.map(|distribution| {
            let named = distribution.pretty_name.or(distribution.name).unwrap_or(distribution.id);
            match distribution.version_id {
                Some(version) if !named.contains(&version) => format!("{named} {version}"),
                _ => named,
            }
        });
        Self { distribution, packages: packages.collect(), problem: None, owners }
    }

    /// Returns the package that owns `path`.
    pub fn owner_of(&self, path: &ImagePath) -> Option<&PackageName> {
        self.owners.get(path).and_then(|index| self.packages.get(*index))
    }

    /// Returns the index of the package that owns `path`.
    pub(crate) fn owner_index(&self, path: &ImagePath) -> Option<usize> {
        self.owners.get(path).copied()
    }
}

/// Returns an error with its causes.
fn error_text(error: &InventoryError) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
