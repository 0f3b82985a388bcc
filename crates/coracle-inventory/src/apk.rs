//! The database of apk: `installed`, with a stanza of lines `KEY:VALUE` for each package.
//!
//! Source: apk-tools, `doc/apk-v2.5.scd` and `src/database.c`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use coracle_core::file_system::FileSystem;
use coracle_core::path::ImagePath;

use crate::checksum::{Checksum, ChecksumAlgorithm};
use crate::database_file::{MAX_PACKAGES, find_file, lines, read_text, text};
use crate::error::InventoryError;
use crate::package::{Package, PackageKind, SourcePackage};
use crate::path_keys::PathKeys;

/// The paths of the database, in order of precedence.
const DATABASES: [&[u8]; 2] = [b"/lib/apk/db/installed", b"/usr/lib/apk/db/installed"];

/// Reads the selected packages. `None` if there is no database.
///
/// # Errors
/// Fails if the file cannot be read or is too large.
pub(crate) fn read(
    file_system: &dyn FileSystem,
    keys: &PathKeys<'_>,
) -> Result<Option<Vec<Package>>, InventoryError> {
    for path in DATABASES {
        let Some(list) = read_text(file_system, path)? else { continue };
        let mut packages = Vec::new();
        let mut stanza = Stanza::new(keys);
        for line in lines(&list).chain([&b""[..]]) {
            if !line.is_empty() {
                stanza.add_line(line);
                continue;
            }
            packages.extend(std::mem::replace(&mut stanza, Stanza::new(keys)).into_package());
            if packages.len() > MAX_PACKAGES
                && let Some(file) = find_file(file_system, path)?
            {
                return Err(InventoryError::TooManyPackages { path: file.path, limit: MAX_PACKAGES });
            }
        }
        return Ok(Some(packages));
    }
    Ok(None)
}

/// The lines of one package that were read so far.
struct Stanza<'a> {
    keys: &'a PathKeys<'a>,
    fields: BTreeMap<u8, String>,
    /// The directory of the files that follow, relative to the root.
    directory: Vec<u8>,
    /// The file that a checksum is of.
    last_file: Option<ImagePath>,
    files: BTreeMap<ImagePath, Option<Checksum>>,
}

impl<'a> Stanza<'a> {
    fn new(keys: &'a PathKeys<'a>) -> Self {
        let (fields, files) = (BTreeMap::new(), BTreeMap::new());
        Self { keys, fields, directory: Vec::new(), last_file: None, files }
    }

    fn add_line(&mut self, line: &[u8]) {
        let (Some((key, b':')), Some(value)) =
            (line.first().copied().zip(line.get(1).copied()), line.get(2..))
        else {
            return;
        };
        match key {
            b'F' => {
                self.directory = value.to_vec();
                self.add_path([b"/", value].concat());
                self.last_file = None;
            }
            b'R' => {
                let directory = self.directory.as_slice();
                let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
                let path = [b"/", directory, separator, value].concat();
                self.last_file = self.add_path(path);
            }
            b'Z' => {
                if let Some(file) = self.last_file.as_ref().and_then(|path| self.files.get_mut(path)) {
                    *file = checksum(value);
                }
            }
            b'P' | b'V' | b'A' | b'o' | b'm' | b'L' => drop(self.fields.insert(key, text(value))),
            _ => {}
        }
    }

    fn add_path(&mut self, path: Vec<u8>) -> Option<ImagePath> {
        let path = self.keys.find(&path)?;
        self.files.insert(path.clone(), None);
        Some(path)
    }

    /// Returns the package. `None` if it has no name, or owns none of the selected files.
    fn into_package(mut self) -> Option<Package> {
        let mut field = |key| self.fields.remove(&key).filter(|value| !value.is_empty());
        let name = field(b'P')?;
        let source = field(b'o').map(|name| SourcePackage { name, version: None });
        (self.keys.selects_all() || !self.files.is_empty()).then(|| Package {
            kind: PackageKind::Apk,
            name,
            version: field(b'V').unwrap_or_default(),
            architecture: field(b'A').unwrap_or_default(),
            source,
            supplier: field(b'm'),
            licence: field(b'L'),
            files: self.files,
        })
    }
}

/// Parses `Q1` and a SHA-1 in base64.
fn checksum(value: &[u8]) -> Option<Checksum> {
    let bytes = BASE64_STANDARD.decode(value.strip_prefix(b"Q1")?).ok()?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Checksum::parse(ChecksumAlgorithm::Sha1, hex.as_bytes())
}

#[cfg(test)]
mod tests {
    use crate::{FileSelection, Inventory};
    use coracle_core::file_system::MemoryFs;

    const INSTALLED: &str = "C:Q1x\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nm:A <a@x>\nF:lib\nR:libc.musl-x86_64.so.1\n\
        a:0:0:777\nZ:Q17yJ3JFNypA4mxhJJr0ou6CzsJVI=\nF:\nR:top\n\nP:busybox\nV:1\nF:bin\nR:busybox\n\nV:no name\n\nP:cyclic\nD:cyclic\n";

    fn files() -> MemoryFs {
        let mut files = MemoryFs::from_text("/lib -> usr/lib\n/bin -> usr/bin");
        files.add_file("/usr/lib/apk/db/installed", INSTALLED.as_bytes());
        files
    }

    #[test]
    fn reads_packages_and_their_files() {
        let inventory = Inventory::read(&files(), FileSelection::All).unwrap();
        let names: Vec<String> = inventory.packages.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["busybox 1", "cyclic ", "musl 1.2.5-r0"]);
        let musl = &inventory.packages[2];
        assert_eq!(musl.licence.as_deref(), Some("MIT"));
        assert_eq!(musl.supplier.as_deref(), Some("A <a@x>"));
        let checksum = musl.files[&"/usr/lib/libc.musl-x86_64.so.1".parse().unwrap()].as_ref().unwrap();
        assert_eq!(checksum.hex, "ef2277245372a40e26c61249af4a2ee82cec2552");
        assert!(musl.files.contains_key(&"/top".parse().unwrap()));
    }

    #[test]
    fn finds_owners_of_files() {
        let wanted = ["/usr/bin/busybox".parse().unwrap(), "/usr/bin/other".parse().unwrap()].into();
        let inventory = Inventory::read(&files(), FileSelection::Paths(&wanted)).unwrap();
        assert_eq!(inventory.packages.len(), 1);
        assert_eq!(inventory.owner_of(&"/usr/bin/busybox".parse().unwrap()).unwrap().name, "busybox");
    }

    #[test]
    fn a_million_packages_are_an_error() {
        let mut files = MemoryFs::default();
        files.add_file("/lib/apk/db/installed", "P:a\n\n".repeat(1_000_000).as_bytes());
        let error = Inventory::read(&files, FileSelection::All).unwrap_err();
        assert!(error.to_string().ends_with("has more than 100000 packages"), "{error}");
    }
}
