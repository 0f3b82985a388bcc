//! The cache's directory: damaged, missing, unusable, full, read-only, pruned.

use std::fs;

use coracle_testing::listing;

use super::{ARGS, build, fresh, project};
use crate::build::disk_errors::small_disk;

#[test]
fn ignores_damaged_records() {
    let project = project();
    let (digest, _) = build(&project, &ARGS);
    for name in fs::read_dir(project.path("cache/v1/builds")).unwrap() {
        let path = name.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(build(&project, &ARGS), (digest.clone(), false));
    assert_eq!(build(&project, &ARGS), (digest, true));
}

#[test]
fn keeps_nothing_without_a_cache() {
    let project = project();
    let mut command = project.coracle(["build", "--no-cache"]).command();
    command.env("HOME", project.path("home")).args(ARGS);
    assert!(command.output().unwrap().status.success());
    assert!(!project.path("home").exists());
    // Nor is there one where no home is.
    assert!(project.coracle(["build"]).command().args(ARGS).output().unwrap().status.success());
    let mut command = project.coracle(["build"]).command();
    command.env("HOME", project.path("home")).args(ARGS);
    assert!(command.output().unwrap().status.success());
    assert!(project.path("home/.cache/coracle/v1/layers").exists());
}

#[test]
fn reports_an_unusable_cache() {
    let project = project();
    project.file("file", "");
    fs::create_dir(project.path("open")).unwrap();
    let mut args = ARGS.to_vec();
    for (place, why) in [("file", "File exists"), ("open", "is accessible to other users")] {
        let place_arg = format!("--cache-dir={place}");
        args[3] = "-o=oci:none.oci";
        let output = project.coracle(["build"]).command().args(&args).arg(&place_arg).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot use the build cache") && said.contains(why), "{said}");
        assert!(!project.path("none.oci").exists());
    }
    assert!(listing(&project.path("open")).is_empty(), "nothing is left where others can look");
    // The usual place is nothing that anybody asked for: a warning, and the image.
    let mut command = project.coracle(["build"]).command();
    let output = command.env("HOME", project.path("file")).args(&ARGS[..5]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("warning: cannot use the build cache: "), "{said}");
    assert!(said.contains("hint: pass `--no-cache`"), "{said}");
}

#[test]
fn builds_with_a_full_cache() {
    let project = project();
    let args = [&["build", "--cache-dir=cache"], &ARGS[..]].concat();
    let Some(output) = small_disk(&project, "cache", "size=64k", &args) else { return };
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("No space left on device") && said.contains("the images are correct"), "{said}");
    let digest = project.layout("hello.oci").digests().remove(0);
    assert_eq!(fresh(&project), digest);
}

#[test]
fn builds_with_a_read_only_cache() {
    let project = project();
    let args = [&["build", "--cache-dir=cache"], &ARGS[..]].concat();
    let Some(output) = small_disk(&project, "cache", "ro", &args) else { return };
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot use the build cache: cannot write to `cache`: Read-only"), "{said}");
}

#[test]
fn reports_pruning() {
    let project = project();
    build(&project, &ARGS);
    let prune = |args: &[&str]| {
        let output = project.coracle(["cache", "prune"]).command().args(args).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, said) = prune(&["--cache-dir=cache"]);
    assert!(code == Some(0) && said.starts_with("removed 0 files, 0 B; "), "{said}");
    let (code, said) = prune(&["--cache-dir=cache", "--all"]);
    assert!(code == Some(0) && said.ends_with("; 0 B left in `cache`\n"), "{said}");
    assert_eq!(prune(&["--cache-dir=none"]), (Some(0), "nothing to remove: `none` does not exist\n".into()));
    let (code, said) = prune(&["--cache-dir=cache", "--keep=much"]);
    assert!(code == Some(2) && said.contains("`--keep`: `much` is not a size"), "{said}");
    let (code, said) = prune(&[]);
    assert!(code == Some(2) && said.contains("there is no default cache directory"), "{said}");
}
