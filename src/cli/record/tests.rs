//! Folding, and kinds of files by their names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::file_kinds::{UserDirectories, is_in_loader_directory};
use super::fold_into_directories::{FoldedPaths, count_files_if_includable, fold_into_directories};

fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

/// Folds `files`; `totals` has the number of files of directories that may be included.
fn folded(files: &[&str], listed: &[&str], totals: &[(&str, usize)]) -> (Vec<String>, Vec<String>) {
    let totals: BTreeMap<&str, usize> = totals.iter().copied().collect();
    let count = |directory: &Path| totals.get(directory.to_str().unwrap()).copied();
    let FoldedPaths { directories, files } = fold_into_directories(&paths(files), &paths(listed), &count);
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    (directories.into_keys().map(text).collect(), files.into_iter().map(text).collect())
}

#[test]
fn directories_are_included_if_most_of_their_files_are_read() {
    let three = ["/d/a", "/d/b", "/d/sub/c"];
    let both = [("/d", 5), ("/d/sub", 1)];
    assert_eq!(folded(&three, &[], &both), (vec!["/d".into()], vec![]));
    // Not most of them.
    let all = three.map(String::from).to_vec();
    assert_eq!(folded(&three, &[], &[("/d", 6), ("/d/sub", 1)]), (vec![], all.clone()));
    // It may not be included.
    assert_eq!(folded(&three, &[], &[]), (vec![], all));
    // Two files are too few, unless these are all.
    assert_eq!(folded(&["/d/a", "/d/b"], &[], &[("/d", 3)]).0, Vec::<String>::new());
    assert_eq!(folded(&["/d/a", "/d/b"], &[], &[("/d", 2)]).0, ["/d"]);
    assert_eq!(folded(&["/d/a"], &[], &[("/d", 1)]).0, Vec::<String>::new());
}

#[test]
fn listed_directories_are_included_as_a_whole() {
    assert_eq!(folded(&["/d/a"], &["/d"], &[("/d", 9)]), (vec!["/d".into()], vec![]));
    assert_eq!(folded(&["/d/a"], &["/d"], &[]), (vec![], vec!["/d/a".into()]));
    assert_eq!(folded(&[], &["/d", "/d/sub"], &[("/d", 9), ("/d/sub", 1)]).0, ["/d"]);
    // A name that only starts the same is another directory.
    assert_eq!(folded(&["/data/a"], &["/d"], &[("/d", 9)]).1, ["/data/a"]);
}

#[cfg(unix)]
#[test]
fn directories_with_links_out_of_them_are_not_included() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("sub")).unwrap();
    std::fs::write(at("sub/file"), "x").unwrap();
    symlink("sub/file", at("inside")).unwrap();
    let count_at = |keeps_path| {
        count_files_if_includable(directory.path(), keeps_path, &|path| path.ends_with("excluded"))
    };
    let count = || count_at(false);
    assert_eq!(count(), Some(1));
    for (target, name) in [("/etc/passwd", "absolute"), ("../..", "outside"), ("nowhere", "dangling")] {
        symlink(target, at(name)).unwrap();
        assert_eq!(count(), None, "{name}");
        // At the same path in the image, the target comes along if it is a file.
        assert_eq!(count_at(true), (name != "outside").then_some(1), "{name}");
        std::fs::remove_file(at(name)).unwrap();
    }
    std::fs::write(at("sub/excluded"), "x").unwrap();
    assert_eq!(count(), None);
}

fn user() -> UserDirectories {
    UserDirectories {
        start: "/home/ada/shop".into(),
        programs: ["/home/ada/shop/target".into()].into(),
        home: Some("/home/ada".into()),
        temporary: Some("/home/ada/tmp".into()),
    }
}

#[test]
fn noise_depends_on_the_machine_or_the_run() {
    for path in [
        "/proc/123/status",
        "/sys/kernel/mm",
        "/dev/urandom",
        "/run/user/1000/bus",
        "/tmp/x",
        "/home/ada/tmp/x",
        "/home/ada/.gitconfig",
        "/home/ada/shop/.git/HEAD",
        "/etc/passwd",
        "/etc/ld.so.cache",
        "/usr/lib/locale/locale-archive",
        "/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so",
    ] {
        assert!(user().is_ignored_path(Path::new(path)), "{path}");
    }
    for path in
        ["/home/ada/shop/data", "/home/ada/data", "/usr/share/zoneinfo/UTC", "/etc/shop.conf", "/srv/tmp/x"]
    {
        assert!(!user().is_ignored_path(Path::new(path)), "{path}");
    }
    // A project in the directory for temporary files.
    let user = UserDirectories { start: "/tmp/shop".into(), programs: BTreeSet::new(), ..user() };
    assert!(
        !user.is_ignored_path(Path::new("/tmp/shop/data")) && user.is_ignored_path(Path::new("/tmp/other"))
    );
}

#[test]
fn configuration_is_recognized_by_its_place_and_name() {
    for path in ["/etc/shop/x", "/home/ada/shop/app.yaml", "/opt/shop/conf/app.INI", "/usr/local/etc/x"] {
        assert!(user().is_configuration(Path::new(path)), "{path}");
    }
    for path in
        ["/etc/ssl/certs/ca.pem", "/usr/share/app/rules.conf", "/home/ada/shop/data.csv", "/etcetera/x"]
    {
        assert!(!user().is_configuration(Path::new(path)), "{path}");
    }
}

#[test]
fn general_directories_are_too_broad() {
    for path in [
        "/",
        "/srv",
        "/etc",
        "/usr/share",
        "/usr/lib/x86_64-linux-gnu",
        "/home/ada",
        "/home/ada/shop",
        "/usr/local/lib",
    ] {
        assert!(user().is_too_broad(Path::new(path)), "{path}");
    }
    for path in ["/srv/shop", "/usr/share/shop", "/usr/lib/shop", "/home/ada/shop/data", "/opt/shop"] {
        assert!(!user().is_too_broad(Path::new(path)), "{path}");
    }
}

#[test]
fn libraries_in_directories_of_the_loader_are_opened_by_name() {
    for path in ["/usr/lib/x86_64-linux-gnu/libz.so.1", "/lib/libz.so", "/usr/lib64/libz.so"] {
        assert!(is_in_loader_directory(Path::new(path)), "{path}");
    }
    for path in ["/usr/lib/x86_64-linux-gnu/gio/m.so", "/opt/lib/libz.so", "/usr/lib/shop/libz.so"] {
        assert!(!is_in_loader_directory(Path::new(path)), "{path}");
    }
}
