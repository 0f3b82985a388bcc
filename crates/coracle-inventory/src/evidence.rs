//! The files by which vulnerability scanners recognize packages in an image.
//!
//! Each has only the fields that scanners read. A stanza of a package is a file of its own for dpkg
//! (the layout of the distroless images); apk and RPM have one file for all packages.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use coracle_core::file_system::FileSystem;
use coracle_core::path::ImagePath;

use crate::checksum::ChecksumAlgorithm;
use crate::database_file::{find_file, text};
use crate::distribution::Distribution;
use crate::error::InventoryError;
use crate::package::{Package, PackageKind};

/// A generated file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvidenceFile {
    /// The path in the image.
    pub path: ImagePath,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The index of the package that it describes. `None` if it describes all packages.
    pub package: Option<usize>,
}

/// The maximum size of a file with a release, in bytes.
const MAX_RELEASE_SIZE: u64 = 4 << 10;
/// Files with the release of RPM distributions; the first that exists is kept.
const RPM_RELEASE_FILES: [&str; 7] = [
    "/etc/fedora-release",
    "/etc/rocky-release",
    "/etc/almalinux-release",
    "/etc/oracle-release",
    "/etc/centos-release",
    "/etc/redhat-release",
    "/etc/system-release",
];

/// Returns the files that describe `packages` of one file system; empty if there are none. `files` of
/// the packages are those in the image.
pub fn package_evidence(packages: &[Package]) -> Vec<EvidenceFile> {
    let mut files = dpkg_files(packages);
    let of_kind = |kind| packages.iter().filter(move |package| package.kind == kind);
    let apk: String = of_kind(PackageKind::Apk).map(apk_stanza).collect();
    let rpm: String = of_kind(PackageKind::Rpm).map(rpm_line).collect();
    for (path, text) in [("/lib/apk/db/installed", apk), ("/var/lib/rpmmanifest/container-manifest-2", rpm)] {
        if let Some(path) = path.parse().ok().filter(|_| !text.is_empty()) {
            files.push(EvidenceFile { path, bytes: text.into_bytes(), package: None });
        }
    }
    files
}

/// Returns the files with the distribution of `file_system`: `/etc/os-release` with the fields that
/// scanners read, and the file in which they look for the exact release.
///
/// # Errors
/// Fails if a file cannot be read.
pub fn distribution_evidence(
    file_system: &dyn FileSystem,
    distribution: &Distribution,
    kind: PackageKind,
) -> Result<Vec<EvidenceFile>, InventoryError> {
    let mut files = Vec::new();
    let mut add = |path: &str, bytes: Vec<u8>| {
        files.extend(path.parse().ok().map(|path| EvidenceFile { path, bytes, package: None }));
    };
    add("/etc/os-release", distribution.to_os_release().into_bytes());
    let candidates: &[&str] = match kind {
        PackageKind::Deb if distribution.is_like("ubuntu") => &["/etc/lsb-release"],
        PackageKind::Deb => &["/etc/debian_version"],
        PackageKind::Rpm => &RPM_RELEASE_FILES,
        PackageKind::Apk => &[],
    };
    for path in candidates {
        if let Some(file) = find_file(file_system, path.as_bytes())? {
            add(path, file.read(MAX_RELEASE_SIZE)?);
            break;
        }
    }
    Ok(files)
}

/// Returns `/var/lib/dpkg/status.d/NAME` and `NAME.md5sums` of each package.
fn dpkg_files(packages: &[Package]) -> Vec<EvidenceFile> {
    let mut files = Vec::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for package in packages.iter().filter(|package| package.kind == PackageKind::Deb) {
        *names.entry(&package.name).or_default() += 1;
    }
    for (index, package) in packages.iter().enumerate() {
        // One package may be installed for several architectures.
        let file_name = match names.get(package.name.as_str()) {
            None => continue,
            Some(1) => package.name.clone(),
            Some(_) => format!("{}_{}", package.name, package.architecture),
        };
        let checksums: String = package.files.iter().filter_map(checksum_line).collect();
        let texts = [(String::new(), dpkg_stanza(package)), (".md5sums".to_owned(), checksums)];
        for (extension, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            let path = format!("/var/lib/dpkg/status.d/{file_name}{extension}");
            // A name with a slash is damaged.
            let path: Option<ImagePath> = path.parse().ok().filter(|_| !file_name.contains('/'));
            files.extend(path.map(|path| EvidenceFile {
                path,
                bytes: text.into_bytes(),
                package: Some(index),
            }));
        }
    }
    files
}

fn dpkg_stanza(package: &Package) -> String {
    let source = package.source.as_ref().map(|source| match &source.version {
        Some(version) => format!("{} ({version})", source.name),
        None => source.name.clone(),
    });
    let fields = [
        ("Package", Some(&package.name)),
        ("Status", Some(&"install ok installed".to_owned())),
        ("Maintainer", package.supplier.as_ref()),
        ("Architecture", Some(&package.architecture)),
        ("Source", source.as_ref()),
        ("Version", Some(&package.version)),
    ]
    .map(|(name, value)| value.map(|value| format!("{name}: {value}\n")).unwrap_or_default());
    fields.concat()
}

/// Returns a line of an `md5sums` file. `None` if the package has no MD5 checksum of the file.
fn checksum_line((path, checksum): (&ImagePath, &Option<crate::checksum::Checksum>)) -> Option<String> {
    let checksum = checksum.as_ref().filter(|checksum| checksum.algorithm == ChecksumAlgorithm::Md5)?;
    Some(format!("{}  {}\n", checksum.hex, text(path.relative_bytes())))
}

/// Returns the stanza of a package in apk's list, which ends with an empty line. Files follow their
/// directory.
fn apk_stanza(package: &Package) -> String {
    let mut stanza = String::new();
    let origin = package.source.as_ref().map(|source| &source.name);
    for (key, value) in [
        ('P', Some(&package.name)),
        ('V', Some(&package.version)),
        ('A', Some(&package.architecture)),
        ('L', package.licence.as_ref()),
        ('o', origin),
        ('m', package.supplier.as_ref()),
    ] {
        let _ = value.map(|value| writeln!(stanza, "{key}:{value}"));
    }
    let mut directory = None;
    for path in package.files.keys() {
        let Some((parent, name)) = path.parent().zip(path.file_name()) else { continue };
        if directory.as_ref() != Some(&parent) {
            let _ = writeln!(stanza, "F:{}", text(parent.relative_bytes()));
            directory = Some(parent);
        }
        let _ = writeln!(stanza, "R:{}", text(name));
    }
    stanza.push('\n');
    stanza
}

/// Returns the line of a package in the list of RPM packages, as `rpm --query` formats it for
/// images without a database: name, version and release, install time, build time, vendor, epoch,
/// size, architecture, epoch number, source package.
fn rpm_line(package: &Package) -> String {
    let (epoch, version) = package.version.split_once(':').unwrap_or(("0", &package.version));
    let epoch_or_none = if epoch == "0" { "(none)" } else { epoch };
    let source = package
        .source
        .as_ref()
        .map(|source| format!("{}-{}.src.rpm", source.name, source.version.as_deref().unwrap_or_default()));
    format!(
        "{}\t{version}\t0\t0\t{}\t{epoch_or_none}\t0\t{}\t{epoch}\t{}\n",
        package.name,
        package.supplier.as_deref().unwrap_or("(none)").replace('\t', " "),
        package.architecture,
        source.as_deref().unwrap_or("(none)"),
    )
}
