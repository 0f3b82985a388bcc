//! Writes directories of generated files, without replacing files that the user put there.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use tempfile::TempDir;

use super::failure::Failure;

/// Writes generated files of one command to a directory. It replaces the files that it wrote there
/// before, and fails if there are others.
pub(super) struct Writer {
    /// The command's name, for messages.
    pub(super) command: &'static str,
    /// The name of the file in the directory that lists the written files.
    pub(super) list: &'static str,
}

pub(super) const MANIFESTS: Writer = Writer { command: "coracle manifests", list: ".coracle" };
pub(super) const RENDER: Writer = Writer { command: "coracle config render", list: ".coracle-config" };

/// A file to write.
pub(super) struct File<'a> {
    /// Relative to the directory.
    pub(super) path: &'a str,
    pub(super) bytes: &'a [u8],
    /// Whether only its owner may read it.
    pub(super) is_secret: bool,
}

impl Writer {
    /// Replaces the content of `directory` with `files`, atomically.
    pub(super) fn write(&self, directory: &Path, files: &[File<'_>]) -> Result<(), Failure> {
        let at = real(directory)?;
        self.check(&at, directory)?;
        let above = match at.parent() {
            Some(above) if above != Path::new("") => above.to_owned(),
            _ => PathBuf::from("."),
        };
        failed(std::fs::create_dir_all(&above), "create", &above)?;
        let made = temporary(&above)?;
        let new = made.path().join("new");
        failed(std::fs::create_dir(&new), "create", &new)?;
        for file in files {
            let to = new.join(file.path);
            let parent = to.parent().unwrap_or(&new);
            failed(std::fs::create_dir_all(parent), "create", parent)?;
            failed(put(&to, file), "write", &to)?;
        }
        self.list(&made, &new, files.iter().map(|file| PathBuf::from(file.path)).collect())?;
        failed(replace(&at, &new, &made.path().join("old")), "write", directory)
    }

    /// Like [`Writer::write`], but keeps existing directories and replaces files one by one, after
    /// all of them are written: a container may have mounted a directory, and would not see a new
    /// one in its place.
    pub(super) fn update(&self, directory: &Path, files: &[File<'_>]) -> Result<(), Failure> {
        let at = real(directory)?;
        let before = self.check(&at, directory)?;
        failed(std::fs::create_dir_all(&at), "create", directory)?;
        let made = temporary(&at)?;
        let written = |number: usize| made.path().join(number.to_string());
        for (number, file) in files.iter().enumerate() {
            failed(put(&written(number), file), "write", &at.join(file.path))?;
        }
        let now: BTreeSet<PathBuf> = files.iter().map(|file| PathBuf::from(file.path)).collect();
        // Written first, so that after a failure all remaining files are listed for the next run.
        self.list(&made, &at, before.union(&now).cloned().collect())?;
        for old in before.difference(&now).filter(|path| *path != Path::new(self.list)) {
            failed(remove(&at, old), "remove", &at.join(old))?;
        }
        for (number, file) in files.iter().enumerate() {
            let to = at.join(file.path);
            let parent = to.parent().unwrap_or(&at);
            failed(std::fs::create_dir_all(parent), "create", parent)?;
            failed(std::fs::rename(written(number), &to), "write", &to)?;
        }
        self.list(&made, &at, now)
    }

    /// Writes the list of the files in `at`.
    fn list(&self, made: &TempDir, at: &Path, paths: BTreeSet<PathBuf>) -> Result<(), Failure> {
        let list: String = paths.iter().map(|path| format!("{}\n", path.display())).collect();
        let (new, to) = (made.path().join("list"), at.join(self.list));
        failed(std::fs::write(&new, list).and_then(|()| std::fs::rename(&new, &to)), "write", &to)
    }

    /// Returns the files in the directory `at`. Fails if any is not listed as written by this
    /// command. `directory` is its path in messages.
    fn check(&self, at: &Path, directory: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
        let found = match below(at) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
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
            None => Ok(found),
            Some(foreign) => Err(Failure::usage(
                format!(
                    "`{}` contains `{}`, which was not written by `{}`",
                    directory.display(),
                    foreign.display(),
                    self.command
                ),
                "name a directory that is empty, does not exist, or was written by this command",
            )),
        }
    }
}

/// Resolves symbolic links in `directory`, if it exists.
fn real(directory: &Path) -> Result<PathBuf, Failure> {
    match std::fs::canonicalize(directory) {
        Ok(at) => Ok(at),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(directory.to_owned()),
        Err(error) => failed(Err(error), "read", directory),
    }
}

fn temporary(at: &Path) -> Result<TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".coracle-");
    failed(builder.tempdir_in(at), "write", at)
}

/// Removes a file, and its parent directories that become empty.
fn remove(at: &Path, path: &Path) -> io::Result<()> {
    let mut result = std::fs::remove_file(at.join(path));
    for above in path.ancestors().skip(1).filter(|above| *above != Path::new("")) {
        result = result.and_then(|()| match std::fs::remove_dir(at.join(above)) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => removed,
        });
    }
    result
}

fn put(to: &Path, file: &File<'_>) -> io::Result<()> {
    if !file.is_secret {
        return std::fs::write(to, file.bytes);
    }
    // A temporary file is readable only by its owner from the start.
    let mut secret = tempfile::NamedTempFile::new_in(to.parent().unwrap_or(to))?;
    secret.write_all(file.bytes)?;
    secret.persist(to).map(drop).map_err(|error| error.error)
}

/// Moves `at` to `old` and `new` to `at`; undoes the first move if the second fails.
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

/// Returns the paths of all files and empty directories below `directory`.
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
