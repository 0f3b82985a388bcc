//! Report files of a build: JSON metadata, variables for CI jobs, a Markdown summary.
//!
//! They are replaced atomically, or appended to. Symbolic links are refused, because a checkout can
//! contain links to any file of the user. Pipes and devices are written to and kept.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use coracle::recipe::Recipe;
use coracle::replaced_file::{link_target, metadata_if_exists, parent_directory, replace_file};
use coracle_core::fs::Context as _;
use serde::Serialize;

use super::args::ReportFileArgs;
use super::error::CliError;
use super::image_report::ImageReport;
use super::plan_report::PlanReport;
use super::{console_output, markdown_summary};

const SUMMARY: &str = "--summary";

/// The reports of all images of a command: built ones, or plans.
#[derive(Serialize)]
pub(super) struct ImagesReport {
    pub(super) images: Vec<BuildReport>,
}

/// The report of an image, or of a plan with `--dry-run`.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum BuildReport {
    Image(Box<ImageReport>),
    Plan(Box<PlanReport>),
}

impl BuildReport {
    fn built_image(&self) -> Option<&ImageReport> {
        match self {
            Self::Image(image) => Some(image),
            Self::Plan(_) => None,
        }
    }
}

/// An image in the variable CORACLE_IMAGES.
#[derive(Serialize)]
struct ImageVariables<'a> {
    reference: &'a str,
    digest: &'a str,
    size: u64,
}

/// The reports that the flags select.
pub(super) struct ReportFiles<'a> {
    args: &'a ReportFileArgs,
    /// `true` if the summary can be written.
    has_summary: Cell<bool>,
}

impl<'a> ReportFiles<'a> {
    /// Checks that the summary is writable, so that later failures can be written to it.
    pub(super) fn with_summary_checked(args: &'a ReportFileArgs) -> Result<Self, CliError> {
        args.summary.iter().try_for_each(|path| check_report_file(SUMMARY, path))?;
        let has_summary = Cell::new(args.summary.is_some());
        Ok(Self { args, has_summary })
    }

    /// Returns whether reports need a comparison with the previous image.
    pub(super) fn needs_comparison(args: &ReportFileArgs) -> bool {
        args.metadata_file.is_some() || args.summary.is_some()
    }

    /// Fails if a report can't be written, before anything is built.
    pub(super) fn check_writable(&self) -> Result<(), Vec<CliError>> {
        fail_if_any(
            self.selected_files().filter_map(|(flag, path)| check_report_file(flag, path).err()).collect(),
        )
    }

    /// Fails if a report is in an included directory, because the image would change with each
    /// build.
    pub(super) fn check_includes(&self, recipes: &[Recipe]) -> Result<(), Vec<CliError>> {
        let reports = self.selected_files().map(|(flag, path)| (flag, path.clone()));
        let included = reports.chain(sbom_files(recipes)).filter_map(|(flag, path)| {
            // A path that can't be resolved is reported when the file is written.
            let parent = fs::canonicalize(parent_directory(&path)).ok()?;
            let resolved = parent.join(path.file_name()?);
            let include = recipes
                .iter()
                .find_map(|recipe| coracle::destinations::enclosing_include(recipe, &resolved, false))?;
            if flag == SUMMARY {
                self.has_summary.set(false);
            }
            Some(included_error(flag, &path, &include))
        });
        fail_if_any(included.collect())
    }

    /// Fails if an SBOM of a recipe can't be written, before anything is built.
    pub(super) fn check_sbom_files(recipes: &[Recipe]) -> Result<(), Vec<CliError>> {
        fail_if_any(
            sbom_files(recipes).filter_map(|(flag, path)| check_report_file(flag, &path).err()).collect(),
        )
    }

    /// Writes the reports. Returns `failures` and the errors of writing.
    pub(super) fn write(&self, report: &ImagesReport, mut failures: Vec<CliError>) -> Vec<CliError> {
        failures.extend(self.write_metadata(report).err());
        let built: Vec<&ImageReport> = report.images.iter().filter_map(BuildReport::built_image).collect();
        // Readers of the variables rely on all images having been built.
        if failures.is_empty() {
            failures.extend(self.write_variables(&built).err());
        }
        let summary_error = self.write_summary(&built, &failures).err();
        failures.extend(summary_error);
        failures
    }

    fn write_metadata(&self, report: &ImagesReport) -> Result<(), CliError> {
        let Some(path) = self.args.metadata_file.as_ref().filter(|_| !report.images.is_empty()) else {
            return Ok(());
        };
        let text = console_output::json_line(report)?;
        Ok(replace_file(path, text.as_bytes()).context("write", path)?)
    }

    fn write_variables(&self, built: &[&ImageReport]) -> Result<(), CliError> {
        let Some(path) = &self.args.dotenv else { return Ok(()) };
        Ok(append_to_file(path, &format_variables(built)?).context("write", path)?)
    }

    fn write_summary(&self, built: &[&ImageReport], failures: &[CliError]) -> Result<(), CliError> {
        let Some(path) = self.args.summary.as_ref().filter(|_| self.has_summary.get()) else { return Ok(()) };
        let images = built.iter().map(|image| markdown_summary::image_section(image));
        let text: String = images.chain(failures.iter().map(markdown_summary::failure_section)).collect();
        Ok(append_to_file(path, &text).context("write", path)?)
    }

    /// Returns the selected report files with their flags.
    fn selected_files(&self) -> impl Iterator<Item = (&'static str, &'a PathBuf)> {
        let ReportFileArgs { metadata_file, dotenv, summary } = self.args;
        let files = [("--metadata-file", metadata_file), ("--dotenv", dotenv), (SUMMARY, summary)];
        files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
    }
}

/// Returns the paths of the SBOMs of `recipes`, with the flag.
fn sbom_files(recipes: &[Recipe]) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let files = |recipe: &'_ Recipe| {
        let paths = recipe.output.sbom.files.keys().map(|path| ("--sbom", recipe.resolve_path(path)));
        paths.collect::<Vec<_>>()
    };
    recipes.iter().flat_map(files)
}

/// Formats the variables, one per line. CORACLE_DIGEST and others are set only for a single image.
fn format_variables(built: &[&ImageReport]) -> Result<String, CliError> {
    let images = built.iter().map(|image| ImageVariables {
        reference: &image.reference,
        digest: &image.digest,
        size: image.size,
    });
    let images: Vec<ImageVariables<'_>> = images.collect();
    let single = match images.as_slice() {
        [ImageVariables { reference, digest, size }] => {
            format!("CORACLE_REFERENCE={reference}\nCORACLE_DIGEST={digest}\nCORACLE_SIZE={size}\n")
        }
        _ => String::new(),
    };
    Ok(format!("{single}CORACLE_IMAGES={}", console_output::json_line(&images)?))
}

/// Fails if the report of `flag` can't be written.
fn check_report_file(flag: &str, path: &Path) -> Result<(), CliError> {
    if path.is_dir() {
        return Err(CliError::usage(
            format!("`{flag}` needs the path of a file, but `{}` is a directory", path.display()),
            "name a file",
        ));
    }
    if let Some(target) = link_target(path) {
        return Err(CliError::usage(
            format!(
                "`{flag}` does not follow links, but `{}` is a symbolic link to `{}`",
                path.display(),
                target.display()
            ),
            "name a file: a checkout can contain links to any file of this machine",
        ));
    }
    Ok(check_file_writable(path).context("write", path)?)
}

fn included_error(flag: &str, path: &Path, include: &Path) -> CliError {
    let (path, include) = (path.display(), include.display());
    let message = format!(
        "`{path}` is in `{include}`, which the image includes: the image would contain its own report"
    );
    let hint = format!("name another file with `{flag}`, or include less than that directory");
    CliError::failed_with_hint(message, hint)
}

fn fail_if_any(failures: Vec<CliError>) -> Result<(), Vec<CliError>> {
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// Fails if `path` is not writable, as far as can be checked in advance. Creates no file.
fn check_file_writable(path: &Path) -> io::Result<()> {
    match metadata_if_exists(path)? {
        Some(metadata) if metadata.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        // Opening a pipe would already have an effect.
        Some(_) => Ok(()),
        None => {
            fs::metadata(parent_directory(path))?;
            tempfile::tempfile_in(parent_directory(path)).map(drop).map_err(without_temporary_path)
        }
    }
}

/// Appends `text` to the file at `path`, on new lines. A single write, because several jobs may
/// append to one file concurrently.
fn append_to_file(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let start = if lacks_line_end(&file, path)? { "\n" } else { "" };
    file.write_all(format!("{start}{text}").as_bytes())
}

/// Returns whether the last line has no line ending; `false` if the file is not readable.
fn lacks_line_end(file: &File, path: &Path) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let Ok(mut file) = File::open(path) else { return Ok(false) };
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Removes the path of the temporary file from the error, because the user did not name it.
fn without_temporary_path(error: io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
