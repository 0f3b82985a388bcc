//! A directory of generated files: complete or not at all, and never over what somebody else put there.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use coracle::fs::Context as _;

use super::failure::Failure;

/// Who writes a directory, and replaces what it wrote there before, but nothing of anybody else's.
pub(super) struct Writer {
    /// The command, for messages.
    pub(super) command: &'static str,
    /// The file in the directory that lists what was written.
    pub(super) list: &'static str,
}

pub(super) const MANIFESTS: Writer = Writer { command: "coracle manifests", list: ".coracle" };
pub(super) const RENDER: Writer = Writer { command: "coracle config render", list: ".coracle-config" };

/// A file to be written.
pub(super) struct File<'a> {
    /// Below the directory.
    pub(super) path: &'a str,
    pub(super) bytes: &'a [u8],
    /// Only its owner can read it.
    pub(super) is_secret: bool,
}

impl Writer {
    /// Writes `files` to `directory`, in place of those that were written there before.
    pub(super) fn write(&self, directory: &Path, files: &[File<'_>]) -> Result<(), Failure> {
        // A link to a directory means that directory.
        let at = match std::fs::canonicalize(directory) {
            Ok(at) => at,
            Err(error) if error.kind() == ErrorKind::NotFound => directory.to_owned(),
            Err(error) => return failed(Err(error), "read", directory),
        };
        self.check(&at, directory)?;
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
        let list: String = files.iter().map(|file| format!("{}\n", file.path)).collect();
        let list = File { path: self.list, bytes: list.as_bytes(), is_secret: false };
        for file in files.iter().chain([&list]) {
            let to = new.join(file.path);
            let parent = to.parent().unwrap_or(&new);
            failed(std::fs::create_dir_all(parent), "create", parent)?;
            failed(put(&to, file), "write", &to)?;
        }
        failed(replace(&at, &new, &made.path().join("old")), "write", directory)
    }

    /// Everything in the directory `at` is ours; somebody called it `directory`.
    fn check(&self, at: &Path, directory: &Path) -> Result<(), Failure> {
        let found = match below(at) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return failed(Err(error), "list", directory),
        };
        let list = at.join(self.list);
        let ours = match std::fs::read_to_string(&list) {
            Ok(ours) => ours,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return failed(Err(error), "read", &list),
        };
        let ours: BTreeSet<PathBuf> = ours.lines().chain([self.list]).map(PathBuf::from).collect();
        match found.iter().find(|path| !ours.contains(*path)) {
            None => Ok(()),
            Some(foreign) => Err(Failure::usage(
                format!(
                    "`{}` holds `{}`, which was not written by `{}`",
                    directory.display(),
                    foreign.display(),
                    self.command
                ),
                "name a directory that is empty, not there, or was written by this command",
            )),
        }
    }
}

fn put(to: &Path, file: &File<'_>) -> io::Result<()> {
    if !file.is_secret {
        return std::fs::write(to, file.bytes);
    }
    // A temporary file is its owner's alone from the start.
    let mut secret = tempfile::NamedTempFile::new_in(to.parent().unwrap_or(to))?;
    secret.write_all(file.bytes)?;
    secret.persist(to).map(drop).map_err(|error| error.error)
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
