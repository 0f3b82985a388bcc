//! A file that a report goes to. It is replaced as a whole, or gets text at its end. What is no file, such as a pipe or a device,
//! is written to and stays what it is; a link leads to what is meant.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// As many links as a kernel follows.
const LINKS: usize = 40;

/// Whether something could be written to `path`, as far as can be told before there is something. Nothing is left there.
pub(super) fn check(path: &Path) -> io::Result<()> {
    match there(path)? {
        Some(there) if there.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        // Whoever opens a pipe uses it.
        Some(_) => Ok(()),
        None => {
            let place = place(path)?;
            fs::metadata(parent(&place))?;
            tempfile::tempfile_in(parent(&place)).map(drop).map_err(without_name)
        }
    }
}

/// Puts `bytes` in place of what is at `path`: nobody sees half of them.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = there(path)?;
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let place = place(path)?;
    if let Ok(made) = beside(&place) {
        let new = made.path().join("new");
        fs::write(&new, bytes)?;
        if let Some(there) = &there {
            fs::set_permissions(&new, there.permissions())?;
        }
        if fs::rename(&new, &place).is_ok() {
            return Ok(());
        }
    }
    // The folder is somebody else's, or the file is a mount.
    let is_new = there.is_none();
    OpenOptions::new().write(true).truncate(true).create(is_new).open(&place)?.write_all(bytes)
}

/// Puts `text` behind what is at `path`, in lines of its own. All of it goes in one go, as jobs do that write to one file at
/// the same time.
pub(super) fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let start = if lacks_line_end(&file, path)? { "\n" } else { "" };
    file.write_all(format!("{start}{text}").as_bytes())
}

/// Where `path` leads through links, whether something is there or not.
pub(super) fn place(path: &Path) -> io::Result<PathBuf> {
    if let Ok(there) = fs::canonicalize(path) {
        return Ok(there);
    }
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let folder = fs::canonicalize(parent(&path))?;
        path = folder.join(path.file_name().unwrap_or_default());
        match fs::read_link(&path) {
            Ok(link) => path = folder.join(link),
            Err(_) => return Ok(path),
        }
    }
    Ok(path)
}

fn there(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A directory for the file that will be at `place`; what is made in there has the rights that new files have.
fn beside(place: &Path) -> io::Result<TempDir> {
    // What is called as a build's own directories are, the next build removes.
    tempfile::Builder::new().prefix(".metadata-").tempdir_in(parent(place))
}

/// Whether a last line goes on. Of a file that nobody may read, nobody knows.
fn lacks_line_end(file: &File, path: &Path) -> io::Result<bool> {
    let there = file.metadata()?;
    if !there.is_file() || there.len() == 0 {
        return Ok(false);
    }
    let Ok(mut file) = File::open(path) else { return Ok(false) };
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The same without the path of a temporary file, which nobody has named.
fn without_name(error: io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}
