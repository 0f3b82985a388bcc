//! `coracle config check`: checks Kubernetes manifests against an image's contract.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use coracle_kube::contract::{Contract, Document};
use coracle_core::fs::Context as _;
use coracle_core::path::ImagePath;
use coracle_kube::check::{self, Expected, Finding, ImageFiles, Input, Report};
use coracle_core::note::Note;
use coracle_core::platform::Platform;
use coracle_oci::layout::{Files, Stored, StoredImage};
use coracle_kube::values::{Source, Values};
use serde_json::{Value, json};

use crate::cli::args::{CheckArgs, Format};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{image, output, report};

/// The most bytes of one input; more than a chart with all its custom resource definitions.
const MAX_MANIFEST: u64 = 64 << 20;

pub(super) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let platform = image::platform(args.platform.as_deref())?;
    let from = args.contract.as_deref();
    let reader = image::Reader::new(&args.registry, [args.image.as_str()].into_iter().chain(from));
    let stored = reader.open(&args.image)?;
    let contract = image::required(&stored, platform.as_ref())?;
    let is_asked = from.is_some() || !args.values.is_empty();
    let document = match is_asked {
        true => Some(image::document_of(&stored, &contract, from, &reader)?),
        false => None,
    };
    let inputs = read_inputs(&args.manifests)?;
    let sources: Vec<Source> = args.values.iter().cloned().map(Source::File).collect();
    let values = Values::read(&sources).map_err(coracle_kube::config::Error::Values)?;
    let document = document.as_ref().map(|document| (document, &values));
    let report = judge(&stored, &contract, platform.as_ref(), &inputs, args.container.clone(), document);
    match args.format {
        Format::Text => {
            say_notes(&report);
            output::print(
                &report
                    .findings
                    .iter()
                    .map(|finding| format!("{}\n", output::plain(&finding.to_string())))
                    .collect::<String>(),
            )?;
        }
        Format::Json => output::print_json(&report_json(&report))?,
    }
    if report.findings.is_empty() && args.format == Format::Text {
        report::talk(&format!(
            "{} matches the contract of {}\n",
            report.containers.join("; "),
            stored.origin.place
        ));
    }
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Findings })
}

/// Checks manifests against an image and its contract.
pub(in crate::cli) fn judge(
    stored: &Stored,
    contract: &Contract,
    platform: Option<&Platform>,
    inputs: &[Input],
    container: Option<String>,
    document: Option<(&Document, &Values)>,
) -> Report {
    let image = stored.image(platform).ok();
    let files = image.map(|image| stored.files(image).map_err(coracle::Error::from));
    let (files, unread) = match files {
        Some(Ok(files)) => (ImageListing(files), None),
        Some(Err(error)) => (ImageListing::default(), Some(Failure::from(error).message)),
        None => (ImageListing::default(), None),
    };
    let digests = stored.images.iter().filter_map(StoredImage::digest).chain(stored.origin.digest());
    let mut report = check::check(
        inputs,
        &Expected {
            contract,
            files: unread.is_none().then_some(&files as &dyn ImageFiles),
            user: image.and_then(|image| image.user()),
            digests: digests.map(|digest| digest.to_string()).collect(),
            names: stored.origin.names.clone(),
            container,
            document,
        },
    );
    if let Some(why) = unread {
        let message = format!("cannot check which files of the image are hidden by mounts: {why}");
        report.notes.push(Finding::about(stored.origin.place.clone(), check::Rule::Hidden, message));
    }
    report
}

/// The merged layers of the image.
#[derive(Default, Debug)]
struct ImageListing(Files);

impl ImageFiles for ImageListing {
    fn hidden_by(&self, path: &ImagePath, is_file: bool) -> Vec<ImagePath> {
        let path = self.0.resolve(path);
        let within = self.0.within(&path);
        let within = within.filter(|(found, entry)| !entry.is_directory() && (!is_file || **found == path));
        within.map(|(found, _)| found.clone()).collect()
    }
}

/// Reads the manifests in files, in directories (`.yaml`, `.yml` and `.json`, at any depth) and in
/// stdin (`-`).
pub(in crate::cli) fn read_inputs(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.is_dir() {
            let files = below(path)?;
            if files.is_empty() {
                return Err(Failure::usage(
                    format!(
                        "`{}` contains no manifests: no file name ends in `.yaml`, `.yml` or `.json`",
                        path.display()
                    ),
                    "name another directory, or the files themselves",
                ));
            }
            for file in files {
                inputs.push(read_input(&file)?);
            }
        } else {
            inputs.push(read_input(path)?);
        }
    }
    Ok(inputs)
}

fn read_input(path: &Path) -> Result<Input, Failure> {
    let mut bytes = Vec::new();
    let (name, reader): (String, Box<dyn std::io::Read>) = if path == Path::new("-") {
        ("stdin".into(), Box::new(std::io::stdin().lock()))
    } else {
        let file = std::fs::File::open(path).context("read", path).map_err(coracle::Error::from)?;
        (path.display().to_string(), Box::new(file))
    };
    reader
        .take(MAX_MANIFEST + 1)
        .read_to_end(&mut bytes)
        .context("read", path)
        .map_err(coracle::Error::from)?;
    let refused = |why: String| Failure {
        exit: Exit::Failed,
        message: format!("`{name}` {why}"),
        hint: Some("name YAML or JSON files".into()),
    };
    if bytes.len() as u64 > MAX_MANIFEST {
        return Err(refused(format!("has more than {MAX_MANIFEST} bytes, the limit for manifests")));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8".into()))?;
    Ok(Input { name, text })
}

/// Returns the manifest files below a directory, sorted. Symbolic links to directories are not
/// followed.
fn below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
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
pub(in crate::cli) fn say_notes(found: &Report) {
    let note = |finding: &Finding| match finding.rule {
        check::Rule::Elsewhere | check::Rule::Values => Note::Hint(finding.to_string()),
        _ => Note::Warning(finding.to_string()),
    };
    report::notes(&found.notes.iter().map(note).collect::<Vec<_>>(), false);
}

fn report_json(report: &Report) -> Value {
    let list = |findings: &[Finding]| findings.iter().map(finding_json).collect::<Vec<_>>();
    json!({
        "containers": report.containers,
        "findings": list(&report.findings),
        "notes": list(&report.notes),
    })
}

fn finding_json(finding: &Finding) -> Value {
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
