use coracle_core::file_system::{HostFs, MemoryFs};
use std::collections::BTreeSet;

use crate::{FileSelection, Inventory, InventoryError};
use coracle_core::path::ImagePath;

const STATUS: &str = "\
Package: libfoo1
Status: install ok installed
Maintainer: Team <team@example.org>
Architecture: amd64
Multi-Arch: same
Source: foo (1.0-1)
Version: 1:1.0-1+b2
Depends: data-of-foo (= 1.0), libc6 | libc6-other
Description: a library
 Package: not-a-field

Package: data-of-foo
Status: install ok installed
Architecture: all
Version: 1.0-1
Conffiles:
 /etc/foo.conf 0123456789abcdef0123456789abcdef

Package: removed
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: dash
Status: install ok installed
Architecture: amd64
Version: 2

Package: shell
Status: install ok installed
Architecture: amd64
Version: 3
";

fn root() -> MemoryFs {
    let mut files = MemoryFs::from_text("/lib -> usr/lib");
    files.add_file("/var/lib/dpkg/status", STATUS.as_bytes());
    let hex = "0123456789abcdef0123456789ABCDEF";
    for (name, text) in [
        ("libfoo1:amd64.list", "/.\n/lib\n/lib/libfoo.so.1.0\n/usr/share/doc/x\n".into()),
        ("libfoo1:amd64.md5sums", format!("{hex}  lib/libfoo.so.1.0\nzz  usr/share/doc/x\n")),
        ("data-of-foo.list", "/usr/share/foo/data\n/etc/foo.conf\n".into()),
        ("removed.list", "/usr/share/removed\n".into()),
        ("dash.list", "/usr/bin/dash\n/usr/bin/sh\n".into()),
        ("shell.list", "/usr/bin/sh\n".into()),
    ] {
        files.add_file(&format!("/var/lib/dpkg/info/{name}"), text.as_bytes());
    }
    files.add_file("/var/lib/dpkg/diversions", b"/usr/bin/sh\n/usr/bin/sh.distrib\ndash\n");
    files
}

fn owners(paths: &[&str]) -> Vec<String> {
    let wanted: BTreeSet<ImagePath> = paths.iter().map(|path| path.parse().unwrap()).collect();
    let inventory = Inventory::read(&root(), FileSelection::Paths(&wanted)).unwrap();
    let owner =
        |path: &&str| inventory.owner_of(&path.parse().unwrap()).map_or("-".into(), ToString::to_string);
    paths.iter().map(owner).collect()
}

#[test]
fn finds_owners_of_files() {
    for (path, owner) in [
        ("/usr/lib/libfoo.so.1.0", "libfoo1 1:1.0-1+b2"),
        ("/usr/share/foo/data", "data-of-foo 1.0-1"),
        ("/etc/foo.conf", "data-of-foo 1.0-1"),
        ("/usr/share/removed", "-"),
        ("/usr/local/lib/libfoo.so.1.0", "-"),
        ("/usr/bin/sh", "dash 2"),
        ("/usr/bin/sh.distrib", "shell 3"),
    ] {
        assert_eq!(owners(&[path]), [owner], "{path}");
    }
    assert_eq!(owners(&["/usr/bin/dash", "/usr/lib/libfoo.so.1.0"]), ["dash 2", "libfoo1 1:1.0-1+b2"]);
}

#[test]
fn reads_all_packages_with_their_files() {
    let inventory = Inventory::read(&root(), FileSelection::All).unwrap();
    let names: Vec<String> = inventory.packages.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["dash 2", "data-of-foo 1.0-1", "libfoo1 1:1.0-1+b2", "shell 3"]);
    let foo = inventory.packages.iter().find(|package| package.name == "libfoo1").unwrap();
    assert_eq!(
        (foo.architecture.as_str(), foo.supplier.as_deref()),
        ("amd64", Some("Team <team@example.org>"))
    );
    let source = foo.source.as_ref().unwrap();
    assert_eq!((source.name.as_str(), source.version.as_deref()), ("foo", Some("1.0-1")));
    let files: Vec<String> = foo
        .files
        .iter()
        .map(|(path, checksum)| format!("{path} {}", checksum.as_ref().map_or("-", |checksum| &checksum.hex)))
        .collect();
    let hex = "0123456789abcdef0123456789abcdef";
    assert_eq!(files, ["/usr/lib -", &format!("/usr/lib/libfoo.so.1.0 {hex}"), "/usr/share/doc/x -"]);
    let data = &inventory.packages[1].files[&"/etc/foo.conf".parse().unwrap()];
    assert_eq!(data.as_ref().unwrap().hex, hex);
}

#[test]
fn directories_have_all_owners() {
    let wanted = ["/usr/lib".parse().unwrap()].into();
    let inventory = Inventory::read(&root(), FileSelection::PathsOrDirectories(&wanted)).unwrap();
    assert_eq!(inventory.packages.len(), 1);
}

#[test]
fn reads_images_without_dpkg() {
    let mut files = MemoryFs::default();
    files.add_file("/var/lib/dpkg/status.d/libz", b"Package: libz\nVersion: 1\nArchitecture: amd64\n");
    files.add_file(
        "/var/lib/dpkg/status.d/libz.md5sums",
        b"0123456789abcdef0123456789abcdef  usr/lib/libz.so.1\n",
    );
    let inventory = Inventory::read(&files, FileSelection::All).unwrap();
    assert!(inventory.has_database);
    assert_eq!(inventory.owner_of(&"/usr/lib/libz.so.1".parse().unwrap()).unwrap().name, "libz");
    assert!(!Inventory::read(&MemoryFs::default(), FileSelection::All).unwrap().has_database);
}

#[test]
fn hostile_databases_are_bounded() {
    let error = |files: &MemoryFs| Inventory::read(files, FileSelection::All).unwrap_err().to_string();
    let mut files = MemoryFs::default();
    files.add_file("/var/lib/dpkg/status", "Package: a\n\n".repeat(1_000_000).as_bytes());
    assert!(error(&files).ends_with("`/var/lib/dpkg/status` has more than 100000 packages"));

    let files = MemoryFs::from_text("/var/lib/dpkg/status -> a\n/var/lib/dpkg/a -> status");
    assert!(error(&files).ends_with("`/var/lib/dpkg/status` is a circular link, not a file"));

    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("var/lib/dpkg")).unwrap();
    let status = std::fs::File::create(directory.path().join("var/lib/dpkg/status")).unwrap();
    status.set_len(1 << 40).unwrap();
    let error = Inventory::read(&HostFs::new(directory.path()), FileSelection::All).unwrap_err();
    assert!(matches!(error, InventoryError::TooLarge { size, .. } if size == 1 << 40), "{error}");
}

#[test]
fn odd_bytes_are_replaced_and_cannot_leave_the_directory() {
    let mut files = MemoryFs::default();
    let long = "x".repeat(10 << 20);
    let status = [
        b"Package: ../../../etc/secret\nVersion: \xff\x1b[2J\n\nPackage: long\nVersion: ".to_vec(),
        long.clone().into_bytes(),
        b"\n\nVersion: without a name\n\n\n\nPackage: cyclic\nDepends: cyclic\nVersion: 1\n".to_vec(),
    ];
    files.add_file("/var/lib/dpkg/status", &status.concat());
    files.add_file("/etc/secret.list", b"/a\n");
    let inventory = Inventory::read(&files, FileSelection::All).unwrap();
    let names: Vec<&str> = inventory.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["../../../etc/secret", "cyclic", "long"]);
    assert!(inventory.packages[0].files.is_empty());
    assert_eq!(inventory.packages[0].to_string(), "../../../etc/secret \u{fffd}\\u{1b}[2J");
}
