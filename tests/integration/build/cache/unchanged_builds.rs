//! Builds whose inputs have not changed, and every change that is detected.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use coracle_testing::listing;

use super::{ARGS, SETTLED, build, fresh, project, run};
use crate::build::project::Project;

#[test]
fn an_unchanged_build_writes_nothing() {
    let project = project();
    let (digest, there) = build(&project, &ARGS);
    assert!(!there);
    let before = listing(&project.path("hello.oci"));
    assert_eq!(build(&project, &ARGS), (digest.clone(), true));
    assert_eq!(listing(&project.path("hello.oci")), before);
    assert_eq!(fresh(&project), digest);
    let talk = project.coracle(["build", "--cache-dir=cache"]).command().args(&ARGS[..5]).output().unwrap();
    let said = String::from_utf8(talk.stderr).unwrap();
    assert!(said.ends_with("  unchanged in oci:hello.oci\n"), "{said}");
}

/// As after a compiler, without a breath between.
#[test]
fn recognizes_a_program_built_a_moment_before() {
    let project = Project::new();
    for number in 0..4 {
        project.program("hello", &format!("int main(void) {{ return {number}; }}"), &[]);
        let args = ["hello", "-o=oci:hello.oci", "--quiet"];
        let (digest, there) = build(&project, &args);
        assert!(!there, "{number}");
        assert_eq!(build(&project, &args), (digest, true), "{number}");
    }
}

#[test]
fn repeats_warnings_of_unchanged_builds() {
    let project = project();
    project.file("assets/.env", "A=1\n");
    std::thread::sleep(SETTLED);
    let said = |output: Output| String::from_utf8(output.stderr).unwrap();
    let first = said(run(&project, &ARGS));
    assert!(first.contains("warning: "), "{first}");
    assert_eq!(said(run(&project, &ARGS)), first);
    assert!(build(&project, &ARGS).1);
}

/// Replaces the file without a trace in size and mtime.
fn replaced(path: &Path, from: &str, to: &str) {
    let old = fs::metadata(path).unwrap();
    let text = fs::read_to_string(path).unwrap().replace(from, to);
    assert_eq!(text.len() as u64, old.len());
    fs::write(path, text).unwrap();
    fs::File::options().append(true).open(path).unwrap().set_modified(old.modified().unwrap()).unwrap();
}

#[test]
fn detects_every_change() {
    type Change = fn(&Project);
    let changes: [(&str, Change); 14] = [
        ("another program", |project| {
            let source = "int answer(void); int main(void) { return answer(); }";
            project.program(
                "hello",
                source,
                &["lib/liba.so", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/first:$ORIGIN/lib"],
            );
        }),
        ("another library", |project| {
            project.library("lib/liba.so", "answer", "43", &["-Wl,-soname,liba.so"]);
        }),
        ("a library where there was none", |project| {
            project.library("first/liba.so", "answer", "44", &["-Wl,-soname,liba.so"]);
        }),
        ("a file of the same size and time", |project| replaced(&project.path("assets/one"), "1", "2")),
        ("one more file in a directory", |project| {
            project.file("assets/two", "2");
        }),
        ("one less file in a directory", |project| fs::remove_file(project.path("assets/one")).unwrap()),
        ("a link in place of a directory", |project| {
            fs::rename(project.path("lib"), project.path("moved")).unwrap();
            project.link("lib", "moved");
        }),
        ("an execute bit", |project| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(project.path("assets/two"), fs::Permissions::from_mode(0o755)).unwrap();
        }),
        ("a file of the configuration", |project| {
            project.file("config/app.toml", "port = 8081\n");
        }),
        ("one more file of the configuration", |project| {
            project.file("config/log.toml", "level = 1\n");
        }),
        ("no image any more", |project| fs::remove_dir_all(project.path("hello.oci")).unwrap()),
        ("an image without a name", |project| {
            let index = project.path("hello.oci/index.json");
            let text = fs::read_to_string(&index).unwrap();
            fs::write(index, text.replace("hello:1", "other:1")).unwrap();
        }),
        ("a blob that is gone", |project| {
            let blobs = project.path("hello.oci/blobs/sha256");
            fs::remove_file(fs::read_dir(blobs).unwrap().next().unwrap().unwrap().path()).unwrap();
        }),
        ("a blob that is damaged", |project| {
            let blobs = fs::read_dir(project.path("hello.oci/blobs/sha256")).unwrap();
            let largest =
                blobs.map(|blob| blob.unwrap().path()).max_by_key(|path| fs::metadata(path).unwrap().len());
            let largest = largest.unwrap();
            let mut bytes = fs::read(&largest).unwrap();
            bytes[100] ^= 1;
            fs::write(largest, bytes).unwrap();
        }),
    ];
    let project = project();
    build(&project, &ARGS);
    for (what, change) in changes {
        assert!(build(&project, &ARGS).1, "before: {what}");
        change(&project);
        let (digest, there) = build(&project, &ARGS);
        assert!(!there, "{what}");
        project.layout("hello.oci");
        assert_eq!(fresh(&project), digest, "{what}");
        // A file that has just changed is trusted only later.
        std::thread::sleep(SETTLED);
        build(&project, &ARGS);
    }
}

/// An archive that another build wrote a moment later is not taken for this one.
#[test]
fn identifies_an_archive_by_its_content() {
    let project = project();
    let mut args = ARGS.to_vec();
    args[3] = "-o=oci-archive:hello.tar";
    build(&project, &args);
    assert!(build(&project, &args).1);
    let other = [&args[..], &["--arg=other"]].concat();
    build(&project, &other);
    let (digest, there) = build(&project, &args);
    assert!(!there);
    assert_eq!(digest, fresh(&project));
    assert!(build(&project, &args).1);
}

#[test]
fn detects_changed_options() {
    let project = project();
    build(&project, &ARGS);
    for more in
        ["--arg=x", "--epoch=1", "--strip", "--compression=zstd", "--user=1", "--expose=80", "--set=a=1"]
    {
        let args = [&ARGS[..], &[more]].concat();
        assert!(!build(&project, &args).1, "{more}");
        assert!(build(&project, &args).1, "{more}");
        // The image that stands there is another one now, but where the flag changes nothing.
        let there = build(&project, &ARGS).1;
        assert_eq!(there, ["--set=a=1", "--strip"].contains(&more), "{more}");
    }
}

#[test]
fn reads_stdin_at_every_build() {
    let project = project();
    let mut args = ARGS.to_vec();
    args.push("--set-file=key=-");
    for value in ["one", "two"] {
        let mut command = project.coracle(["build", "--cache-dir=cache", "--format=json"]).command();
        let mut child = command.args(&args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), value.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let images: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(images["images"][0]["unchanged"], false);
    }
}

/// Also by another name than `-`: whoever reads it first would leave nothing for the others.
#[test]
fn a_named_pipe_is_read_once() {
    let project = project();
    project.file("assets/copy", "correct horse battery staple");
    let made = std::process::Command::new("mkfifo").arg(project.path("pipe")).status().unwrap();
    assert!(made.success());
    let mut command =
        project.coracle(["build", "--cache-dir=cache", "--set-file=db.password=pipe"]).command();
    project
        .file("schema.json", r#"{"properties": {"db": {"properties": {"password": {"writeOnly": true}}}}}"#);
    let child = command.args(ARGS).arg("--schema=schema.json").stderr(Stdio::piped()).spawn().unwrap();
    fs::write(project.path("pipe"), "correct horse battery staple").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("the secret value `db.password`"), "{said}");
}
