//! A package's targets, from `cargo metadata`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::cargo;

/// The names of a package's programs and examples.
pub(super) struct PackageTargets {
    pub(super) programs: Vec<String>,
    pub(super) examples: Vec<String>,
}

/// Returns the targets of the package of `manifest`. `None` if cargo is not installed or fails; the
/// build reports the error.
pub(super) fn read_package_targets(manifest: &Path) -> Option<PackageTargets> {
    let mut cargo = Command::new(cargo::program());
    cargo
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(manifest);
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())?;
    let manifest = manifest.canonicalize().ok()?;
    let is_it = |package: &&Value| {
        let path = package.get("manifest_path").and_then(Value::as_str);
        path.and_then(|path| Path::new(path).canonicalize().ok()).is_some_and(|path| path == manifest)
    };
    let package = metadata.get("packages")?.as_array()?.iter().find(is_it)?;
    let targets = package.get("targets")?.as_array()?;
    let of_kind = |wanted: &str| {
        let is_one = |target: &&Value| {
            target
                .get("kind")
                .and_then(Value::as_array)
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == wanted))
        };
        let names = targets.iter().filter(is_one).filter_map(|target| target.get("name")?.as_str());
        names.map(str::to_owned).collect()
    };
    Some(PackageTargets { programs: of_kind("bin"), examples: of_kind("example") })
}
