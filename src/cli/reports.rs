//! What is told of a build to other programs: a file of JSON, lines for a job's variables, a summary in Markdown.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use coracle::Built;
use coracle::fs::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::args::ReportArgs;
use super::failure::Failure;
use super::{summary, table};

/// The reports that somebody asked for.
pub(super) struct Reports<'a> {
    args: &'a ReportArgs,
    /// Beside the file that is replaced.
    made: Option<TempDir>,
    summary: RefCell<String>,
    images: RefCell<Vec<Value>>,
}

impl<'a> Reports<'a> {
    /// Files that can't be written are told before anything is built.
    pub(super) fn open(args: &'a ReportArgs) -> Result<Self, Failure> {
        let made = args.metadata_file.as_deref().map(beside).transpose()?;
        [&args.dotenv, &args.summary].into_iter().flatten().try_for_each(|path| appendable(path))?;
        Ok(Self { args, made, summary: RefCell::default(), images: RefCell::default() })
    }

    /// Whether more is reported than the bare image.
    pub(super) fn compare(args: &ReportArgs) -> bool {
        args.metadata_file.is_some() || args.summary.is_some()
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

    /// Writes what is known by now: `described` is what `--format json` prints.
    pub(super) fn write(&self, described: &Value, failures: &[Failure]) -> Result<(), Failure> {
        failures.iter().for_each(|failure| self.summary.borrow_mut().push_str(&summary::failed(failure)));
        if let Some(path) = &self.args.summary {
            append(path, &self.summary.borrow())?;
        }
        // Whoever reads variables takes them for what was asked for, all of it.
        if let (Some(path), true) = (&self.args.dotenv, failures.is_empty()) {
            append(path, &variables(&self.images.borrow())?)?;
        }
        match (&self.args.metadata_file, &self.made) {
            (Some(path), Some(made)) if !described.is_null() => replace(path, made, described),
            _ => Ok(()),
        }
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
    coracle::json::to_bytes(value).map_err(|error| Failure::output(&io::Error::other(error)))
}

/// A directory for the file that will be at `path`.
fn beside(path: &Path) -> Result<TempDir, Failure> {
    if path.is_dir() {
        return Err(Failure::usage(
            format!("`--metadata-file`: `{}` is a directory", path.display()),
            "name a file",
        ));
    }
    failed(std::fs::read_dir(parent(path)).map(drop), "write", path)?;
    // What is called as a build's own directories are, the next build removes.
    let made = tempfile::Builder::new().prefix(".metadata-").tempdir_in(parent(path));
    Ok(made.context("write", path).map_err(coracle::Error::from)?)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// A file that is there can be written to; another one has a directory.
fn appendable(path: &Path) -> Result<(), Failure> {
    match std::fs::OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            failed(std::fs::read_dir(parent(path)).map(drop), "write", path)
        }
        opened => failed(opened.map(drop), "write", path),
    }
}

/// All of it in one go, as jobs do that write to one file at the same time.
fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    failed(file.and_then(|mut file| file.write_all(text.as_bytes())), "write", path)
}

fn replace(path: &Path, made: &TempDir, value: &Value) -> Result<(), Failure> {
    let (new, mut bytes) = (made.path().join("new"), bytes(value)?);
    bytes.push(b'\n');
    failed(std::fs::write(&new, bytes).and_then(|()| std::fs::rename(&new, path)), "write", path)
}

fn failed(result: io::Result<()>, verb: &'static str, path: &Path) -> Result<(), Failure> {
    Ok(result.context(verb, path).map_err(coracle::Error::from)?)
}
