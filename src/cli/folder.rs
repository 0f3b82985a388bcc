//! A directory of generated files: complete or not at all, and never over what somebody else put there.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use coracle::fs::Context as _;
use coracle::kubernetes::Files;

use super::failure::Failure;
use super::report::{self, FAINT};

/// Lists what was written, so that the next time knows what it may replace.
const LIST: &str = ".coracle";

/// Writes `files` to `directory`, in place of those that were written there before.
pub(super) fn write(directory: &Path, files: &Files, quiet: bool) -> Result<(), Failure> {
    // A link to a directory means that directory.
    let at = match std::fs::canonicalize(directory) {
        Ok(at) => at,
        Err(error) if error.kind() == ErrorKind::NotFound => directory.to_owned(),
        Err(error) => return failed(Err(error), "read", directory),
    };
    check(&at)?;
    let above = match at.parent() {
        Some(above) if above != Path::new("") => above.to_owned(),
        _ => PathBuf::from("."),
    };
    failed(std::fs::create_dir_all(&above), "create", &above)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".coracle-");
    let made = failed(builder.tempdir_in(&above), "write", &above)?;
    let new = made.path().join("new");
    failed(std::fs::create_dir(&new), "create", &new)?;
    let list: String = files.keys().map(|path| format!("{path}\n")).collect();
    for (path, bytes) in
        files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).chain([(LIST, list.as_bytes())])
    {
        let to = new.join(path);
        let parent = to.parent().unwrap_or(&new);
        failed(std::fs::create_dir_all(parent), "create", parent)?;
        failed(std::fs::write(&to, bytes), "write", &to)?;
    }
    failed(replace(&at, &new, &made.path().join("old")), "write", directory)?;
    if !quiet {
        report::talk(&format!("{} {FAINT}{} files{FAINT:#}\n", directory.display(), files.len()));
    }
    Ok(())
}

/// Puts `new` in the place of `at`; what was there goes to `old`, and comes back if that fails.
fn replace(at: &Path, new: &Path, old: &Path) -> io::Result<()> {
    let was_there = match std::fs::rename(at, old) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    std::fs::rename(new, at).inspect_err(|_| {
        if was_there {
            let _ = std::fs::rename(old, at);
        }
    })
}

/// Everything in the directory is ours.
fn check(directory: &Path) -> Result<(), Failure> {
    let found = match below(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return failed(Err(error), "list", directory),
    };
    let list = match std::fs::read_to_string(directory.join(LIST)) {
        Ok(list) => list,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return failed(Err(error), "read", &directory.join(LIST)),
    };
    let ours: BTreeSet<PathBuf> = list.lines().chain([LIST]).map(PathBuf::from).collect();
    match found.iter().find(|path| !ours.contains(*path)) {
        None => Ok(()),
        Some(foreign) => Err(Failure::usage(
            format!(
                "`{}` holds `{}`, which was not written by `coracle manifests`",
                directory.display(),
                foreign.display()
            ),
            "name a directory that is empty, not there, or was written by this command",
        )),
    }
}

/// Everything below `directory` that is no directory, and directories that are empty.
fn below(directory: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(folder) = pending.pop() {
        let mut is_empty = true;
        for entry in std::fs::read_dir(directory.join(&folder))? {
            let entry = entry?;
            is_empty = false;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                pending.push(path);
            } else {
                found.insert(path);
            }
        }
        if is_empty && folder != Path::new("") {
            found.insert(folder);
        }
    }
    Ok(found)
}

fn failed<T>(result: io::Result<T>, verb: &'static str, path: &Path) -> Result<T, Failure> {
    Ok(result.context(verb, path).map_err(coracle::Error::from)?)
}
