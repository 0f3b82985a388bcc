//! Writes all files or none: everything is checked and written to temporary files before any is
//! renamed. Renamed files are removed again after a failure or Ctrl-C.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use tempfile::NamedTempFile;

use super::files_to_write::InitFile;
use crate::cli::error::CliError;
use crate::cli::interrupt;

/// Fails if a file can't be written: its path is a directory, or a parent is not, or leads
/// elsewhere through a symbolic link.
pub(super) fn check_writable(files: &[InitFile]) -> Result<(), CliError> {
    for file in files {
        let (folder, path) = (&file.folder, file.full_path());
        if file.is_appended() {
            check_appendable(folder, &path)?;
        } else if path.is_dir() {
            return Err(CliError::usage(
                format!("cannot write `{}`: it is a directory", super::without_dot_prefix(&path).display()),
                hint_for_unwritable(file),
            ));
        }
        let above = file.path.ancestors().skip(1).filter(|above| *above != Path::new(""));
        for directory in above.map(|above| folder.join(above)) {
            if directory.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
                return Err(CliError::usage(
                    format!(
                        "cannot write `{}`: `{}` is not a directory",
                        super::without_dot_prefix(&path).display(),
                        super::without_dot_prefix(&directory).display()
                    ),
                    hint_for_unwritable(file),
                ));
            }
        }
    }
    Ok(())
}

/// Returns the hint for a `file` that can't be written.
fn hint_for_unwritable(file: &InitFile) -> &'static str {
    if file.is_for_ci {
        "move it away, or pass `--ci none` to write no file for CI"
    } else {
        "move it away, or pass `--no-config` to write no configuration"
    }
}

/// Fails if the file to append to is not in `folder`, or is not writable.
fn check_appendable(folder: &Path, path: &Path) -> Result<(), CliError> {
    let (real, within) = (
        with_io_context(path.canonicalize(), "read", path)?,
        with_io_context(folder.canonicalize(), "read", folder)?,
    );
    let name = super::without_dot_prefix(path).display();
    if !real.starts_with(&within) {
        let place = super::shell_quote(real.parent().unwrap_or(&within));
        return Err(CliError::usage(
            format!("`{name}` is a symbolic link to a file in another directory, `{}`", real.display()),
            format!("run `coracle init {place}` to change that file"),
        ));
    }
    if with_io_context(fs::metadata(&real), "read", path)?.permissions().readonly() {
        return Err(CliError::usage(
            format!("cannot append to `{name}`: it is read-only"),
            format!(
                "make it writable with `chmod u+w {}`",
                super::shell_quote(super::without_dot_prefix(path))
            ),
        ));
    }
    with_io_context(fs::OpenOptions::new().append(true).open(&real), "write", path).map(drop)
}

/// Writes `files`. Calls `report` before the files are renamed, so that nothing
/// is written if its output fails.
pub(super) fn write_all(
    files: &[InitFile],
    report: impl FnOnce() -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut created = RemoveOnDrop::default();
    let mut temporaries = Vec::new();
    for file in files {
        let to = resolve_write_path(file)?;
        let parent = to.parent().unwrap_or(&file.folder);
        created.create_dir(parent)?;
        temporaries.push((file, with_io_context(write_temporary(file, &to, parent), "write", &to)?, to));
        check_cancelled()?;
    }
    report()?;
    check_cancelled()?;
    for (file, temporary, to) in temporaries {
        with_io_context(persist(file, temporary, &to), "write", &to)?;
        if !file.is_appended() {
            created.files.push(to);
        }
    }
    created.keep();
    Ok(())
}

/// Fails if the user has interrupted the command.
fn check_cancelled() -> Result<(), CliError> {
    if !interrupt::is_cancelled() {
        return Ok(());
    }
    Err(CliError::interrupted("nothing was written"))
}

/// Returns the path to write to. Symbolic links are followed for appending, so that they are kept.
fn resolve_write_path(file: &InitFile) -> Result<PathBuf, CliError> {
    let path = file.full_path();
    if file.is_appended() { with_io_context(path.canonicalize(), "read", &path) } else { Ok(path) }
}

/// Writes the whole content to a temporary file in the same directory.
fn write_temporary(file: &InitFile, to: &Path, parent: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".coracle-");
    // The mode of any new file, reduced by the umask; the default for temporary files is 0600.
    #[cfg(unix)]
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    let mut temporary = builder.tempfile_in(parent)?;
    if file.is_appended() {
        temporary.as_file().set_permissions(fs::metadata(to)?.permissions())?;
    }
    temporary.write_all(file.new_content().as_bytes())?;
    Ok(temporary)
}

/// Renames the temporary file. Fails if the file was changed or created in the meantime.
fn persist(file: &InitFile, temporary: NamedTempFile, to: &Path) -> io::Result<()> {
    let persisted = match &file.existing {
        Some(before) if fs::read(to)? != before.as_bytes() => {
            return Err(io::Error::other("it was changed in the meantime"));
        }
        Some(_) => temporary.persist(to),
        None => temporary.persist_noclobber(to),
    };
    persisted.map(drop).map_err(|error| error.error)
}

/// Files, and directories made for them, that are removed on drop unless everything succeeds.
#[derive(Default)]
struct RemoveOnDrop {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl RemoveOnDrop {
    /// Creates `directory` and its missing parents.
    fn create_dir(&mut self, directory: &Path) -> Result<(), CliError> {
        let missing = |path: &&Path| *path != Path::new("") && !path.exists();
        let new: Vec<PathBuf> = directory.ancestors().take_while(missing).map(Path::to_owned).collect();
        for directory in new.into_iter().rev() {
            with_io_context(fs::create_dir(&directory), "create", &directory)?;
            self.directories.push(directory);
        }
        Ok(())
    }

    /// Keeps everything that was created.
    fn keep(&mut self) {
        self.files.clear();
        self.directories.clear();
    }
}

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for directory in self.directories.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Adds the operation and the path to an I/O error. The hint suits `coracle init`, which has no
/// `--output`.
fn with_io_context<T>(result: io::Result<T>, verb: &'static str, path: &Path) -> Result<T, CliError> {
    result.context(verb, super::without_dot_prefix(path)).map_err(|error| match error.kind() {
        ErrorKind::ReadOnlyFilesystem => CliError {
            hint: Some("run it in another directory, or pass `--dry-run` to print the files".into()),
            ..CliError::from(error)
        },
        _ => error.into(),
    })
}
