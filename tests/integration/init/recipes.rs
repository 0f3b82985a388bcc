//! A recipe for a program that is there.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use coracle_testing::{coracle_in, listing};
use snapbox::str;

use crate::build::project::{HELLO, Project};

/// Runs `coracle` in `folder`; stdout of what must succeed.
#[track_caller]
pub(crate) fn done<const N: usize>(folder: &std::path::Path, args: [&str; N]) -> String {
    let output = coracle_in(folder, args).command().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_it_writes_builds_renders_and_runs() {
    let project = Project::hello(&[]);
    project.coracle(["init", "./hello"]).ends(
        0,
        str![[r#"
config/hello.toml.j2
config/values.toml
config/schema.json
coracle.toml

"#]],
        str![[r#"
hint: build the image with `coracle build`; add `--dry-run` to list its files

"#]],
    );
    let layout = project.built(&[], "hello.oci");
    assert_eq!(layout.names(), ["latest docker.io/library/hello:latest"]);
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "hello\n");
    }
    assert!(layout.config()["config"]["Labels"]["io.coracle.config.v1"].is_string());
    project.coracle(["config", "render"]).ends(
        0,
        str![[r#"
# hello reads this file as /etc/hello/hello.toml.
log-level = "info"

"#]],
        str![],
    );
    let manifests = done(project.folder(), ["manifests"]);
    assert!(manifests.contains("mountPath: /etc/hello\n"), "{manifests}");
    // The schema holds what it says.
    project.coracle(["config", "render", "--set", "log_level=loud"]).ends(
        2,
        str![],
        str![[r#"
...
[..]log_level[..]
...
"#]],
    );
}

#[test]
fn written_files_have_default_modes() {
    let project = Project::hello(&[]);
    done(project.folder(), ["init", "./hello"]);
    project.file("other", "");
    let mode = |name: &str| fs::metadata(project.path(name)).unwrap().mode();
    assert_eq!(mode("coracle.toml"), mode("other"));
    assert_eq!(mode("config/schema.json"), mode("other"));
    let left: Vec<_> = listing(project.folder()).into_keys().collect();
    assert_eq!(left.len(), 7, "{left:?}");
}

#[test]
fn uses_the_only_program_of_the_folder() {
    let project = Project::new();
    project.program("out/tool", HELLO, &[]).library("out/libtool.so", "answer", "1", &[]);
    project.script("build.sh", "#!/bin/sh\n").file("notes", "text");
    done(project.folder(), ["init"]);
    assert!(
        fs::read_to_string(project.path("coracle.toml")).unwrap().contains("programs = [\"out/tool\"]\n")
    );
    project.built(&[], "tool.oci");

    // A link to it is no second one.
    fs::remove_file(project.path("coracle.toml")).unwrap();
    project.link("app", "out/tool").link("bin", "out");
    done(project.folder(), ["init", "--no-config"]);
    assert!(
        fs::read_to_string(project.path("coracle.toml")).unwrap().contains("programs = [\"out/tool\"]\n")
    );

    // In a folder that is named, paths start there.
    project.program("services/shop/shop", HELLO, &[]);
    project.coracle(["init", "services/shop", "--no-config"]).ends(
        0,
        str![[r#"
services/shop/coracle.toml

"#]],
        str![[r#"
hint: build the image with `coracle build --file services/shop/coracle.toml`; add `--dry-run` to list its files

"#]],
    );
    project.built(&["--file", "services/shop/coracle.toml"], "shop.oci");
}

#[test]
fn a_script_and_a_program_of_the_system_can_be_named() {
    let project = Project::new();
    project.script("run.sh", "#!/bin/sh\necho ran\n");
    done(project.folder(), ["init", "run.sh"]);
    let layout = project.built(&[], "run.oci");
    if let Some(printed) = layout.run() {
        assert_eq!(printed, "ran\n");
    }
    let project = Project::new();
    done(project.folder(), ["init", "/bin/true", "--no-config"]);
    project.built(&[], "true.oci");
}

#[test]
fn names_are_valid_in_kubernetes() {
    for name in ["7z", &"x".repeat(63), "2048_game"] {
        let project = Project::new();
        project.program(name, HELLO, &[]);
        done(project.folder(), ["init", name]);
        let recipe = fs::read_to_string(project.path("coracle.toml")).unwrap();
        project.file("coracle.toml", recipe.replace("expose = []", "expose = [\"8080\"]"));
        let manifests = done(project.folder(), ["manifests"]);
        assert!(manifests.contains("\nkind: Service\n"), "{manifests}");
    }
}

#[test]
fn keeps_existing_files() {
    let project = Project::hello(&[]);
    project.file("config/values.toml", "log_level = \"debug\"\n").link("config/schema.json", "nowhere");
    let before = listing(&project.path("config"));
    project.coracle(["init", "hello"]).ends(
        0,
        str![[r#"
config/hello.toml.j2
coracle.toml

"#]],
        str![[r#"
uses `config/values.toml`, which exists already
uses `config/schema.json`, which exists already
hint: build the image with `coracle build`; add `--dry-run` to list its files

"#]],
    );
    let after = listing(&project.path("config"));
    assert!(before.iter().all(|(path, what)| after[path] == *what));
}

#[test]
fn accepts_any_name_of_folders_and_programs() {
    for name in [b"with space".as_slice(), b"\xff", b"'quoted' \"twice\"", b"-"] {
        let name = OsStr::from_bytes(name);
        let project = Project::new();
        let folder = project.folder().join(name);
        fs::create_dir(&folder).unwrap();
        project.program("prog ram\"1\"", HELLO, &[]);
        fs::rename(project.path("prog ram\"1\""), folder.join("prog ram\"1\"")).unwrap();
        done(&folder, ["init", "prog ram\"1\""]);
        done(&folder, ["build", "--quiet"]);
        assert!(folder.join("prog-ram-1.oci").exists(), "{name:?}");
        assert!(done(&folder, ["config", "render"]).contains("/etc/prog-ram-1/"), "{name:?}");
    }
    let project = Project::new();
    project.program("my folder/app", HELLO, &[]);
    project.coracle(["init", "my folder", "--no-config"]).ends(
        0,
        str![[r#"
my folder/coracle.toml

"#]],
        str![[r#"
hint: build the image with `coracle build --file 'my folder/coracle.toml'`; add `--dry-run` to list its files

"#]],
    );
    // The command in the hint is one line, and does what it says.
    let name = "a\n'b\\\u{1}2";
    project.program("other", HELLO, &[]);
    fs::create_dir(project.path(name)).unwrap();
    fs::rename(project.path("other"), project.folder().join(name).join("other")).unwrap();
    let output = coracle_in(project.folder(), ["init", name, "--no-config"]).command().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let hint = said.lines().next().unwrap().strip_prefix("hint: build the image with `coracle ").unwrap();
    let command = hint.split('`').next().unwrap();
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", &format!("\"$0\" {command} --quiet"), env!("CARGO_BIN_EXE_coracle")]);
    let output = bash.current_dir(project.folder()).output().unwrap();
    assert!(output.status.success() && said.lines().count() == 1, "{said}{output:?}");
}

#[test]
fn a_dry_run_prints_it_all_and_writes_nothing() {
    let project = Project::hello(&[]);
    let before = listing(project.folder());
    let printed = done(project.folder(), ["init", "hello", "--dry-run"]);
    assert_eq!(listing(project.folder()), before);
    let headings: Vec<&str> = printed.lines().filter(|line| line.starts_with("==> ")).collect();
    assert_eq!(
        headings,
        ["==> config/hello.toml.j2", "==> config/values.toml", "==> config/schema.json", "==> coracle.toml"]
    );
    done(project.folder(), ["init", "hello"]);
    let written = fs::read_to_string(project.path("coracle.toml")).unwrap();
    assert!(printed.ends_with(&written), "{printed}");
}

#[test]
fn the_recipe_explains_its_keys_and_has_no_placeholder() {
    let project = Project::hello(&[]);
    done(project.folder(), ["init", "hello", "--ci", "github"]);
    for file in listing(project.folder()).into_keys() {
        let path = project.folder().join(file);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let open: Vec<&str> =
            text.split('@').filter(|word| word.chars().all(|c| c.is_ascii_uppercase())).collect();
        assert!(open.is_empty(), "{path:?}: {open:?}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path:?}");
        assert!(text.lines().all(|line| line.len() <= 120), "{path:?}");
    }
    // A key stands below the line that explains it.
    let recipe = fs::read_to_string(project.path("coracle.toml")).unwrap();
    let image = recipe.split("[image]\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let lines: Vec<&str> = image.lines().collect();
    assert_eq!(lines.len(), 10, "{image}");
    for pair in lines.chunks(2) {
        assert!(pair[0].starts_with("# ") && pair[1].contains(" = "), "{pair:?}");
    }
}
