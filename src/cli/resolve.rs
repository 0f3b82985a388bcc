//! `coracle resolve`: replaces image references in manifests by references with a digest.

use std::collections::BTreeMap;
use std::path::Path;

use coracle::Settings;
use coracle::recipe::{self, RecipeOverrides};
use coracle_core::reference::{ImageReference, familiar_name};
use coracle_kube::check::pin::{self, PinError, PinnableImage, UnpinnedImage};
use coracle_kube::check::{CheckReport, ManifestFile};
use coracle_oci::copy::{self, RegistryImageName};
use coracle_oci::layout::{self, DiskLocation, ParsedImage};
use tempfile::TempDir;

use super::args::ResolveArgs;
use super::error::CliError;
use super::exit::CliExit;
use super::{build, cache, config, image_reader, registry_client, stdout};

/// Resolves and checks all manifests before anything is written.
pub(super) fn run_resolve(args: &ResolveArgs) -> Result<CliExit, CliError> {
    let builds = tempfile::tempdir().map_err(|error| CliError {
        exit: CliExit::Failed,
        message: format!("cannot create a temporary directory: {error}"),
        hint: None,
    })?;
    let inputs = config::read_manifests(&args.manifests)?;
    let places = args.images.iter().filter_map(|text| Some(text.split_once('=')?.1));
    let reader = image_reader::ImageReader::new(&args.registry, places);
    let mut images =
        args.images.iter().map(|text| parse_image_flag(text, &reader)).collect::<Result<Vec<_>, _>>()?;
    if !args.recipes.is_empty() {
        let client = super::registry_client::registry_client(&args.registry, &[])?;
        let settings =
            build::library_settings(None, cache::open_without_records(&args.cache, false)?, Some(client))?;
        for (number, file) in args.recipes.iter().enumerate() {
            images.push(build_recipe(file, number, &builds, &settings)?);
        }
        cache::prune_and_report(&settings);
    }
    let mut known: Vec<PinnableImage> = images.iter().map(|(known, _)| known.clone()).collect();
    if args.remote {
        known.extend(ask_registries(&inputs, &known, args)?);
    }
    let (mut resolved, mut errors, mut used) = (Vec::new(), Vec::new(), Vec::new());
    for input in &inputs {
        match pin::pin_images(input, &known) {
            Ok(done) => {
                used.extend(done.used_images);
                resolved.push(ManifestFile { name: input.name.clone(), text: done.text });
            }
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(unresolved_error(&errors));
    }
    used.sort_unstable();
    used.dedup();
    if !args.no_check {
        let report = check_contracts(&images, &used, &resolved)?;
        config::print_notes(&report);
        if !report.findings.is_empty() {
            return Err(violations_error(&report));
        }
    }
    stdout::write_bytes(join_documents(&resolved).as_bytes())?;
    Ok(CliExit::Success)
}

/// Parses the value of `--image`, and opens the image.
fn parse_image_flag(
    text: &str,
    reader: &image_reader::ImageReader<'_>,
) -> Result<(PinnableImage, ParsedImage), CliError> {
    let usage = |why: String| {
        CliError::usage(format!("`--image`: {why}"), "write it like `--image shop=oci:shop.oci`")
    };
    let (name, place) = text.split_once('=').ok_or_else(|| usage(format!("`{text}` is not NAME=IMAGE")))?;
    let reference: ImageReference = name.parse().map_err(|error| usage(format!("{error}")))?;
    let stored = reader.open(place)?;
    // Prefer the image's own name, which has its tag.
    let is_own = |own: &&String| {
        let own = without_tag(own);
        let short = own.rsplit('/').next() == Some(name) && !name.contains('/');
        short || familiar_name(own) == familiar_name(name)
    };
    let own = stored.source.names.iter().find(is_own).map(|name| familiar_name(name).to_owned());
    let known = pinnable_image(name, own.unwrap_or_else(|| reference.to_string()), &stored)?;
    Ok((known, stored))
}

/// Asks registries for the digests of the images that are not in `known`.
fn ask_registries(
    inputs: &[ManifestFile],
    known: &[PinnableImage],
    args: &ResolveArgs,
) -> Result<Vec<PinnableImage>, CliError> {
    let (mut wanted, mut errors) = (BTreeMap::new(), Vec::new());
    for input in inputs {
        for found in pin::find_unpinned_images(input, known).map_err(|error| unresolved_error(&[error]))? {
            let UnpinnedImage { text, line, column } = found;
            let refuse = |message| PinError { file: input.name.clone(), line, column, message };
            match text.parse::<ImageReference>() {
                Ok(reference) => drop(wanted.entry(text).or_insert((reference, refuse(String::new())))),
                Err(error) => errors.push(refuse(error.to_string())),
            }
        }
    }
    let named: Vec<RegistryImageName> =
        wanted.values().map(|(reference, _)| RegistryImageName::from(reference)).collect();
    let client = registry_client::registry_client(&args.registry, &named.iter().collect::<Vec<_>>())?;
    let mut found = Vec::new();
    for ((name, (reference, place)), named) in wanted.into_iter().zip(&named) {
        match copy::resolve_digest(named, &client) {
            Ok(digest) => {
                found.push(PinnableImage {
                    name,
                    reference: reference.to_string(),
                    digest: digest.to_string(),
                });
            }
            Err(error @ copy::CopyError::NoSuchImage(_)) => {
                errors.push(PinError { message: error.to_string(), ..place });
            }
            Err(error) => {
                let failure = registry_client::from_transfer_error(&error);
                let PinError { file, line, column, .. } = place;
                let message = format!("{file}:{line}:{column}: {}", failure.message);
                return Err(CliError { message, ..failure });
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(CliError { hint: None, ..unresolved_error(&errors) }) }
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
    recipe.policy.budget = Default::default();
    let Some(name) = recipe.image.names.first().cloned() else {
        return Err(CliError::usage(
            format!("`{}` does not name its image, so manifests can't refer to it", file.display()),
            "set `name` in `[image]`",
        ));
    };
    coracle::build(&recipe, settings, &())?;
    let stored = layout::read_image(&layout).map_err(coracle::Error::from)?;
    let known = pinnable_image(name.repository(), name.to_string(), &stored)?;
    Ok((known, stored))
}

fn pinnable_image(name: &str, reference: String, stored: &ParsedImage) -> Result<PinnableImage, CliError> {
    let digest = stored.source.digest().ok_or_else(|| CliError {
        exit: CliExit::Failed,
        message: format!(
            "`{}` has no digest: the archive contains only Docker's manifest.json",
            stored.source.location
        ),
        hint: Some("name an image layout, or an archive that has an `index.json`".into()),
    })?;
    Ok(PinnableImage { name: name.to_owned(), reference, digest: digest.to_string() })
}

fn unresolved_error(errors: &[PinError]) -> CliError {
    CliError {
        exit: CliExit::Failed,
        message: errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        hint: Some(
            "name the location of images with `--image NAME=oci:DIR`, or their recipes with `-f`".into(),
        ),
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

/// Checks the manifests against the contracts of the images that they use.
fn check_contracts(
    images: &[(PinnableImage, ParsedImage)],
    used: &[usize],
    inputs: &[ManifestFile],
) -> Result<CheckReport, CliError> {
    let mut all = CheckReport::default();
    for (_, stored) in used.iter().filter_map(|index| images.get(*index)) {
        let Some(contract) = image_reader::label_contract(stored, None)? else { continue };
        let report = config::check_manifests(stored, &contract, None, inputs, None, None);
        all.findings.extend(report.findings);
        all.notes.extend(report.notes);
    }
    all.findings.dedup();
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
            let has_mark = input.text.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
            if has_mark.is_none_or(|line| !line.starts_with("---") && !line.starts_with('%')) {
                text.push_str("---\n");
            }
        }
        text.push_str(&input.text);
    }
    text
}
