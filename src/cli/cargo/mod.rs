//! `cargo coracle build`: runs cargo and builds an image of each program. Images are packed while
//! cargo still runs, and published after it has succeeded.

mod built_files;
mod cargo_build;
mod cargo_message;
mod default_recipe;
mod image_recipes;
mod link_errors;
mod sysroot_hint;
mod target_directory;
mod targets;
mod zig;

use std::path::{Path, PathBuf};

pub(super) use default_recipe::{read_cargo_manifest_by_default, run_cargo_manifests};

use coracle::recipe::{Recipe, RecipeOverrides};

use super::args::{CargoArgs, CargoBuildArgs, Color};
use super::error::{CliError, CliExit};
use super::{build, interrupt};

/// Runs `cargo coracle build`: runs cargo and builds the images of its programs; no image if cargo fails.
pub(super) fn run_cargo_build(args: &CargoBuildArgs, color: Color) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let find_recipes = |start_early: &mut dyn FnMut(Recipe)| {
        reject_build_arguments(args)?;
        let flags = args.build.overrides();
        reject_cargo_flags(&args.cargo, &flags)?;
        let complete = |program: &_| {
            image_recipes::early_recipe(program, &flags, &args.cargo).into_iter().for_each(&mut *start_early);
        };
        let programs = cargo_build::build_programs(&args.cargo, args.build.quiet, color, complete)?;
        image_recipes::all_recipes(&programs, &flags, &args.cargo)
    };
    build::build_images(&args.build, find_recipes, sysroot_hint::build_error_with_hint)
}

/// Rejects arguments of `coracle build` that cargo or Cargo.toml replaces.
fn reject_build_arguments(args: &CargoBuildArgs) -> Result<(), CliError> {
    let flags = args.build.overrides();
    if let Some(program) = flags.programs.first() {
        let program = program.display();
        return Err(CliError::usage(
            format!("`{program}`: `cargo coracle build` takes no PROGRAM, because cargo builds the programs"),
            format!(
                "select one with `--bin {program}`, or its package with `-p`; for a file, run `coracle build {program}`"
            ),
        ));
    }
    if !args.build.files.is_empty() {
        return Err(CliError::usage(
            "`--file` can't be used under cargo: the settings are in Cargo.toml",
            "move them to `[package.metadata.coracle]`, or build the recipe with `coracle build --file`",
        ));
    }
    if !flags.roots.is_empty() {
        return Err(CliError::usage(
            "`--root` can't be used under cargo: the programs that cargo builds are not in another root",
            "use `--sysroot`, which takes the dynamic loader and the libraries from there",
        ));
    }
    Ok(())
}

/// Rejects flags of `cargo build` that are not supported or have another meaning here.
fn reject_cargo_flags(cargo: &CargoArgs, flags: &RecipeOverrides) -> Result<(), CliError> {
    if let Some((flag, hint)) = cargo.unsupported_flag() {
        return Err(CliError::usage(
            format!("`{flag}` is not supported: it builds no program for an image"),
            hint,
        ));
    }
    let mut configs = flags.config.mounts.iter().filter_map(|text| text.to_str());
    match configs.find(|text| is_cargo_config(text)) {
        Some(text) => Err(CliError::usage(
            format!(
                "`--config {text}`: `--config` mounts configuration here; it does not set cargo's settings"
            ),
            "set cargo's settings in `.cargo/config.toml`, or in environment variables such as CARGO_BUILD_JOBS; \
             `--config /etc/app=FOLDER` mounts a folder",
        )),
        None => Ok(()),
    }
}

/// Whether `text` is a value of cargo's own `--config`: a setting or a TOML file.
fn is_cargo_config(text: &str) -> bool {
    match text.split_once('=') {
        Some((key, _)) => key.contains('.') && !key.contains('/'),
        None => text.ends_with(".toml"),
    }
}

/// Returns `path` relative to the working directory if it is below it, else unchanged.
fn relative_to_cwd(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.filter(|below| !below.as_os_str().is_empty()).unwrap_or_else(|| path.to_owned())
}
