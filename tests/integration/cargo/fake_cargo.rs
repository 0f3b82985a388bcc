//! A script that stands for cargo: it says what a test has written down, and does what the test
//! wants meanwhile.

use std::process::Command;

use coracle_testing::{Coracle, skipped, write_executable};

use crate::cargo::project::Project;

/// Cargo's message about the built program `name` of the package in the project's directory.
pub(crate) fn built(project: &Project, name: &str, file: &str) -> String {
    let folder = project.path("");
    format!(
        "{{\"reason\":\"compiler-artifact\",\"package_id\":\"path+file:///app#1.2.3\",\"manifest_path\":\
         \"{0}/Cargo.toml\",\"target\":{{\"kind\":[\"bin\"],\"name\":\"{name}\"}},\"executable\":\"{0}/{file}\"}}\n",
        folder.display()
    )
}

/// Cargo's message with this diagnostic of rustc.
pub(crate) fn diagnostic(message: &str, rendered: &str) -> String {
    let message = serde_json::json!({
        "reason": "compiler-message",
        "message": { "message": message, "rendered": rendered, "level": "error" },
    });
    format!("{message}\n")
}

/// Makes `script`, a body for `sh`, the cargo of `project`. Its arguments go to `target/args`.
pub(crate) fn cargo(project: &Project, script: &str) {
    let script = format!("#!/bin/sh\necho \"$@\" >target/args\n{script}\n");
    write_executable(&project.path("target/cargo"), script);
}

/// A run with it.
pub(crate) fn run<const N: usize>(project: &Project, args: [&str; N]) -> Coracle {
    project.cargo(args).env("CARGO", project.path("target/cargo").to_str().unwrap())
}

/// The arguments that it was given.
pub(crate) fn args(project: &Project) -> String {
    std::fs::read_to_string(project.path("target/args")).unwrap()
}

/// Compiles a program; nothing where there is no such compiler.
pub(crate) fn compiled(project: &Project, compiler: &str, flags: &[&str], file: &str) -> Option<()> {
    project.file(file, "").file("target/main.c", "int main(void) { return 0; }\n");
    let mut command = Command::new(compiler);
    command.args(["-s", "-o"]).arg(project.path(file)).arg(project.path("target/main.c")).args(flags);
    match command.status() {
        Ok(status) => assert!(status.success(), "{compiler} {flags:?}"),
        Err(error) => {
            skipped(&format!("there is no `{compiler}`: {error}"));
            return None;
        }
    }
    Some(())
}
