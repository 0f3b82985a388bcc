//! `coracle verify`: checks of an image at any location. Each check is a part of the report; all findings
//! are listed.

mod rebuild;
mod report;
mod signatures;
mod sound;

use coracle_oci::copy;
use coracle_oci::engine::EngineSettings;
use coracle_oci::layout::ImageSource;
use coracle_oci::registry::RegistryClient;
use coracle_sign::public_key::PublicKey;

use super::args::{OutputFormat, VerifyArgs};
use super::environment::{engine_settings, new_registry_client};
use super::error::{CliError, CliExit};
use super::image_reader::parse_location;
use super::progress::ProgressDisplay;
use super::signing::read_public_key;
use super::{console_output, interrupt};
use report::{CheckReport, VerifyReport};

/// Which checks run.
#[derive(Clone, Copy)]
struct SelectedChecks {
    whole: bool,
    sound: bool,
    sbom: bool,
    provenance: bool,
}

impl SelectedChecks {
    fn from_args(args: &VerifyArgs) -> Self {
        let is_selected = args.whole || args.sound || args.rebuild || args.key.is_some();
        let is_default = !(is_selected || args.sbom || args.provenance);
        Self {
            whole: args.whole || is_default,
            sound: args.sound || is_default,
            sbom: args.sbom,
            provenance: args.provenance,
        }
    }
}

/// Runs `coracle verify`.
pub(super) fn run_verify(args: &VerifyArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let location = parse_location(&args.image)?;
    // A wrong key is reported before anything is read.
    let key = args.key.as_deref().map(|key| read_public_key("--key", key)).transpose()?;
    let recipe = args.rebuild.then(|| rebuild::read_recipe(args.file.as_deref())).transpose()?;
    let client = new_registry_client(&args.registry, &[])?;
    let engines = engine_settings();
    let progress = ProgressDisplay::with_unknown_total(args.quiet, "reading");
    let source = copy::open_any_source(&location, &client, &engines, &progress);
    let checked = source.map_err(CliError::from).and_then(|source| {
        let context = Verification { args, client: &client, engines: &engines, progress: &progress };
        context.run(source, key.as_ref(), recipe.as_ref())
    });
    progress.finish();
    let report = checked?;
    if !args.quiet || report.has_findings() {
        console_output::print_message(&report.to_text());
    }
    match args.format {
        OutputFormat::Text => console_output::print_data(&format!("{}\n", report.digest))?,
        OutputFormat::Json => console_output::print_json(&report)?,
    }
    Ok(if report.has_findings() { CliExit::Findings } else { CliExit::Success })
}

/// What the checks share.
struct Verification<'a> {
    args: &'a VerifyArgs,
    client: &'a RegistryClient,
    engines: &'a EngineSettings,
    progress: &'a ProgressDisplay,
}

impl Verification<'_> {
    fn run(
        &self,
        source: ImageSource,
        key: Option<&PublicKey>,
        recipe: Option<&coracle::Recipe>,
    ) -> Result<VerifyReport, CliError> {
        let selected = SelectedChecks::from_args(self.args);
        let digest = source.require_root_manifest().map_err(coracle::Error::from)?.digest;
        let mut checks = Vec::new();
        if selected.whole {
            let faults = source.check(self.progress).map_err(coracle::Error::from)?;
            let findings = faults.into_iter().map(|fault| format!("{}: {}", fault.blob, fault.why));
            checks.push(CheckReport::new("whole", findings.collect()));
        }
        if let Some(key) = key {
            checks.push(signatures::check_signature(&source, &digest, key)?);
        }
        for (is_selected, document) in [
            (selected.sbom, signatures::Document::Sbom),
            (selected.provenance, signatures::Document::Provenance),
        ] {
            if is_selected {
                checks.push(signatures::check_document(&source, document, key)?);
            }
        }
        if selected.sound || recipe.is_some() {
            let image = source.parse();
            match image {
                Ok(image) => {
                    if selected.sound {
                        checks.push(sound::check(&image, &self.engines.temp_dir, self.progress)?);
                    }
                    if let Some(recipe) = recipe {
                        checks.push(rebuild::check(&image, recipe, self)?);
                    }
                }
                // Registries that fail are no finding about the image.
                Err(error) => match coracle::Error::from(error) {
                    coracle::Error::Layout(
                        error @ coracle_oci::layout::LayoutError::UnreadableImage { .. },
                    ) => {
                        let name = if selected.sound { "sound" } else { "rebuild" };
                        checks.push(CheckReport::new(name, vec![error.to_string()]));
                    }
                    error => return Err(error.into()),
                },
            }
        }
        Ok(VerifyReport { image: self.args.image.clone(), digest: digest.to_string(), checks })
    }
}
