//! Runs are added up.

use std::process::Command;

use crate::build::project::Project;

/// Reads the files in its arguments.
fn reader() -> Project {
    let project = Project::new();
    let source =
        "#include <stdio.h>\nint main(int n, char **a) { while (--n) fopen(a[n], \"r\"); return 0; }";
    project.program("app", source, &[]).file("a/one", "1").file("b/two", "2");
    project.file("coracle.toml", "[image]\nname = \"app\"\nprograms = [\"app\"]\n");
    project
}

fn kept(project: &Project, args: &[&str]) -> Command {
    let mut command = project.coracle(["record", "--cache-dir", "cache"]).command();
    command.args(args);
    command
}

#[track_caller]
fn lines(project: &Project, args: &[&str]) -> String {
    let output = kept(project, args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn runs_are_added_up_until_they_are_forgotten() {
    let project = reader();
    let first = lines(&project, &["--", "./app", "a/one"]);
    assert!(first.contains("a/one") && !first.contains("b/two"), "{first}");
    let both = lines(&project, &["--", "./app", "b/two"]);
    assert!(both.contains("a/one") && both.contains("b/two"), "{both}");
    let last = lines(&project, &["--forget", "--", "./app", "b/two"]);
    assert!(!last.contains("a/one") && last.contains("b/two"), "{last}");
}

#[test]
fn other_recipes_have_runs_of_their_own() {
    let project = reader();
    project.file("other.toml", "[image]\nname = \"other\"\nprograms = [\"app\"]\n");
    lines(&project, &["--", "./app", "a/one"]);
    let other = lines(&project, &["-f", "other.toml", "--", "./app", "b/two"]);
    assert!(!other.contains("a/one"), "{other}");
}

#[test]
fn a_damaged_file_is_discarded_with_a_warning() {
    let project = reader();
    lines(&project, &["--", "./app", "a/one"]);
    let directory = project.path("cache/recorded-runs");
    let file = std::fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, "{\"version\":1,").unwrap();
    let output = kept(&project, &["--", "./app", "b/two"]).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(stdout.contains("b/two") && !stdout.contains("a/one"), "{stdout}");
    assert!(stderr.contains("is damaged or of another version of Coracle"), "{stderr}");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}
