//! The scripts of a release: archives, the package, licences, and the workflow that runs them.

mod archive;
mod build_script;
mod licences;
pub(crate) mod pack_script;
mod package;
mod workflow;

use std::process::Command;

/// Runs a command at the top of the sources; stdout of what must succeed.
#[track_caller]
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
