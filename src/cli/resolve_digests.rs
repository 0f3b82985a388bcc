//! `coracle resolve`: replaces image references in manifests by references with a digest.

use std::collections::BTreeMap;
use std::path::Path;

use coracle::Settings;
use coracle::recipe::{self, RecipeOverrides};
use coracle_core::hint;
use coracle_core::path::escape_bytes;
use coracle_core::reference::{ImageReference, familiar_name};
use coracle_kube::check::pin_images::{self, PinError, PinnableImage, UnpinnedImage};
use coracle_kube::check::{CheckReport, ManifestFile};
use coracle_kube::manifests::PinnedImage;
use coracle_oci::copy::{self, RegistryImageName};
use coracle_oci::layout::{self, DiskLocation, ParsedImage};
use tempfile::TempDir;

use super::args::ResolveArgs;
use super::concurrent_builds::BuildMonitor;
use super::config::{self, CheckedImage};
use super::environment::new_registry_client;
use super::error::{CliError, CliExit};
use super::generated_dir::create_temporary_dir;
use super::image_reader::{ImageOpener, REGISTRY_SCHEME};
use super::progress::ProgressDisplay;
use super::{build_inputs, cache, console_output, contract_lookup, interrupt, manifest_image, recipe_tables};

/// Runs `coracle resolve`. Resolves and checks all manifests before anything is written.
pub(super) fn run_resolve(args: &ResolveArgs) -> Result<CliExit, CliError> {
    if let [recipe] = args.recipes.as_slice() {
        recipe_tables::set_tables_of_recipe_in_messages(Some(recipe));
    }
    let builds = create_temporary_dir()?;
    let inputs = config::read_manifests(&args.manifests)?;
    // Only now, so that Ctrl-C ends the command while it waits for stdin.
    interrupt::handle_signals();
    let reader = ImageOpener::new(&args.registry);
    let mut images =
        args.images.iter().map(|text| parse_image_flag(text, &reader)).collect::<Result<Vec<_>, _>>()?;
    if !args.recipes.is_empty() {
        let client = new_registry_client(&args.registry, &[])?;
        let cache = cache::open_cache_without_records(&args.cache, args.quiet)?;
        let settings = build_inputs::library_settings(None, cache, Some(client))?;
        for (number, file) in args.recipes.iter().enumerate() {
            images.push(build_recipe(file, number, &builds, &settings)?);
        }
        cache::prune_and_report(&settings);
    }
    let mut pinnable: Vec<PinnableImage> = images.iter().map(|(pinnable, _)| pinnable.clone()).collect();
    if args.remote {
        pinnable.extend(resolve_in_registries(&inputs, &pinnable, args)?);
    }
    let (mut resolved, mut errors, mut used) = (Vec::new(), Vec::new(), Vec::new());
    for input in &inputs {
        match pin_images::pin_images(input, &pinnable) {
            Ok(pinned) => {
                used.extend(pinned.used_images);
                resolved.push(ManifestFile { name: input.name.clone(), text: pinned.text });
            }
            Err(unresolved) => errors.extend(unresolved),
        }
    }
    if !errors.is_empty() {
        return Err(unresolved_error(&errors));
    }
    used.sort_unstable();
    used.dedup();
    let unused: Vec<&PinnableImage> = images
        .iter()
        .enumerate()
        .filter(|(index, _)| !used.contains(index))
        .map(|(_, (image, _))| image)
        .collect();
    if !unused.is_empty() {
        return Err(unused_images_error(&unused, &inputs)?);
    }
    for (image, stored) in used.iter().filter_map(|index| images.get(*index)) {
        let reference = format!("{}@{}", image.reference, image.digest).parse::<PinnedImage>();
        if let Ok(reference) = reference
            && !stored.source.location.starts_with(REGISTRY_SCHEME)
        {
            let registry = args.remote.then_some(&reader);
            let warning = manifest_image::unreachable_image_warning(&reference, registry)?;
            console_output::print_notes(warning.as_slice(), args.quiet);
        }
    }
    if !args.no_check {
        let report = check_contracts(&images, &used, &resolved)?;
        config::print_notes(&report, args.quiet);
        if !report.findings.is_empty() {
            return Err(violations_error(&report));
        }
    }
    console_output::print_bytes(join_documents(&resolved).as_bytes())?;
    Ok(CliExit::Success)
}

/// Parses the value of `--image`, and opens the image.
fn parse_image_flag(text: &str, reader: &ImageOpener<'_>) -> Result<(PinnableImage, ParsedImage), CliError> {
    let usage = |why: String| {
        CliError::usage(
            format!("the value of `--image` is invalid: {why}"),
            "write it like `--image shop=oci:shop.oci`",
        )
    };
    let (name, location) =
        text.split_once('=').ok_or_else(|| usage(format!("`{text}` is not NAME=IMAGE")))?;
    let reference: ImageReference = name.parse().map_err(|error| usage(format!("{error}")))?;
    let image = reader.open(location)?;
    let written_name = choose_written_name(name, &reference, &image)?;
    let pinnable = pinnable_image(name, written_name, &image)?;
    Ok((pinnable, image))
}

/// Returns the name with tag that is written for an image: the one in its registry; of a stored image
/// the name that resembles `name`, or `name` if it has a registry, or the first one.
fn choose_written_name(
    name: &str,
    reference: &ImageReference,
    image: &ParsedImage,
) -> Result<String, CliError> {
    let is_same = |stored_name: &&String| {
        let stored_name = without_tag(stored_name);
        let is_last_part = stored_name.rsplit('/').next() == Some(name) && !name.contains('/');
        is_last_part || familiar_name(stored_name) == familiar_name(without_tag(name))
    };
    let names = &image.source.names;
    let found = names.iter().find(is_same).map(|name| familiar_name(name).to_owned());
    let given = || reference.names_registry().then(|| reference.to_string());
    let first = names.first().map(|name| familiar_name(name).to_owned());
    let chosen = match image.source.location.starts_with(REGISTRY_SCHEME) {
        true => first,
        false => found.or_else(given).or(first),
    };
    chosen.ok_or_else(|| {
        let location = &image.source.location;
        CliError::usage(
            format!("`{location}` has no name; pods need a name to pull the image"),
            format!("write the full name before `=`, as in `--image ghcr.io/acme/{name}:1.2={location}`"),
        )
    })
}

/// Returns the error that images match no reference in the manifests; mentions references that
/// differ only in their tag, or are similar.
fn unused_images_error(unused: &[&PinnableImage], inputs: &[ManifestFile]) -> Result<CliError, CliError> {
    let names: Vec<Vec<String>> = inputs
        .iter()
        .map(pin_images::image_names)
        .collect::<Result<_, _>>()
        .map_err(|error| unresolved_error(&[error]))?;
    let names = names.concat();
    let line = |image: &&PinnableImage| {
        let other = names.iter().find(|name| image.is_in_repository_of(name));
        let similar = || hint::most_similar(&image.name, names.iter().map(String::as_str));
        match (other, similar()) {
            (Some(other), _) => format!(
                "no image in the manifests is `{}`: `{}` has another tag",
                image.reference,
                escape_bytes(other.as_bytes())
            ),
            (None, Some(similar)) => format!(
                "no image in the manifests is named `{}`; did you mean `{}`?",
                image.name,
                escape_bytes(similar.as_bytes())
            ),
            (None, None) => format!("no image in the manifests is named `{}`", image.name),
        }
    };
    Ok(CliError::failed_with_hint(
        unused.iter().map(line).collect::<Vec<_>>().join("\n"),
        "name the image as the manifests do, or leave it out; docs/contract.md says where images are looked for",
    ))
}

/// Asks registries for the digests of the images that are not in `known`.
fn resolve_in_registries(
    inputs: &[ManifestFile],
    known: &[PinnableImage],
    args: &ResolveArgs,
) -> Result<Vec<PinnableImage>, CliError> {
    let (mut wanted, mut errors) = (BTreeMap::new(), Vec::new());
    for input in inputs {
        for found in
            pin_images::find_unpinned_images(input, known).map_err(|error| unresolved_error(&[error]))?
        {
            let UnpinnedImage { text, line, column } = found;
            let error_at = |message| PinError {
                file: input.name.clone(),
                line,
                column,
                message,
                is_unknown_image: false,
            };
            match text.parse::<ImageReference>() {
                Ok(reference) => drop(wanted.entry(text).or_insert((reference, error_at(String::new())))),
                Err(error) => errors.push(error_at(error.to_string())),
            }
        }
    }
    let remote: Vec<RegistryImageName> =
        wanted.values().map(|(reference, _)| RegistryImageName::from(reference)).collect();
    let client = new_registry_client(&args.registry, &[])?;
    let mut found = Vec::new();
    for ((name, (reference, error_at)), remote) in wanted.into_iter().zip(&remote) {
        if interrupt::is_cancelled() {
            return Err(CliError::interrupted("nothing was written"));
        }
        match copy::resolve_digest(remote, &client) {
            Ok(digest) => {
                found.push(PinnableImage {
                    name,
                    reference: reference.to_string(),
                    digest: digest.to_string(),
                });
            }
            Err(error @ copy::CopyError::NoSuchImage(_)) => {
                errors.push(PinError { message: error.to_string(), ..error_at });
            }
            Err(error) => {
                let failure = CliError::from(error);
                let PinError { file, line, column, .. } = error_at;
                let message = format!("{file}:{line}:{column}: {}", failure.message);
                return Err(CliError { message, ..failure });
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(unresolved_error(&errors)) }
}

/// Returns a name without its tag. A colon before a `/` precedes a port.
fn without_tag(name: &str) -> &str {
    name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name)
}

/// Builds a recipe's image into a temporary layout. Its digest equals that of `coracle build`.
fn build_recipe(
    file: &Path,
    number: usize,
    builds: &TempDir,
    settings: &Settings,
) -> Result<(PinnableImage, ParsedImage), CliError> {
    let layout = DiskLocation::layout(builds.path().join(number.to_string()));
    let flags = RecipeOverrides { destinations: vec![layout.to_string()], ..RecipeOverrides::default() };
    let mut recipe = recipe::read_recipe(file, &flags)?;
    recipe.output.publish_contract = None;
    recipe.checks.budget = Default::default();
    let Some(name) = recipe.image.names.first().cloned() else {
        return Err(CliError::usage(
            format!("`{}` does not name its image, so manifests can't refer to it", file.display()),
            "set `name` in `[image]`",
        ));
    };
    // Ctrl-C cancels the build; its notes are those of `coracle build`, so they are not repeated.
    let progress = ProgressDisplay::new(true, "packing");
    coracle::build(&recipe, settings, &BuildMonitor::single(&progress))?;
    let image = layout::read_disk_image(&layout).map_err(coracle::Error::from)?;
    let pinnable = pinnable_image(name.repository(), name.to_string(), &image)?;
    Ok((pinnable, image))
}

fn pinnable_image(name: &str, reference: String, image: &ParsedImage) -> Result<PinnableImage, CliError> {
    let digest = image.source.digest().ok_or_else(|| {
        let location = &image.source.location;
        CliError::failed_with_hint(
            format!("`{location}` has no digest: the archive contains only Docker's manifest.json"),
            "name an image layout, or an archive that has an `index.json`",
        )
    })?;
    Ok(PinnableImage { name: name.to_owned(), reference, digest: digest.to_string() })
}

fn unresolved_error(errors: &[PinError]) -> CliError {
    let is_unknown = errors.iter().any(|error| error.is_unknown_image);
    let hint = "name the location of images with `--image NAME=oci:DIR`, or their recipes with `-f`";
    CliError {
        exit: CliExit::Failed,
        message: errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        hint: is_unknown.then(|| hint.into()),
    }
}

/// Returns the error with all findings, which go to stderr because stdout is for manifests.
fn violations_error(report: &CheckReport) -> CliError {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    CliError {
        exit: CliExit::Findings,
        message: format!("the manifests violate the image's contract\n{}", findings.join("\n")),
        hint: Some("correct the manifests, or pass `--no-check`".into()),
    }
}

/// Checks the manifests against the contracts of the images that they use. Returns each finding once.
fn check_contracts(
    images: &[(PinnableImage, ParsedImage)],
    used: &[usize],
    inputs: &[ManifestFile],
) -> Result<CheckReport, CliError> {
    let mut all = CheckReport::default();
    for (_, image) in used.iter().filter_map(|index| images.get(*index)) {
        let Some(contract) = contract_lookup::label_contract(image, None)? else { continue };
        let checked = CheckedImage { image, contract: &contract, platform: None };
        let report = config::check_manifests(checked, inputs, None, None);
        all.findings.extend(report.findings);
        all.notes.extend(report.notes);
    }
    // Images with the same digest select the same containers.
    for findings in [&mut all.findings, &mut all.notes] {
        findings.sort();
        findings.dedup();
    }
    Ok(all)
}

/// Joins the inputs into one YAML stream.
fn join_documents(inputs: &[ManifestFile]) -> String {
    let mut text = String::new();
    for (index, input) in inputs.iter().enumerate() {
        if index > 0 {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            let first = input.text.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
            if first.is_none_or(|line| !line.starts_with("---") && !line.starts_with('%')) {
                text.push_str("---\n");
            }
        }
        text.push_str(&input.text);
    }
    text
}
