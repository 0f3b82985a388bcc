//! The files that `cargo package` would publish.

use std::process::Command;

use crate::release::run;

#[test]
fn the_package_has_exactly_the_needed_files() {
    let said = run("bash", &["release/contents", "--allow-dirty"]);
    assert!(said.ends_with(" files are in the package\n"), "{said}");
}

#[test]
fn rejects_a_tag_of_another_version() {
    let planned = format!("no tag is named: {} is only planned\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run("bash", &["release/names"]), planned);
    let output = Command::new("bash").args(["release/names", "v999.0.0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = [
        concat!("the tag is v999.0.0, and Cargo.toml says ", env!("CARGO_PKG_VERSION")),
        "CHANGELOG.md has no `## 999.0.0`",
    ];
    assert_eq!(said.lines().take(2).collect::<Vec<_>>(), lines);
}
