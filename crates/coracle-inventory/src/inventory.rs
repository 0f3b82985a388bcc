//! The inventory of a file system.

use coracle_core::file_system::FileSystem;
use coracle_core::path::ImagePath;

use crate::apk;
use crate::distribution::Distribution;
use crate::dpkg;
use crate::error::InventoryError;
use crate::package::Package;
use crate::path_keys::{FileSelection, PathKeys};
use crate::rpm;

/// The distribution and the installed packages of a file system.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Inventory {
    /// The distribution. `None` if the file system does not say.
    pub distribution: Option<Distribution>,
    /// The packages, sorted by package manager, name and architecture. With selected paths, only
    /// those that own one of them.
    pub packages: Vec<Package>,
    /// `true` if the file system has a package database.
    pub has_database: bool,
}

impl Inventory {
    /// Reads the distribution of `file_system`, and the packages of all its databases.
    ///
    /// # Errors
    /// Fails if a database cannot be read, is damaged or too large.
    pub fn read(file_system: &dyn FileSystem, selection: FileSelection<'_>) -> Result<Self, InventoryError> {
        let keys = PathKeys::new(file_system, selection)?;
        let databases =
            [dpkg::read(file_system, &keys)?, apk::read(file_system, &keys)?, rpm::read(file_system, &keys)?];
        let has_database = databases.iter().any(Option::is_some);
        let mut packages: Vec<Package> = databases.into_iter().flatten().flatten().collect();
        packages.sort_by(|a, b| {
            let key =
                |package: &'_ Package| (package.kind, package.name.clone(), package.architecture.clone());
            key(a).cmp(&key(b)).then_with(|| a.version.cmp(&b.version))
        });
        let distribution = Distribution::read(file_system)?;
        Ok(Self { distribution, packages, has_database })
    }

    /// Returns the package that owns `path`; the first if several do.
    pub fn owner_of(&self, path: &ImagePath) -> Option<&Package> {
        self.packages.iter().find(|package| package.files.contains_key(path))
    }
}
