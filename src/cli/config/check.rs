//! `coracle config check`: checks Kubernetes manifests against an image's contract.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_kube::check::{self, CheckFinding, CheckReport, Expectations, HiddenFiles, ManifestFile};
use coracle_kube::contract::{Contract, ContractDocument};
use coracle_kube::values::{ValueSource, Values};
use coracle_oci::layout::{ImageFiles, ParsedImage, ParsedPlatform};
use serde_json::{Value, json};

use crate::cli::args::{ConfigCheckArgs, OutputFormat};
use crate::cli::error::CliError;
use crate::cli::exit::CliExit;
use crate::cli::{image_reader, stderr, stdout};

/// The most bytes of one input; more than a chart with all its custom resource definitions.
const MAX_MANIFEST_SIZE: u64 = 64 << 20;

pub(super) fn run_config_check(args: &ConfigCheckArgs) -> Result<CliExit, CliError> {
    let platform = image_reader::parse_platform(args.platform.as_deref())?;
    let from = args.contract.as_deref();
    let reader =
        image_reader::ImageReader::new(&args.registry, [args.image.as_str()].into_iter().chain(from));
    let stored = reader.open(&args.image)?;
    let contract = image_reader::required_label_contract(&stored, platform.as_ref())?;
    let is_asked = from.is_some() || !args.values.is_empty();
    let document = match is_asked {
        true => Some(image_reader::whole_contract(&stored, &contract, from, &reader)?),
        false => None,
    };
    let inputs = read_manifests(&args.manifests)?;
    let sources: Vec<ValueSource> = args.values.iter().cloned().map(ValueSource::File).collect();
    let values = Values::read(&sources).map_err(coracle_kube::config::ConfigError::Values)?;
    let document = document.as_ref().map(|document| (document, &values));
    let report =
        check_manifests(&stored, &contract, platform.as_ref(), &inputs, args.container.clone(), document);
    match args.format {
        OutputFormat::Text => {
            print_notes(&report);
            stdout::print(
                &report
                    .findings
                    .iter()
                    .map(|finding| format!("{}\n", stdout::escape_control(&finding.to_string())))
                    .collect::<String>(),
            )?;
        }
        OutputFormat::Json => stdout::print_json(&report_json(&report))?,
    }
    if report.findings.is_empty() && args.format == OutputFormat::Text {
        stderr::print(&format!(
            "{} matches the contract of {}\n",
            report.containers.join("; "),
            stored.source.location
        ));
    }
    Ok(if report.findings.is_empty() { CliExit::Success } else { CliExit::Findings })
}

/// Checks manifests against an image and its contract.
pub(in crate::cli) fn check_manifests(
    stored: &ParsedImage,
    contract: &Contract,
    platform: Option<&Platform>,
    inputs: &[ManifestFile],
    container: Option<String>,
    document: Option<(&ContractDocument, &Values)>,
) -> CheckReport {
    let image = stored.image_for_platform(platform).ok();
    let files = image.map(|image| stored.read_files(image).map_err(coracle::Error::from));
    let (files, unread) = match files {
        Some(Ok(files)) => (ImageListing(files), None),
        Some(Err(error)) => (ImageListing::default(), Some(CliError::from(error).message)),
        None => (ImageListing::default(), None),
    };
    let digests = stored.images.iter().filter_map(ParsedPlatform::digest).chain(stored.source.digest());
    let mut report = check::check_manifests(
        inputs,
        &Expectations {
            contract,
            image_files: unread.is_none().then_some(&files as &dyn HiddenFiles),
            user: image.and_then(|image| image.user()),
            digests: digests.map(|digest| digest.to_string()).collect(),
            names: stored.source.names.clone(),
            container_name: container,
            contract_document: document,
        },
    );
    if let Some(why) = unread {
        let message = format!("cannot check which files of the image are hidden by mounts: {why}");
        report.notes.push(CheckFinding::for_file(
            stored.source.location.clone(),
            check::CheckRule::HidesImageFiles,
            message,
        ));
    }
    report
}

/// The merged layers of the image.
#[derive(Default, Debug)]
struct ImageListing(ImageFiles);

impl HiddenFiles for ImageListing {
    fn hidden_by(&self, path: &ImagePath, is_file: bool) -> Vec<ImagePath> {
        let path = self.0.resolve_links(path);
        let within = self.0.at_and_below(&path);
        let within = within.filter(|(found, entry)| !entry.is_directory() && (!is_file || **found == path));
        within.map(|(found, _)| found.clone()).collect()
    }
}

/// Reads the manifests in files, in directories (`.yaml`, `.yml` and `.json`, at any depth) and in
/// stdin (`-`).
pub(in crate::cli) fn read_manifests(paths: &[PathBuf]) -> Result<Vec<ManifestFile>, CliError> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.is_dir() {
            let files = manifest_files(path)?;
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
                inputs.push(read_manifest(&file)?);
            }
        } else {
            inputs.push(read_manifest(path)?);
        }
    }
    Ok(inputs)
}

fn read_manifest(path: &Path) -> Result<ManifestFile, CliError> {
    let mut bytes = Vec::new();
    let (name, reader): (String, Box<dyn std::io::Read>) = if path == Path::new("-") {
        ("stdin".into(), Box::new(std::io::stdin().lock()))
    } else {
        let file = std::fs::File::open(path).context("read", path).map_err(coracle::Error::from)?;
        (path.display().to_string(), Box::new(file))
    };
    reader
        .take(MAX_MANIFEST_SIZE + 1)
        .read_to_end(&mut bytes)
        .context("read", path)
        .map_err(coracle::Error::from)?;
    let refused = |why: String| CliError {
        exit: CliExit::Failed,
        message: format!("`{name}` {why}"),
        hint: Some("name YAML or JSON files".into()),
    };
    if bytes.len() as u64 > MAX_MANIFEST_SIZE {
        return Err(refused(format!("has more than {MAX_MANIFEST_SIZE} bytes, the limit for manifests")));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8".into()))?;
    Ok(ManifestFile { name, text })
}

/// Returns the manifest files below a directory, sorted. Symbolic links to directories are not
/// followed.
fn manifest_files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        for entry in entries.context("list", &folder).map_err(coracle::Error::from)? {
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

/// Prints the report's notes to stderr.
pub(in crate::cli) fn print_notes(found: &CheckReport) {
    let note = |finding: &CheckFinding| match finding.rule {
        check::CheckRule::NotInManifests | check::CheckRule::ValuesViolateSchema => {
            Note::Hint(finding.to_string())
        }
        _ => Note::Warning(finding.to_string()),
    };
    stderr::print_notes(&found.notes.iter().map(note).collect::<Vec<_>>(), false);
}

fn report_json(report: &CheckReport) -> Value {
    let list = |findings: &[CheckFinding]| findings.iter().map(finding_json).collect::<Vec<_>>();
    json!({
        "containers": report.containers,
        "findings": list(&report.findings),
        "notes": list(&report.notes),
    })
}

fn finding_json(finding: &CheckFinding) -> Value {
    let mut value = json!({
        "file": finding.file,
        "rule": finding.rule.name(),
        "message": finding.message,
        "object": finding.object,
        "container": finding.container,
        "field": finding.field,
        "line": (finding.line > 0).then_some(finding.line),
        "column": (finding.line > 0).then_some(finding.column),
    });
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}
