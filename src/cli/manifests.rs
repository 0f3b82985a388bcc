//! `coracle manifests`: generates Kubernetes manifests for an image.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use coracle::recipe::{self, Recipe, RecipeOverrides};
use coracle_core::path::escape_bytes;
use coracle_kube::config::{self, RenderedMount};
use coracle_kube::manifests::{
    self, Application, ManifestPatch, OutputFiles, helm, kustomize, kustomize::EnvironmentOverlay,
    name_rules, yaml_writer,
};
use coracle_oci::layout::ParsedImage;

use super::args::{ManifestLayout, ManifestsArgs};
use super::console_output::{self, DIM};
use super::error::{CliError, CliExit};
use super::generated_dir::{self, GeneratedFile};
use super::image_reader::{ImageOpener, REGISTRY_SCHEME, has_transport};
use super::manifest_image::{self, KnownImage};
use super::missing_dependencies::shell_words;
use super::{hidden_files, recipe_tables, reload_image};

/// Runs cargo and returns the recipe of its program's image.
pub(super) type CargoRecipe<'a> = dyn Fn(&RecipeOverrides) -> Result<Recipe, CliError> + 'a;

/// Runs `coracle manifests`. The recipe is returned by `cargo_recipe`, if given, else read from a file.
pub(super) fn run_manifests(
    args: &ManifestsArgs,
    cargo_recipe: Option<&CargoRecipe<'_>>,
) -> Result<CliExit, CliError> {
    recipe_tables::set_tables_of_recipe_in_messages(args.file.as_deref());
    let directory = output_directory(args)?;
    let reader = ImageOpener::new(&args.registry);
    let location = args.image.as_deref().filter(|text| has_transport(text));
    let stored = location.map(|text| reader.open(text)).transpose()?;
    let mut recipe = match cargo_recipe {
        Some(cargo_recipe) => cargo_recipe(&args.overrides())?,
        None => read_recipe(args, &args.overrides(), stored.as_ref())?,
    };
    set_namespace(&mut recipe, args)?;
    recipe.image.user = recipe.image.user.or_else(|| manifest_image::image_user(stored.as_ref()?));
    manifest_image::add_writable_directories(&mut recipe, stored.as_ref(), args)?;
    let expected = coracle::contract::contract_of(&recipe)?.contract;
    if args.image.is_some() {
        // Otherwise the build prints these notes.
        console_output::print_notes(&coracle::secret_scan::scan_config(&recipe)?, args.quiet);
    }
    if let Some(stored) = &stored {
        console_output::print_notes(&hidden_files::check_mounts(stored, &recipe, &expected)?, args.quiet);
        manifest_image::warn_if_contract_differs(stored, &expected, args.quiet)?;
    }
    let mounts = match args.with_secrets {
        true => config::render_all(&recipe.config)?,
        false => config::render_public(&recipe.config)?,
    };
    let mut environments = match args.layout {
        ManifestLayout::Kustomize => {
            // Only cargo knows which package was built.
            let file = match cargo_recipe {
                Some(_) => recipe.resolve_path(Path::new("Cargo.toml")),
                None => recipe_path(args),
            };
            read_overlays(args, &file)?
        }
        ManifestLayout::Yaml | ManifestLayout::Helm => Vec::new(),
    };
    let patches = read_patches(&recipe)?;
    let KnownImage { reference: image, user, platforms } = match &stored {
        Some(stored) => manifest_image::stored_image(stored, args)?,
        None => manifest_image::resolve_or_build_image(args, &recipe)?,
    };
    let user = recipe.image.user.or(user).unwrap_or(recipe::DEFAULT_USER);
    // Only a command that reads from a registry asks one.
    let registry = location.filter(|location| location.starts_with(REGISTRY_SCHEME)).map(|_| &reader);
    if registry.is_none() || !args.tags.is_empty() {
        let warning = manifest_image::unreachable_image_warning(&image, registry)?;
        console_output::print_notes(warning.as_slice(), args.quiet);
    }
    let mut sidecar_notes = Vec::new();
    if reload_image::needs_signal(&recipe.config) {
        let overlays = environments.iter_mut().map(|overlay| &mut overlay.settings);
        let settings = std::iter::once(&mut recipe.kubernetes).chain(overlays);
        sidecar_notes = reload_image::set_default_sidecar(settings, &image, &platforms, registry)?;
    }
    let name =
        recipe.kubernetes.name.clone().unwrap_or_else(|| image.last_name_part().replace(['_', '.'], "-"));
    let process = process_name(&recipe).or_else(|| manifest_image::program_name(stored.as_ref()?));
    let render_args = render_args(args, &recipe, &mounts)?;
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
        render_args: &render_args,
    };
    let with_positions = |error| recipe.with_source_positions(error);
    let (files, notes) = match (args.layout, directory) {
        (ManifestLayout::Helm, Some(_)) => helm::chart_files(&application).map_err(with_positions)?,
        (ManifestLayout::Kustomize, Some(_)) => {
            kustomize::kustomize_files(&application, &environments).map_err(with_positions)?
        }
        _ => {
            let generated = manifests::generate_manifests(&application).map_err(with_positions)?;
            console_output::print_notes(&[sidecar_notes, generated.notes.clone()].concat(), args.quiet);
            console_output::print_bytes(yaml_writer::to_yaml_stream(&generated.all_objects()).as_bytes())?;
            return Ok(CliExit::Success);
        }
    };
    console_output::print_notes(&[sidecar_notes, notes].concat(), args.quiet);
    directory.map_or(Ok(()), |directory| write_layout(directory, &files, args.quiet))?;
    Ok(CliExit::Success)
}

fn write_layout(directory: &Path, files: &OutputFiles, quiet: bool) -> Result<(), CliError> {
    let listed = files.iter().map(|(path, bytes)| GeneratedFile { path, bytes, is_secret: false });
    generated_dir::MANIFESTS_DIR.replace_all(directory, &listed.collect::<Vec<_>>())?;
    if !quiet {
        console_output::print_message(&format!(
            "{} {DIM}{} files{DIM:#}\n",
            directory.display(),
            files.len()
        ));
    }
    Ok(())
}

/// Replaces the recipe's namespace by that of `--namespace`. Fails if it is not a valid name.
fn set_namespace(recipe: &mut Recipe, args: &ManifestsArgs) -> Result<(), CliError> {
    let Some(name) = &args.namespace else { return Ok(()) };
    if !name_rules::is_dns_label(name) {
        return Err(CliError::usage(
            format!("`--namespace`: `{}` is not a valid namespace name", escape_bytes(name.as_bytes())),
            "write lower-case letters, digits and `-`, at most 63 bytes",
        ));
    }
    recipe.kubernetes.namespace = Some(name.clone());
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

fn recipe_path(args: &ManifestsArgs) -> PathBuf {
    args.file.clone().unwrap_or_else(|| recipe::DEFAULT_FILE_NAME.into())
}

/// Reads the recipe. If an image is given, the recipe is optional and needs no program.
fn read_recipe(
    args: &ManifestsArgs,
    flags: &RecipeOverrides,
    stored: Option<&ParsedImage>,
) -> Result<Recipe, CliError> {
    let file = recipe_path(args);
    let result = match args.image {
        Some(_) => recipe::read_with_optional_programs(Some(&file), flags),
        None => recipe::read_recipe(&file, flags),
    };
    match result {
        Err(recipe::RecipeError::Read(error))
            if args.file.is_none() && error.kind() == ErrorKind::NotFound =>
        {
            match args.image {
                Some(_) => Ok(recipe::read_with_optional_programs(
                    None,
                    &manifest_image::with_image_config(stored, flags),
                )?),
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

/// Returns the overlay of each environment of the recipe.
fn read_overlays(args: &ManifestsArgs, file: &Path) -> Result<Vec<EnvironmentOverlay>, CliError> {
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
    let mut overlays = Vec::new();
    for name in names {
        let mut flags = flags.clone();
        flags.config.environment = Some(name.clone());
        let mut recipe = recipe::read_with_optional_programs(Some(file), &flags)?;
        set_namespace(&mut recipe, args)?;
        overlays.push(EnvironmentOverlay {
            name,
            rendered_mounts: config::render_public(&recipe.config)?,
            patches: read_patches(&recipe)?,
            settings: recipe.kubernetes,
        });
    }
    Ok(overlays)
}

fn read_patches(recipe: &Recipe) -> Result<Vec<ManifestPatch>, CliError> {
    let paths: Vec<PathBuf> =
        recipe.kubernetes.patches.iter().map(|path| recipe.resolve_path(path)).collect();
    Ok(ManifestPatch::read(&paths).map_err(|error| recipe.with_source_positions(error))?)
}

/// Returns the arguments of `coracle config render` for the Secrets, each after a space: the flags of
/// this command, and one for each secret value that is not given.
fn render_args(args: &ManifestsArgs, recipe: &Recipe, mounts: &[RenderedMount]) -> Result<String, CliError> {
    let mut words = args.render_args();
    for secret in config::missing_secrets(&recipe.config, mounts)? {
        words.extend(["--set-file".to_owned(), format!("{secret}=FILE")]);
    }
    Ok(words.iter().map(|word| format!(" {}", shell_words(std::slice::from_ref(word)))).collect())
}

/// Returns the file name of the program in the image.
fn process_name(recipe: &Recipe) -> Option<String> {
    let program = recipe.contents.programs.first()?;
    let name_in_image =
        program.to.as_ref().and_then(|to| Some(String::from_utf8_lossy(to.file_name()?).into_owned()));
    name_in_image.or_else(|| Some(program.from.file_name()?.to_string_lossy().into_owned()))
}
