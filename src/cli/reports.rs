//! Report files of a build: JSON metadata, variables for CI jobs, a Markdown summary.

mod file;

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};

use coracle::Built;
use coracle_core::fs::Context as _;
use coracle::recipe::Recipe;
use serde_json::{Value, json};

use super::args::ReportArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::{summary, table};

const SUMMARY: &str = "--summary";

/// The reports that the flags select.
pub(super) struct Reports<'a> {
    args: &'a ReportArgs,
    /// Whether the summary can be written.
    has_summary: Cell<bool>,
    summary: RefCell<String>,
    images: RefCell<Vec<Value>>,
}

impl<'a> Reports<'a> {
    /// Opens the reports. Later failures can be written to the summary.
    pub(super) fn open(args: &'a ReportArgs) -> Result<Self, Failure> {
        args.summary.iter().try_for_each(|path| check(SUMMARY, path))?;
        let has_summary = Cell::new(args.summary.is_some());
        Ok(Self { args, has_summary, summary: RefCell::default(), images: RefCell::default() })
    }

    /// Whether reports need a comparison with the previous image.
    pub(super) fn compare(args: &ReportArgs) -> bool {
        args.metadata_file.is_some() || args.summary.is_some()
    }

    /// Fails if a report can't be written, before anything is built.
    pub(super) fn check(&self) -> Result<(), Vec<Failure>> {
        none(self.files().filter_map(|(flag, path)| check(flag, path).err()).collect())
    }

    /// Fails if a report is in an included directory, because the image would change with each
    /// build.
    pub(super) fn check_includes(&self, recipes: &[Recipe]) -> Result<(), Vec<Failure>> {
        let lie_within = self.files().filter_map(|(flag, path)| {
            let place = file::place(path).ok()?;
            let include = recipes.iter().find_map(|recipe| coracle::including(recipe, &place))?;
            if flag == SUMMARY {
                self.has_summary.set(false);
            }
            Some(included(flag, path, &include))
        });
        none(lie_within.collect())
    }

    /// Adds a built image.
    pub(super) fn built(&self, title: &str, built: &Built) {
        self.summary.borrow_mut().push_str(&summary::built(title, built));
        self.images.borrow_mut().push(json!({
            "reference": table::reference(built),
            "digest": built.digest.to_string(),
            "size": built.size,
        }));
    }

    /// Writes the reports. `described` is what `--format json` prints. Returns `failures` and the
    /// errors of writing.
    pub(super) fn write(&self, described: &Value, mut failures: Vec<Failure>) -> Vec<Failure> {
        failures.extend(self.write_metadata(described).err());
        // Readers of the variables rely on all images having been built.
        if failures.is_empty() {
            failures.extend(self.write_variables().err());
        }
        let summed_up = self.write_summary(&failures).err();
        failures.extend(summed_up);
        failures
    }

    fn write_metadata(&self, described: &Value) -> Result<(), Failure> {
        let Some(path) = self.args.metadata_file.as_ref().filter(|_| !described.is_null()) else {
            return Ok(());
        };
        let mut bytes = bytes(described)?;
        bytes.push(b'\n');
        written(file::replace(path, &bytes), path)
    }

    fn write_variables(&self) -> Result<(), Failure> {
        let Some(path) = &self.args.dotenv else { return Ok(()) };
        written(file::append(path, &variables(&self.images.borrow())?), path)
    }

    fn write_summary(&self, failures: &[Failure]) -> Result<(), Failure> {
        let Some(path) = self.args.summary.as_ref().filter(|_| self.has_summary.get()) else { return Ok(()) };
        let failed: String = failures.iter().map(summary::failed).collect();
        written(file::append(path, &(self.summary.take() + &failed)), path)
    }

    /// Returns the selected report files with their flags.
    fn files(&self) -> impl Iterator<Item = (&'static str, &'a PathBuf)> {
        let ReportArgs { metadata_file, dotenv, summary } = self.args;
        let files = [("--metadata-file", metadata_file), ("--dotenv", dotenv), (SUMMARY, summary)];
        files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
    }
}

/// Formats the variables, one per line. CORACLE_DIGEST and others are set only for a single image.
fn variables(images: &[Value]) -> Result<String, Failure> {
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
    lines.push(format!("CORACLE_IMAGES={}\n", String::from_utf8_lossy(&bytes(&Value::from(images))?)));
    Ok(lines.concat())
}

fn bytes(value: &Value) -> Result<Vec<u8>, Failure> {
    coracle_core::json::to_bytes(value).map_err(|error| Failure::output(&io::Error::other(error)))
}

/// Fails if the report of `flag` can't be written.
fn check(flag: &str, path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::usage(format!("`{flag}`: `{}` is a directory", path.display()), "name a file"));
    }
    written(file::check(path), path)
}

fn included(flag: &str, path: &Path, include: &Path) -> Failure {
    let (path, include) = (path.display(), include.display());
    let message = format!(
        "`{path}` is in `{include}`, which the image includes: the image would contain its own report"
    );
    let hint = format!("name another file with `{flag}`, or include less than that directory");
    Failure { exit: Exit::Failed, message, hint: Some(hint) }
}

fn written(result: io::Result<()>, path: &Path) -> Result<(), Failure> {
    Ok(result.context("write", path).map_err(coracle::Error::from)?)
}

fn none(failures: Vec<Failure>) -> Result<(), Vec<Failure>> {
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}
