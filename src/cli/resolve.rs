//! `coracle resolve`: replaces image references in manifests by references with a digest.

use std::collections::BTreeMap;
use std::path::Path;

use coracle::Settings;
use coracle_kube::check::resolve::{self, Known, Unpinned, Unresolved};
use coracle_kube::check::{Input, Report};
use coracle::recipe::{self, Overrides, Recipe};
use coracle_core::reference::{Reference, familiar};
use coracle_oci::layout::{self, Destination, Stored};
use coracle_oci::copy::{self, Named};
use tempfile::TempDir;

use super::args::ResolveArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::{build, cache, config, image, output, registry};

/// Resolves and checks all manifests before anything is written.
pub(super) fn run(args: &ResolveArgs) -> Result<Exit, Failure> {
    let builds = tempfile::tempdir().map_err(|error| Failure {
        exit: Exit::Failed,
        message: format!("cannot create a temporary directory: {error}"),
        hint: None,
    })?;
    let inputs = config::read_inputs(&args.manifests)?;
    let places = args.images.iter().filter_map(|text| Some(text.split_once('=')?.1));
    let reader = image::Reader::new(&args.registry, places);
    let mut images = args.images.iter().map(|text| named(text, &reader)).collect::<Result<Vec<_>, _>>()?;
    if !args.files.is_empty() {
        let client = super::registry::client(&args.registry, &[])?;
        let settings = build::settings(None, cache::for_layers(&args.cache, false)?, Some(client))?;
        for (number, file) in args.files.iter().enumerate() {
            images.push(built(file, number, &builds, &settings)?);
        }
        cache::close(&settings);
    }
    let mut known: Vec<Known> = images.iter().map(|(known, _)| known.clone()).collect();
    if args.remote {
        known.extend(asked(&inputs, &known, args)?);
    }
    let (mut resolved, mut errors, mut used) = (Vec::new(), Vec::new(), Vec::new());
    for input in &inputs {
        match resolve::resolve(input, &known) {
            Ok(done) => {
                used.extend(done.used);
                resolved.push(Input { name: input.name.clone(), text: done.text });
            }
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(unresolved(&errors));
    }
    used.sort_unstable();
    used.dedup();
    if !args.no_check {
        let report = check(&images, &used, &resolved)?;
        config::say_notes(&report);
        if !report.findings.is_empty() {
            return Err(unmet(&report));
        }
    }
    output::write(joined(&resolved).as_bytes())?;
    Ok(Exit::Done)
}

/// Parses the value of `--image`, and opens the image.
fn named(text: &str, reader: &image::Reader<'_>) -> Result<(Known, Stored), Failure> {
    let usage = |why: String| {
        Failure::usage(format!("`--image`: {why}"), "write it like `--image shop=oci:shop.oci`")
    };
    let (name, place) = text.split_once('=').ok_or_else(|| usage(format!("`{text}` is not NAME=IMAGE")))?;
    let reference: Reference = name.parse().map_err(|error| usage(format!("{error}")))?;
    let stored = reader.open(place)?;
    // Prefer the image's own name, which has its tag.
    let is_own = |own: &&String| {
        let own = untagged(own);
        let short = own.rsplit('/').next() == Some(name) && !name.contains('/');
        short || familiar(own) == familiar(name)
    };
    let own = stored.origin.names.iter().find(is_own).map(|name| familiar(name).to_owned());
    let known = known(name, own.unwrap_or_else(|| reference.to_string()), &stored)?;
    Ok((known, stored))
}

/// Asks registries for the digests of the images that are not in `known`.
fn asked(inputs: &[Input], known: &[Known], args: &ResolveArgs) -> Result<Vec<Known>, Failure> {
    let (mut wanted, mut errors) = (BTreeMap::new(), Vec::new());
    for input in inputs {
        for found in resolve::unpinned(input, known).map_err(|error| unresolved(&[error]))? {
            let Unpinned { text, line, column } = found;
            let refuse = |message| Unresolved { file: input.name.clone(), line, column, message };
            match text.parse::<Reference>() {
                Ok(reference) => drop(wanted.entry(text).or_insert((reference, refuse(String::new())))),
                Err(error) => errors.push(refuse(error.to_string())),
            }
        }
    }
    let named: Vec<Named> = wanted.values().map(|(reference, _)| Named::from(reference)).collect();
    let client = registry::client(&args.registry, &named.iter().collect::<Vec<_>>())?;
    let mut found = Vec::new();
    for ((name, (reference, place)), named) in wanted.into_iter().zip(&named) {
        match copy::digest(named, &client) {
            Ok(digest) => {
                found.push(Known { name, reference: reference.to_string(), digest: digest.to_string() });
            }
            Err(error @ copy::Error::Nothing(_)) => {
                errors.push(Unresolved { message: error.to_string(), ..place });
            }
            Err(error) => {
                let failure = registry::failure(&error);
                let Unresolved { file, line, column, .. } = place;
                let message = format!("{file}:{line}:{column}: {}", failure.message);
                return Err(Failure { message, ..failure });
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(Failure { hint: None, ..unresolved(&errors) }) }
}

/// Returns a name without its tag. A colon before a `/` precedes a port.
fn untagged(name: &str) -> &str {
    name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name)
}

/// Builds a recipe's image into a temporary layout. Its digest equals that of `coracle build`.
fn built(
    file: &Path,
    number: usize,
    builds: &TempDir,
    settings: &Settings,
) -> Result<(Known, Stored), Failure> {
    let layout = Destination::layout(builds.path().join(number.to_string()));
    let flags = Overrides { destinations: vec![layout.to_string()], ..Overrides::default() };
    let budget = Default::default();
    let recipe = Recipe { publish_contract: None, budget, ..recipe::file(file, &flags)? };
    let Some(name) = recipe.names.first().cloned() else {
        return Err(Failure::usage(
            format!("`{}` does not name its image, so manifests can't refer to it", file.display()),
            "set `name` in `[image]`",
        ));
    };
    coracle::build(&recipe, settings, &())?;
    let stored = layout::open(&layout).map_err(coracle::Error::from)?;
    let known = known(name.name(), name.to_string(), &stored)?;
    Ok((known, stored))
}

fn known(name: &str, reference: String, stored: &Stored) -> Result<Known, Failure> {
    let digest = stored.origin.digest().ok_or_else(|| Failure {
        exit: Exit::Failed,
        message: format!(
            "`{}` has no digest: the archive contains only Docker's manifest.json",
            stored.origin.place
        ),
        hint: Some("name an image layout, or an archive that has an `index.json`".into()),
    })?;
    Ok(Known { name: name.to_owned(), reference, digest: digest.to_string() })
}

fn unresolved(errors: &[Unresolved]) -> Failure {
    Failure {
        exit: Exit::Failed,
        message: errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        hint: Some(
            "name the location of images with `--image NAME=oci:DIR`, or their recipes with `-f`".into(),
        ),
    }
}

/// Returns the error with all findings, which go to stderr because stdout is for manifests.
fn unmet(report: &Report) -> Failure {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    Failure {
        exit: Exit::Findings,
        message: format!("the manifests violate the image's contract\n{}", findings.join("\n")),
        hint: Some("correct the manifests, or pass `--no-check`".into()),
    }
}

/// Checks the manifests against the contracts of the images that they use.
fn check(images: &[(Known, Stored)], used: &[usize], inputs: &[Input]) -> Result<Report, Failure> {
    let mut all = Report::default();
    for (_, stored) in used.iter().filter_map(|index| images.get(*index)) {
        let Some(contract) = image::contract(stored, None)? else { continue };
        let report = config::judge(stored, &contract, None, inputs, None, None);
        all.findings.extend(report.findings);
        all.notes.extend(report.notes);
    }
    all.findings.dedup();
    Ok(all)
}

/// Joins the inputs into one YAML stream.
fn joined(inputs: &[Input]) -> String {
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
