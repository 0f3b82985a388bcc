//! Report files of a build: JSON metadata, variables for CI jobs, a Markdown summary.

mod file;

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};

use coracle::Built;
use coracle::recipe::Recipe;
use coracle_core::fs::Context as _;
use serde_json::{Value, json};

use super::args::ReportFileArgs;
use super::error::CliError;
use super::exit::CliExit;
use super::{image_report, summary};

const SUMMARY: &str = "--summary";

/// The reports that the flags select.
pub(super) struct ReportFiles<'a> {
    args: &'a ReportFileArgs,
    /// Whether the summary can be written.
    has_summary: Cell<bool>,
    summary: RefCell<String>,
    images: RefCell<Vec<Value>>,
}

impl<'a> ReportFiles<'a> {
    /// Opens the reports. Later failures can be written to the summary.
    pub(super) fn new(args: &'a ReportFileArgs) -> Result<Self, CliError> {
        args.summary.iter().try_for_each(|path| check_report_file(SUMMARY, path))?;
        let has_summary = Cell::new(args.summary.is_some());
        Ok(Self { args, has_summary, summary: RefCell::default(), images: RefCell::default() })
    }

    /// Whether reports need a comparison with the previous image.
    pub(super) fn needs_comparison(args: &ReportFileArgs) -> bool {
        args.metadata_file.is_some() || args.summary.is_some()
    }

    /// Fails if a report can't be written, before anything is built.
    pub(super) fn check_writable(&self) -> Result<(), Vec<CliError>> {
        fail_if_any(self.selected().filter_map(|(flag, path)| check_report_file(flag, path).err()).collect())
    }

    /// Fails if a report is in an included directory, because the image would change with each
    /// build.
    pub(super) fn check_includes(&self, recipes: &[Recipe]) -> Result<(), Vec<CliError>> {
        let lie_within = self.selected().filter_map(|(flag, path)| {
            let place = file::resolve_links(path).ok()?;
            let include =
                recipes.iter().find_map(|recipe| coracle::destinations::enclosing_include(recipe, &place))?;
            if flag == SUMMARY {
                self.has_summary.set(false);
            }
            Some(included_error(flag, path, &include))
        });
        fail_if_any(lie_within.collect())
    }

    /// Adds a built image.
    pub(super) fn add_built(&self, title: &str, built: &Built) {
        self.summary.borrow_mut().push_str(&summary::built_section(title, built));
        self.images.borrow_mut().push(json!({
            "reference": image_report::digest_reference(built),
            "digest": built.digest.to_string(),
            "size": built.size,
        }));
    }

    /// Writes the reports. `described` is what `--format json` prints. Returns `failures` and the
    /// errors of writing.
    pub(super) fn write(&self, described: &Value, mut failures: Vec<CliError>) -> Vec<CliError> {
        failures.extend(self.write_metadata(described).err());
        // Readers of the variables rely on all images having been built.
        if failures.is_empty() {
            failures.extend(self.write_variables().err());
        }
        let summed_up = self.write_summary(&failures).err();
        failures.extend(summed_up);
        failures
    }

    fn write_metadata(&self, described: &Value) -> Result<(), CliError> {
        let Some(path) = self.args.metadata_file.as_ref().filter(|_| !described.is_null()) else {
            return Ok(());
        };
        let mut bytes = json_bytes(described)?;
        bytes.push(b'\n');
        with_write_context(file::replace(path, &bytes), path)
    }

    fn write_variables(&self) -> Result<(), CliError> {
        let Some(path) = &self.args.dotenv else { return Ok(()) };
        with_write_context(file::append(path, &format_variables(&self.images.borrow())?), path)
    }

    fn write_summary(&self, failures: &[CliError]) -> Result<(), CliError> {
        let Some(path) = self.args.summary.as_ref().filter(|_| self.has_summary.get()) else { return Ok(()) };
        let failed: String = failures.iter().map(summary::failed_section).collect();
        with_write_context(file::append(path, &(self.summary.take() + &failed)), path)
    }

    /// Returns the selected report files with their flags.
    fn selected(&self) -> impl Iterator<Item = (&'static str, &'a PathBuf)> {
        let ReportFileArgs { metadata_file, dotenv, summary } = self.args;
        let files = [("--metadata-file", metadata_file), ("--dotenv", dotenv), (SUMMARY, summary)];
        files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
    }
}

/// Formats the variables, one per line. CORACLE_DIGEST and others are set only for a single image.
fn format_variables(images: &[Value]) -> Result<String, CliError> {
    let mut lines = Vec::new();
    if let [image] = images {
        for (name, key) in
            [("CORACLE_REFERENCE", "reference"), ("CORACLE_DIGEST", "digest"), ("CORACLE_SIZE", "size")]
        {
            let value = image.get(key).unwrap_or(&Value::Null);
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            lines.push(format!("{name}={value}\n"));
        }
    }
    lines.push(format!("CORACLE_IMAGES={}\n", String::from_utf8_lossy(&json_bytes(&Value::from(images))?)));
    Ok(lines.concat())
}

fn json_bytes(value: &Value) -> Result<Vec<u8>, CliError> {
    coracle_core::json::to_bytes(value).map_err(|error| CliError::stdout_error(&io::Error::other(error)))
}

/// Fails if the report of `flag` can't be written.
fn check_report_file(flag: &str, path: &Path) -> Result<(), CliError> {
    if path.is_dir() {
        return Err(CliError::usage(format!("`{flag}`: `{}` is a directory", path.display()), "name a file"));
    }
    with_write_context(file::check_writable(path), path)
}

fn included_error(flag: &str, path: &Path, include: &Path) -> CliError {
    let (path, include) = (path.display(), include.display());
    let message = format!(
        "`{path}` is in `{include}`, which the image includes: the image would contain its own report"
    );
    let hint = format!("name another file with `{flag}`, or include less than that directory");
    CliError { exit: CliExit::Failed, message, hint: Some(hint) }
}

fn with_write_context(result: io::Result<()>, path: &Path) -> Result<(), CliError> {
    Ok(result.context("write", path).map_err(coracle::Error::from)?)
}

fn fail_if_any(failures: Vec<CliError>) -> Result<(), Vec<CliError>> {
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}
