//! `cargo coracle`: `build` runs cargo and builds an image of each program; other commands read the settings
//! in Cargo.toml by default. Images are packed while cargo still runs, and published after it has succeeded.

mod built_files;
mod cargo_build;
mod cargo_message;
mod cargo_targets;
mod config_package;
mod cross_errors;
mod image_recipes;

use std::path::{Path, PathBuf};

use coracle::recipe::{self, CargoPackage, Recipe, RecipeOverrides};

use super::args::{
    CargoArgs, CargoBuildArgs, CargoConfigRenderArgs, CargoManifestsArgs, CargoRunArgs, Color,
};
use super::error::{CliError, CliExit};
use super::image_reader::has_transport;
use super::read_project::nearest_cargo_manifest;
use super::{build, config, interrupt, manifests, recipe_tables, run};

/// A program that cargo has built, for one or more targets.
struct BuiltProgram {
    /// The name of the `[[bin]]` or example.
    name: String,
    /// The Cargo.toml of its package.
    manifest: PathBuf,
    /// The files, one per target, sorted.
    files: Vec<PathBuf>,
}

/// Runs `cargo coracle build`: runs cargo and builds the images of its programs; no image if cargo fails.
pub(super) fn run_cargo_build(args: &CargoBuildArgs, color: Color) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    recipe_tables::set_tables_of_cargo_toml_in_messages();
    let find_recipes = |start_early: &mut dyn FnMut(Recipe)| {
        reject_build_arguments(args)?;
        let flags = args.build.overrides();
        reject_cargo_flags(&args.cargo, &flags)?;
        let on_complete = |program: &_| {
            image_recipes::early_recipe(program, &flags, &args.cargo).into_iter().for_each(&mut *start_early);
        };
        let programs = cargo_build::build_programs(&args.cargo, args.build.quiet, color, on_complete)?;
        image_recipes::all_recipes(&programs, &flags, &args.cargo)
    };
    build::build_images(&args.build, find_recipes, cross_errors::build_error_with_hint, "cargo coracle run")
}

impl BuiltProgram {
    /// Returns a line for error messages with the program's name and its Cargo.toml.
    fn origin_line(&self) -> String {
        format!("\n  --> `{}` of {}", self.name, relative_to_cwd(&self.manifest).display())
    }
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
             `--config FOLDER:/etc/app` mounts a folder",
        )),
        None => Ok(()),
    }
}

/// Returns whether `text` is a value of cargo's own `--config`: a setting or a TOML file.
fn is_cargo_config(text: &str) -> bool {
    match text.split_once('=') {
        Some((key, _)) => key.contains('.') && !key.contains(['/', ':']),
        None => text.ends_with(".toml"),
    }
}

/// Returns `path` relative to the working directory if it is below it, else unchanged.
fn relative_to_cwd(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.filter(|below| !below.as_os_str().is_empty()).unwrap_or_else(|| path.to_owned())
}

/// Runs `cargo coracle config render`, which reads Cargo.toml instead of `coracle.toml`.
pub(super) fn run_cargo_config_render(args: CargoConfigRenderArgs) -> Result<CliExit, CliError> {
    let CargoConfigRenderArgs { package, manifest_path, mut render } = args;
    if let Some(spec) = package {
        render.file = Some(config_package::manifest_of_package(manifest_path, &spec)?);
    } else if let Some(manifest) = manifest_path {
        render.file = Some(config_package::manifest_with_configuration(manifest)?);
    } else if render.file.is_none() && !render.needs_no_recipe() {
        // Read even without settings, so that the error is not about a missing `coracle.toml`.
        let manifest = manifest_with_settings()?.or_else(|| {
            nearest_cargo_manifest().filter(|_| !has_recipe_file()).map(|file| relative_to_cwd(&file))
        });
        render.file = manifest.map(config_package::manifest_with_configuration).transpose()?;
    }
    config::run_config_render(&render)
}

/// Runs `cargo coracle manifests`, for a program that cargo builds or an image that exists already.
pub(super) fn run_cargo_manifests(mut args: CargoManifestsArgs, color: Color) -> Result<CliExit, CliError> {
    let CargoManifestsArgs { cargo, manifests: args } = &mut args;
    reject_cargo_flags(cargo, &args.overrides())?;
    reject_selection_flags(args.file.is_some(), args.image.as_deref(), cargo)?;
    if args.file.is_some() {
        return manifests::run_manifests(args, None);
    }
    args.file = match &cargo.manifest_path {
        Some(path) => Some(path.clone()),
        None => manifest_with_settings()?,
    };
    let needs_cargo = args.file.is_some() || cargo.selection_flag().is_some() || !has_recipe_file();
    if args.image.is_some() || !needs_cargo {
        return manifests::run_manifests(args, None);
    }
    interrupt::handle_signals();
    recipe_tables::set_tables_of_cargo_toml_in_messages();
    let quiet = args.quiet;
    let cargo_recipe = |flags: &_| {
        let programs = cargo_build::build_programs(cargo, quiet, color, |_| ())?;
        image_recipes::single_recipe(&programs, flags, cargo)
    };
    manifests::run_manifests(args, Some(&cargo_recipe))
}

/// Runs `cargo coracle run`, for a program that cargo builds or an image that exists already.
pub(super) fn run_cargo_run(mut args: CargoRunArgs, color: Color) -> Result<CliExit, CliError> {
    let CargoRunArgs { cargo, run: args } = &mut args;
    reject_cargo_flags(cargo, &args.overrides())?;
    let subject = args.subject.as_ref().map(|subject| subject.to_string_lossy().into_owned());
    reject_selection_flags(args.file.is_some(), subject.as_deref(), cargo)?;
    if args.file.is_some() || args.subject.is_some() {
        if subject.is_some_and(|subject| has_transport(&subject)) && args.file.is_none() && !args.has_mounts()
        {
            args.file = manifest_with_settings()?;
        }
        return run::run_run(args, None);
    }
    args.file = match &cargo.manifest_path {
        Some(path) => Some(path.clone()),
        None => manifest_with_settings()?,
    };
    let needs_cargo = args.file.is_some() || cargo.selection_flag().is_some() || !has_recipe_file();
    if !needs_cargo {
        return run::run_run(args, None);
    }
    args.file = args.file.take().or_else(nearest_cargo_manifest);
    interrupt::handle_signals();
    recipe_tables::set_tables_of_cargo_toml_in_messages();
    let quiet = args.quiet;
    let cargo_recipe = |flags: &_| {
        let programs = cargo_build::build_programs(cargo, quiet, color, |_| ())?;
        image_recipes::single_recipe(&programs, flags, cargo)
    };
    run::run_run(args, Some(&cargo_recipe))
}

/// Fails if flags select programs although cargo does not run.
fn reject_selection_flags(has_file: bool, image: Option<&str>, cargo: &CargoArgs) -> Result<(), CliError> {
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
    let is_recipe = package.has_settings()? || !has_recipe_file() && package.has_workspace_settings()?;
    Ok(Some(manifest).filter(|_| is_recipe))
}

fn has_recipe_file() -> bool {
    Path::new(recipe::DEFAULT_FILE_NAME).exists()
}
