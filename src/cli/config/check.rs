//! `coracle config check`: checks Kubernetes manifests against an image's contract.

use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_kube::check::{
    self, CheckFinding, CheckReport, CheckRule, Expectations, HiddenFiles, ManifestFile,
};
use coracle_kube::contract::{Contract, ContractDocument};
use coracle_kube::values::{ValueSource, Values};
use coracle_oci::layout::{ImageFiles, ParsedImage, ParsedPlatform};
use serde::Serialize;

use super::manifest_files::read_manifests;
use crate::cli::args::{ConfigCheckArgs, OutputFormat};
use crate::cli::error::{CliError, CliExit};
use crate::cli::image_reader::{ImageReader, parse_platform};
use crate::cli::text::escape_control;
use crate::cli::{contract_lookup, stderr, stdout};

/// The JSON of a [`CheckReport`].
#[derive(Serialize)]
struct CheckReportJson<'a> {
    containers: &'a [String],
    findings: Vec<FindingJson<'a>>,
    notes: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    file: &'a str,
    rule: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// `None` for the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

/// Runs `coracle config check`.
pub(super) fn run_config_check(args: &ConfigCheckArgs) -> Result<CliExit, CliError> {
    let platform = parse_platform(args.platform.as_deref())?;
    let published_at = args.contract.as_deref();
    let reader = ImageReader::new(&args.registry, [args.image.as_str()].into_iter().chain(published_at));
    let image = reader.open(&args.image)?;
    let contract = contract_lookup::required_label_contract(&image, platform.as_ref())?;
    let document = match published_at.is_some() || !args.values.is_empty() {
        true => Some(contract_lookup::whole_contract(&image, &contract, published_at, &reader)?),
        false => None,
    };
    let manifests = read_manifests(&args.manifests)?;
    let sources: Vec<ValueSource> = args.values.iter().cloned().map(ValueSource::File).collect();
    let values = Values::read(&sources).map_err(coracle_kube::config::ConfigError::Values)?;
    let document = document.as_ref().map(|document| (document, &values));
    let report =
        check_manifests(&image, &contract, platform.as_ref(), &manifests, args.container.clone(), document);
    match args.format {
        OutputFormat::Text => {
            print_notes(&report);
            let line = |finding: &CheckFinding| escape_control(&finding.to_string()) + "\n";
            stdout::print(&report.findings.iter().map(line).collect::<String>())?;
        }
        OutputFormat::Json => stdout::print_json(&CheckReportJson::from(&report))?,
    }
    if !report.findings.is_empty() {
        return Ok(CliExit::Findings);
    }
    if args.format == OutputFormat::Text {
        let containers = report.containers.join("; ");
        stderr::print(&format!("{containers} matches the contract of {}\n", image.source.location));
    }
    Ok(CliExit::Success)
}

/// Checks manifests against an image and its contract.
pub(in crate::cli) fn check_manifests(
    image: &ParsedImage,
    contract: &Contract,
    platform: Option<&Platform>,
    manifests: &[ManifestFile],
    container_name: Option<String>,
    contract_document: Option<(&ContractDocument, &Values)>,
) -> CheckReport {
    let platform_image = image.image_for_platform(platform).ok();
    let files = platform_image.map(|platform| image.read_files(platform).map_err(coracle::Error::from));
    let (files, read_error) = match files {
        Some(Ok(files)) => (ImageListing(files), None),
        Some(Err(error)) => (ImageListing::default(), Some(CliError::from(error).message)),
        None => (ImageListing::default(), None),
    };
    let digests = image.images.iter().filter_map(ParsedPlatform::digest).chain(image.source.digest());
    let mut report = check::check_manifests(
        manifests,
        &Expectations {
            contract,
            image_files: read_error.is_none().then_some(&files as &dyn HiddenFiles),
            user: platform_image.and_then(|image| image.user()),
            digests: digests.map(|digest| digest.to_string()).collect(),
            names: image.source.names.clone(),
            container_name,
            contract_document,
        },
    );
    if let Some(why) = read_error {
        let message = format!("cannot check which files of the image are hidden by mounts: {why}");
        let location = image.source.location.clone();
        report.notes.push(CheckFinding::for_file(location, CheckRule::HidesImageFiles, message));
    }
    report
}

/// The merged layers of the image.
#[derive(Default, Debug)]
struct ImageListing(ImageFiles);

impl HiddenFiles for ImageListing {
    fn hidden_by(&self, path: &ImagePath, is_file: bool) -> Vec<ImagePath> {
        let path = self.0.resolve_links(path);
        let hidden = self.0.at_and_below(&path);
        let hidden = hidden.filter(|(found, entry)| !entry.is_directory() && (!is_file || **found == path));
        hidden.map(|(found, _)| found.clone()).collect()
    }
}

/// Prints the report's notes to stderr.
pub(in crate::cli) fn print_notes(report: &CheckReport) {
    let note = |finding: &CheckFinding| match finding.rule {
        CheckRule::NotInManifests | CheckRule::ValuesViolateSchema => Note::Hint(finding.to_string()),
        _ => Note::Warning(finding.to_string()),
    };
    stderr::print_notes(&report.notes.iter().map(note).collect::<Vec<_>>(), false);
}

impl<'a> From<&'a CheckReport> for CheckReportJson<'a> {
    fn from(report: &'a CheckReport) -> Self {
        Self {
            containers: &report.containers,
            findings: report.findings.iter().map(FindingJson::from).collect(),
            notes: report.notes.iter().map(FindingJson::from).collect(),
        }
    }
}

impl<'a> From<&'a CheckFinding> for FindingJson<'a> {
    fn from(finding: &'a CheckFinding) -> Self {
        let has_position = finding.line > 0;
        Self {
            file: &finding.file,
            rule: finding.rule.name(),
            message: &finding.message,
            object: finding.object.as_deref(),
            container: finding.container.as_deref(),
            field: finding.field.as_deref(),
            line: has_position.then_some(finding.line),
            column: has_position.then_some(finding.column),
        }
    }
}
