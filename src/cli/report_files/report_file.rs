//! Writes report files: replaces a file atomically, or appends to it. Symbolic links are followed;
//! pipes and devices are written to and kept.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The most symbolic links that are followed, as in Linux.
const MAX_LINKS: usize = 40;

/// Fails if `path` is not writable, as far as can be checked in advance. Creates no file.
pub(super) fn check_writable(path: &Path) -> io::Result<()> {
    match metadata_if_exists(path)? {
        Some(metadata) if metadata.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        // Opening a pipe would already have an effect.
        Some(_) => Ok(()),
        None => {
            let resolved = resolve_links(path)?;
            fs::metadata(parent(&resolved))?;
            tempfile::tempfile_in(parent(&resolved)).map(drop).map_err(without_path)
        }
    }
}

/// Replaces the file at `path` with `bytes`, atomically if possible.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let existing = metadata_if_exists(path)?;
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let resolved = resolve_links(path)?;
    if let Ok(temporary) = temporary_directory(&resolved) {
        let new = temporary.path().join("new");
        fs::write(&new, bytes)?;
        if let Some(existing) = &existing {
            fs::set_permissions(&new, existing.permissions())?;
        }
        if fs::rename(&new, &resolved).is_ok() {
            return Ok(());
        }
    }
    // The directory may not be writable, or the file may be a mount point.
    let is_new = existing.is_none();
    OpenOptions::new().write(true).truncate(true).create(is_new).open(&resolved)?.write_all(bytes)
}

/// Appends `text` to the file at `path`, on new lines. A single write, because several jobs may
/// append to one file concurrently.
pub(super) fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let start = if lacks_line_end(&file, path)? { "\n" } else { "" };
    file.write_all(format!("{start}{text}").as_bytes())
}

/// Resolves the symbolic links in `path`, whose file need not exist.
pub(super) fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    if let Ok(resolved) = fs::canonicalize(path) {
        return Ok(resolved);
    }
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let folder = fs::canonicalize(parent(&path))?;
        path = folder.join(path.file_name().unwrap_or_default());
        match fs::read_link(&path) {
            Ok(link) => path = folder.join(link),
            Err(_) => return Ok(path),
        }
    }
    Ok(path)
}

fn metadata_if_exists(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates a temporary directory next to `file`. Files in it get the mode of any new file.
fn temporary_directory(file: &Path) -> io::Result<TempDir> {
    // Not the prefix of a build's own directories, which the next build removes.
    tempfile::Builder::new().prefix(".metadata-").tempdir_in(parent(file))
}

/// Whether the last line has no line ending; `false` if the file is not readable.
fn lacks_line_end(file: &File, path: &Path) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let Ok(mut file) = File::open(path) else { return Ok(false) };
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Removes the path of the temporary file from the error, because the user did not name it.
fn without_path(error: io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}
