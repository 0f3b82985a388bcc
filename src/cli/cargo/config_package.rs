//! The package whose configuration `cargo coracle config render` renders.

use std::path::{Path, PathBuf};

use coracle::recipe::{CargoPackage, RecipeOverrides};

use super::relative_to_cwd;
use crate::cli::error::CliError;
use crate::cli::read_project::{
    CargoMetadata, is_virtual_workspace, nearest_cargo_manifest, read_cargo_metadata,
};

/// Returns the Cargo.toml of the package `spec` in the workspace of `manifest`, or of the nearest Cargo.toml.
pub(super) fn manifest_of_package(manifest: Option<PathBuf>, spec: &str) -> Result<PathBuf, CliError> {
    let Some(manifest) = manifest.or_else(nearest_cargo_manifest) else {
        return Err(CliError::usage(
            "`-p` selects a package, but there is no Cargo.toml in this directory or its parents",
            "change to the workspace, or name its Cargo.toml with `--manifest-path`",
        ));
    };
    let metadata = workspace_metadata(&manifest)?;
    let package = metadata.packages.iter().find(|package| package.has_spec(spec));
    package.map(|package| relative_to_cwd(&package.manifest_path)).ok_or_else(|| {
        let names: Vec<String> =
            metadata.packages.iter().map(|package| format!("`{}`", package.name)).collect();
        CliError::usage(
            format!("the workspace of `{}` has no package `{spec}`", relative_to_cwd(&manifest).display()),
            format!("its packages: {}", names.join(", ")),
        )
    })
}

/// Returns `manifest`, or, if it is a workspace without a package and without configuration, the Cargo.toml of the
/// only package with configuration.
pub(super) fn manifest_with_configuration(manifest: PathBuf) -> Result<PathBuf, CliError> {
    if !is_virtual_workspace(&manifest) || has_configuration(&manifest)? {
        return Ok(manifest);
    }
    let metadata = workspace_metadata(&manifest)?;
    let mut configured = Vec::new();
    for package in &metadata.packages {
        if has_configuration(&package.manifest_path)? {
            configured.push(package);
        }
    }
    let names: Vec<String> = configured.iter().map(|package| format!("`{}`", package.name)).collect();
    match configured.as_slice() {
        [package] => Ok(relative_to_cwd(&package.manifest_path)),
        [] => Err(CliError::usage(
            "nothing to render: no package of this workspace has configuration",
            "write `[[package.metadata.coracle.config]]` in the Cargo.toml of a package, or pass `--config \
             FOLDER:/etc/app`",
        )),
        _ => Err(CliError::usage(
            format!("several packages have configuration: {}", names.join(", ")),
            "select one with `-p PACKAGE`",
        )),
    }
}

fn has_configuration(manifest: &Path) -> Result<bool, CliError> {
    Ok(!CargoPackage::read(manifest)?.recipe(&RecipeOverrides::default())?.config.mounts.is_empty())
}

fn workspace_metadata(manifest: &Path) -> Result<CargoMetadata, CliError> {
    read_cargo_metadata(manifest).ok_or_else(|| {
        let path = relative_to_cwd(manifest).display().to_string();
        CliError::failed_with_hint(
            format!("cargo cannot read the workspace of `{path}`"),
            format!("run `cargo metadata --no-deps --manifest-path {path}` for its error"),
        )
    })
}
