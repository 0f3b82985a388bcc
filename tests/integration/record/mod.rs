//! `coracle record`: what a run opens, and what becomes of it in the recipe.

mod bad_programs;
mod permissions;
mod processes;
mod recorded_files;
mod recorded_runs;
mod written_recipe;

use std::process::Output;

use serde_json::Value;

use crate::build::project::Project;

/// Runs `coracle record` without kept runs. Returns stdout, which must be all of the exit code 0.
#[track_caller]
fn recorded(project: &Project, args: &[&str]) -> String {
    let output = record(project, args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `coracle record` without kept runs.
fn record(project: &Project, args: &[&str]) -> Output {
    project.coracle(["record", "--no-cache"]).command().args(args).output().unwrap()
}

/// Runs `coracle record` without kept runs. Returns its report, and asserts its exit code.
#[track_caller]
fn report(project: &Project, code: i32, args: &[&str]) -> Value {
    let output = record(project, &[&["--format", "json"], args].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether the recorded `paths` of a report contain `path`.
fn has_path(report: &Value, paths: &str, path: &str) -> bool {
    report["trace"][paths].as_array().unwrap().iter().any(|recorded| recorded["path"] == path)
}
