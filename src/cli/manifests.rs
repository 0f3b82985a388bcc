//! `coracle manifests`: generates Kubernetes manifests for an image.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use coracle::recipe::{self, Recipe, RecipeOverrides};
use coracle::rootfs::Owner;
use coracle_core::note::Note;
use coracle_core::reference::{self, ImageReference, ParseImageReferenceError};
use coracle_kube::config::{self, RenderedMount};
use coracle_kube::contract::{self, Contract};
use coracle_kube::manifests::{
    self, Application, ManifestPatch, OutputFiles, PinnedImage, helm, kustomize, yaml_writer,
};
use coracle_oci::copy::ImageLocation;
use coracle_oci::layout::{DiskLocation, ParsedImage};
use serde_json::Value;

use super::args::{ManifestLayout, ManifestsArgs};
use super::error::{CliError, CliExit};
use super::generated_dir::{self, GeneratedFile};
use super::image_reader::{ImageReader, has_transport};
use super::stderr::DIM;
use super::{build, build_settings, cache, interrupt, stderr, stdout};

/// Runs cargo and returns the recipe of its program's image.
pub(super) type CargoRecipe<'a> = dyn Fn(&RecipeOverrides) -> Result<Recipe, CliError> + 'a;

/// Runs `coracle manifests`. The recipe is returned by `cargo_recipe`, if given, else read from a file.
pub(super) fn run_manifests(
    args: &ManifestsArgs,
    cargo_recipe: Option<&CargoRecipe<'_>>,
) -> Result<CliExit, CliError> {
    let directory = output_directory(args)?;
    let reader = ImageReader::new(&args.registry, args.image.as_deref());
    let location = args.image.as_deref().filter(|text| has_transport(text));
    let stored = location.map(|text| reader.open(text)).transpose()?;
    let mut recipe = match cargo_recipe {
        Some(cargo_recipe) => cargo_recipe(&args.overrides())?,
        None => read_recipe(args, &args.overrides(), stored.as_ref())?,
    };
    recipe.image.user = recipe.image.user.or_else(|| image_user(stored.as_ref()?));
    let expected = coracle::contract::contract_of(&recipe)?.contract;
    if args.image.is_some() {
        // Otherwise the build prints these notes.
        stderr::print_notes(&coracle::secret_scan::scan_config(&recipe)?, args.quiet);
    }
    if let Some(stored) = &stored {
        warn_if_contract_differs(stored, &expected, args.quiet)?;
    }
    let mounts = match args.with_secrets {
        true => config::render(&recipe.config)?,
        false => config::render_public(&recipe.config)?,
    };
    let environments = match args.layout {
        ManifestLayout::Kustomize => {
            // Only cargo knows which package was built.
            let file = match cargo_recipe {
                Some(_) => recipe.resolve_path(Path::new("Cargo.toml")),
                None => recipe_file(args),
            };
            render_environments(args, &file)?
        }
        ManifestLayout::Yaml | ManifestLayout::Helm => Vec::new(),
    };
    let with_positions = |error| recipe.with_source_positions(error);
    let patches: Vec<PathBuf> =
        recipe.kubernetes.patches.iter().map(|path| recipe.resolve_path(path)).collect();
    let patches = ManifestPatch::read(&patches).map_err(with_positions)?;
    let (image, user) = match &stored {
        Some(stored) => (stored_reference(stored, args)?, None),
        None => image_reference(args, &recipe)?,
    };
    let user = recipe.image.user.or(user).unwrap_or(recipe::DEFAULT_USER);
    let name =
        recipe.kubernetes.name.clone().unwrap_or_else(|| image.last_name_part().replace(['_', '.'], "-"));
    let process = process_name(&recipe);
    let application = Application {
        name: &name,
        image: &image,
        process_name: process.as_deref(),
        uid: user.uid,
        gid: user.gid,
        ports: &recipe.image.exposed_ports,
        configuration: &recipe.config,
        rendered_mounts: &mounts,
        settings: &recipe.kubernetes,
        patches: &patches,
        has_secrets: args.with_secrets,
    };
    let (files, notes) = match (args.layout, directory) {
        (ManifestLayout::Helm, Some(_)) => helm::chart_files(&application).map_err(with_positions)?,
        (ManifestLayout::Kustomize, Some(_)) => {
            kustomize::kustomize_files(&application, &environments).map_err(with_positions)?
        }
        _ => {
            let generated = manifests::generate_manifests(&application).map_err(with_positions)?;
            stderr::print_notes(&generated.notes, args.quiet);
            stdout::print(&yaml_writer::to_yaml_stream(&generated.all_objects()))?;
            return Ok(CliExit::Success);
        }
    };
    stderr::print_notes(&notes, args.quiet);
    directory.map_or(Ok(()), |directory| write_layout(directory, &files, args.quiet))?;
    Ok(CliExit::Success)
}

fn write_layout(directory: &Path, files: &OutputFiles, quiet: bool) -> Result<(), CliError> {
    let listed = files.iter().map(|(path, bytes)| GeneratedFile { path, bytes, is_secret: false });
    generated_dir::MANIFESTS_DIR.replace_all(directory, &listed.collect::<Vec<_>>())?;
    if !quiet {
        stderr::print(&format!("{} {DIM}{} files{DIM:#}\n", directory.display(), files.len()));
    }
    Ok(())
}

/// Returns the output directory. Fails if flags can't be combined.
fn output_directory(args: &ManifestsArgs) -> Result<Option<&Path>, CliError> {
    match (args.layout, &args.output) {
        (ManifestLayout::Yaml, None) => Ok(None),
        (ManifestLayout::Yaml, Some(_)) => Err(CliError::usage(
            "`--layout yaml` writes to stdout, not to a directory",
            "leave `--output` out and redirect stdout with `> FILE`, or pass `--layout kustomize` or `--layout helm`",
        )),
        (_, _) if args.with_secrets => Err(CliError::usage(
            "`--with-secrets` requires `--layout yaml`: the other layouts are kept in repositories and registries",
            "leave it out; hints then show how to create each Secret",
        )),
        (_, None) => Err(CliError::usage(
            "`--layout kustomize` and `--layout helm` need a directory to write to",
            "name one, as in `coracle manifests --layout kustomize --output deploy`",
        )),
        (_, Some(directory)) => Ok(Some(directory)),
    }
}

fn recipe_file(args: &ManifestsArgs) -> PathBuf {
    args.file.clone().unwrap_or_else(|| recipe::DEFAULT_FILE_NAME.into())
}

/// Reads the recipe. If an image is given, the recipe is optional and needs no program.
fn read_recipe(
    args: &ManifestsArgs,
    flags: &RecipeOverrides,
    stored: Option<&ParsedImage>,
) -> Result<Recipe, CliError> {
    let file = recipe_file(args);
    let result = match args.image {
        Some(_) => recipe::read_with_optional_programs(Some(&file), flags),
        None => recipe::read_recipe(&file, flags),
    };
    match result {
        Err(recipe::RecipeError::Read(error))
            if args.file.is_none() && error.kind() == ErrorKind::NotFound =>
        {
            match args.image {
                Some(_) => Ok(recipe::read_with_optional_programs(None, &with_image_config(stored, flags))?),
                None => Err(CliError::usage(
                    format!(
                        "no IMAGE is given, and `{}` does not exist in this directory",
                        recipe::DEFAULT_FILE_NAME
                    ),
                    "name an image with its digest, as printed by `coracle build`, or write a recipe",
                )),
            }
        }
        result => Ok(result?),
    }
}

/// Adds the user and ports of the image's config to the flags, which take precedence.
fn with_image_config(stored: Option<&ParsedImage>, flags: &RecipeOverrides) -> RecipeOverrides {
    let mut flags = flags.clone();
    let Some(image) = stored.and_then(|stored| stored.image_for_platform(None).ok()) else { return flags };
    let ports = image.config.pointer("/config/ExposedPorts").and_then(Value::as_object);
    flags.user = flags.user.or_else(|| image.user().map(str::to_owned));
    flags.expose.extend(ports.into_iter().flat_map(|ports| ports.keys().cloned()));
    flags
}

/// Returns the user in the image's config, if it is numeric.
fn image_user(stored: &ParsedImage) -> Option<Owner> {
    let (uid, gid) = stored.image_for_platform(None).ok()?.user()?.split_once(':')?;
    Some(Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
}

/// Warns if the image's contract differs from `expected`, because the manifests may not suit the
/// image.
fn warn_if_contract_differs(stored: &ParsedImage, expected: &Contract, quiet: bool) -> Result<(), CliError> {
    let label = expected.to_label().map_err(coracle::Error::from)?;
    let found = stored.label(contract::CONTRACT_LABEL, None).map_err(coracle::Error::from)?;
    if found.is_some_and(|found| found != label) {
        let warning = format!(
            "the contract of `{}` differs from this configuration; run `coracle config check` for details",
            stored.source.location
        );
        stderr::print_notes(&[Note::Warning(warning)], quiet);
    }
    Ok(())
}

/// Returns the stored image by digest, with the name from `--tag` or its own.
fn stored_reference(stored: &ParsedImage, args: &ManifestsArgs) -> Result<PinnedImage, CliError> {
    let Some(digest) = stored.source.digest() else {
        return Err(CliError::usage(
            format!(
                "`{}` has no digest: the archive contains only Docker's manifest.json",
                stored.source.location
            ),
            "copy it to a layout first: `skopeo copy docker-archive:FILE oci:DIR:TAG`",
        ));
    };
    let names = stored.source.names.iter().map(|name| reference::familiar_name(name));
    let Some(name) = args.tags.iter().map(String::as_str).chain(names).next() else {
        return Err(CliError::usage(
            format!("`{}` has no name; pods need a name to pull the image", stored.source.location),
            "pass `--tag NAME[:TAG]`",
        ));
    };
    let name: ImageReference = name.parse().map_err(|error: ParseImageReferenceError| {
        CliError::with_message(CliExit::Usage, format!("`--tag`: {error}"), &error)
    })?;
    let image = PinnedImage::new(&name, digest);
    // An image in a registry may be named by its digest only.
    let is_untagged = args.tags.is_empty() && !stored.source.is_tagged();
    Ok(if is_untagged { PinnedImage { tag: None, ..image } } else { image })
}

/// Returns the rendered mounts of each environment of the recipe.
fn render_environments(
    args: &ManifestsArgs,
    file: &Path,
) -> Result<Vec<(String, Vec<RenderedMount>)>, CliError> {
    let flags = args.overrides();
    if flags.config.environment.is_some() {
        return Err(CliError::usage(
            "`--environment` can't be used with `--layout kustomize`, which writes an overlay for each environment",
            "leave `--environment` out, and apply `DIR/overlays/NAME`",
        ));
    }
    let names = match recipe::read_environment_names(file) {
        Err(recipe::RecipeError::Read(error)) if error.kind() == ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let mut environments = Vec::new();
    for name in names {
        let mut flags = flags.clone();
        flags.config.environment = Some(name.clone());
        let configuration = recipe::read_configuration(Some(file), &flags)?;
        environments.push((name, config::render_public(&configuration)?));
    }
    Ok(environments)
}

/// Returns the image that pods run: the one in the arguments, or else the recipe's, which is built
/// to learn its digest and user.
fn image_reference(args: &ManifestsArgs, recipe: &Recipe) -> Result<(PinnedImage, Option<Owner>), CliError> {
    if let Some(text) = &args.image {
        if !args.tags.is_empty() {
            return Err(CliError::usage(
                format!("`--tag` can't be used with `{text}`, which is a name already"),
                "leave `--tag` out; it is for images that are built or stored in a layout",
            ));
        }
        let image = text.parse();
        let image = image.map_err(|error: manifests::ParsePinnedImageError| {
            CliError::with_message(CliExit::Usage, error.to_string(), &error)
        })?;
        return Ok((image, None));
    }
    let Some(name) = recipe.image.names.first() else {
        return Err(CliError::usage(
            "the image has no name; pods need a name to pull the image",
            "set `name` in `[image]`, or pass `--tag NAME[:TAG]`",
        ));
    };
    interrupt::handle_signals();
    let cache = cache::open_without_records(&args.cache, args.quiet)?;
    let client = build_settings::client_for_reading(std::slice::from_ref(recipe), &args.registry)?;
    let settings = build_settings::library_settings(args.epoch.as_deref(), cache, client)?;
    let directory = generated_dir::create_temporary_dir()?;
    let layout = DiskLocation::layout(directory.path().join("image.oci"));
    let mut recipe = recipe.clone();
    recipe.output.destinations = vec![ImageLocation::OnDisk(layout)];
    recipe.output.push = false;
    recipe.output.publish_contract = None;
    recipe.policy.budget = Default::default();
    let built = build::build_with_progress(&recipe, &settings, args.quiet)?;
    cache::prune_and_report(&settings);
    Ok((PinnedImage::new(name, built.digest), Some(built.user)))
}

/// Returns the file name of the program in the image.
fn process_name(recipe: &Recipe) -> Option<String> {
    let program = recipe.contents.programs.first()?;
    let name_in_image =
        program.to.as_ref().and_then(|to| Some(String::from_utf8_lossy(to.file_name()?).into_owned()));
    name_in_image.or_else(|| Some(program.from.file_name()?.to_string_lossy().into_owned()))
}
