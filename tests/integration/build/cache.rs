//! The build cache: nothing is done twice, and nothing wrong is ever taken from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use coracle_testing::listing;

use crate::build::disk_errors::small_disk;
use crate::build::project::Project;

/// Longer than what may have changed unseen; then stat data are trusted.
pub(crate) const SETTLED: Duration = Duration::from_millis(40);

/// `hello`, which needs `lib/liba.so`, found through its `RUNPATH` behind a directory without it.
fn project() -> Project {
    let project = Project::new();
    project.library("lib/liba.so", "answer", "42", &["-Wl,-soname,liba.so"]);
    project.program(
        "hello",
        "int answer(void); int main(void) { return answer() != 42; }",
        &["lib/liba.so", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/first:$ORIGIN/lib"],
    );
    fs::create_dir(project.path("first")).unwrap();
    project.file("assets/one", "1");
    project.file("config/app.toml", "port = 8080\n");
    std::thread::sleep(SETTLED);
    project
}

const ARGS: [&str; 6] = [
    "hello",
    "--include=assets:/srv",
    "--config=config:/etc/hello",
    "-o=oci:hello.oci",
    "-t=hello:1",
    "--quiet",
];

#[track_caller]
fn run(project: &Project, args: &[&str]) -> Output {
    let mut command = project.coracle(["build", "--format=json", "--cache-dir=cache"]).command();
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Digest, and whether it was there already.
#[track_caller]
fn build(project: &Project, args: &[&str]) -> (String, bool) {
    let images: serde_json::Value = serde_json::from_slice(&run(project, args).stdout).unwrap();
    let image = &images["images"][0];
    (image["digest"].as_str().unwrap().to_owned(), image["unchanged"].as_bool().unwrap())
}

/// What a build without a cache makes of the same.
#[track_caller]
fn fresh(project: &Project) -> String {
    let mut args = ARGS.to_vec();
    args[3] = "-o=oci:fresh.oci";
    let output = project.coracle(["build", "--no-cache"]).command().args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::remove_dir_all(project.path("fresh.oci")).unwrap();
    let reference = String::from_utf8(output.stdout).unwrap();
    reference.trim().split_once('@').unwrap().1.to_owned()
}

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
        // What was changed just now is trusted a little later.
        std::thread::sleep(SETTLED);
        build(&project, &ARGS);
    }
}

/// What another build wrote to the same archive is not this one's, however soon it came.
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

/// A leak is found in a layer that is in the cache already.
#[test]
fn scans_layers_from_the_cache() {
    let project = project();
    build(&project, &ARGS);
    fs::remove_dir_all(project.path("hello.oci")).unwrap();
    project.file("assets/one", "port = 8080\n");
    let mut command = project.coracle(["build", "--cache-dir=cache"]).command();
    let output = command.args(ARGS).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("/srv/one"), "{said}");
    assert!(!project.path("hello.oci").exists());
}

/// The layers in the cache, by what they are names of.
fn layers(project: &Project) -> BTreeMap<PathBuf, String> {
    let all = listing(&project.path("cache/v1/layers"));
    all.into_iter().filter(|(path, _)| path.to_string_lossy().contains('-')).collect()
}

#[test]
fn does_not_repack_unchanged_layers() {
    let project = project();
    build(&project, &ARGS);
    let before = layers(&project);
    project.file("assets/one", "another");
    build(&project, &ARGS);
    let after = layers(&project);
    assert_eq!(after.len(), before.len() + 1, "{after:?}");
}

#[test]
fn images_of_one_run_share_layers() {
    let project = project();
    for name in ["a", "b", "c", "d", "e"] {
        project.program(&format!("bin/{name}"), &format!("int main(void) {{ return '{name}'; }}"), &[]);
        let recipe = format!(
            "[image]\nname = \"{name}\"\nprograms = [\"bin/{name}\"]\n\
             [[include]]\nfrom = \"lib\"\nto = \"/srv/lib\"\n"
        );
        project.file(&format!("{name}.toml"), recipe);
    }
    project.file("broken.toml", "[image]\nprograms = [\"bin/nothing\"]\n");
    let mut args = vec!["-o=oci:all.oci".to_owned()];
    args.extend(["a", "b", "broken", "c", "d", "e"].map(|name| format!("-f={name}.toml")));
    let runs = [(); 3].map(|()| {
        fs::remove_dir_all(project.path("cache")).ok();
        fs::remove_dir_all(project.path("all.oci")).ok();
        let mut command = project.coracle(["build", "--cache-dir=cache", "--quiet"]).command();
        let output = command.args(&args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("bin/nothing"), "{said}");
        (output.stdout, fs::read(project.path("all.oci/index.json")).unwrap())
    });
    assert!(runs[0] == runs[1] && runs[1] == runs[2], "order shows");
    let names: Vec<String> =
        String::from_utf8(runs[0].0.clone()).unwrap().lines().map(|line| line[..1].into()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    // Five programs, one layer of libraries, one of data.
    assert_eq!(layers(&project).len(), 7);
}

#[test]
fn concurrent_and_killed_builds_leave_a_valid_cache() {
    let project = project();
    project.file(
        "assets/noise",
        (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<u8>>(),
    );
    std::thread::sleep(SETTLED);
    let start = |name: &str| {
        let mut args = ARGS.to_vec();
        let place = format!("-o=oci:{name}.oci");
        args[3] = &place;
        let mut command = project.coracle(["build", "--cache-dir=cache"]).command();
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for moment in 0..10 {
        let mut build = start("killed");
        std::thread::sleep(Duration::from_millis(25 * moment));
        build.kill().unwrap();
        build.wait().unwrap();
    }
    let builds: Vec<_> = (0..4).map(|number| start(&number.to_string())).collect();
    let digest = fresh(&project);
    for build in builds {
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8(output.stdout).unwrap().contains(&digest));
    }
    (0..4).for_each(|number| drop(project.layout(&format!("{number}.oci"))));
    // One of each layer, however many wanted it; nothing is left of those that were killed once all is pruned.
    assert_eq!(layers(&project).len(), 3);
    let prune = project.coracle(["cache", "prune", "--all", "--cache-dir=cache"]).command().output().unwrap();
    assert!(prune.status.success(), "{}", String::from_utf8_lossy(&prune.stderr));
    assert!(listing(&project.path("cache/v1/layers")).is_empty());
    assert!(listing(&project.path("cache/v1/builds")).is_empty());
}

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
