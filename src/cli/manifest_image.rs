//! The image that manifests refer to: a stored image, an image given by name and digest, or the
//! recipe's image, which is built.

use coracle::recipe::{Recipe, RecipeOverrides};
use coracle::rootfs::Owner;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_core::reference::{self, ImageReference, ParseImageReferenceError};
use coracle_kube::config::WritableDirectory;
use coracle_kube::contract::{self, Contract};
use coracle_kube::manifests::{self, PinnedImage};
use coracle_oci::copy::ImageLocation;
use coracle_oci::layout::{DiskLocation, ParsedImage};
use serde_json::Value;

use super::args::ManifestsArgs;
use super::error::{CliError, CliExit};
use super::image_reader::ImageOpener;
use super::{build, build_inputs, cache, console_output, generated_dir, interrupt};

/// The image that manifests refer to.
pub(super) struct KnownImage {
    pub(super) reference: PinnedImage,
    /// The user of an image that was built.
    pub(super) user: Option<Owner>,
    /// The image's platforms; empty if only its name is known.
    pub(super) platforms: Vec<Platform>,
}

/// Adds the user and ports of the image's config to the flags, which take precedence.
pub(super) fn with_image_config(stored: Option<&ParsedImage>, flags: &RecipeOverrides) -> RecipeOverrides {
    let mut flags = flags.clone();
    let Some(image) = stored.and_then(|stored| stored.image_for_platform(None).ok()) else { return flags };
    let ports = image.config.pointer("/config/ExposedPorts").and_then(Value::as_object);
    flags.user = flags.user.or_else(|| image.user().map(str::to_owned));
    flags.expose.extend(ports.into_iter().flat_map(|ports| ports.keys().cloned()));
    flags
}

/// Returns the user in the image's config, if it is numeric.
pub(super) fn image_user(stored: &ParsedImage) -> Option<Owner> {
    Owner::from_numbers(stored.image_for_platform(None).ok()?.user()?)
}

/// Returns a warning if the image's name does not include its registry.
pub(super) fn missing_registry_warning(image: &PinnedImage) -> Option<Note> {
    let tag = image.tag.iter().map(|tag| format!(":{tag}"));
    let name: String = std::iter::once(image.name.clone()).chain(tag).collect();
    let reference: ImageReference = name.parse().ok()?;
    (!reference.names_registry()).then(|| {
        Note::Warning(format!(
            "`{}` names no registry, so pods pull it from Docker Hub, as `{}`, unless their nodes have the image: name \
             a registry in `[image]` or with `--tag`",
            name,
            reference.full_name()
        ))
    })
}

/// Returns a warning if pods cannot pull the image: its name has no registry, or the registry does not
/// have it. The registry is asked only with `reader`.
pub(super) fn unreachable_image_warning(
    image: &PinnedImage,
    reader: Option<&ImageOpener<'_>>,
) -> Result<Option<Note>, CliError> {
    if let Some(warning) = missing_registry_warning(image) {
        return Ok(Some(warning));
    }
    let Some(reader) = reader else { return Ok(None) };
    Ok((!reader.is_in_registry(image)?).then(|| {
        Note::Warning(format!("`{image}` is not in its registry, so pods cannot pull it: push it, for example with `coracle copy`"))
    }))
}

/// Warns if the image's contract differs from `expected`, because the manifests may not suit the
/// image.
pub(super) fn warn_if_contract_differs(
    stored: &ParsedImage,
    expected: &Contract,
    quiet: bool,
) -> Result<(), CliError> {
    let label = expected.to_label().map_err(coracle::Error::from)?;
    let found = stored.label(contract::CONTRACT_LABEL, None).map_err(coracle::Error::from)?;
    if found.is_some_and(|found| found != label) {
        let warning = format!(
            "the contract of `{}` differs from this configuration; run `coracle config check` for details",
            stored.source.location
        );
        console_output::print_notes(&[Note::Warning(warning)], quiet);
    }
    Ok(())
}

/// Declares the directories that a complete image writes to and that the recipe does not name: the
/// directories in the contract of the stored image, or of the image that would be built.
pub(super) fn add_writable_directories(
    recipe: &mut Recipe,
    stored: Option<&ParsedImage>,
    args: &ManifestsArgs,
) -> Result<(), CliError> {
    if !recipe.contents.complete {
        return Ok(());
    }
    let label = stored.map(|stored| stored.label(contract::CONTRACT_LABEL, None)).transpose();
    let directories: Vec<ImagePath> = match label.map_err(coracle::Error::from)?.flatten() {
        Some(label) => {
            let contract = Contract::parse(label).map_err(coracle::Error::from)?;
            contract.writable.iter().filter_map(|directory| directory.path.parse().ok()).collect()
        }
        None if stored.is_some() => Vec::new(),
        None => {
            let cache = cache::open_cache_without_records(&args.cache, args.quiet)?;
            let client = build_inputs::client_for_reading(std::slice::from_ref(recipe), &args.registry)?;
            let settings = build_inputs::library_settings(args.epoch.as_deref(), cache, client)?;
            coracle::added_state_directories(recipe, &settings)?
        }
    };
    for path in directories {
        let declared = &mut recipe.config.writable_directories;
        if !declared.iter().any(|known| known.path == path) {
            declared.push(WritableDirectory { path, size: None, is_shared: false });
        }
    }
    Ok(())
}

/// Returns the file name of the program in the image's config.
pub(super) fn program_name(stored: &ParsedImage) -> Option<String> {
    let image = stored.image_for_platform(None).ok()?;
    let program = image.config.pointer("/config/Entrypoint/0")?.as_str()?;
    Some(program.rsplit('/').next().unwrap_or(program).to_owned())
}

/// Returns the stored image, with the name from `--tag` or its own.
pub(super) fn stored_image(stored: &ParsedImage, args: &ManifestsArgs) -> Result<KnownImage, CliError> {
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
    let reference = if is_untagged { PinnedImage { tag: None, ..image } } else { image };
    let platforms = stored.images.iter().map(|image| image.platform.clone()).collect();
    Ok(KnownImage { reference, user: None, platforms })
}

/// Returns the image that pods run: the image in the arguments, or else the recipe's image, which
/// is built to learn its digest and user.
pub(super) fn resolve_or_build_image(args: &ManifestsArgs, recipe: &Recipe) -> Result<KnownImage, CliError> {
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
        return Ok(KnownImage { reference: image, user: None, platforms: Vec::new() });
    }
    let Some(name) = recipe.image.names.first() else {
        return Err(CliError::usage(
            "the image has no name; pods need a name to pull the image",
            "set `name` in `[image]`, or pass `--tag NAME[:TAG]`",
        ));
    };
    interrupt::handle_signals();
    let cache = cache::open_cache_without_records(&args.cache, args.quiet)?;
    let client = build_inputs::client_for_reading(std::slice::from_ref(recipe), &args.registry)?;
    let settings = build_inputs::library_settings(args.epoch.as_deref(), cache, client)?;
    let directory = generated_dir::create_temporary_dir()?;
    let layout = DiskLocation::layout(directory.path().join("image.oci"));
    let mut recipe = recipe.clone();
    recipe.output.destinations = vec![ImageLocation::OnDisk(layout)];
    recipe.output.push = false;
    recipe.output.publish_contract = None;
    recipe.checks.budget = Default::default();
    let built = build::build_with_progress(&recipe, &settings, args.quiet)?;
    cache::prune_and_report(&settings);
    Ok(KnownImage {
        reference: PinnedImage::new(name, built.digest),
        user: Some(built.user),
        platforms: built.platforms,
    })
}
