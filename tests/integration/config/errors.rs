//! Errors of the command line and of the files for a cluster.

use std::fs;
use std::path::Path;

use coracle_testing::coracle_in;
use snapbox::str;

use crate::config::{project, render};

#[test]
fn rejects_keys_and_mounts_that_kubernetes_rejects() {
    let project = project();
    let recipe = r#"
[[config]]
mount = "/etc"
templates = ["config/values.toml", { from = "config/logo.bin", path = "..data" }, { from = "config/logo.bin", path = "values.toml" }]

[[config]]
mount = "/etc/shop"
templates = [{ from = "config/logo.bin", path = "a//b" }, "config/none.toml"]
"#;
    fs::write(project.path().join("coracle.toml"), recipe).unwrap();
    render(project.path(), ["--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: 4 problems in the recipe

  cannot mount on `/etc`: Kubernetes mounts `/etc/hosts` and `/etc/resolv.conf` there, and the mount would hide the image's files
     --> coracle.toml:3:9
    3 | mount = "/etc"
      |         ^^^^^^

  `..data`, from `config/logo.bin`, is not a valid path of a mounted file: the kubelet reserves names that start with `..`
     --> coracle.toml:3:9
    3 | mount = "/etc"
      |         ^^^^^^

  `config/values.toml` and `config/logo.bin` have the same path `values.toml` in /etc
     --> coracle.toml:3:9
    3 | mount = "/etc"
      |         ^^^^^^

  `a//b`, from `config/logo.bin`, is not a valid path of a mounted file: it has an empty part, `.` or `..`
     --> coracle.toml:7:9
    7 | mount = "/etc/shop"
      |         ^^^^^^^^^^^

hint: use a directory that only the program uses, such as `/etc/NAME` or `/var/lib/NAME`
hint: rename the file, or set its `path` in the recipe, such as `conf.d/site.conf`
hint: rename one of the files, or set its `path` in the recipe

"#]],
    );
}

#[test]
fn rejects_secrets_on_the_command_line() {
    let project = project();
    render(project.path(), ["--set", "password=open sesame", "--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: `password` is secret and must not be on the command line, which other users can read

hint: read it from a file with `--set-file password=FILE`, or from stdin with `--set-file password=-`

"#]],
    );
    let mut command = render(project.path(), ["--set-file", "password=-", "--output", "out"]).command();
    let file = fs::File::open(project.path().join("password")).unwrap();
    assert!(command.stdin(file).output().unwrap().status.success());
    let written = fs::read(project.path().join("out/run/secrets/shop/login.env")).unwrap();
    assert_eq!(written, b"PASSWORD='open sesame'\n");
}

#[test]
fn rejects_objects_larger_than_a_mebibyte() {
    let project = project();
    fs::write(project.path().join("config/logo.bin"), vec![0; (1 << 20) + 1]).unwrap();
    render(project.path(), ["--set-file", "password=password", "--output", "out"]).ends(
        2,
        str![""],
        str![[r#"
error: the files of /etc/shop are larger than 1048576 bytes, the limit of a Kubernetes object

hint: split the files into several mounts, or include those that never change in the image

"#]],
    );
}

#[test]
fn reports_invalid_arguments() {
    let project = project();
    render(project.path(), ["--environment", "staging", "--set", "port", "--config", "/etc/a"]).ends(
        2,
        str![""],
        str![[r#"
error: 3 problems on the command line
  `--config`: `/etc/a` is not of the form `FOLDER:TO`
  `--environment`: there is no environment `staging`
  `--set`: `port` has no value

hint: write it as `--config config/:/etc/app`, with an absolute TO
hint: the recipe has no environments: write `[environments.NAME]` with `values = ["FILE"]`
hint: write it as `--set a.b=VALUE`

"#]],
    );
    fs::write(project.path().join("coracle.toml"), "[image]\nprograms = [\"app\"]\n").unwrap();
    nothing_to_render(project.path());
    fs::remove_file(project.path().join("coracle.toml")).unwrap();
    nothing_to_render(project.path());
}

#[test]
fn names_a_missing_folder() {
    let project = project();
    render(project.path(), ["--config", "none:/etc/a"]).ends(
        2,
        str![""],
        str![[r#"
error: cannot list `none`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
    );
}

/// Without a recipe, and with one that names no configuration.
#[track_caller]
fn nothing_to_render(folder: &Path) {
    render(folder, []).ends(
        2,
        str![""],
        str![[r#"
error: nothing to render: no configuration is specified

hint: write `[[config]]` in `coracle.toml`, or pass `--config FOLDER:/etc/app`

"#]],
    );
}

#[test]
fn rejects_a_folder_with_special_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("empty/sub")).unwrap();
    fs::create_dir(path("links")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("links/a")).unwrap();
    coracle_in(folder.path(), ["config", "render", "--config=empty:/etc/app"]).ends(
        2,
        str![""],
        str![[r#"
error: `--config`: `empty` has no file to mount at `/etc/app`

hint: name the directory that has the files

"#]],
    );
    coracle_in(folder.path(), ["config", "render", "--config=links:/etc/app"]).ends(
        2,
        str![""],
        str![[r#"
error: cannot read `links/a`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
    );
}
