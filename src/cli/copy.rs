//! `coracle copy`, and the output about images that were sent to registries and engines.

use coracle_core::note::Note;
use coracle_oci::copy::{self, CopyOutcome, CopySettings, ImageLocation, PushSummary, RegistryImageName};
use coracle_oci::engine::{LoadOutcome, LoadedImage};
use indicatif::DecimalBytes;
use serde_json::json;

use super::args::{CopyArgs, OutputFormat};
use super::error::CliError;
use super::exit::CliExit;
use super::progress::Progress;
use super::{engine_settings, image_reader, image_report, interrupt, registry_client, stderr, stdout};

pub(super) fn run_copy(args: &CopyArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let (from, to) = (image_reader::parse_location(&args.from)?, image_reader::parse_location(&args.to)?);
    if args.referrers && registry_image(&to).is_none() {
        return Err(CliError::usage(
            format!(
                "`--referrers`: `{to}` is not in a registry, and referrers can be copied only to registries"
            ),
            "leave it out, or copy to a registry: `docker://NAME[:TAG]`",
        ));
    }
    // Credentials from the environment are for the destination, or for the source if the
    // destination is not in a registry.
    let remote: Vec<&RegistryImageName> =
        [&to, &from].into_iter().filter_map(registry_image).take(1).collect();
    let client = registry_client::registry_client(&args.registry, &remote)?;
    let progress = Progress::with_unknown_total(args.quiet, "copying");
    let ways = CopySettings { client: &client, engines: &engine_settings::engine_settings() };
    let copied = copy::copy_image(&from, &to, ways, &progress);
    // Referrers are copied last, so that the image they refer to exists.
    let referrers = match (&copied, registry_image(&to).filter(|_| args.referrers)) {
        (Ok(_), Some(to)) => copy::copy_referrers(&from, to, &client, &progress),
        _ => Ok(Vec::new()),
    };
    progress.finish();
    let copied = copied.map_err(|error| registry_client::from_transfer_error(&error))?;
    let referrers = referrers.map_err(|error| registry_client::from_transfer_error(&error))?;
    let warnings: Vec<Note> =
        copied.warnings.iter().map(|warning| Note::Warning(warning.to_string())).collect();
    stderr::print_notes(&warnings, args.quiet);
    if !args.quiet {
        stderr::print(&format!("{to}: {}\n", copied_text(&copied)));
        for referrer in &referrers {
            let kind = referrer.artifact_type.as_deref().unwrap_or(&referrer.media_type);
            stderr::print(&format!("  referrer  {}  {}\n", referrer.digest, stdout::escape_control(kind)));
        }
    }
    match args.format {
        OutputFormat::Text => stdout::print(&format!("{}\n", copied_reference(&to, &copied)))?,
        OutputFormat::Json => stdout::print_json(&json!({
            "reference": copied_reference(&to, &copied),
            "digest": copied.digest.to_string(),
            "from": from.to_string(),
            "to": to.to_string(),
            "sent": copied.pushed.as_ref().map(sent_json),
            "loaded": copied.loaded.as_ref().map(loaded_json),
            "referrers": referrers.iter().map(|referrer| referrer.digest.to_string()).collect::<Vec<_>>(),
        }))?,
    }
    Ok(CliExit::Success)
}

/// Describes in text what was copied.
pub(super) fn copied_text(copied: &CopyOutcome) -> String {
    match (&copied.pushed, &copied.loaded) {
        (Some(sent), _) => sent_text(sent),
        (_, Some(loaded)) => loaded_text(loaded),
        (None, None) => "copied".into(),
    }
}

pub(super) fn sent_text(sent: &PushSummary) -> String {
    let PushSummary { blobs, bytes, present, mounted, is_unchanged } = sent;
    if *is_unchanged {
        return "unchanged".into();
    }
    let mut text = format!("sent {}, {}", image_report::count_noun(*blobs, "blob"), DecimalBytes(*bytes));
    for (number, how) in [(present, "there already"), (mounted, "mounted from another repository")] {
        if *number > 0 {
            text.push_str(&format!("; {number} {how}"));
        }
    }
    text
}

/// Describes in text how an image was loaded into an engine.
pub(super) fn loaded_text(loaded: &LoadedImage) -> String {
    let mut text = match loaded.outcome {
        LoadOutcome::Unchanged => "unchanged".to_owned(),
        LoadOutcome::Named => "there already, name added".to_owned(),
        LoadOutcome::Sent { layers, present: 0, bytes } => {
            format!("sent {}, {}", image_report::count_noun(layers, "layer"), DecimalBytes(bytes))
        }
        LoadOutcome::Sent { layers, present, bytes } => format!(
            "sent {}, {}; {present} there already",
            image_report::count_noun(layers, "layer"),
            DecimalBytes(bytes)
        ),
    };
    if let Some(platform) = &loaded.selected_platform {
        text.push_str(&format!("; only {platform}, the engine's platform"));
    }
    text
}

pub(super) fn loaded_json(loaded: &LoadedImage) -> serde_json::Value {
    let (layers, present, bytes) = match loaded.outcome {
        LoadOutcome::Sent { layers, present, bytes } => (layers, present, bytes),
        LoadOutcome::Unchanged | LoadOutcome::Named => (0, 0, 0),
    };
    json!({
        "layers": layers,
        "bytes": bytes,
        "present": present,
        "unchanged": loaded.outcome == LoadOutcome::Unchanged,
        "platform": loaded.selected_platform.as_ref().map(ToString::to_string),
    })
}

/// Describes in JSON what was sent to a registry.
pub(super) fn sent_json(sent: &PushSummary) -> serde_json::Value {
    json!({
        "blobs": sent.blobs,
        "bytes": sent.bytes,
        "present": sent.present,
        "mounted": sent.mounted,
        "unchanged": sent.is_unchanged,
    })
}

/// Returns the copied image's reference with its digest.
pub(super) fn copied_reference(to: &ImageLocation, copied: &CopyOutcome) -> String {
    match to {
        ImageLocation::Registry(named) => {
            let name =
                named.name().map_or_else(|| named.reference.repository().to_owned(), ToString::to_string);
            format!("{name}@{}", copied.digest)
        }
        ImageLocation::Engine(named) => format!("{}@{}", named.name, copied.digest),
        ImageLocation::OnDisk(_) => copied.digest.to_string(),
    }
}

pub(super) fn registry_image(place: &ImageLocation) -> Option<&RegistryImageName> {
    match place {
        ImageLocation::Registry(named) => Some(named),
        ImageLocation::OnDisk(_) | ImageLocation::Engine(_) => None,
    }
}
