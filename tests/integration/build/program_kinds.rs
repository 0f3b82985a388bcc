//! Programs of every kind that a kernel starts, and what their images hold and print.

use coracle_testing::skipped;
use snapbox::str;

use crate::build::project::{HELLO, Project};

/// Builds `hello` with these flags of cc, and runs its image.
#[track_caller]
fn prints_what_the_host_prints(flags: &[&str], layers: usize) {
    let project = Project::hello(flags);
    let layout = project.built(&["hello", "--arg=a", "--env=GREETING=!", "--", "b c"], "hello.oci");
    assert_eq!(layout.entries().len(), layers);
    assert_eq!(layout.config()["config"]["Entrypoint"][0], "/app/hello");
    if let Some(printed) = layout.run() {
        assert_eq!(printed, project.run("hello", &["a", "b c"]).replace('\n', "!\n"));
    }
}

#[test]
fn static_programs_have_one_layer() {
    prints_what_the_host_prints(&["-static"], 1);
    prints_what_the_host_prints(&["-static-pie"], 1);
}

#[test]
fn dynamic_programs_get_their_libraries() {
    prints_what_the_host_prints(&["-pie"], 2);
    prints_what_the_host_prints(&["-no-pie"], 2);
}

#[test]
fn prints_a_summary_of_the_image() {
    let project = Project::hello(&["-static"]);
    project.coracle(["build", "hello"]).ends(
        0,
        str![[r#"
hello:latest@sha256:[..]

"#]],
        str![[r#"
hello:latest  linux/amd64  3 files, [..] → [..] in 1 layer
  program    [..] → [..]  sha256:[..]
  inventory  nothing visible to scanners
  written to oci:hello.oci

"#]],
    );
    project.coracle(["build", "hello", "-t", "ghcr.io/acme/hello:1", "-q"]).ends(
        0,
        str![[r#"
ghcr.io/acme/hello:1@sha256:[..]

"#]],
        str![],
    );
}

#[test]
fn a_static_image_holds_the_program_and_its_accounts() {
    let project = Project::hello(&["-static"]);
    let layout = project.built(&["hello"], "hello.oci");
    assert_eq!(layout.entries(), [["/app/", "/app/hello", "/etc/", "/etc/group", "/etc/passwd"]]);
    let root = layout.unpack();
    assert_eq!(
        std::fs::read_to_string(root.path().join("etc/passwd")).unwrap().lines().last(),
        Some("nonroot:x:65532:65532:nonroot:/:/sbin/nologin"),
    );
}

#[test]
fn scripts_get_their_interpreter() {
    let project = Project::new();
    project.script("hi", "#!/bin/sh -e\necho hi from sh\n");
    let layout = project.built(&["hi"], "hi.oci");
    assert!(layout.below(&["/usr/bin/"]).len() >= 2, "{:?}", layout.below(&["/usr/bin/"]));
    assert_eq!(layout.config()["config"].get("Env"), None);
    assert_eq!(layout.run().as_deref().unwrap_or("hi from sh\n"), "hi from sh\n");
}

#[test]
fn scripts_with_env_get_a_path_variable() {
    for first_line in ["#!/usr/bin/env sh", "#! /usr/bin/env -S sh -e"] {
        let project = Project::new();
        project.script("hi", &format!("{first_line}\necho $0\n"));
        let layout = project.built(&["hi"], "hi.oci");
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        assert_eq!(layout.config()["config"]["Env"][0], path);
        assert!(layout.below(&["/usr/bin/env"]).len() == 1);
        assert_eq!(layout.run().as_deref().unwrap_or("/app/hi\n"), "/app/hi\n");
    }
}

#[test]
fn env_searches_the_path_of_the_image() {
    let project = Project::new();
    project.script("hi", "#!/usr/bin/env sh\n");
    let layout = project.built(&["hi", "--env", "PATH=/bin:/usr/bin"], "hi.oci");
    assert_eq!(layout.config()["config"]["Env"], serde_json::json!(["PATH=/bin:/usr/bin"]));
    // `/bin/sh` is how `env` would spell it, so the link `/bin` is there too.
    assert_eq!(layout.below(&["/bin"]).is_empty(), !std::path::Path::new("/bin").is_symlink());
}

#[test]
fn several_programs_share_one_image() {
    let project = Project::hello(&["-pie"]);
    project.program("second", HELLO, &["-static"]).script("third", "#!/bin/sh\necho 3\n");
    let layout = project.built(&["second", "hello", "third:/usr/bin/third"], "second.oci");
    assert_eq!(layout.config()["config"]["Entrypoint"], serde_json::json!(["/app/second"]));
    assert_eq!(layout.below(&["/app/"]), ["/app/", "/app/hello", "/app/second"]);
    assert!(layout.below(&["/usr/bin/third"]).len() == 1);
}

#[test]
fn a_program_of_the_system_keeps_its_path_and_links() {
    let project = Project::new();
    let layout = project.built(&["/bin/sh", "--arg=-c", "--arg=echo $0"], "sh.oci");
    assert_eq!(layout.config()["config"]["Entrypoint"][0], "/bin/sh");
    assert_eq!(layout.run().as_deref().unwrap_or("/bin/sh\n"), "/bin/sh\n");
    if std::path::Path::new("/bin").is_symlink() {
        assert_eq!(layout.below(&["/bin"]), ["/bin -> usr/bin"]);
    } else {
        skipped("this system has no `/bin -> usr/bin`");
    }
}

#[test]
fn strips_a_copy() {
    let project = Project::new();
    project.compile("cc", "hello", HELLO, &["-g"]);
    let before = std::fs::read(project.path("hello")).unwrap();
    project.coracle(["build", "hello"]).ends(
        0,
        str![[r#"
hello:latest@sha256:[..]

"#]],
        str![[r#"
hint: `--strip` would make `/app/hello` [..] of [..] bytes smaller: it has symbols or debugging sections
hello:latest  linux/amd64  [..] files, [..] → [..] in 2 layers
  libraries  [..] → [..]  sha256:[..]
  program    [..] → [..]  sha256:[..]
  inventory  1 package visible to scanners
  written to oci:hello.oci

"#]],
    );
    let layout = project.built(&["hello", "--strip", "-o", "oci:small"], "small");
    let packed = std::fs::metadata(layout.unpack().path().join("app/hello")).unwrap().len();
    assert!(packed < before.len() as u64);
    assert_eq!(std::fs::read(project.path("hello")).unwrap(), before);
    assert_eq!(layout.run().as_deref().unwrap_or("hello\n"), "hello\n");
}

/// Prints the eight bytes at the end of its own file, as self-extracting programs read theirs.
const PRINTS_ITS_END: &str = r#"
#include <stdio.h>
int main(int count, char **values) {
    char end[9] = "";
    FILE *own = fopen(values[0], "rb");
    fseek(own, -8, SEEK_END);
    fread(end, 1, 8, own);
    puts(end);
}
"#;

#[test]
fn does_not_strip_a_program_with_bytes_behind_its_sections() {
    let project = Project::new();
    project.compile("cc", "whole", PRINTS_ITS_END, &["-g"]);
    let program = [std::fs::read(project.path("whole")).unwrap(), b"PAYLOAD!".to_vec()].concat();
    coracle_testing::write_executable(&project.path("app"), &program);
    let build = |arguments: &[&str]| {
        let mut command = project.coracle(["build", "app", "-o", "oci:app.oci"]).command();
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(!build(&[]).contains("--strip"));
    let said = build(&["--strip"]);
    assert!(said.contains("warning: `/app/app` is not stripped: 8 of its bytes are in no section"), "{said}");
    let layout = project.layout("app.oci");
    assert_eq!(std::fs::read(layout.unpack().path().join("app/app")).unwrap(), program);
    assert_eq!(layout.run().as_deref().unwrap_or("PAYLOAD!\n"), "PAYLOAD!\n");
}

#[test]
fn the_platform_is_that_of_the_program() {
    let project = Project::new();
    if std::process::Command::new("aarch64-linux-gnu-gcc").arg("--version").output().is_err() {
        return skipped("aarch64-linux-gnu-gcc is not installed");
    }
    project.compile("aarch64-linux-gnu-gcc", "hello", HELLO, &["-static", "-s"]);
    let layout = project.built(&["hello", "--platform", "linux/arm64/v8"], "hello.oci");
    let config = layout.config();
    assert_eq!((&config["architecture"], &config["variant"]), (&"arm64".into(), &"v8".into()));
    assert_eq!(layout.index()["manifests"][0]["platform"]["variant"], "v8");
}
