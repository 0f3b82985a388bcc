//! The databases of RPM: SQLite, ndb and Berkeley DB, and the list of packages of images without a
//! database.

mod berkeley_db;
mod bytes;
mod header;
mod ndb;
mod sqlite;

use std::collections::BTreeMap;

use coracle_core::content::OpenContent;
use coracle_core::file_system::FileSystem;

use crate::database_file::{MAX_PACKAGES, find_file, lines, read_text, text};
use crate::error::InventoryError;
use crate::package::{Package, PackageKind, SourcePackage};
use crate::path_keys::PathKeys;

/// The directories of databases, in order of precedence.
const DIRECTORIES: [&str; 2] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];
/// The list of packages of images without a database.
const MANIFEST: &[u8] = b"/var/lib/rpmmanifest/container-manifest-2";
/// The maximum size of the header of one package, in bytes.
const MAX_HEADER_SIZE: usize = 64 << 20;

/// Calls a function with the header of each package in a database. An error names what is wrong with
/// the file.
type ReadHeaders = fn(&OpenContent, &mut dyn FnMut(&[u8]) -> Option<()>) -> Result<(), ReadError>;

/// The names of databases, with their readers.
const DATABASES: [(&str, ReadHeaders); 3] = [
    ("rpmdb.sqlite", sqlite::read_headers),
    ("Packages.db", ndb::read_headers),
    ("Packages", berkeley_db::read_headers),
];

/// Why a database cannot be read.
#[derive(Debug)]
enum ReadError {
    Io(coracle_core::fs::Error),
    Damaged(&'static str),
}

impl From<coracle_core::fs::Error> for ReadError {
    fn from(error: coracle_core::fs::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads the selected packages. `None` if there is no database.
///
/// # Errors
/// Fails if a file cannot be read or is damaged.
pub(crate) fn read(
    file_system: &dyn FileSystem,
    keys: &PathKeys<'_>,
) -> Result<Option<Vec<Package>>, InventoryError> {
    for directory in DIRECTORIES {
        for (name, read_headers) in DATABASES {
            if let Some(file) = find_file(file_system, format!("{directory}/{name}").as_bytes())? {
                return read_database(&file.path, &file.content.open()?, read_headers, keys).map(Some);
            }
        }
    }
    let Some(manifest) = read_text(file_system, MANIFEST)? else { return Ok(None) };
    // The list has no files.
    let packages = lines(&manifest).filter(|_| keys.selects_all()).filter_map(manifest_package);
    Ok(Some(packages.take(MAX_PACKAGES).collect()))
}

fn read_database(
    path: &coracle_core::path::ImagePath,
    file: &OpenContent,
    read_headers: ReadHeaders,
    keys: &PathKeys<'_>,
) -> Result<Vec<Package>, InventoryError> {
    let damaged = |problem| InventoryError::Damaged { path: path.clone(), problem };
    let (mut packages, mut count, mut bad_header) = (Vec::new(), 0, false);
    let result = read_headers(file, &mut |blob| {
        count += 1;
        let header = header::Header::parse(blob);
        bad_header = header.is_none();
        packages.extend(header?.to_package(keys));
        (count <= MAX_PACKAGES).then_some(())
    });
    match result {
        _ if bad_header => Err(damaged("the header of a package is invalid")),
        _ if count > MAX_PACKAGES => {
            Err(InventoryError::TooManyPackages { path: path.clone(), limit: MAX_PACKAGES })
        }
        Err(ReadError::Io(error)) => Err(error.into()),
        Err(ReadError::Damaged(problem)) => Err(damaged(problem)),
        Ok(()) => Ok(packages),
    }
}

/// Parses a line of the list: name, version and release, install time, build time, vendor, epoch, size,
/// architecture, epoch number, source package.
fn manifest_package(line: &[u8]) -> Option<Package> {
    let fields: Vec<String> = line.split(|byte| *byte == b'\t').map(text).collect();
    let field =
        |index: usize| fields.get(index).filter(|value| !value.is_empty() && *value != "(none)").cloned();
    let epoch = field(8).filter(|epoch| epoch != "0");
    let version = field(1)?;
    Some(Package {
        kind: PackageKind::Rpm,
        name: field(0)?,
        version: epoch.map_or(version.clone(), |epoch| format!("{epoch}:{version}")),
        architecture: field(7).unwrap_or_default(),
        source: field(9).and_then(|source| source_package(&source)),
        supplier: field(4),
        licence: None,
        files: BTreeMap::new(),
    })
}

/// Splits `NAME-VERSION-RELEASE.src.rpm`.
fn source_package(file_name: &str) -> Option<SourcePackage> {
    let stem = file_name.strip_suffix(".rpm")?;
    let (stem, _) = stem.rsplit_once('.')?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(SourcePackage { name: name.to_owned(), version: Some(format!("{version}-{release}")) })
}

#[cfg(test)]
mod tests;
