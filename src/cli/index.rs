//! `coracle index`: combines images into one image index.

use std::collections::BTreeMap;

use coracle_core::note::Note;
use coracle_oci::copy::{CreatedIndex, ImageLocation, RegistryImageName, create_index};
use serde_json::json;

use super::args::{IndexArgs, OutputFormat};
use super::error::CliError;
use super::exit::CliExit;
use super::progress::Progress;
use super::{copy, image_reader, interrupt, registry_client, stderr, stdout};

pub(super) fn run_index(args: &IndexArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let to = image_reader::parse_location(&args.to)?;
    if let ImageLocation::Registry(RegistryImageName { digest: Some(_), .. }) = &to {
        return Err(CliError::usage(
            format!("`{to}` includes a digest, but a new index's digest is not known in advance"),
            "use a tag: `docker://NAME:TAG`",
        ));
    }
    let from =
        args.images.iter().map(|text| image_reader::parse_location(text)).collect::<Result<Vec<_>, _>>()?;
    let annotations = parse_annotations(&args.annotations)?;
    // Credentials from the environment are for the destination, or for the sources if the
    // destination is not in a registry.
    let read = from.iter().filter_map(copy::registry_image);
    let remote: Vec<&RegistryImageName> = match copy::registry_image(&to) {
        Some(to) => vec![to],
        None => read.collect(),
    };
    let client = registry_client::registry_client(&args.registry, &remote)?;
    let progress = Progress::with_unknown_total(args.quiet, "copying");
    let joined = create_index(&from, &to, &annotations, &client, &progress);
    progress.finish();
    let joined = joined.map_err(|error| registry_client::from_transfer_error(&error))?;
    stderr::print_notes(&index_notes(&joined), args.quiet);
    if !args.quiet {
        stderr::print(&index_text(&to, &joined));
    }
    let reference = copy::copied_reference(&to, &joined.copied);
    match args.format {
        OutputFormat::Text => stdout::print(&format!("{reference}\n"))?,
        OutputFormat::Json => stdout::print_json(&json!({
            "reference": reference,
            "digest": joined.copied.digest.to_string(),
            "to": to.to_string(),
            "images": joined.images.iter().map(|image| json!({
                "platform": image.member.to_string(),
                "digest": image.member.descriptor.digest.to_string(),
                "from": image.source.to_string(),
            })).collect::<Vec<_>>(),
            "sent": joined.copied.pushed.as_ref().map(copy::sent_json),
        }))?,
    }
    Ok(CliExit::Success)
}

fn parse_annotations(texts: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), value.to_owned()))
    };
    let mut found = BTreeMap::new();
    for text in texts {
        let (name, value) = pair(text).ok_or_else(|| {
            CliError::usage(
                format!("`--annotation`: `{text}` is not NAME=VALUE"),
                "write `--annotation NAME=VALUE`",
            )
        })?;
        if let Some(other) = found.insert(name.clone(), value.clone()).filter(|other| *other != value) {
            return Err(CliError::usage(
                format!("`--annotation`: `{name}` has two values, `{other}` and `{value}`"),
                "give each name one value",
            ));
        }
    }
    Ok(found)
}

fn index_notes(joined: &CreatedIndex) -> Vec<Note> {
    let warnings = joined.copied.warnings.iter().map(ToString::to_string);
    let left_out = (joined.left_out > 0).then(|| {
        let manifests = super::image_report::count_noun(joined.left_out, "manifest");
        format!("left out {manifests} of other kinds than images, such as attestations")
    });
    warnings.chain(left_out).map(Note::Warning).collect()
}

fn index_text(to: &ImageLocation, joined: &CreatedIndex) -> String {
    let mut text = format!("{to}: {}\n", copy::copied_text(&joined.copied));
    for image in &joined.images {
        text += &format!("  {:<16}  {}\n", image.member.to_string(), image.member.descriptor.digest);
    }
    text
}
