//! `coracle deps`: what a loader would map, and why.

use std::path::{Path, PathBuf};

use coracle::closure::{Surroundings, Tracer};
use coracle::loader::{Environment, Hwcaps};
use coracle::path::{ImagePath, Spelled};
use coracle::tree::HostTree;
use serde_json::{Value, json};

use super::args::{DepsArgs, DepsFormat};
use super::exit::Exit;
use super::failure::Failure;
use super::{chains, dependencies, output, report};

/// Traces every file; one that can't be read does not hide the others.
pub(super) fn run(args: &DepsArgs) -> Result<Exit, Failure> {
    let around = surroundings(args)?;
    let tree = HostTree::new(root(args)?);
    let tracer = Tracer::new(&tree, &around);
    let mut values = Vec::new();
    let (mut readable, mut findings) = (false, false);
    for file in &args.files {
        let name = file.to_string_lossy().into_owned();
        let spelled = spelled(args, file)?;
        let traced = tracer.trace(&spelled);
        let value = match &traced {
            Ok(closure) => dependencies::json(&name, closure, args.symbols),
            Err(error) => json!({ "file": name, "error": super::failure::chain(error) }),
        };
        readable |= traced.is_ok();
        findings |= value.get("missing").and_then(Value::as_array).is_some_and(|missing| !missing.is_empty());
        findings |= has_error(&value);
        match (args.format, traced) {
            (DepsFormat::Json, _) => values.push(value),
            (DepsFormat::Jsonl, _) => output::print_json(&value)?,
            (_, Err(error)) => report::failure(&Failure::from_closure(&error)),
            (DepsFormat::Paths, Ok(_)) => output::print(&dependencies::paths(&value))?,
            (DepsFormat::Tree, Ok(closure)) => match &args.why {
                Some(wanted) => output::print(&chains::text(&closure, wanted))?,
                None => output::print(&dependencies::tree(&name, &closure, &value))?,
            },
        }
    }
    if args.format == DepsFormat::Json {
        match values.as_slice() {
            [value] => output::print_json(value)?,
            values => output::print_json(&json!(values))?,
        }
    }
    Ok(match (readable, findings) {
        (false, _) => Exit::Failed,
        (true, true) => Exit::Findings,
        (true, false) => Exit::Done,
    })
}

/// Whether a loader would stop at one of the problems.
fn has_error(value: &Value) -> bool {
    let problems = value.get("problems").and_then(Value::as_array).into_iter().flatten();
    problems.into_iter().any(|problem| problem.get("severity").and_then(Value::as_str) == Some("error"))
}

fn surroundings(args: &DepsArgs) -> Result<Surroundings, Failure> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let working_dir = match &args.working_dir {
        None => ImagePath::root(),
        Some(path) => path.parse().map_err(|error: coracle::path::ParsePathError| {
            Failure::usage(error.to_string(), "write the absolute path of a directory in the root")
        })?,
    };
    let loader = Environment {
        library_path: text(&args.library_path),
        preload: text(&args.preload),
        preload_file: true,
        hwcaps: match args.hwcaps.as_deref() {
            None => Hwcaps::All,
            Some("none") => Hwcaps::None,
            Some(level) => Hwcaps::UpTo(level.as_bytes().to_vec()),
        },
        platform: args.platform_token.clone().map(String::into_bytes),
    };
    Ok(Surroundings { working_dir, loader, ..Surroundings::default() })
}

/// With a root, a file is a path inside it; else it is the host's.
fn spelled(args: &DepsArgs, file: &Path) -> Result<Spelled, Failure> {
    let path = match &args.root {
        Some(_) => Path::new("/").join(file),
        None => coracle::fs::absolute(file).map_err(coracle::Error::from)?,
    };
    Ok(Spelled::new(path.into_os_string().into_encoded_bytes()))
}

/// The directory that stands for the root.
fn root(args: &DepsArgs) -> Result<PathBuf, Failure> {
    let root = args.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    if root.is_dir() { Ok(root) } else { Err(coracle::Error::NoRoot(root).into()) }
}
