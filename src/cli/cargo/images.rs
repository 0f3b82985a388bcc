//! What each image is made of, what it is called and where it goes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coracle::recipe::{self, Overrides, Recipe};
use coracle::reference::Reference;
use coracle::store::Destination;
use coracle::transfer::Place;

use super::compile::Program;
use super::from_here;
use crate::cli::args::{CargoArgs, CargoBuildArgs};
use crate::cli::build;
use crate::cli::failure::Failure;

/// The recipes of all programs. All of them must be right before any image is built.
pub(super) fn recipes(programs: &[Program], args: &CargoBuildArgs) -> Result<Vec<Recipe>, Failure> {
    if programs.is_empty() {
        return Err(Failure::usage(
            "cargo has built no program, so there is nothing to make an image of",
            "a package has a program when it has src/main.rs or `[[bin]]`; `--example NAME` takes an example of a library",
        ));
    }
    let flags = args.build.overrides();
    let one_image = |dest: &String| dest.contains("-archive:") || dest.starts_with("docker://");
    if programs.len() > 1 && (!flags.names.is_empty() || flags.destinations.iter().any(one_image)) {
        let names: Vec<String> = programs.iter().map(|program| format!("`{}`", program.name)).collect();
        return Err(Failure::usage(
            format!(
                "several programs are several images: `--tag`, an archive or a name at a registry can't be the same for {}",
                names.join(", ")
            ),
            "choose one with `--bin NAME` or `-p PACKAGE`, or write each image's name in Cargo.toml: `name` below \
             `[package.metadata.coracle.image]`",
        ));
    }
    let (mut recipes, mut failures) = (Vec::new(), Vec::new());
    for program in programs {
        match recipe(program, &flags, &args.cargo) {
            Ok(recipe) => recipes.push(recipe),
            Err(failure) => failures.push(failure),
        }
    }
    build::first(failures).map_or(Ok(()), Err)?;
    distinct(programs, &recipes)?;
    Ok(recipes)
}

/// What Cargo.toml and the flags say, and what they leave open.
fn recipe(program: &Program, flags: &Overrides, args: &CargoArgs) -> Result<Recipe, Failure> {
    let mut recipe = recipe::application(None, flags)?;
    if recipe.programs.is_empty() {
        let files = program.files.iter().cloned();
        recipe.programs = files.map(|from| recipe::Program { from, to: None }).collect();
    }
    // A name that nobody chose is no place at a registry.
    if recipe.names.is_empty() && !recipe.push {
        recipe.names.push(name(program)?);
    }
    if recipe.destinations.is_empty() {
        let name = recipe.names.first().map_or(program.name.as_str(), Reference::base_name);
        let folder = target_dir(program, &args.targets).join("coracle");
        let layout = Destination::layout(from_here(&folder.join(format!("{name}.oci"))));
        recipe.destinations.push(Place::Local(layout));
    }
    Ok(recipe)
}

/// The program's own name in lower case.
fn name(program: &Program) -> Result<Reference, Failure> {
    program.name.to_lowercase().parse().map_err(|_| {
        Failure::usage(
            format!(
                "`{}` is not a legal name of an image\n  --> the program of {}",
                program.name,
                from_here(&program.manifest).display()
            ),
            "name the image with `--tag NAME`, or in Cargo.toml: `name = \"NAME\"` below `[package.metadata.coracle.image]`",
        )
    })
}

/// The directory that cargo writes to: above that of the profile, and above that of the target, if there is one.
fn target_dir(program: &Program, targets: &[String]) -> PathBuf {
    let file = program.files.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
    let profile = match file.parent() {
        Some(parent) if parent.ends_with("examples") => parent.parent(),
        parent => parent,
    };
    let above = profile.and_then(Path::parent).unwrap_or(Path::new(""));
    let of_target = |target: &String| {
        let name = Path::new(target.strip_suffix(".json").unwrap_or(target)).file_name();
        name.is_some_and(|name| above.ends_with(name))
    };
    match above.parent() {
        // Configuration can name targets, too; then this file is one directory further up.
        Some(root) if targets.iter().any(of_target) || is_root(root) && !is_root(above) => root.to_owned(),
        _ => above.to_owned(),
    }
}

fn is_root(directory: &Path) -> bool {
    directory.join(".rustc_info.json").exists()
}

/// Two images of one name would replace each other.
fn distinct(programs: &[Program], recipes: &[Recipe]) -> Result<(), Failure> {
    let mut known: BTreeMap<String, &Program> = BTreeMap::new();
    for (program, recipe) in programs.iter().zip(recipes) {
        for name in recipe.names.iter().map(Reference::full_name) {
            let Some(other) = known.insert(name, program) else { continue };
            let place = |program: &Program| {
                format!("\n  --> `{}` of {}", program.name, from_here(&program.manifest).display())
            };
            let name = recipe.names.first().map(ToString::to_string).unwrap_or_default();
            return Err(Failure::usage(
                format!("two images are called `{name}`{}{}", place(other), place(program)),
                "build them one at a time with `-p PACKAGE` or `--bin NAME`, or give each its own name: `name` below \
                 `[package.metadata.coracle.image]` of its package, or another name of the program",
            ));
        }
    }
    Ok(())
}
