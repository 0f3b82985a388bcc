//! Writes directories of generated files, without replacing files that the user put there.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use tempfile::TempDir;

use super::error::CliError;

/// Writes generated files of one command to a directory. It replaces the files that it wrote there
/// before, and fails if there are others.
pub(super) struct GeneratedDir {
    /// The command's name, for messages.
    pub(super) command: &'static str,
    /// The name of the file in the directory that lists the written files.
    pub(super) list_file: &'static str,
}

pub(super) const MANIFESTS_DIR: GeneratedDir =
    GeneratedDir { command: "coracle manifests", list_file: ".coracle" };
pub(super) const RENDERED_CONFIG_DIR: GeneratedDir =
    GeneratedDir { command: "coracle config render", list_file: ".coracle-config" };

/// A file to write.
pub(super) struct GeneratedFile<'a> {
    /// Relative to the directory.
    pub(super) path: &'a str,
    pub(super) bytes: &'a [u8],
    /// Whether only its owner may read it.
    pub(super) is_secret: bool,
}

impl GeneratedDir {
    /// Replaces the content of `directory` with `files`, atomically.
    pub(super) fn replace_all(&self, directory: &Path, files: &[GeneratedFile<'_>]) -> Result<(), CliError> {
        let at = resolve_links(directory)?;
        self.check_all_listed(&at, directory)?;
        let above = match at.parent() {
            Some(above) if above != Path::new("") => above.to_owned(),
            _ => PathBuf::from("."),
        };
        with_io_context(std::fs::create_dir_all(&above), "create", &above)?;
        let made = temporary_directory(&above)?;
        let new = made.path().join("new");
        with_io_context(std::fs::create_dir(&new), "create", &new)?;
        for file in files {
            let to = new.join(file.path);
            let parent = to.parent().unwrap_or(&new);
            with_io_context(std::fs::create_dir_all(parent), "create", parent)?;
            with_io_context(write_file(&to, file), "write", &to)?;
        }
        self.write_list(&made, &new, files.iter().map(|file| PathBuf::from(file.path)).collect())?;
        with_io_context(swap_directories(&at, &new, &made.path().join("old")), "write", directory)
    }

    /// Like [`Writer::write`], but keeps existing directories and replaces files one by one, after
    /// all of them are written: a container may have mounted a directory, and would not see a new
    /// one in its place.
    pub(super) fn update_in_place(
        &self,
        directory: &Path,
        files: &[GeneratedFile<'_>],
    ) -> Result<(), CliError> {
        let at = resolve_links(directory)?;
        let before = self.check_all_listed(&at, directory)?;
        with_io_context(std::fs::create_dir_all(&at), "create", directory)?;
        let made = temporary_directory(&at)?;
        let written = |number: usize| made.path().join(number.to_string());
        for (number, file) in files.iter().enumerate() {
            with_io_context(write_file(&written(number), file), "write", &at.join(file.path))?;
        }
        let now: BTreeSet<PathBuf> = files.iter().map(|file| PathBuf::from(file.path)).collect();
        // Written first, so that after a failure all remaining files are listed for the next run.
        self.write_list(&made, &at, before.union(&now).cloned().collect())?;
        for old in before.difference(&now).filter(|path| *path != Path::new(self.list_file)) {
            with_io_context(remove_with_empty_parents(&at, old), "remove", &at.join(old))?;
        }
        for (number, file) in files.iter().enumerate() {
            let to = at.join(file.path);
            let parent = to.parent().unwrap_or(&at);
            with_io_context(std::fs::create_dir_all(parent), "create", parent)?;
            with_io_context(std::fs::rename(written(number), &to), "write", &to)?;
        }
        self.write_list(&made, &at, now)
    }

    /// Writes the list of the files in `at`.
    fn write_list(&self, made: &TempDir, at: &Path, paths: BTreeSet<PathBuf>) -> Result<(), CliError> {
        let list: String = paths.iter().map(|path| format!("{}\n", path.display())).collect();
        let (new, to) = (made.path().join("list"), at.join(self.list_file));
        with_io_context(std::fs::write(&new, list).and_then(|()| std::fs::rename(&new, &to)), "write", &to)
    }

    /// Returns the files in the directory `at`. Fails if any is not listed as written by this
    /// command. `directory` is its path in messages.
    fn check_all_listed(&self, at: &Path, directory: &Path) -> Result<BTreeSet<PathBuf>, CliError> {
        let found = match list_files(at) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return with_io_context(Err(error), "list", directory),
        };
        let list = at.join(self.list_file);
        let ours = match std::fs::read_to_string(&list) {
            Ok(ours) => ours,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return with_io_context(Err(error), "read", &list),
        };
        let ours: BTreeSet<PathBuf> = ours.lines().chain([self.list_file]).map(PathBuf::from).collect();
        match found.iter().find(|path| !ours.contains(*path)) {
            None => Ok(found),
            Some(foreign) => Err(CliError::usage(
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
fn resolve_links(directory: &Path) -> Result<PathBuf, CliError> {
    match std::fs::canonicalize(directory) {
        Ok(at) => Ok(at),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(directory.to_owned()),
        Err(error) => with_io_context(Err(error), "read", directory),
    }
}

fn temporary_directory(at: &Path) -> Result<TempDir, CliError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".coracle-");
    with_io_context(builder.tempdir_in(at), "write", at)
}

/// Removes a file, and its parent directories that become empty.
fn remove_with_empty_parents(at: &Path, path: &Path) -> io::Result<()> {
    let mut result = std::fs::remove_file(at.join(path));
    for above in path.ancestors().skip(1).filter(|above| *above != Path::new("")) {
        result = result.and_then(|()| match std::fs::remove_dir(at.join(above)) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => removed,
        });
    }
    result
}

fn write_file(to: &Path, file: &GeneratedFile<'_>) -> io::Result<()> {
    if !file.is_secret {
        return std::fs::write(to, file.bytes);
    }
    // A temporary file is readable only by its owner from the start.
    let mut secret = tempfile::NamedTempFile::new_in(to.parent().unwrap_or(to))?;
    secret.write_all(file.bytes)?;
    secret.persist(to).map(drop).map_err(|error| error.error)
}

/// Moves `at` to `old` and `new` to `at`; undoes the first move if the second fails.
fn swap_directories(at: &Path, new: &Path, old: &Path) -> io::Result<()> {
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
fn list_files(directory: &Path) -> io::Result<BTreeSet<PathBuf>> {
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

fn with_io_context<T>(result: io::Result<T>, verb: &'static str, path: &Path) -> Result<T, CliError> {
    Ok(result.context(verb, path).map_err(coracle::Error::from)?)
}
