//! The recipe of each image: its programs, name and destination.

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

/// An image to build, and its program.
struct Image<'a> {
    program: &'a Program,
    recipe: Recipe,
    /// Whether Cargo.toml lists its programs, which makes it the only image of its package.
    is_whole: bool,
}

/// Returns the recipe of a program whose image can be built while cargo still runs. `None` if the
/// recipe is invalid, or if the image may contain other files that cargo has not built yet.
pub(super) fn recipe(program: &Program, flags: &Overrides, args: &CargoArgs) -> Option<Recipe> {
    let Image { recipe, is_whole, .. } = image(program, flags, args).ok()?;
    let is_alone = !is_whole && recipe.includes.is_empty() && recipe.runtime.dlopen.is_empty();
    // Piped configuration can be read only once, and a change is noticed only with a fingerprint.
    let can_be_seen = coracle_kube::config::fingerprint(&recipe.config).is_some();
    (is_alone && can_be_seen).then_some(recipe)
}

/// Returns the recipes of all programs. Fails if any is invalid, before any image is built.
pub(super) fn recipes(
    programs: &[Program],
    flags: &Overrides,
    args: &CargoArgs,
) -> Result<Vec<Recipe>, Vec<Failure>> {
    if programs.is_empty() {
        return Err(Failure::usage(
            "cargo has built no program, so there is no image to build",
            "a package has a program if it has src/main.rs or `[[bin]]`; `--example NAME` selects an example of a library",
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
                // The package's other programs would fail in the same way.
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

/// Returns the recipe of the only image. Fails if there are several.
pub(super) fn only(programs: &[Program], flags: &Overrides, args: &CargoArgs) -> Result<Recipe, Failure> {
    let mut recipes = recipes(programs, flags, args)
        .or_else(|failures| build::first(failures).map_or(Ok(Vec::new()), Err))?;
    match recipes.pop() {
        Some(recipe) if recipes.is_empty() => Ok(recipe),
        _ => Err(Failure::usage(
            format!(
                "manifests need exactly one image, but cargo has built programs for several: {}",
                names(programs)
            ),
            "select one with `--bin NAME` or `-p PACKAGE`",
        )),
    }
}

fn names<'a>(programs: impl IntoIterator<Item = &'a Program>) -> String {
    let names: Vec<String> = programs.into_iter().map(|program| format!("`{}`", program.name)).collect();
    names.join(", ")
}

/// Fails if flags that apply to only one image are used with several.
fn check_flags(images: &[Image<'_>], flags: &Overrides) -> Result<(), Failure> {
    let one_image = |dest: &String| {
        dest.contains("-archive:") || dest.starts_with("docker://") || coracle_oci::engine::is_place(dest)
    };
    if images.len() < 2 || flags.names.is_empty() && !flags.destinations.iter().any(one_image) {
        return Ok(());
    }
    Err(Failure::usage(
        format!(
            "`--tag`, an archive and a name in a registry can't be used with several images: {} are one image each",
            names(images.iter().map(|image| image.program))
        ),
        "select one with `--bin NAME` or `-p PACKAGE`, or set each image's name in Cargo.toml: `name` in \
         `[package.metadata.coracle.image]`",
    ))
}

/// Returns the image that Cargo.toml and the flags describe, completed with defaults.
fn image<'a>(program: &'a Program, flags: &Overrides, args: &CargoArgs) -> Result<Image<'a>, Failure> {
    let mut recipe = Package::read(&program.manifest)?.recipe(flags)?;
    let is_whole = !recipe.programs.is_empty();
    if !is_whole {
        targets::check(program)?;
        let files = program.files.iter().cloned();
        recipe.programs = files.map(|from| recipe::Program { from, to: None }).collect();
    }
    // A default name must not be pushed to a registry.
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

/// Returns the file name of the image's entrypoint.
fn entrypoint(recipe: &Recipe) -> Option<&str> {
    recipe.programs.first()?.from.file_name()?.to_str()
}

/// Returns the default image name: the entrypoint's file name in lower case.
fn name(entrypoint: &str, program: &Program) -> Result<Reference, Failure> {
    entrypoint.to_lowercase().parse().map_err(|_| {
        Failure::usage(
            format!(
                "`{entrypoint}` is not a valid image name\n  --> the program of {}",
                from_here(&program.manifest).display()
            ),
            "name the image with `--tag NAME`, or in Cargo.toml: `name = \"NAME\"` in `[package.metadata.coracle.image]`",
        )
    })
}

/// Fails if two images have the same name, because one would replace the other.
fn check_names(images: &[Image<'_>]) -> Result<(), Failure> {
    let mut known: BTreeMap<String, &Program> = BTreeMap::new();
    for Image { program, recipe, .. } in images {
        for name in &recipe.names {
            let Some(other) = known.insert(name.full_name(), program) else { continue };
            let place = |program: &Program| {
                format!("\n  --> `{}` of {}", program.name, from_here(&program.manifest).display())
            };
            return Err(Failure::usage(
                format!("two images have the name `{name}`{}{}", place(other), place(program)),
                "build them one at a time with `-p PACKAGE` or `--bin NAME`, name each package or program differently, or put \
                 them into one image: `programs` in `[package.metadata.coracle.image]`",
            ));
        }
    }
    Ok(())
}

/// Fails if two images have the same destination: in a layout, an image replaces one with the same
/// tag.
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
                // One image may have two names with the same tag.
                if std::ptr::eq(other, *program) {
                    continue;
                }
                return Err(Failure::usage(
                    format!(
                        "the images of `{}` and `{}` would replace each other in `{destination}`: they have the same tag",
                        other.name, program.name
                    ),
                    "leave out `--output` to write each to its own layout, or give each its own tag in Cargo.toml: \
                     `name = \"NAME:TAG\"` in `[package.metadata.coracle.image]`",
                ));
            }
        }
    }
    Ok(())
}
