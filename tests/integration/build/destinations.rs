//! Where images go, what stays there, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use coracle_testing::listing;
use snapbox::str;

use crate::build::project::{HELLO, Project};

/// The members of an archive.
fn members(archive: &std::path::Path) -> Vec<String> {
    let mut archive = tar::Archive::new(fs::File::open(archive).unwrap());
    let entries = archive.entries().unwrap();
    entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
}

#[test]
fn a_second_build_changes_nothing() {
    let project = Project::hello(&["-pie"]);
    let read = |project: &Project| -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let names = listing(&project.path("hello.oci")).into_keys();
        names
            .map(|name| (project.path("hello.oci").join(name), ()))
            .filter(|(path, ())| path.is_file())
            .map(|(path, ())| (path.clone(), fs::read(path).unwrap()))
            .collect()
    };
    project.built(&["hello"], "hello.oci");
    let first = read(&project);
    project.built(&["hello"], "hello.oci");
    assert_eq!(read(&project), first);
}

#[test]
fn the_default_layout_is_named_after_the_image_or_the_program() {
    let project = Project::hello(&["-static"]);
    project.built(&["./hello"], "hello.oci");
    project.built(&["hello:/usr/bin/other"], "hello.oci");
    project.built(&["hello", "-t", "ghcr.io/acme/shop:1.2"], "shop.oci");
    project.built(&["hello", "-t", "first", "-t", "second"], "first.oci");
}

#[test]
fn keeps_other_tags_and_removes_unused_blobs() {
    let project = Project::hello(&["-static"]);
    project.program("other", HELLO, &["-static", "-O0"]);
    project.built(&["hello", "-t", "shop:1"], "shop.oci");
    project.built(&["other", "-t", "shop:2"], "shop.oci");
    project.built(&["hello", "-o", "oci:shop.oci"], "shop.oci");
    let layout = project.built(&["other", "-o", "oci:shop.oci"], "shop.oci");
    let names = ["1 docker.io/library/shop:1", "2 docker.io/library/shop:2"];
    assert_eq!(layout.names()[..2], names);
    assert_eq!(layout.names()[2..], ["latest docker.io/library/other:latest"]);
    let digests = layout.digests();
    assert_eq!(digests[1], digests[2]);
    assert_ne!(digests[0], digests[1]);
    // `Layout` sees that the blobs of a replaced image are gone.
    let layout = project.built(&["other", "-t", "shop:1"], "shop.oci");
    assert_eq!(layout.names(), names);
    assert_eq!(layout.digests()[0], layout.digests()[1]);
}

/// Most clients can't select one of several images without a tag.
#[test]
fn the_next_build_replaces_an_image_whose_name_was_not_chosen() {
    let project = Project::hello(&["-static"]);
    // In lower case; what is not the name of an image is none.
    for (program, names) in [
        ("hello", ["latest docker.io/library/hello:latest"]),
        ("Hello", ["latest docker.io/library/hello:latest"]),
        ("hello.sh", ["latest docker.io/library/hello.sh:latest"]),
        ("hello_", ["- -"]),
    ] {
        fs::copy(project.path("hello"), project.path("program")).unwrap();
        fs::rename(project.path("program"), project.path(program)).unwrap();
        let unnamed = project.built(&[program, "-o=oci:out"], "out");
        assert_eq!(unnamed.names(), names);
        let named = project.built(&[program, "-t=acme/hi:1", "-o=oci:out"], "out");
        assert_eq!(named.names(), ["1 docker.io/acme/hi:1"], "{program}");
        fs::remove_dir_all(project.path("out")).unwrap();
    }
}

#[test]
fn several_tags_and_several_destinations() {
    let project = Project::hello(&["-static"]);
    let layout = project.built(
        &[
            "hello",
            "-t=a:1",
            "-t=ghcr.io/acme/b:2",
            "-o=oci:new/deep/layout",
            "-o=oci-archive:a.tar",
            "-o=docker-archive:sub/d.tar",
            "-o=oci:tagged:v3",
        ],
        "new/deep/layout",
    );
    assert_eq!(layout.names(), ["1 docker.io/library/a:1", "2 ghcr.io/acme/b:2"]);
    assert_eq!(project.layout("tagged").names(), ["v3 docker.io/library/a:v3", "v3 ghcr.io/acme/b:v3"]);
    let names = members(&project.path("a.tar"));
    assert_eq!(names, members(&project.path("sub/d.tar")));
    assert!(["index.json", "manifest.json", "oci-layout"].iter().all(|name| names.contains(&(*name).into())));
    let top: Vec<String> =
        listing(project.folder()).into_keys().map(|path| path.display().to_string()).collect();
    assert!(!top.iter().any(|path| path.contains(".coracle")), "{top:?}");
}

#[test]
fn prints_the_image_as_json() {
    let project = Project::hello(&["-static"]);
    let output = project
        .coracle([
            "build",
            "hello",
            "-t",
            "shop",
            "--format",
            "json",
            "-q",
            "-o",
            "oci:x",
            "-o",
            "oci-archive:y",
        ])
        .command()
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (image, layout) = (&said["images"][0], project.layout("x"));
    assert_eq!(image["digest"], layout.index()["manifests"][0]["digest"]);
    assert_eq!(image["reference"], format!("shop:latest@{}", layout.digests()[0]));
    assert_eq!(image["destinations"], serde_json::json!(["oci:x", "oci-archive:y"]));
    assert_eq!(image["platforms"], serde_json::json!(["linux/amd64"]));
    assert_eq!(image["layers"][0]["digest"], layout.manifest()["layers"][0]["digest"]);
    assert_eq!(image["layers"][0]["diff_id"], layout.config()["rootfs"]["diff_ids"][0]);
}

#[test]
fn an_archive_replaces_an_archive() {
    let project = Project::hello(&["-static"]);
    project.file("x.tar", "old");
    project.built(&["hello", "-o=oci-archive:x.tar", "-o=oci:l"], "l");
    assert!(members(&project.path("x.tar")).contains(&"index.json".into()));
}

#[test]
fn rejects_other_files_at_the_destination() {
    let project = Project::hello(&["-static"]);
    project
        .file("folder/precious", "")
        .file("file", "")
        .file("foreign/oci-layout", "{}")
        .link("nowhere", "gone/x");
    project.file("broken/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#).file("broken/index.json", "{");
    project.coracle(["build", "hello", "-o", "oci:folder"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write a layout to `folder`: it contains other files but no `oci-layout`

hint: choose an existing image layout, an empty directory or a new path

"#]],
    );
    project.coracle(["build", "hello", "-o", "oci:file"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write a layout to `file`: it is not a directory

hint: choose an existing image layout, an empty directory or a new path

"#]],
    );
    project.coracle(["build", "hello", "-o", "oci:foreign"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write a layout to `foreign`: the version in its `oci-layout` is not 1.0

hint: choose an existing image layout, an empty directory or a new path

"#]],
    );
    project.coracle(["build", "hello", "-o", "oci:broken"]).ends(1, str![], str![[r#"
error: cannot write a layout to `broken`: its `index.json` is not JSON (EOF while parsing an object at line 1 column 1)

hint: choose an existing image layout, an empty directory or a new path

"#]]);
    project.coracle(["build", "hello", "-o", "oci-archive:folder"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write an archive to `folder`: it is a directory

hint: choose the path of a file

"#]],
    );
    project.coracle(["build", "hello", "-o", "oci-archive:/dev/null"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write an archive to `/dev/null`: it is a character device

hint: choose the path of a file

"#]],
    );
    project.coracle(["build", "hello", "-o", "oci-archive:nowhere"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write an archive to `nowhere`: it is a symbolic link to `gone/x`, which is not followed

hint: write to the target of the link, `[FOLDER]/gone/x`, or remove the link

"#]],
    );
}

#[test]
fn rejects_a_file_at_the_path_of_a_layout() {
    let project = Project::hello(&["-static"]);
    project.file("file", "");
    project.coracle(["build", "hello", "-o", "oci:file/x"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write a layout to `file/x`: `[FOLDER]/file` is not a directory

hint: choose an existing image layout, an empty directory or a new path

"#]],
    );
    project.coracle(["build", "hello", "-o", "oci-archive:file/x"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write an archive to `file/x`: `[FOLDER]/file` is not a directory

hint: choose the path of a file

"#]],
    );
    project.coracle(["build", "hello", "-o", "oci-archive:new/"]).ends(
        1,
        str![],
        str![[r#"
error: cannot write an archive to `new/`: a path that ends in `/` names a directory

hint: choose the path of a file

"#]],
    );
}

#[test]
fn rejects_invalid_destinations() {
    let project = Project::hello(&["-static"]);
    project.coracle(["build", "hello", "-o", "x"]).ends(
        2,
        str![],
        str![[r#"
error: `--output`: `x` has no transport such as `oci:`

hint: write `oci:x` for an image layout (a directory)

"#]],
    );
    project.coracle(["build", "hello", "--dry-run", "-o", "x"]).ends(
        2,
        str![],
        str![[r#"
error: `--output`: `x` has no transport such as `oci:`

hint: write `oci:x` for an image layout (a directory)

"#]],
    );
    project.coracle(["build", "hello", "-o", "docker:x/y", "-o", "oci:", "-o", "oci:x:a/b"]).ends(
        2,
        str![],
        str![[r#"
error: 3 problems on the command line
  `--output`: `docker:` is not a supported destination
  `--output`: `oci:` is not an image location: it has no path
  `--output`: `a/b` in `oci:x:a/b` is not a valid tag

hint: write `docker://NAME[:TAG]`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:TAG]`
hint: add a path, such as `oci:./image`
hint: a tag consists of letters, digits, `.`, `_` and `-`, and the path cannot contain a colon; pass a full image name with `--tag NAME:TAG`

"#]],
    );
}

/// A name at a registry is one that the image can get there.
#[test]
fn rejects_invalid_registry_names() {
    let project = Project::hello(&["-static"]);
    let digest = format!("sha256:{}", "ab".repeat(32));
    let one = format!("docker://x/y@{digest}");
    project.coracle(["build", "hello", "-o", &one, "-o", "docker://X", "-o", "docker://x", "-o", "docker://x:latest"]).ends(
        2,
        str![],
        str![[r#"
error: 3 problems on the command line
  `--output`: `docker://x/y@sha256:[..]` includes a digest, but the digest of a new image is not known in advance
  `--output`: `docker://X` is not a valid image location: `X` is not an image name: `X` must consist of lower-case letters and digits, separated by `.`, `_`, `__` or `-`
  `--output`: `docker://x:latest` is the same destination as `docker://x:latest`

hint: write `docker://NAME:TAG`; the digest is printed after the build
hint: write `docker://NAME[:TAG]` in lower case, such as `docker://ghcr.io/acme/shop:1.2`
hint: give each `--output` its own destination

"#]],
    );
    assert!(!project.path("hello.oci").exists());
}

#[test]
fn rejects_equal_destinations() {
    let project = Project::hello(&["-static"]);
    project.coracle(["build", "hello", "-o", "oci:x", "-o", "oci-archive:./x"]).ends(
        2,
        str![],
        str![[r#"
error: `--output`: `oci-archive:./x` is the same destination as `oci:x`

hint: give each `--output` its own destination

"#]],
    );
}

#[test]
fn reports_an_unwritable_destination() {
    let project = Project::hello(&["-static"]);
    if fs::write("/proc/nothing", "").is_ok() {
        return;
    }
    fs::set_permissions(project.path("hello"), fs::Permissions::from_mode(0o755)).unwrap();
    project.coracle(["build", "hello", "-o", "oci:/proc/x"]).ends(
        1,
        str![],
        str![[r#"
error: cannot create a directory in `/proc`: entity not found

hint: check the spelling; relative paths start at the working directory

"#]],
    );
    project.coracle(["build", "hello", "-o", "oci-archive:/proc/x"]).ends(
        1,
        str![],
        str![[r#"
error: cannot create a directory in `/proc`: entity not found

hint: check the spelling; relative paths start at the working directory

"#]],
    );
}
