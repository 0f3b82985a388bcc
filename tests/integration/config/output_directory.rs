//! A directory that is written to again, with files of others in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use coracle_testing::{Coracle, coracle_in};
use snapbox::str;
use tempfile::TempDir;

/// A folder with these files, which are rendered to `out`.
fn rendered(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("c")).unwrap();
    for name in names {
        fs::write(folder.path().join("c").join(name), name).unwrap();
    }
    again(folder.path()).command().output().unwrap();
    folder
}

fn again(folder: &Path) -> Coracle {
    coracle_in(folder, ["config", "render", "--config=c:/etc/app", "--output=out"])
}

#[test]
fn removes_own_files_of_an_earlier_run_and_keeps_others() {
    let folder = rendered(&["a", "b"]);
    let at = folder.path();
    let identity = || fs::metadata(at.join("out/etc/app")).unwrap().ino();
    let before = identity();
    fs::remove_file(at.join("c/a")).unwrap();
    again(at).ends(
        0,
        str![""],
        str![[r#"
out/etc/app/b 1 bytes

"#]],
    );
    assert!(!at.join("out/etc/app/a").exists());
    assert_eq!(identity(), before, "a container that has mounted the directory sees what changes in it");
    // A directory becomes a file and is one again.
    let to = |mount| coracle_in(at, ["config", "render", "--output=out", mount]).command().output().unwrap();
    for (mount, file) in [("--config=c:/etc/app/b", "etc/app/b/b"), ("--config=c:/etc/app", "etc/app/b")] {
        assert!(to(mount).status.success());
        assert_eq!(fs::read(at.join("out").join(file)).unwrap(), b"b");
    }
    for name in ["mine", "etc/app/a"] {
        fs::write(at.join("out").join(name), "mine").unwrap();
        again(at).ends(
            2,
            str![""],
            str![[r#"
error: `out` contains `[..]`, which was not written by `coracle config render`

hint: name a directory that is empty, does not exist, or was written by this command

"#]],
        );
        fs::remove_file(at.join("out").join(name)).unwrap();
    }
    // Files of another command are kept.
    fs::rename(at.join("out/.coracle-config"), at.join("out/.coracle")).unwrap();
    again(at).ends(
        2,
        str![""],
        str![[r#"
error: `out` contains `.coracle`, which was not written by `coracle config render`

hint: name a directory that is empty, does not exist, or was written by this command

"#]],
    );
}

#[test]
fn does_not_follow_links_in_the_directory() {
    let folder = rendered(&["a"]);
    let at = folder.path();
    fs::create_dir(at.join("else")).unwrap();
    fs::write(at.join("else/a"), "mine").unwrap();
    let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, at.join(from)).unwrap();
    // In the place of a file of ours: it is replaced, and what it leads to stays.
    fs::remove_file(at.join("out/etc/app/a")).unwrap();
    link("../../../else/a", "out/etc/app/a");
    assert!(again(at).command().output().unwrap().status.success());
    assert_eq!(fs::read(at.join("else/a")).unwrap(), b"mine");
    assert!(fs::symlink_metadata(at.join("out/etc/app/a")).unwrap().is_file());
    // In the place of a directory: somebody else put it there.
    fs::remove_dir_all(at.join("out/etc/app")).unwrap();
    link("../../else", "out/etc/app");
    again(at).ends(
        2,
        str![""],
        str![[r#"
error: `out` contains `etc/app`, which was not written by `coracle config render`

hint: name a directory that is empty, does not exist, or was written by this command

"#]],
    );
    // The directory itself may be one.
    link("else/new", "out.link");
    fs::create_dir(at.join("else/new")).unwrap();
    let linked = coracle_in(at, ["config", "render", "--config=c:/etc/app", "--output=out.link"]);
    assert!(linked.command().output().unwrap().status.success());
    assert_eq!(fs::read(at.join("else/new/etc/app/a")).unwrap(), b"a");
}
