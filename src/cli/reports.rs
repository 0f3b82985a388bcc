//! What is told of a build to other programs: a file of JSON, lines for a job's variables, a summary in Markdown.

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

/// The reports that somebody asked for.
pub(super) struct Reports<'a> {
    args: &'a ReportArgs,
    /// Whether the summary can go where it should.
    has_summary: Cell<bool>,
    summary: RefCell<String>,
    images: RefCell<Vec<Value>>,
}

impl<'a> Reports<'a> {
    /// From now on, whatever goes wrong can be summed up.
    pub(super) fn open(args: &'a ReportArgs) -> Result<Self, Failure> {
        args.summary.iter().try_for_each(|path| check(SUMMARY, path))?;
        let has_summary = Cell::new(args.summary.is_some());
        Ok(Self { args, has_summary, summary: RefCell::default(), images: RefCell::default() })
    }

    /// Whether more is reported than the bare image.
    pub(super) fn compare(args: &ReportArgs) -> bool {
        args.metadata_file.is_some() || args.summary.is_some()
    }

    /// Files that can't be written are told before anything is built.
    pub(super) fn check(&self) -> Result<(), Vec<Failure>> {
        none(self.files().filter_map(|(flag, path)| check(flag, path).err()).collect())
    }

    /// A report in an image would make another one of it with each build.
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

    /// An image was built.
    pub(super) fn built(&self, title: &str, built: &Built) {
        self.summary.borrow_mut().push_str(&summary::built(title, built));
        self.images.borrow_mut().push(json!({
            "reference": table::reference(built),
            "digest": built.digest.to_string(),
            "size": built.size,
        }));
    }

    /// Writes what has come out: `described` is what `--format json` prints. To the failures, those are added that keep a
    /// report from being written.
    pub(super) fn write(&self, described: &Value, mut failures: Vec<Failure>) -> Vec<Failure> {
        failures.extend(self.write_metadata(described).err());
        // Whoever reads variables takes them for what was asked for, all of it.
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

    /// Those that are asked for, with their flags.
    fn files(&self) -> impl Iterator<Item = (&'static str, &'a PathBuf)> {
        let ReportArgs { metadata_file, dotenv, summary } = self.args;
        let files = [("--metadata-file", metadata_file), ("--dotenv", dotenv), (SUMMARY, summary)];
        files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
    }
}

/// A line each. One image has variables of its own; the digest of several would be one of them only.
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

/// Whether the file of `flag` can be written to.
fn check(flag: &str, path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::usage(format!("`{flag}`: `{}` is a directory", path.display()), "name a file"));
    }
    written(file::check(path), path)
}

fn included(flag: &str, path: &Path, include: &Path) -> Failure {
    let (path, include) = (path.display(), include.display());
    let message =
        format!("`{path}` lies in `{include}`, which is included: the image would hold what is told of it");
    let hint = format!("write it elsewhere with `{flag}`, or include less than that directory");
    Failure { exit: Exit::Failed, message, hint: Some(hint) }
}

fn written(result: io::Result<()>, path: &Path) -> Result<(), Failure> {
    Ok(result.context("write", path).map_err(coracle::Error::from)?)
}

fn none(failures: Vec<Failure>) -> Result<(), Vec<Failure>> {
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}
