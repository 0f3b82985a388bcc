//! Files and directories that were asked for, and those that can't be had.

use std::os::unix::net::UnixListener;
use std::process::Command;

use snapbox::str;

use crate::build::project::Project;

#[test]
fn includes_files_and_directories() {
    let project = Project::hello(&["-static"]);
    project.file("assets/a/one", "1").file("assets/two", "2").link("assets/up", "a/../two").file("lone", "l");
    let layout = project.built(
        &["hello", "--include", "assets/:/srv/assets", "--include=lone:/srv/", "--include=lone:/data/other"],
        "hello.oci",
    );
    assert_eq!(layout.entries().len(), 2);
    assert_eq!(
        layout.below(&["/srv", "/data"]),
        [
            "/data/",
            "/data/other",
            "/srv/",
            "/srv/assets/",
            "/srv/assets/a/",
            "/srv/assets/a/one",
            "/srv/assets/two",
            "/srv/assets/up -> a/../two",
            "/srv/lone",
        ]
    );
    let root = layout.unpack();
    assert_eq!(std::fs::read_to_string(root.path().join("srv/assets/up")).unwrap(), "2");
}

#[test]
fn hard_links_stay_hard_links() {
    let project = Project::hello(&["-static"]);
    project.file("assets/first", "the same");
    std::fs::hard_link(project.path("assets/first"), project.path("assets/second")).unwrap();
    let layout = project.built(&["hello", "--include", "assets:/srv"], "hello.oci");
    assert_eq!(layout.below(&["/srv"]), ["/srv/", "/srv/first", "/srv/second = /srv/first"]);
}

#[test]
fn reports_all_failed_includes_together() {
    let project = Project::hello(&["-static"]);
    project.file("assets/fine", "");
    assert!(Command::new("mkfifo").arg(project.path("assets/pipe")).status().unwrap().success());
    let _listener = UnixListener::bind(project.path("assets/socket")).unwrap();
    let run =
        ["build", "hello", "--include", "assets:/srv", "--include", "nowhere:/x", "--include=/dev/null:/y"];
    project.coracle(run).ends(
        1,
        str![],
        str![[r#"
error: cannot include some files
  [FOLDER]/assets/pipe: it is a named pipe
  [FOLDER]/assets/socket: it is a socket
  [FOLDER]/nowhere: there is no such file or directory
  /dev/null: it is a character device

hint: remove it from the directory: an image holds files, directories and links
hint: check the path: flags are relative to the working directory, a recipe's keys to the recipe

"#]],
    );
}

/// Links of an included directory that lead out of it.
fn links_out() -> Project {
    let project = Project::hello(&["-static"]);
    project
        .file("assets/fine", "f")
        .file("outside/secret", "s")
        .link("assets/absolute", "/etc/hostname")
        .link("assets/fine-by-its-whole-path", project.path("assets/fine"))
        .link("assets/relative", "../outside/secret")
        .link("assets/through", "../outside")
        .link("assets/two-hops", "through/secret");
    project
}

#[test]
fn rejects_links_to_files_that_are_not_in_the_image() {
    links_out().coracle(["build", "hello", "--include", "assets:/srv"]).ends(
        1,
        str![],
        str![[r#"
error: cannot include some files
  [FOLDER]/assets/absolute: it is a link to /etc/hostname, which is outside the included directory
  [FOLDER]/assets/fine-by-its-whole-path: it is a link to [FOLDER]/assets/fine, which is outside the included directory
  [FOLDER]/assets/relative: it is a link to ../outside/secret, which is outside the included directory
  [FOLDER]/assets/through: it is a link to ../outside, which is outside the included directory
  [FOLDER]/assets/two-hops: it is a link to through/secret, which is outside the included directory
...
"#]],
    );
}

#[test]
fn links_to_files_of_other_includes_are_kept() {
    let project = Project::hello(&["-static"]);
    project
        .file("outside/data", "d")
        .link("assets/up", "../outside/data")
        .link("assets/whole", "/srv/outside");
    let layout = project.built(
        &["hello", "--include", "assets:/srv/assets", "--include", "outside:/srv/outside"],
        "hello.oci",
    );
    assert_eq!(
        layout.below(&["/srv/assets/"]),
        ["/srv/assets/", "/srv/assets/up -> ../outside/data", "/srv/assets/whole -> /srv/outside"]
    );
}

#[test]
fn targets_come_along_with_a_directory_that_keeps_its_path() {
    let project = links_out();
    let path = |name: &str| project.path(name).display().to_string();
    let layout = project.built(&["hello", "--include", &format!("{0}:{0}", path("assets"))], "hello.oci");
    let paths = layout.below(&["/"]);
    for wanted in [
        path("outside/secret"),
        path("assets/fine"),
        "/etc/hostname".into(),
        format!("{} -> ../outside", path("assets/through")),
        format!("{} -> {}", path("assets/fine-by-its-whole-path"), path("assets/fine")),
    ] {
        assert!(paths.contains(&wanted), "{wanted}: {paths:?}");
    }
}

#[test]
fn links_without_a_target_are_kept_with_a_warning() {
    for target in ["../gone".to_owned(), "/gone".into(), format!("../{}", "x".repeat(300)), "y".repeat(300)] {
        let project = Project::hello(&["-static"]);
        project.file("assets/file", "").link("assets/dangling", &target);
        let folder = project.path("assets").display().to_string();
        for include in ["assets:/srv".to_owned(), format!("{folder}:{folder}")] {
            let mut run = project.coracle(["build", "hello", "--include", &include]).command();
            let output = run.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{target}: {said}");
            let is_outside = target.starts_with(['.', '/']);
            assert_eq!(
                said.contains("warning: included links have no target"),
                is_outside,
                "{target}: {said}"
            );
            let link = format!("/dangling -> {target}");
            let entries = project.layout("hello.oci").entries();
            assert!(entries.iter().flatten().any(|line| line.ends_with(&link)), "{entries:?}");
            std::fs::remove_dir_all(project.path("hello.oci")).unwrap();
        }
    }
}

#[test]
fn rejects_an_include_without_a_target() {
    let project = Project::hello(&["-static"]);
    project.file("lone", "");
    project.coracle(["build", "hello", "--include", "lone", "--include", "lone:srv"]).ends(
        2,
        str![],
        str![[r#"
error: 2 problems on the command line
  `--include`: `lone` has no path in the image
  `--include`: `lone:srv` has no path in the image

hint: write it as `FROM:TO` with an absolute TO, such as `assets/:/srv/assets`

"#]],
    );
    project.coracle(["build", "hello", "--include", "lone:/srv/../x", "--include", ":/srv"]).ends(
        2,
        str![],
        str![[r#"
error: 2 problems on the command line
  `--include`: `/srv/../x` is not a path inside an image: it contains `.` or `..`
  `--include`: the path of a file is empty

"#]],
    );
}

#[test]
fn rejects_two_sources_for_one_path() {
    let project = Project::hello(&["-static"]);
    project.file("one", "").file("two", "").file("assets/x", "");
    let run = ["build", "hello", "--include=one:/srv/x", "--include=two:/srv/x", "--include=assets:/srv"];
    project.coracle(run).ends(
        1,
        str![],
        str![[r#"
error: different contents are planned for the same path of the image
  /srv/x: [FOLDER]/one (included from [FOLDER]/one), and [FOLDER]/two (included from [FOLDER]/two)
  /srv/x: [FOLDER]/one (included from [FOLDER]/one), and [FOLDER]/assets/x (included from [FOLDER]/assets)

hint: place one of them elsewhere with `FROM:TO`, or leave it out

"#]],
    );
    project.coracle(["build", "hello", "--include=one:/app/hello", "--include=one:/app"]).ends(
        1,
        str![],
        str![[r#"
error: different contents are planned for the same path of the image
  /app/hello: [FOLDER]/hello (program), and [FOLDER]/one (included from [FOLDER]/one)
  /app: a directory (on the path to other files), and [FOLDER]/one (included from [FOLDER]/one)

hint: place one of them elsewhere with `FROM:TO`, or leave it out

"#]],
    );
}

#[test]
fn rejects_two_programs_with_the_same_name() {
    let project = Project::hello(&["-static"]);
    project.program("other/hello", crate::build::project::HELLO, &["-static", "-O0"]);
    project.coracle(["build", "hello", "other/hello"]).ends(
        1,
        str![],
        str![[r#"
error: different contents are planned for the same path of the image
  /app/hello: [FOLDER]/hello (program), and [FOLDER]/other/hello (program)

hint: place one of them elsewhere with `FROM:TO`, or leave it out

"#]],
    );
    let layout = project.built(&["hello", "other/hello:/app/other"], "hello.oci");
    assert_eq!(layout.below(&["/app/"]), ["/app/", "/app/hello", "/app/other"]);
}

#[test]
fn does_not_include_the_image_itself() {
    let project = Project::hello(&["-static"]);
    project.coracle(["build", "hello", "--include", ".:/srv"]).ends(
        1,
        str![],
        str![[r#"
error: `oci:hello.oci` is inside `[FOLDER]`, which is included: the image would contain itself

hint: write the image elsewhere with `--output`, or include less than that directory

"#]],
    );
    let elsewhere = Project::new();
    let archive = format!("oci-archive:{}", elsewhere.path("hello.tar").display());
    project.coracle(["build", "hello", "-q", "--include", ".:/srv", "-o", &archive]).ends(
        0,
        str![[r#"
hello:latest@sha256:[..]

"#]],
        str![],
    );
}
