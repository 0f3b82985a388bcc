//! The default recipe of the other commands under cargo: the settings in Cargo.toml.

use std::path::{Path, PathBuf};

use coracle::recipe::{self, CargoPackage};

use super::{cargo_build, image_recipes, relative_to_cwd};
use crate::cli::args::{CargoArgs, CargoManifestsArgs, Color, CommonCommand, ConfigCommand};
use crate::cli::cargo_workspace::nearest_cargo_manifest;
use crate::cli::error::{CliError, CliExit};
use crate::cli::{interrupt, manifests};

/// Makes `command` read Cargo.toml instead of `coracle.toml`, if it names no recipe.
pub(in crate::cli) fn read_cargo_manifest_by_default(command: &mut CommonCommand) -> Result<(), CliError> {
    if let CommonCommand::Config(ConfigCommand::Render(args)) = command
        && args.file.is_none()
        && !args.needs_no_recipe()
    {
        // Read even without settings, so that the error is not about a missing `coracle.toml`.
        args.file = manifest_with_settings()?.or_else(|| {
            nearest_cargo_manifest().filter(|_| !has_recipe()).map(|file| relative_to_cwd(&file))
        });
    }
    Ok(())
}

/// Runs `cargo coracle manifests`, for a program that cargo builds or an image that exists already.
pub(in crate::cli) fn run_cargo_manifests(
    mut args: CargoManifestsArgs,
    color: Color,
) -> Result<CliExit, CliError> {
    let CargoManifestsArgs { cargo, manifests: args } = &mut args;
    super::reject_cargo_flags(cargo, &args.overrides())?;
    check_selection_flags(args.file.is_some(), args.image.as_deref(), cargo)?;
    if args.file.is_some() {
        return manifests::run_manifests(args, None);
    }
    args.file = match &cargo.manifest_path {
        Some(path) => Some(path.clone()),
        None => manifest_with_settings()?,
    };
    let needs_cargo = args.file.is_some() || cargo.selection_flag().is_some() || !has_recipe();
    if args.image.is_some() || !needs_cargo {
        return manifests::run_manifests(args, None);
    }
    interrupt::handle_signals();
    let quiet = args.quiet;
    let cargo_recipe = |flags: &_| {
        let programs = cargo_build::build_programs(cargo, quiet, color, |_| ())?;
        image_recipes::single_recipe(&programs, flags, cargo)
    };
    manifests::run_manifests(args, Some(&cargo_recipe))
}

/// Fails if flags select programs although cargo does not run.
fn check_selection_flags(has_file: bool, image: Option<&str>, cargo: &CargoArgs) -> Result<(), CliError> {
    let Some(flag) = cargo.selection_flag() else { return Ok(()) };
    let message = match image {
        Some(image) => {
            format!("`{flag}` has no effect, because cargo does not run: `{image}` is built already")
        }
        None if has_file => {
            format!("`{flag}` has no effect with `--file`, because cargo does not run")
        }
        None => return Ok(()),
    };
    Err(CliError::usage(
        message,
        "leave it out; `--manifest-path PACKAGE/Cargo.toml` selects the package whose settings apply to an existing image",
    ))
}

/// Returns the nearest Cargo.toml if it has settings; a `coracle.toml` in this directory takes
/// precedence over settings that it inherits from its workspace.
fn manifest_with_settings() -> Result<Option<PathBuf>, CliError> {
    let Some(manifest) = nearest_cargo_manifest() else { return Ok(None) };
    let package = CargoPackage::read(&manifest)?;
    let is_recipe = package.has_settings()? || !has_recipe() && package.has_workspace_settings()?;
    Ok(Some(manifest).filter(|_| is_recipe))
}

fn has_recipe() -> bool {
    Path::new(recipe::DEFAULT_FILE_NAME).exists()
}
