//! Reads projects for `coracle init` and `cargo coracle`: cargo's package or workspace in the working
//! directory, and whether a file is a program.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coracle_core::content::Content;
use coracle_ld::elf::Header;
use serde::Deserialize;

use super::environment::nonempty_env_var;

/// The part of the output of `cargo metadata` that is used. Source: the Cargo book, "cargo metadata".
#[derive(Deserialize)]
pub(super) struct CargoMetadata {
    pub(super) packages: Vec<MetadataPackage>,
    pub(super) target_directory: PathBuf,
    pub(super) workspace_root: PathBuf,
}

/// A package of the workspace.
#[derive(Deserialize)]
pub(super) struct MetadataPackage {
    pub(super) name: String,
    version: String,
    pub(super) manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
}

/// A cargo target: a library, program, example, test or build script.
#[derive(Deserialize)]
pub(super) struct CargoTarget {
    pub(super) kind: Vec<String>,
    pub(super) name: String,
}

/// Returns the cargo to run: cargo names itself in `CARGO` when it runs a subcommand.
pub(super) fn cargo_program() -> OsString {
    nonempty_env_var("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Returns the Cargo.toml in the working directory or the closest parent.
pub(super) fn nearest_cargo_manifest() -> Option<PathBuf> {
    let working_dir = std::env::current_dir().ok()?;
    let mut manifests = working_dir.ancestors().map(|directory| directory.join("Cargo.toml"));
    manifests.find(|manifest| manifest.exists())
}

/// Returns whether `manifest` is the Cargo.toml of a workspace without a package of its own. Cargo rejects a table
/// `[package.metadata]` in it.
pub(super) fn is_virtual_workspace(manifest: &Path) -> bool {
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    manifest.ends_with("Cargo.toml")
        && toml::from_str::<toml::Table>(&text)
            .is_ok_and(|table| table.contains_key("workspace") && !table.contains_key("package"))
}

/// Runs `cargo metadata` for the package of `manifest`. `None` if cargo is not installed or fails; the
/// build reports the error.
pub(super) fn read_cargo_metadata(manifest: &Path) -> Option<CargoMetadata> {
    let mut cargo = Command::new(cargo_program());
    cargo
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(manifest);
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}

impl CargoMetadata {
    /// Returns the package of `manifest`.
    pub(super) fn package(&self, manifest: &Path) -> Option<&MetadataPackage> {
        let manifest = manifest.canonicalize().ok()?;
        self.packages
            .iter()
            .find(|package| package.manifest_path.canonicalize().is_ok_and(|path| path == manifest))
    }
}

impl MetadataPackage {
    /// Returns whether `spec` is the package's name, or its name and version as in `shop@1.2.3`.
    pub(super) fn has_spec(&self, spec: &str) -> bool {
        spec == self.name || spec.split_once('@') == Some((&self.name, &self.version))
    }

    /// Returns the names of the targets of one kind, such as `bin` or `example`.
    pub(super) fn target_names(&self, kind: &str) -> Vec<String> {
        let targets = self.targets.iter().filter(|target| target.kind.iter().any(|known| known == kind));
        targets.map(|target| target.name.clone()).collect()
    }
}

/// The size of the largest ELF header, in bytes.
const MAX_ELF_HEADER: u64 = 64;

/// The kind of a file, by its first bytes.
pub(super) enum FileKind {
    Elf(Header),
    /// Starts with `#!`.
    Script,
    Other,
}

/// Reads the kind of the file at `path`.
pub(super) fn read_file_kind(path: &Path) -> io::Result<FileKind> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_ELF_HEADER).read_to_end(&mut bytes)?;
    if bytes.starts_with(b"#!") {
        return Ok(FileKind::Script);
    }
    let reader = Content::from_bytes(bytes).open().map_err(io::Error::other)?;
    Ok(Header::read(&reader).map_or(FileKind::Other, FileKind::Elf))
}
