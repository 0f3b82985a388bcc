//! Installed packages.

use std::collections::BTreeMap;
use std::fmt;

use coracle_core::escape::escape_bytes;
use coracle_core::path::ImagePath;

use crate::checksum::Checksum;

/// A package manager.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PackageKind {
    /// dpkg: Debian, Ubuntu and their derivatives.
    Deb,
    /// apk: Alpine, Wolfi.
    Apk,
    /// RPM: Fedora, RHEL, openSUSE and others.
    Rpm,
}

/// An installed package of a distribution.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Package {
    /// The package manager.
    pub kind: PackageKind,
    /// The name.
    pub name: String,
    /// The whole version: `[EPOCH:]VERSION[-REVISION]`.
    pub version: String,
    /// The architecture, in the words of the package manager.
    pub architecture: String,
    /// The source package that it was built from. `None` if the database does not name one.
    pub source: Option<SourcePackage>,
    /// The maintainer or vendor.
    pub supplier: Option<String>,
    /// The licence, as the database has it. dpkg's has none.
    pub licence: Option<String>,
    /// The owned files that were selected, each with the checksum that the package records. Paths
    /// are those of the file system, even where the database has them without `/usr`.
    pub files: BTreeMap<ImagePath, Option<Checksum>>,
}

/// The source package of a [`Package`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourcePackage {
    /// The name.
    pub name: String,
    /// The version. `None` if it is not recorded.
    pub version: Option<String>,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", escape_bytes(self.name.as_bytes()), escape_bytes(self.version.as_bytes()))
    }
}
