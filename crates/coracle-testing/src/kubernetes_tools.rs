//! The Kubernetes clients that `.ci/tools` installs into target/tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{skipped, workspace_root};

const TOOLS: [&str; 4] = ["kubectl", "helm", "kubernetes-validate", "python"];

/// Returns whether all tools are installed; skips the test otherwise.
#[track_caller]
pub fn are_installed() -> bool {
    let missing: Vec<&str> = TOOLS.into_iter().filter(|tool| !path(tool).exists()).collect();
    if !missing.is_empty() {
        skipped(&format!("{} missing: `bash .ci/tools` installs them into target/tools", missing.join(", ")));
    }
    missing.is_empty()
}

/// The path of an installed tool.
pub fn path(tool: &str) -> PathBuf {
    workspace_root().join("target/tools/bin").join(tool)
}

/// Runs a tool in `folder`: whether it succeeded, and what it printed.
pub fn run(folder: &Path, tool: &str, args: &[&str]) -> (bool, String) {
    let output = Command::new(path(tool)).args(args).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        (true, text(output.stdout))
    } else {
        (false, text(output.stdout) + &text(output.stderr))
    }
}

/// Returns the output of a tool, which must succeed.
#[track_caller]
pub fn output(folder: &Path, tool: &str, args: &[&str]) -> String {
    let (is_done, text) = run(folder, tool, args);
    assert!(is_done, "{tool} {args:?}: {text}");
    text
}

/// Prints each document of the files as a line of JSON, as PyYAML reads it.
const READ: &str = "import json, sys, yaml
for path in sys.argv[1:]:
    for document in yaml.safe_load_all(open(path, newline='', encoding='utf-8')):
        if document is not None:
            print(json.dumps(document))";

/// Returns the documents in a YAML text as PyYAML parses them, for comparison.
pub fn documents(folder: &Path, text: &str) -> Vec<Value> {
    std::fs::write(folder.join("read-back.yaml"), text).unwrap();
    let lines = output(folder, "python", &["-c", READ, "read-back.yaml"]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
