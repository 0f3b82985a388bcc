//! The default recipe of the other commands under cargo: the settings in Cargo.toml.

use std::path::{Path, PathBuf};

use coracle::recipe::{self, Package};

use super::{compile, from_here, images};
use crate::cli::args::{CargoArgs, CargoManifestsArgs, Color, Command, ConfigCommand};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{interrupt, manifests};

/// Makes `command` read Cargo.toml instead of `coracle.toml`, if it names no recipe.
pub(in crate::cli) fn settle(command: &mut Command) -> Result<(), Failure> {
    if let Command::Config(ConfigCommand::Render(args)) = command
        && args.file.is_none()
        && !args.needs_no_recipe()
    {
        // Read even without settings, so that the error is not about a missing `coracle.toml`.
        args.file = file()?.or_else(|| nearest().filter(|_| !has_recipe()).map(|file| from_here(&file)));
    }
    Ok(())
}

/// Runs `cargo coracle manifests`, for a program that cargo builds or an image that exists already.
pub(in crate::cli) fn manifests(mut args: CargoManifestsArgs, color: Color) -> Result<Exit, Failure> {
    let CargoManifestsArgs { cargo, manifests: args } = &mut args;
    super::check(cargo, &args.overrides())?;
    check_choice(args.file.is_some(), args.image.as_deref(), cargo)?;
    if args.file.is_some() {
        return manifests::run(args, None);
    }
    args.file = match &cargo.manifest_path {
        Some(path) => Some(path.clone()),
        None => file()?,
    };
    let is_cargos = args.file.is_some() || cargo.choice().is_some() || !has_recipe();
    if args.image.is_some() || !is_cargos {
        return manifests::run(args, None);
    }
    interrupt::listen();
    let quiet = args.quiet;
    let built = |flags: &_| {
        let programs = compile::programs(cargo, quiet, color, |_| ())?;
        images::only(&programs, flags, cargo)
    };
    manifests::run(args, Some(&built))
}

/// Fails if flags select programs although cargo does not run.
fn check_choice(has_file: bool, image: Option<&str>, cargo: &CargoArgs) -> Result<(), Failure> {
    let Some(flag) = cargo.choice() else { return Ok(()) };
    let message = match image {
        Some(image) => {
            format!("`{flag}` has no effect, because cargo does not run: `{image}` is built already")
        }
        None if has_file => {
            format!("`{flag}` has no effect with `--file`, because cargo does not run")
        }
        None => return Ok(()),
    };
    Err(Failure::usage(
        message,
        "leave it out; `--manifest-path PACKAGE/Cargo.toml` selects the package whose settings apply to an existing image",
    ))
}

/// Returns the nearest Cargo.toml if it has settings; a `coracle.toml` in this directory takes
/// precedence over settings that it inherits from its workspace.
fn file() -> Result<Option<PathBuf>, Failure> {
    let Some(manifest) = nearest() else { return Ok(None) };
    let package = Package::read(&manifest)?;
    let is_recipe = package.has_settings()? || !has_recipe() && package.inherits_settings()?;
    Ok(Some(manifest).filter(|_| is_recipe))
}

/// Returns the Cargo.toml in the working directory or the closest parent.
fn nearest() -> Option<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let mut manifests = here.ancestors().map(|folder| folder.join("Cargo.toml"));
    manifests.find(|manifest| manifest.exists())
}

fn has_recipe() -> bool {
    Path::new(recipe::FILE_NAME).exists()
}
