//! What each image is made of, what it is called and where it goes.

use std::collections::BTreeMap;
use std::path::Path;

use coracle::recipe::{self, Overrides, Package, Recipe};
use coracle_core::reference::Reference;
use coracle_oci::layout::Destination;
use coracle_oci::copy::Place;

use super::compile::Program;
use super::{built, directory, from_here, targets};
use crate::cli::args::CargoArgs;
use crate::cli::build;
use crate::cli::failure::Failure;

/// An image that is to be built, and the program that it is about.
struct Image<'a> {
    program: &'a Program,
    recipe: Recipe,
    /// Cargo.toml names its programs, so that it is the only image of its package.
    is_whole: bool,
}

/// The recipe of a program whose image can be begun: nothing is wrong with it, it is the program's alone, and nothing else goes
/// in that cargo may still make, such as a plugin.
pub(super) fn recipe(program: &Program, flags: &Overrides, args: &CargoArgs) -> Option<Recipe> {
    let Image { recipe, is_whole, .. } = image(program, flags, args).ok()?;
    let is_alone = !is_whole && recipe.includes.is_empty() && recipe.runtime.dlopen.is_empty();
    // What is piped in can be read once, and only what has a fingerprint is seen to change.
    let can_be_seen = coracle_kube::config::fingerprint(&recipe.config).is_some();
    (is_alone && can_be_seen).then_some(recipe)
}

/// The recipes of all programs. All of them must be right before any image is built.
pub(super) fn recipes(
    programs: &[Program],
    flags: &Overrides,
    args: &CargoArgs,
) -> Result<Vec<Recipe>, Vec<Failure>> {
    if programs.is_empty() {
        return Err(Failure::usage(
            "cargo has built no program, so there is nothing to make an image of",
            "a package has a program when it has src/main.rs or `[[bin]]`; `--example NAME` takes an example of a library",
        )
        .into());
    }
    built::check_files(programs)?;
    let (mut images, mut failures): (Vec<Image<'_>>, Vec<Failure>) = (Vec::new(), Vec::new());
    let mut wrong = None;
    for program in programs {
        let is_package = |other: &Image<'_>| other.is_whole && other.program.manifest == program.manifest;
        if images.iter().any(is_package) || wrong == Some(&program.manifest) {
            continue;
        }
        match image(program, flags, args) {
            Ok(image) => images.push(image),
            Err(failure) => {
                // Its other programs would say the same.
                wrong = Some(&program.manifest);
                failures.push(failure);
            }
        }
    }
    if !failures.is_empty() {
        return Err(failures);
    }
    for Image { program, recipe, .. } in images.iter().filter(|image| image.is_whole) {
        built::check_named(recipe, programs, &directory::of(program, args))?;
    }
    check_flags(&images, flags)?;
    check_names(&images)?;
    check_places(&images)?;
    Ok(images.into_iter().map(|image| image.recipe).collect())
}

/// The recipe of the only image.
pub(super) fn only(programs: &[Program], flags: &Overrides, args: &CargoArgs) -> Result<Recipe, Failure> {
    let mut recipes = recipes(programs, flags, args)
        .or_else(|failures| build::first(failures).map_or(Ok(Vec::new()), Err))?;
    match recipes.pop() {
        Some(recipe) if recipes.is_empty() => Ok(recipe),
        _ => Err(Failure::usage(
            format!(
                "manifests are for one image, and cargo has built programs for several: {}",
                names(programs)
            ),
            "choose one with `--bin NAME` or `-p PACKAGE`",
        )),
    }
}

fn names<'a>(programs: impl IntoIterator<Item = &'a Program>) -> String {
    let names: Vec<String> = programs.into_iter().map(|program| format!("`{}`", program.name)).collect();
    names.join(", ")
}

/// What can be said of one image alone is said of one.
fn check_flags(images: &[Image<'_>], flags: &Overrides) -> Result<(), Failure> {
    let one_image = |dest: &String| {
        dest.contains("-archive:") || dest.starts_with("docker://") || coracle_oci::engine::is_place(dest)
    };
    if images.len() < 2 || flags.names.is_empty() && !flags.destinations.iter().any(one_image) {
        return Ok(());
    }
    Err(Failure::usage(
        format!(
            "several programs are several images: `--tag`, an archive or a name at a registry can't be the same for {}",
            names(images.iter().map(|image| image.program))
        ),
        "choose one with `--bin NAME` or `-p PACKAGE`, or write each image's name in Cargo.toml: `name` below \
         `[package.metadata.coracle.image]`",
    ))
}

/// What Cargo.toml and the flags say, and what they leave open.
fn image<'a>(program: &'a Program, flags: &Overrides, args: &CargoArgs) -> Result<Image<'a>, Failure> {
    let mut recipe = Package::read(&program.manifest)?.recipe(flags)?;
    let is_whole = !recipe.programs.is_empty();
    if !is_whole {
        targets::check(program)?;
        let files = program.files.iter().cloned();
        recipe.programs = files.map(|from| recipe::Program { from, to: None }).collect();
    }
    // A name that nobody chose is no place at a registry.
    if recipe.names.is_empty() && !recipe.push {
        recipe.names.push(name(entrypoint(&recipe).filter(|_| is_whole).unwrap_or(&program.name), program)?);
    }
    if recipe.destinations.is_empty() {
        let name = recipe.names.first().map_or(program.name.as_str(), Reference::base_name);
        let folder = directory::of(program, args).join("coracle");
        let layout = Destination::layout(from_here(&folder.join(format!("{name}.oci"))));
        recipe.destinations.push(Place::Local(layout));
    }
    Ok(Image { program, recipe, is_whole })
}

/// The file that the image runs, by its name.
fn entrypoint(recipe: &Recipe) -> Option<&str> {
    recipe.programs.first()?.from.file_name()?.to_str()
}

/// The name of the program that the image runs, in lower case.
fn name(entrypoint: &str, program: &Program) -> Result<Reference, Failure> {
    entrypoint.to_lowercase().parse().map_err(|_| {
        Failure::usage(
            format!(
                "`{entrypoint}` is not a legal name of an image\n  --> the program of {}",
                from_here(&program.manifest).display()
            ),
            "name the image with `--tag NAME`, or in Cargo.toml: `name = \"NAME\"` below `[package.metadata.coracle.image]`",
        )
    })
}

/// Two images of one name would replace each other.
fn check_names(images: &[Image<'_>]) -> Result<(), Failure> {
    let mut known: BTreeMap<String, &Program> = BTreeMap::new();
    for Image { program, recipe, .. } in images {
        for name in &recipe.names {
            let Some(other) = known.insert(name.full_name(), program) else { continue };
            let place = |program: &Program| {
                format!("\n  --> `{}` of {}", program.name, from_here(&program.manifest).display())
            };
            return Err(Failure::usage(
                format!("two images are called `{name}`{}{}", place(other), place(program)),
                "build them one at a time with `-p PACKAGE` or `--bin NAME`, give each package or program its own name, or put \
                 them into one image: `programs` below `[package.metadata.coracle.image]`",
            ));
        }
    }
    Ok(())
}

/// In a layout, an image replaces the one of the same tag.
fn check_places(images: &[Image<'_>]) -> Result<(), Failure> {
    let mut known: BTreeMap<(&Path, &str), &Program> = BTreeMap::new();
    for Image { program, recipe, .. } in images {
        let places = recipe.destinations.iter().filter_map(|place| match place {
            Place::Local(destination) => Some(destination),
            Place::Remote(_) | Place::Engine(_) => None,
        });
        for destination in places {
            let tags = match (&destination.tag, recipe.names.as_slice()) {
                (Some(tag), _) => vec![tag.as_str()],
                (None, []) => vec![""],
                (None, names) => names.iter().map(Reference::tag).collect(),
            };
            for tag in tags {
                let Some(other) = known.insert((&destination.path, tag), program) else { continue };
                // One image may have two names with one tag.
                if std::ptr::eq(other, *program) {
                    continue;
                }
                return Err(Failure::usage(
                    format!(
                        "the images of `{}` and `{}` would replace each other in `{destination}`: they have one tag",
                        other.name, program.name
                    ),
                    "without `--output`, each has a layout of its own; else give each its own tag in Cargo.toml: \
                     `name = \"NAME:TAG\"` below `[package.metadata.coracle.image]`",
                ));
            }
        }
    }
    Ok(())
}
