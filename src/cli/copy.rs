//! `coracle copy` copies an image between registries, layouts, archives and engines; `coracle index`
//! combines images into one image index.

use std::collections::BTreeMap;

use coracle_core::escape::escape_text;
use coracle_core::note::Note;
use coracle_oci::copy::{self, CopySettings, CreatedIndex, ImageLocation, RegistryImageName, create_index};
use coracle_oci::layout::DiskFormat;
use serde::Serialize;

use super::args::{CopyArgs, IndexArgs, OutputFormat};
use super::console_output::{self, count_noun};
use super::environment::{self, new_registry_client};
use super::error::{CliError, CliExit};
use super::image_reader::{parse_location, registry_image};
use super::interrupt;
use super::progress::ProgressDisplay;
use super::transfer_report::{LoadedReport, SentReport, copied_reference, transfer_text};

/// A copied image.
#[derive(Serialize)]
struct CopyReport {
    reference: String,
    digest: String,
    from: String,
    to: String,
    /// What was sent to the registry; `None` if the destination is not a registry.
    sent: Option<SentReport>,
    /// What was loaded into the engine; `None` if the destination is not an engine.
    loaded: Option<LoadedReport>,
    /// The digests of the copied referrers.
    referrers: Vec<String>,
}

/// Runs `coracle copy`.
pub(super) fn run_copy(args: &CopyArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let (from, to) = (parse_location(&args.from)?, parse_location(&args.to)?);
    if args.referrers && !can_hold_referrers(&to) {
        return Err(CliError::usage(
            format!("`--referrers`: `{to}` can't hold referrers, only registries and layouts can"),
            "leave it out, or copy to a registry or a layout: `docker://NAME[:TAG]`, `oci:DIR[:TAG]`",
        ));
    }
    let written: Vec<&RegistryImageName> = registry_image(&to).into_iter().collect();
    let client = new_registry_client(&args.registry, &written)?;
    let progress = ProgressDisplay::with_unknown_total(args.quiet, "copying");
    let settings = CopySettings {
        client: &client,
        engines: &environment::engine_settings(),
        durability: args.disk.durability(),
        with_referrers: args.referrers,
    };
    let copied = copy::copy_image(&from, &to, settings, &progress);
    progress.finish();
    let copied = copied?;
    let warnings: Vec<Note> =
        copied.warnings.iter().map(|warning| Note::Warning(warning.to_string())).collect();
    console_output::print_notes(&warnings, args.quiet);
    let report = CopyReport {
        reference: copied_reference(&to, &copied),
        digest: copied.digest.to_string(),
        from: from.to_string(),
        to: to.to_string(),
        sent: copied.pushed.as_ref().map(SentReport::from),
        loaded: copied.loaded.as_ref().map(LoadedReport::from),
        referrers: copied.referrers.iter().map(|referrer| referrer.digest.to_string()).collect(),
    };
    if !args.quiet {
        console_output::print_message(&report.to_text());
        for referrer in &copied.referrers {
            let kind = referrer.artifact_type.as_deref().unwrap_or(&referrer.media_type);
            console_output::print_message(&format!(
                "  referrer  {}  {}\n",
                referrer.digest,
                escape_text(kind)
            ));
        }
    }
    match args.format {
        OutputFormat::Text => console_output::print_data(&format!("{}\n", report.reference))?,
        OutputFormat::Json => console_output::print_json(&report)?,
    }
    Ok(CliExit::Success)
}

/// Returns whether referrers can be copied to `to`.
fn can_hold_referrers(to: &ImageLocation) -> bool {
    match to {
        ImageLocation::Registry(_) => true,
        ImageLocation::OnDisk(location) => location.format == DiskFormat::Layout,
        ImageLocation::Engine(_) => false,
    }
}

impl CopyReport {
    fn to_text(&self) -> String {
        format!("{}: {}\n", escape_text(&self.to), transfer_text(self.sent.as_ref(), self.loaded.as_ref()))
    }
}

/// A created image index.
#[derive(Serialize)]
struct IndexReport {
    reference: String,
    digest: String,
    to: String,
    images: Vec<IndexedImage>,
    /// What was sent to the registry; `None` if the destination is not a registry.
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
    let written: Vec<&RegistryImageName> = registry_image(&to).into_iter().collect();
    let client = new_registry_client(&args.registry, &written)?;
    let progress = ProgressDisplay::with_unknown_total(args.quiet, "copying");
    let settings = CopySettings {
        client: &client,
        engines: &environment::engine_settings(),
        durability: args.disk.durability(),
        with_referrers: false,
    };
    let created = create_index(&from, &to, &annotations, settings, &progress);
    progress.finish();
    let created = created?;
    console_output::print_notes(&index_notes(&created), args.quiet);
    let report = IndexReport::new(&to, &created);
    if !args.quiet {
        console_output::print_message(&report.to_text());
    }
    match args.format {
        OutputFormat::Text => console_output::print_data(&format!("{}\n", report.reference))?,
        OutputFormat::Json => console_output::print_json(&report)?,
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
        let sent = transfer_text(self.sent.as_ref(), self.loaded.as_ref());
        let mut text = format!("{}: {sent}\n", escape_text(&self.to));
        for IndexedImage { platform, digest, .. } in &self.images {
            text += &format!("  {:<16}  {digest}\n", escape_text(platform));
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
