//! The recipe of each image: its programs, name and destination.

use std::collections::BTreeMap;
use std::path::Path;

use coracle::recipe::{self, CargoPackage, Recipe, RecipeOverrides};
use coracle_core::reference::ImageReference;
use coracle_oci::copy::ImageLocation;
use coracle_oci::layout::DiskLocation;

use super::{BuiltProgram, built_files, cargo_targets, relative_to_cwd};
use crate::cli::args::CargoArgs;
use crate::cli::build_inputs::has_single_image_destination;
use crate::cli::console_output;
use crate::cli::error::CliError;

/// An image to build, and its program.
struct CargoImage<'a> {
    program: &'a BuiltProgram,
    recipe: Recipe,
    /// `true` if Cargo.toml lists its programs, which makes it the only image of its package.
    has_explicit_programs: bool,
}

/// Returns the recipe of `program` if its image can be built while cargo still builds other programs. `None` if
/// the image may contain one of those, or if the recipe is invalid.
pub(super) fn early_recipe(
    program: &BuiltProgram,
    flags: &RecipeOverrides,
    args: &CargoArgs,
) -> Option<Recipe> {
    // An error is reported when all recipes are known.
    let CargoImage { recipe, has_explicit_programs, .. } = image_of_program(program, flags, args).ok()?;
    let has_only_program = !has_explicit_programs
        && recipe.contents.includes.is_empty()
        && recipe.contents.implicit.dlopen.is_empty();
    // Piped configuration can be read only once, and a change is noticed only with a fingerprint.
    let has_fingerprint = coracle_kube::config::source_fingerprint(&recipe.config).is_some();
    (has_only_program && has_fingerprint).then_some(recipe)
}

/// Returns the recipes of all programs. Fails if any is invalid, before any image is built.
pub(super) fn all_recipes(
    programs: &[BuiltProgram],
    flags: &RecipeOverrides,
    args: &CargoArgs,
) -> Result<Vec<Recipe>, Vec<CliError>> {
    if programs.is_empty() {
        return Err(CliError::usage(
            "cargo has built no program, so there is no image to build",
            "a package has a program if it has src/main.rs or `[[bin]]`; `--example NAME` selects an example of a library",
        )
        .into());
    }
    built_files::check_distinct_files(programs)?;
    let (mut images, mut failures): (Vec<CargoImage<'_>>, Vec<CliError>) = (Vec::new(), Vec::new());
    let mut failed_manifest = None;
    for program in programs {
        let is_image_of_package = |other: &CargoImage<'_>| {
            other.has_explicit_programs && other.program.manifest == program.manifest
        };
        if images.iter().any(is_image_of_package) || failed_manifest == Some(&program.manifest) {
            continue;
        }
        match image_of_program(program, flags, args) {
            Ok(image) => images.push(image),
            Err(failure) => {
                // The package's other programs would fail in the same way.
                failed_manifest = Some(&program.manifest);
                failures.push(failure);
            }
        }
    }
    if !failures.is_empty() {
        return Err(failures);
    }
    for CargoImage { program, recipe, .. } in images.iter().filter(|image| image.has_explicit_programs) {
        built_files::check_freshly_built(recipe, programs, &built_files::target_directory(program, args))?;
    }
    check_single_image_flags(&images, flags)?;
    check_distinct_names(&images)?;
    check_distinct_destinations(&images)?;
    Ok(images.into_iter().map(|image| image.recipe).collect())
}

/// Returns the recipe of the only image. Fails if there are several.
pub(super) fn single_recipe(
    programs: &[BuiltProgram],
    flags: &RecipeOverrides,
    args: &CargoArgs,
) -> Result<Recipe, CliError> {
    let recipes = all_recipes(programs, flags, args).map_err(|failures| {
        let no_failure = || CliError::internal("the recipes of cargo's programs failed without an error");
        console_output::print_all_but_last(failures).unwrap_or_else(no_failure)
    })?;
    match <[Recipe; 1]>::try_from(recipes) {
        Ok([recipe]) => Ok(recipe),
        Err(recipes) if recipes.is_empty() => {
            Err(CliError::internal("cargo has built programs, but there is no recipe of an image"))
        }
        Err(_) => Err(CliError::usage(
            format!(
                "exactly one image is needed, but cargo has built programs for several: {}",
                quoted_names(programs)
            ),
            "select one with `--bin NAME` or `-p PACKAGE`",
        )),
    }
}

fn quoted_names<'a>(programs: impl IntoIterator<Item = &'a BuiltProgram>) -> String {
    let names: Vec<String> = programs.into_iter().map(|program| format!("`{}`", program.name)).collect();
    names.join(", ")
}

/// Fails if flags that apply to only one image are used with several.
fn check_single_image_flags(images: &[CargoImage<'_>], flags: &RecipeOverrides) -> Result<(), CliError> {
    if images.len() < 2 || flags.names.is_empty() && !has_single_image_destination(flags) {
        return Ok(());
    }
    Err(CliError::usage(
        format!(
            "`--tag`, an archive and a name in a registry can't be used with several images: {} are one image each",
            quoted_names(images.iter().map(|image| image.program))
        ),
        "select one with `--bin NAME` or `-p PACKAGE`, or set each image's name in Cargo.toml: `name` in \
         `[package.metadata.coracle.image]`",
    ))
}

/// Returns the image that Cargo.toml and the flags describe, completed with defaults.
fn image_of_program<'a>(
    program: &'a BuiltProgram,
    flags: &RecipeOverrides,
    args: &CargoArgs,
) -> Result<CargoImage<'a>, CliError> {
    let mut recipe = CargoPackage::read(&program.manifest)?.recipe(flags)?;
    let has_explicit_programs = !recipe.contents.programs.is_empty();
    if !has_explicit_programs {
        cargo_targets::check_platforms(program)?;
        let files = program.files.iter().cloned();
        recipe.contents.programs = files.map(|from| recipe::RecipeProgram { from, to: None }).collect();
    }
    recipe.apply_default_name();
    if recipe.output.destinations.is_empty() {
        let name = recipe.image.names.first().map_or(program.name.as_str(), ImageReference::last_component);
        let folder = built_files::target_directory(program, args).join("coracle");
        let layout = DiskLocation::layout(relative_to_cwd(&folder.join(format!("{name}.oci"))));
        recipe.output.destinations.push(ImageLocation::OnDisk(layout));
    }
    Ok(CargoImage { program, recipe, has_explicit_programs })
}

/// Fails if two images have the same name, because one would replace the other.
fn check_distinct_names(images: &[CargoImage<'_>]) -> Result<(), CliError> {
    let mut known: BTreeMap<String, &BuiltProgram> = BTreeMap::new();
    for CargoImage { program, recipe, .. } in images {
        for name in &recipe.image.names {
            let Some(other) = known.insert(name.full_name(), program) else { continue };
            return Err(CliError::usage(
                format!("two images have the name `{name}`{}{}", other.origin_line(), program.origin_line()),
                "build them one at a time with `-p PACKAGE` or `--bin NAME`, name each package or program differently, or put \
                 them into one image: `programs` in `[package.metadata.coracle.image]`",
            ));
        }
    }
    Ok(())
}

/// Fails if two images have the same destination: in a layout, an image replaces one with the same
/// tag.
fn check_distinct_destinations(images: &[CargoImage<'_>]) -> Result<(), CliError> {
    let mut known: BTreeMap<(&Path, &str), &BuiltProgram> = BTreeMap::new();
    for CargoImage { program, recipe, .. } in images {
        let on_disk = recipe.output.destinations.iter().filter_map(|destination| match destination {
            ImageLocation::OnDisk(destination) => Some(destination),
            ImageLocation::Registry(_) | ImageLocation::Engine(_) => None,
        });
        for destination in on_disk {
            let tags = match (&destination.tag, recipe.image.names.as_slice()) {
                (Some(tag), _) => vec![tag.as_str()],
                (None, []) => vec![""],
                (None, names) => names.iter().map(ImageReference::tag).collect(),
            };
            for tag in tags {
                let Some(other) = known.insert((&destination.path, tag), program) else { continue };
                // One image may have two names with the same tag.
                if std::ptr::eq(other, *program) {
                    continue;
                }
                return Err(CliError::usage(
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
