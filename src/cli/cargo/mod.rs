//! `cargo coracle build`: cargo, and an image of each program that it builds. Images are packed while cargo goes on, and written
//! when it has ended well.

mod built;
mod compile;
mod directory;
mod images;
mod linker;
mod message;
mod settings;
mod sysroot;
mod targets;
mod zig;

use std::path::{Path, PathBuf};

pub(super) use compile::cargo as program;
pub(super) use settings::{manifests, settle};

use coracle::recipe::{Overrides, Recipe};

use super::args::{CargoArgs, CargoBuildArgs, Color};
use super::exit::Exit;
use super::failure::Failure;
use super::{build, interrupt};

/// Runs cargo, and builds the images of what it reports: all of them, or none when cargo fails.
pub(super) fn run(args: &CargoBuildArgs, color: Color) -> Result<Exit, Failure> {
    interrupt::listen();
    let find = |begin: &mut dyn FnMut(Recipe)| {
        refuse(args)?;
        let flags = args.build.overrides();
        check(&args.cargo, &flags)?;
        let complete =
            |program: &_| images::recipe(program, &flags, &args.cargo).into_iter().for_each(&mut *begin);
        let programs = compile::programs(&args.cargo, args.build.quiet, color, complete)?;
        images::recipes(&programs, &flags, &args.cargo)
    };
    build::images_of(&args.build, find, sysroot::failure)
}

/// What `coracle build` takes, and cargo or Cargo.toml says here.
fn refuse(args: &CargoBuildArgs) -> Result<(), Failure> {
    let flags = args.build.overrides();
    if let Some(program) = flags.programs.first() {
        let program = program.display();
        return Err(Failure::usage(
            format!("`{program}`: under cargo, the programs are those that cargo builds"),
            format!(
                "name one with `--bin {program}`, or its package with `-p`; `coracle build {program}` takes a file"
            ),
        ));
    }
    if !args.build.files.is_empty() {
        return Err(Failure::usage(
            "`--file` can't go under cargo: the settings stand in Cargo.toml",
            "write them below `[package.metadata.coracle]`, or build the recipe with `coracle build --file`",
        ));
    }
    if !flags.roots.is_empty() {
        return Err(Failure::usage(
            "`--root` can't go under cargo: what cargo builds stands in no other root",
            "`--sysroot` takes the loader and the libraries from there",
        ));
    }
    Ok(())
}

/// What `cargo build` takes, and means nothing here or something else.
fn check(cargo: &CargoArgs, flags: &Overrides) -> Result<(), Failure> {
    if let Some((flag, hint)) = cargo.refused() {
        return Err(Failure::usage(format!("`{flag}` is nothing that an image can be made of"), hint));
    }
    let mut configs = flags.config.mounts.iter().filter_map(|text| text.to_str());
    match configs.find(|text| is_cargos_config(text)) {
        Some(text) => Err(Failure::usage(
            format!("`--config {text}`: `--config` mounts configuration, and sets nothing of cargo's"),
            "write cargo's settings into `.cargo/config.toml`, or into variables such as CARGO_BUILD_JOBS; \
             `--config /etc/app=FOLDER` mounts a folder",
        )),
        None => Ok(()),
    }
}

/// Whether `text` is a setting as cargo takes it, or a file of them.
fn is_cargos_config(text: &str) -> bool {
    match text.split_once('=') {
        Some((key, _)) => key.contains('.') && !key.contains('/'),
        None => text.ends_with(".toml"),
    }
}

/// `path` as it is called from the working directory, where it is below that.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.filter(|below| !below.as_os_str().is_empty()).unwrap_or_else(|| path.to_owned())
}
