//! The databases of dpkg: `/var/lib/dpkg/status` with `info`, and `status.d` of images that have no
//! dpkg.

mod candidates;
mod diversions;
mod stanza;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use coracle_core::file_system::{FileSystem, UntrackedFs};
use coracle_core::path::ImagePath;

use crate::checksum::{Checksum, ChecksumAlgorithm};
use crate::database_file::{DirectoryListing, MAX_PACKAGES, lines, list_directory, read_text, text};
use crate::error::InventoryError;
use crate::package::{Package, PackageKind, SourcePackage};
use crate::path_keys::{FileSelection, PathKeys};
use candidates::CandidateQueue;
use diversions::Diversions;
use stanza::Stanza;

const STATUS: &[u8] = b"/var/lib/dpkg/status";
const STATUS_DIRECTORY: &[u8] = b"/var/lib/dpkg/status.d";
/// Directory of `PACKAGE.list` and `PACKAGE.md5sums`; `PACKAGE:ARCHITECTURE` for packages that can
/// be installed for several architectures.
const INFO: &str = "/var/lib/dpkg/info/";
/// The maximum size of all lists of files, in bytes.
const MAX_LISTS_SIZE: usize = 512 << 20;
/// Directories in which packages have no files: `debian-policy`, 9.1.2 and the file system
/// hierarchy standard. Files in `/etc` are looked up as conffiles (`debian-policy`, 10.7.3).
const UNPACKAGED_DIRECTORIES: [&str; 11] = [
    "/usr/local/",
    "/home/",
    "/root/",
    "/tmp/",
    "/var/tmp/",
    "/run/",
    "/srv/",
    "/app/",
    "/mnt/",
    "/media/",
    "/etc/",
];

/// Reads the selected packages. `None` if there is no database.
///
/// # Errors
/// Fails if a file cannot be read or is too large.
pub(crate) fn read(
    file_system: &dyn FileSystem,
    keys: &PathKeys<'_>,
) -> Result<Option<Vec<Package>>, InventoryError> {
    let status = read_text(file_system, STATUS)?;
    let status_directory = list_directory(file_system, STATUS_DIRECTORY)?;
    if status.is_none() && status_directory.is_none() {
        return Ok(None);
    }
    let mut packages = Vec::new();
    if let Some(status) = &status {
        packages = Database::new(file_system, keys, status)?.read_packages()?;
    }
    if let Some(DirectoryListing { path, names }) = status_directory {
        packages.extend(read_status_directory(file_system, keys, &path, &names)?);
    }
    Ok(Some(packages))
}

/// An installed dpkg with its status file.
struct Database<'a> {
    file_system: UntrackedFs<'a>,
    keys: &'a PathKeys<'a>,
    status: &'a [u8],
    installed: Vec<Stanza<'a>>,
    diversions: Diversions,
    /// The size of the lists that were read.
    lists_size: usize,
}

impl<'a> Database<'a> {
    fn new(
        file_system: &'a dyn FileSystem,
        keys: &'a PathKeys<'a>,
        status: &'a [u8],
    ) -> Result<Self, InventoryError> {
        let mut installed = Vec::new();
        for stanza in Stanza::split(status).filter(Stanza::is_installed) {
            if installed.len() == MAX_PACKAGES {
                return Err(InventoryError::TooManyPackages { path: path_of(STATUS), limit: MAX_PACKAGES });
            }
            installed.push(stanza);
        }
        let diversions = Diversions::read(file_system)?;
        // A change of these files changes the status file, too.
        let file_system = UntrackedFs(file_system);
        Ok(Self { file_system, keys, status, installed, diversions, lists_size: 0 })
    }

    fn read_packages(mut self) -> Result<Vec<Package>, InventoryError> {
        let mut packages = Vec::new();
        let mut wanted = match self.keys.selection {
            FileSelection::Paths(paths) => paths.clone(),
            FileSelection::NoFiles => {
                return Ok(self.installed.iter().map(|stanza| package(*stanza, BTreeMap::new())).collect());
            }
            FileSelection::All | FileSelection::PathsOrDirectories(_) => {
                for index in 0..self.installed.len() {
                    packages.extend(self.read_package(index)?);
                }
                return Ok(packages);
            }
        };
        let mut queue = CandidateQueue::new(&self.installed, &wanted);
        while !wanted.is_empty() {
            if queue.is_exhausted() {
                let conffiles: Vec<usize> = self.owners_of_conffiles(&wanted).into_iter().collect();
                queue.push_all(conffiles);
                if wanted.iter().any(may_be_packaged) {
                    queue.push_all(0..self.installed.len());
                }
            }
            let Some(index) = queue.next() else { break };
            if let Some(package) = self.read_package(index)? {
                wanted.retain(|path| !package.files.contains_key(path));
                queue.push_dependencies(index);
                packages.push(package);
            }
        }
        Ok(packages)
    }

    /// Returns the packages that have one of `wanted` as a conffile.
    fn owners_of_conffiles(&self, wanted: &BTreeSet<ImagePath>) -> BTreeSet<usize> {
        let in_etc = wanted.iter().filter(|path| path.as_bytes().starts_with(b"/etc/"));
        let owners = in_etc.filter_map(|path| {
            let at = memchr::memmem::find(
                self.status,
                &[
                    b"
 ",
                    path.as_bytes(),
                    b" ",
                ]
                .concat(),
            )?;
            self.installed.iter().rposition(|stanza| stanza.start <= at)
        });
        owners.collect()
    }

    /// Reads the package with this index. `None` if it owns none of the selected files.
    fn read_package(&mut self, index: usize) -> Result<Option<Package>, InventoryError> {
        let Some(stanza) = self.installed.get(index).copied() else { return Ok(None) };
        let Some(FileList { text: list, stem }) = self.read_list(stanza)? else {
            return Ok(self.keys.selects_all().then(|| package(stanza, BTreeMap::new())));
        };
        self.lists_size += list.len();
        if self.lists_size > MAX_LISTS_SIZE {
            let size = self.lists_size as u64;
            return Err(InventoryError::TooLarge {
                path: path_of(INFO.as_bytes()),
                size,
                limit: MAX_LISTS_SIZE as u64,
            });
        }
        let listed =
            lines(&list).filter_map(|line| self.keys.find(self.diversions.path_of(line, stanza.name())));
        let mut files: BTreeMap<ImagePath, Option<Checksum>> = listed.map(|path| (path, None)).collect();
        if files.is_empty() && !self.keys.selects_all() {
            return Ok(None);
        }
        if let Some(checksums) = read_text(&self.file_system, &info_path(&stem, ".md5sums"))? {
            set_checksums(&mut files, self.keys, &checksums);
        }
        for line in stanza.continuation_lines("Conffiles") {
            let mut words = line.split(u8::is_ascii_whitespace);
            let (path, hex) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if let Some(file) = self.keys.find(path).and_then(|path| files.get_mut(&path)) {
                *file = Checksum::parse(ChecksumAlgorithm::Md5, hex);
            }
        }
        Ok(Some(package(stanza, files)))
    }

    /// Returns the list of a package's files. `None` if there is none.
    fn read_list(&self, stanza: Stanza<'_>) -> Result<Option<FileList>, InventoryError> {
        let name = stanza.name();
        if name.is_empty() || name.contains(&b'/') || name.starts_with(b".") {
            return Ok(None);
        }
        let architecture = stanza.field("Architecture").unwrap_or_default();
        let qualified = [name, b":", architecture].concat();
        // Only packages with `Multi-Arch: same` have the architecture in their name.
        let is_qualified = stanza.field("Multi-Arch") == Some(b"same");
        let stems = if is_qualified { [qualified, name.to_vec()] } else { [name.to_vec(), qualified] };
        for stem in stems {
            if let Some(list) = read_text(&self.file_system, &info_path(&stem, ".list"))? {
                return Ok(Some(FileList { text: list, stem }));
            }
        }
        Ok(None)
    }
}

/// `info/STEM.list`: the paths of a package's files.
struct FileList {
    text: Vec<u8>,
    /// What the names of the package's files in `info` start with.
    stem: Vec<u8>,
}

/// Reads the packages of `status.d`. Each has a file with its stanza, and one with the checksums of
/// its files.
fn read_status_directory(
    file_system: &dyn FileSystem,
    keys: &PathKeys<'_>,
    directory: &ImagePath,
    names: &[Vec<u8>],
) -> Result<Vec<Package>, InventoryError> {
    if names.len() > MAX_PACKAGES * 2 {
        return Err(InventoryError::TooManyPackages { path: directory.clone(), limit: MAX_PACKAGES });
    }
    let mut packages = Vec::new();
    for name in names.iter().filter(|name| !name.ends_with(b".md5sums")) {
        let path = directory.join(name);
        let Some(status) = read_text(file_system, path.as_bytes())? else { continue };
        let checksums = read_text(file_system, &[path.as_bytes(), b".md5sums"].concat())?;
        for stanza in Stanza::split(&status).filter(Stanza::is_installed) {
            let listed = checksums.iter().flat_map(|text| lines(text)).filter_map(checksum_line);
            let files: BTreeMap<ImagePath, Option<Checksum>> =
                listed.filter_map(|(path, checksum)| Some((keys.find(&path)?, checksum))).collect();
            if keys.selects_all() || !files.is_empty() {
                packages.push(package(stanza, files));
            }
        }
    }
    Ok(packages)
}

/// Sets the checksums of `files` from lines of a `md5sums` file.
fn set_checksums(files: &mut BTreeMap<ImagePath, Option<Checksum>>, keys: &PathKeys<'_>, text: &[u8]) {
    for (path, checksum) in lines(text).filter_map(checksum_line) {
        if let Some(file) = keys.find(&path).and_then(|path| files.get_mut(&path)) {
            *file = checksum;
        }
    }
}

/// Parses `HEX  PATH`. The path is relative to the root.
fn checksum_line(line: &[u8]) -> Option<(Vec<u8>, Option<Checksum>)> {
    let (hex, path) = line.split_at_checked(ChecksumAlgorithm::Md5.hex_length())?;
    let path = path.trim_ascii_start();
    let path = path.strip_prefix(b"./").or_else(|| path.strip_prefix(b"/")).unwrap_or(path);
    Some(([b"/", path].concat(), Checksum::parse(ChecksumAlgorithm::Md5, hex)))
}

fn package(stanza: Stanza<'_>, files: BTreeMap<ImagePath, Option<Checksum>>) -> Package {
    let field = |name| stanza.field(name).map(text).filter(|value| !value.is_empty());
    // `NAME`, or `NAME (VERSION)` if the version differs from the package's.
    let source = field("Source").map(|source| match source.split_once(" (") {
        Some((name, version)) => {
            SourcePackage { name: name.to_owned(), version: Some(version.trim_end_matches(')').to_owned()) }
        }
        None => SourcePackage { name: source, version: None },
    });
    Package {
        kind: PackageKind::Deb,
        name: text(stanza.name()),
        version: field("Version").unwrap_or_default(),
        architecture: field("Architecture").unwrap_or_default(),
        source,
        supplier: field("Maintainer"),
        licence: None,
        files,
    }
}

fn info_path(stem: &[u8], extension: &str) -> Vec<u8> {
    [INFO.as_bytes(), stem, extension.as_bytes()].concat()
}

fn path_of(path: &[u8]) -> ImagePath {
    ImagePath::parse(path).unwrap_or_else(|_| ImagePath::root())
}

/// Returns whether the lists of all packages have to be searched for `path`.
fn may_be_packaged(path: &ImagePath) -> bool {
    !UNPACKAGED_DIRECTORIES.iter().any(|directory| path.as_bytes().starts_with(directory.as_bytes()))
}
