//! `coracle copy`: copies an image between registries, layouts, archives and engines.

use coracle_core::note::Note;
use coracle_oci::copy::{self, CopySettings, RegistryImageName};
use serde::Serialize;

use super::args::{CopyArgs, OutputFormat};
use super::error::{CliError, CliExit};
use super::image_reader::{parse_location, registry_image};
use super::progress::Progress;
use super::registry_client::new_registry_client;
use super::text::escape_control;
use super::transfer_report::{LoadedReport, SentReport, copied_reference, copied_text};
use super::{engine_settings, interrupt, stderr, stdout};

/// A copied image.
#[derive(Serialize)]
struct CopyReport {
    reference: String,
    digest: String,
    from: String,
    to: String,
    /// `None` if the destination is not a registry.
    sent: Option<SentReport>,
    /// `None` if the destination is not an engine.
    loaded: Option<LoadedReport>,
    /// The digests of the copied referrers.
    referrers: Vec<String>,
}

/// Runs `coracle copy`.
pub(super) fn run_copy(args: &CopyArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let (from, to) = (parse_location(&args.from)?, parse_location(&args.to)?);
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
    let client = new_registry_client(&args.registry, &remote)?;
    let progress = Progress::with_unknown_total(args.quiet, "copying");
    let settings = CopySettings { client: &client, engines: &engine_settings::engine_settings() };
    let copied = copy::copy_image(&from, &to, settings, &progress);
    // Referrers are copied last, so that the image they refer to exists.
    let referrers = match (&copied, registry_image(&to).filter(|_| args.referrers)) {
        (Ok(_), Some(to)) => copy::copy_referrers(&from, to, &client, &progress),
        _ => Ok(Vec::new()),
    };
    progress.finish();
    let (copied, referrers) = (copied?, referrers?);
    let warnings: Vec<Note> =
        copied.warnings.iter().map(|warning| Note::Warning(warning.to_string())).collect();
    stderr::print_notes(&warnings, args.quiet);
    let report = CopyReport {
        reference: copied_reference(&to, &copied),
        digest: copied.digest.to_string(),
        from: from.to_string(),
        to: to.to_string(),
        sent: copied.pushed.as_ref().map(SentReport::from),
        loaded: copied.loaded.as_ref().map(LoadedReport::from),
        referrers: referrers.iter().map(|referrer| referrer.digest.to_string()).collect(),
    };
    if !args.quiet {
        stderr::print(&report.to_text());
        for referrer in &referrers {
            let kind = referrer.artifact_type.as_deref().unwrap_or(&referrer.media_type);
            stderr::print(&format!("  referrer  {}  {}\n", referrer.digest, escape_control(kind)));
        }
    }
    match args.format {
        OutputFormat::Text => stdout::print(&format!("{}\n", report.reference))?,
        OutputFormat::Json => stdout::print_json(&report)?,
    }
    Ok(CliExit::Success)
}

impl CopyReport {
    fn to_text(&self) -> String {
        format!("{}: {}\n", self.to, copied_text(self.sent.as_ref(), self.loaded.as_ref()))
    }
}
