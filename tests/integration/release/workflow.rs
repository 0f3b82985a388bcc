//! The workflow of a release and the scripts that it calls.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::release::run;

#[test]
fn scripts_have_valid_syntax() {
    for entry in fs::read_dir("release").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none() && fs::read(&path).unwrap().starts_with(b"#!/usr/bin/env bash") {
            run("bash", &["-n", path.to_str().unwrap()]);
        }
    }
}

#[test]
fn the_workflow_calls_existing_scripts_for_binstalls_targets() {
    let text = fs::read_to_string(".github/workflows/release.yml").unwrap();
    let workflow: Value = serde_saphyr::from_str(&text).unwrap();
    let jobs = workflow["jobs"].as_object().unwrap();
    assert_eq!(jobs.keys().collect::<Vec<_>>(), ["build", "check", "publish"]);
    let steps = jobs.values().flat_map(|job| job["steps"].as_array().unwrap());
    let scripts: Vec<&str> = steps
        .filter_map(|step| step["run"].as_str()?.strip_prefix("bash ")?.split_whitespace().next())
        .collect();
    assert_eq!(scripts, ["release/build", "release/check"]);
    assert!(scripts.iter().all(|script| Path::new(script).is_file()));
    let targets = jobs["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let targets: Vec<&str> = targets.iter().map(|row| row["target"].as_str().unwrap()).collect();
    assert_eq!(targets, ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"]);
    // Only the job that publishes may write, and only what it has to.
    assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }));
    assert_eq!(jobs["publish"]["permissions"], serde_json::json!({ "contents": "write" }));
    assert!(jobs["build"]["permissions"].is_null() && jobs["check"]["permissions"].is_null());
}
