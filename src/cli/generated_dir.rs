//! Writes directories of generated files, without replacing files that the user put there.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use coracle_core::fs::{self, Context as _};
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
    /// The path relative to the directory.
    pub(super) path: &'a str,
    pub(super) bytes: &'a [u8],
    /// `true` if only its owner may read it.
    pub(super) is_secret: bool,
}

impl GeneratedDir {
    /// Replaces the content of `directory` with `files`, atomically.
    pub(super) fn replace_all(&self, directory: &Path, files: &[GeneratedFile<'_>]) -> Result<(), CliError> {
        let resolved = resolve_links(directory)?;
        self.list_own_files(&resolved, directory)?;
        let parent = match resolved.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        std::fs::create_dir_all(&parent).context("create", &parent)?;
        let temporary = temporary_dir_in(&parent)?;
        let new = temporary.path().join("new");
        std::fs::create_dir(&new).context("create", &new)?;
        for file in files {
            let to = new.join(file.path);
            let parent = to.parent().unwrap_or(&new);
            std::fs::create_dir_all(parent).context("create", parent)?;
            write_file(&to, file).context("write", &to)?;
        }
        self.write_list(&temporary, &new, files.iter().map(|file| PathBuf::from(file.path)).collect())?;
        Ok(swap_directories(&resolved, &new, &temporary.path().join("old")).context("write", directory)?)
    }

    /// Like [`GeneratedDir::replace_all`], but keeps existing directories and replaces files one by
    /// one, after all of them are written: a container may have mounted a directory, and would not
    /// see a new one in its place.
    pub(super) fn update_in_place(
        &self,
        directory: &Path,
        files: &[GeneratedFile<'_>],
    ) -> Result<(), CliError> {
        let resolved = resolve_links(directory)?;
        let before = self.list_own_files(&resolved, directory)?;
        std::fs::create_dir_all(&resolved).context("create", directory)?;
        let temporary = temporary_dir_in(&resolved)?;
        let written = |number: usize| temporary.path().join(number.to_string());
        for (number, file) in files.iter().enumerate() {
            write_file(&written(number), file).context("write", &resolved.join(file.path))?;
        }
        let now: BTreeSet<PathBuf> = files.iter().map(|file| PathBuf::from(file.path)).collect();
        // Written first, so that after a failure all remaining files are listed for the next run.
        self.write_list(&temporary, &resolved, before.union(&now).cloned().collect())?;
        for old in before.difference(&now).filter(|path| *path != Path::new(self.list_file)) {
            remove_with_empty_parents(&resolved, old).context("remove", &resolved.join(old))?;
        }
        for (number, file) in files.iter().enumerate() {
            let to = resolved.join(file.path);
            let parent = to.parent().unwrap_or(&resolved);
            std::fs::create_dir_all(parent).context("create", parent)?;
            std::fs::rename(written(number), &to).context("write", &to)?;
        }
        self.write_list(&temporary, &resolved, now)
    }

    /// Writes the list of the files in `directory`.
    fn write_list(
        &self,
        temporary: &TempDir,
        directory: &Path,
        paths: BTreeSet<PathBuf>,
    ) -> Result<(), CliError> {
        let list: String = paths.iter().map(|path| format!("{}\n", path.display())).collect();
        let (new, to) = (temporary.path().join("list"), directory.join(self.list_file));
        let written = std::fs::write(&new, list).and_then(|()| std::fs::rename(&new, &to));
        Ok(written.context("write", &to)?)
    }

    /// Returns the files in the directory `resolved`. Fails if any is not listed as written by this
    /// command. `directory` is its path in messages.
    fn list_own_files(&self, resolved: &Path, directory: &Path) -> Result<BTreeSet<PathBuf>, CliError> {
        let found = match list_files(resolved) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(fs::Error::new("list", directory, error).into()),
        };
        let list = resolved.join(self.list_file);
        let listed = match std::fs::read_to_string(&list) {
            Ok(listed) => listed,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(fs::Error::new("read", &list, error).into()),
        };
        let listed: BTreeSet<PathBuf> = listed.lines().chain([self.list_file]).map(PathBuf::from).collect();
        match found.iter().find(|path| !listed.contains(*path)) {
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
        Ok(resolved) => Ok(resolved),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(directory.to_owned()),
        Err(error) => Err(fs::Error::new("read", directory, error).into()),
    }
}

/// Creates a temporary directory for images that are built only for their digest.
pub(super) fn create_temporary_dir() -> Result<TempDir, CliError> {
    tempfile::tempdir()
        .map_err(|error| CliError::failed(format!("cannot create a temporary directory: {error}")))
}

fn temporary_dir_in(parent: &Path) -> Result<TempDir, CliError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".coracle-");
    Ok(builder.tempdir_in(parent).context("write", parent)?)
}

/// Removes a file, and its parent directories that become empty.
fn remove_with_empty_parents(directory: &Path, path: &Path) -> io::Result<()> {
    let mut result = std::fs::remove_file(directory.join(path));
    for parent in path.ancestors().skip(1).filter(|parent| *parent != Path::new("")) {
        result = result.and_then(|()| match std::fs::remove_dir(directory.join(parent)) {
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

/// Moves `directory` to `old` and `new` to `directory`; undoes the first move if the second fails.
fn swap_directories(directory: &Path, new: &Path, old: &Path) -> io::Result<()> {
    let existed = match std::fs::rename(directory, old) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    std::fs::rename(new, directory).inspect_err(|_| {
        if existed {
            let _ = std::fs::rename(old, directory);
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
