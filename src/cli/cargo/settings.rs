//! Which recipe the other commands read under cargo when none is named: that in Cargo.toml, like `build`.

use std::path::{Path, PathBuf};

use coracle::recipe::{self, Package};

use super::{compile, images};
use crate::cli::args::{CargoManifestsArgs, Color, Command, ConfigCommand};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{interrupt, manifests};

/// Lets `command` read Cargo.toml where it would read `coracle.toml` without being told.
pub(in crate::cli) fn settle(command: &mut Command) -> Result<(), Failure> {
    if let Command::Config(ConfigCommand::Render(args)) = command
        && args.file.is_none()
        && !args.needs_no_recipe()
    {
        args.file = file()?;
    }
    Ok(())
}

/// What runs the image of a program that cargo builds, or one that is there already.
pub(in crate::cli) fn manifests(mut args: CargoManifestsArgs, color: Color) -> Result<Exit, Failure> {
    let CargoManifestsArgs { cargo, manifests: args } = &mut args;
    if args.file.is_some() {
        return manifests::run(args, None);
    }
    args.file = match &cargo.manifest_path {
        Some(path) => Some(path.clone()),
        None => file()?,
    };
    let is_cargos = args.file.is_some() || cargo.names_packages() || !has_recipe();
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

/// The Cargo.toml here or above when it has settings. Those of its workspace give way to a `coracle.toml` here.
fn file() -> Result<Option<PathBuf>, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let mut manifests = here.ancestors().map(|folder| folder.join("Cargo.toml"));
    let Some(manifest) = manifests.find(|manifest| manifest.exists()) else { return Ok(None) };
    let package = Package::read(&manifest)?;
    let is_recipe = package.has_settings()? || !has_recipe() && package.inherits_settings()?;
    Ok(Some(manifest).filter(|_| is_recipe))
}

fn has_recipe() -> bool {
    Path::new(recipe::FILE_NAME).exists()
}
