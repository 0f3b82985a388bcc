//! `coracle config check`: reads Kubernetes manifests from files, directories and stdin, and checks them
//! against an image's contract.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use coracle_core::escape::escape_text;
use coracle_core::fs::Context as _;
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use coracle_kube::check::{
    self, CheckFinding, CheckReport, CheckRule, Expectations, FilesHiddenByMount, ManifestFile,
};
use coracle_kube::contract::{Contract, ContractDocument};
use coracle_kube::values::{ValueSource, Values};
use coracle_oci::layout::{ParsedImage, ParsedPlatform};
use serde::Serialize;

use crate::cli::args::{ConfigCheckArgs, OutputFormat};
use crate::cli::console_output;
use crate::cli::contract_lookup;
use crate::cli::error::{CliError, CliExit};
use crate::cli::hidden_files::ImageListing;
use crate::cli::image_reader::{ImageOpener, parse_platform};

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
    let platform = parse_platform(args.common.platform.as_deref())?;
    let published_at = args.contract.as_deref();
    let reader = ImageOpener::new(&args.common.registry);
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
    let checked = CheckedImage { image: &image, contract: &contract, platform: platform.as_ref() };
    let report = check_manifests(checked, &manifests, args.container.clone(), document);
    match args.common.format {
        OutputFormat::Text => {
            print_notes(&report, args.common.quiet);
            let line = |finding: &CheckFinding| escape_text(&finding.to_string()) + "\n";
            console_output::print_report(&report.findings.iter().map(line).collect::<String>())?;
        }
        OutputFormat::Json => console_output::print_json(&CheckReportJson::from(&report))?,
    }
    if !report.findings.is_empty() {
        return Ok(CliExit::Findings);
    }
    if args.common.format == OutputFormat::Text && !args.common.quiet {
        let containers = report.containers.join("; ");
        console_output::print_message(&format!(
            "{containers} matches the contract of {}\n",
            image.source.location
        ));
    }
    Ok(CliExit::Success)
}

/// An image that manifests are checked against.
#[derive(Clone, Copy)]
pub(in crate::cli) struct CheckedImage<'a> {
    pub(in crate::cli) image: &'a ParsedImage,
    pub(in crate::cli) contract: &'a Contract,
    /// `None` for the image's first platform.
    pub(in crate::cli) platform: Option<&'a Platform>,
}

/// Checks manifests against an image and its contract.
pub(in crate::cli) fn check_manifests(
    checked: CheckedImage<'_>,
    manifests: &[ManifestFile],
    container_name: Option<String>,
    contract_document: Option<(&ContractDocument, &Values)>,
) -> CheckReport {
    let CheckedImage { image, contract, platform } = checked;
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
            image_files: read_error.is_none().then_some(&files as &dyn FilesHiddenByMount),
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

/// Prints the report's notes to stderr.
pub(in crate::cli) fn print_notes(report: &CheckReport, quiet: bool) {
    let note = |finding: &CheckFinding| match finding.rule {
        CheckRule::NotInManifests | CheckRule::ValuesViolateSchema => Note::Hint(finding.to_string()),
        _ => Note::Warning(finding.to_string()),
    };
    console_output::print_notes(&report.notes.iter().map(note).collect::<Vec<_>>(), quiet);
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

/// The most bytes of one input; more than a chart with all its custom resource definitions.
const MAX_MANIFEST_SIZE: u64 = 64 << 20;

/// Reads the manifests in files, in directories (`.yaml`, `.yml` and `.json`, at any depth) and in
/// stdin (`-`).
pub(in crate::cli) fn read_manifests(paths: &[PathBuf]) -> Result<Vec<ManifestFile>, CliError> {
    let mut manifests = Vec::new();
    for path in paths {
        if path.is_dir() {
            let files = find_manifest_files(path)?;
            if files.is_empty() {
                return Err(CliError::usage(
                    format!(
                        "`{}` contains no manifests: no file name ends in `.yaml`, `.yml` or `.json`",
                        path.display()
                    ),
                    "name another directory, or the files themselves",
                ));
            }
            for file in files {
                manifests.push(read_manifest(&file)?);
            }
        } else {
            manifests.push(read_manifest(path)?);
        }
    }
    Ok(manifests)
}

fn read_manifest(path: &Path) -> Result<ManifestFile, CliError> {
    let mut bytes = Vec::new();
    let (name, reader): (String, Box<dyn std::io::Read>) = if path == Path::new("-") {
        ("stdin".into(), Box::new(std::io::stdin().lock()))
    } else {
        let file = std::fs::File::open(path).context("read", path)?;
        (path.display().to_string(), Box::new(file))
    };
    reader.take(MAX_MANIFEST_SIZE + 1).read_to_end(&mut bytes).context("read", path)?;
    let refused =
        |why: String| CliError::failed_with_hint(format!("`{name}` {why}"), "name YAML or JSON files");
    if bytes.len() as u64 > MAX_MANIFEST_SIZE {
        return Err(refused(format!("has more than {MAX_MANIFEST_SIZE} bytes, the limit for manifests")));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8".into()))?;
    Ok(ManifestFile { name, text })
}

/// Returns the manifest files below a directory, sorted. Symbolic links to directories are not
/// followed.
fn find_manifest_files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        for entry in entries.context("list", &folder)? {
            let path = entry.path();
            let is_manifest =
                path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
            } else if is_manifest && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
