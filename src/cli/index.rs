//! `coracle index`: combines images into one image index.

use std::collections::BTreeMap;

use coracle_core::note::Note;
use coracle_oci::copy::{CreatedIndex, ImageLocation, RegistryImageName, create_index};
use serde::Serialize;

use super::args::{IndexArgs, OutputFormat};
use super::error::{CliError, CliExit};
use super::image_reader::{parse_location, registry_image};
use super::progress::Progress;
use super::registry_client::new_registry_client;
use super::text::count_noun;
use super::transfer_report::{LoadedReport, SentReport, copied_reference, copied_text};
use super::{interrupt, stderr, stdout};

/// A created image index.
#[derive(Serialize)]
struct IndexReport {
    reference: String,
    digest: String,
    to: String,
    images: Vec<IndexedImage>,
    /// `None` if the destination is not a registry.
    sent: Option<SentReport>,
    #[serde(skip)]
    loaded: Option<LoadedReport>,
}

/// An image in the index.
#[derive(Serialize)]
struct IndexedImage {
    platform: String,
    digest: String,
    from: String,
}

/// Runs `coracle index`.
pub(super) fn run_index(args: &IndexArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let to = parse_location(&args.to)?;
    if let ImageLocation::Registry(RegistryImageName { digest: Some(_), .. }) = &to {
        return Err(CliError::usage(
            format!("`{to}` includes a digest, but a new index's digest is not known in advance"),
            "use a tag: `docker://NAME:TAG`",
        ));
    }
    let from = args.images.iter().map(|text| parse_location(text)).collect::<Result<Vec<_>, _>>()?;
    let annotations = parse_annotations(&args.annotations)?;
    // Credentials from the environment are for the destination, or for the sources if the
    // destination is not in a registry.
    let remote: Vec<&RegistryImageName> = match registry_image(&to) {
        Some(to) => vec![to],
        None => from.iter().filter_map(registry_image).collect(),
    };
    let client = new_registry_client(&args.registry, &remote)?;
    let progress = Progress::with_unknown_total(args.quiet, "copying");
    let created = create_index(&from, &to, &annotations, &client, &progress);
    progress.finish();
    let created = created?;
    stderr::print_notes(&index_notes(&created), args.quiet);
    let report = IndexReport::new(&to, &created);
    if !args.quiet {
        stderr::print(&report.to_text());
    }
    match args.format {
        OutputFormat::Text => stdout::print(&format!("{}\n", report.reference))?,
        OutputFormat::Json => stdout::print_json(&report)?,
    }
    Ok(CliExit::Success)
}

impl IndexReport {
    fn new(to: &ImageLocation, created: &CreatedIndex) -> Self {
        let images = created.images.iter().map(|image| IndexedImage {
            platform: image.member.to_string(),
            digest: image.member.descriptor.digest.to_string(),
            from: image.source.to_string(),
        });
        Self {
            reference: copied_reference(to, &created.copied),
            digest: created.copied.digest.to_string(),
            to: to.to_string(),
            images: images.collect(),
            sent: created.copied.pushed.as_ref().map(SentReport::from),
            loaded: created.copied.loaded.as_ref().map(LoadedReport::from),
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!("{}: {}\n", self.to, copied_text(self.sent.as_ref(), self.loaded.as_ref()));
        for IndexedImage { platform, digest, .. } in &self.images {
            text += &format!("  {platform:<16}  {digest}\n");
        }
        text
    }
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

fn index_notes(created: &CreatedIndex) -> Vec<Note> {
    let warnings = created.copied.warnings.iter().map(ToString::to_string);
    let left_out = (created.left_out > 0).then(|| {
        let manifests = count_noun(created.left_out, "manifest");
        format!("left out {manifests} of other kinds than images, such as attestations")
    });
    warnings.chain(left_out).map(Note::Warning).collect()
}
