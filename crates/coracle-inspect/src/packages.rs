//! The packages of distributions that own files of an image, by the databases in it.

use std::collections::BTreeMap;
use std::fmt;

use coracle_core::file_system::FileSystem;
use coracle_core::path::ImagePath;
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

    /// Reads the packages of `file_system`.
    pub(crate) fn read(_file_system: &dyn FileSystem) -> Self {
        Self::default()
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
