//! All files or none: everything is checked and written beside before anything is named, and what was named goes again
//! when something fails or somebody presses Ctrl-C.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use tempfile::NamedTempFile;

use super::files::File;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt;

/// Whether each file can be one, and each directory that it goes to is one, or can be made: a link may lead anywhere.
pub(super) fn check(folder: &Path, files: &[File]) -> Result<(), Failure> {
    for file in files {
        if file.is_appended() {
            check_changed(folder, &folder.join(&file.path))?;
        } else if folder.join(&file.path).is_dir() {
            let path = folder.join(&file.path);
            return Err(Failure::usage(
                format!("`{}` is a directory, so the file can't be written", super::here(&path).display()),
                without(file),
            ));
        }
        let above = file.path.ancestors().skip(1).filter(|above| *above != Path::new(""));
        for directory in above.map(|above| folder.join(above)) {
            if directory.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
                return Err(Failure::usage(
                    format!(
                        "`{}` is no directory, so `{}` can't be written",
                        super::here(&directory).display(),
                        super::here(&folder.join(&file.path)).display()
                    ),
                    without(file),
                ));
            }
        }
    }
    Ok(())
}

/// What to do where `file` can't stand.
fn without(file: &File) -> &'static str {
    if file.path.starts_with("config") {
        "move it away; without configuration, `--no-config` needs no folder for it"
    } else {
        "move it away; `--ci none` writes no file for CI"
    }
}

/// Whether the file that lines are added to is in `folder`, and may be written to.
fn check_changed(folder: &Path, path: &Path) -> Result<(), Failure> {
    let (real, within) =
        (failed(path.canonicalize(), "read", path)?, failed(folder.canonicalize(), "read", folder)?);
    let name = super::here(path).display();
    if !real.starts_with(&within) {
        let place = super::quoted(real.parent().unwrap_or(&within));
        return Err(Failure::usage(
            format!("`{name}` is a link that leads out of its folder, to `{}`", real.display()),
            format!("`coracle init {place}` changes the file itself, where it stands"),
        ));
    }
    if failed(fs::metadata(&real), "read", path)?.permissions().readonly() {
        return Err(Failure::usage(
            format!("`{name}` is read-only, so no lines can be added"),
            format!("`chmod u+w {}` allows it", super::quoted(super::here(path))),
        ));
    }
    failed(fs::OpenOptions::new().append(true).open(&real), "write", path).map(drop)
}

/// Writes `files` below `folder`. `tell` says so before they have their names: when nobody can be told, nothing is there.
pub(super) fn all(
    folder: &Path,
    files: &[File],
    tell: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut undo = Undo::default();
    let mut beside = Vec::new();
    for file in files {
        let to = target(folder, file)?;
        let parent = to.parent().unwrap_or(folder);
        undo.create(parent)?;
        beside.push((file, failed(written(file, &to, parent), "write", &to)?, to));
        go_on()?;
    }
    tell()?;
    go_on()?;
    for (file, temporary, to) in beside {
        failed(name(file, temporary, &to), "write", &to)?;
        if !file.is_appended() {
            undo.files.push(to);
        }
    }
    undo.forget();
    Ok(())
}

/// Ends what somebody has interrupted.
fn go_on() -> Result<(), Failure> {
    if interrupt::go_on().is_continue() {
        return Ok(());
    }
    Err(Failure { exit: Exit::Interrupted, message: "interrupted; nothing was written".into(), hint: None })
}

/// The file itself where its name is a link: somebody wants it to stay one.
fn target(folder: &Path, file: &File) -> Result<PathBuf, Failure> {
    let path = folder.join(&file.path);
    if file.is_appended() { failed(path.canonicalize(), "read", &path) } else { Ok(path) }
}

/// The whole content, under a name of its own in the same directory.
fn written(file: &File, to: &Path, parent: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".coracle-");
    // As any new file, which the umask bounds; a temporary one would be its owner's alone.
    #[cfg(unix)]
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    let mut temporary = builder.tempfile_in(parent)?;
    if file.is_appended() {
        temporary.as_file().set_permissions(fs::metadata(to)?.permissions())?;
    }
    temporary.write_all(file.content().as_bytes())?;
    Ok(temporary)
}

/// Gives it its name, unless somebody else was quicker.
fn name(file: &File, temporary: NamedTempFile, to: &Path) -> io::Result<()> {
    let persisted = match &file.before {
        Some(before) if fs::read(to)? != before.as_bytes() => {
            return Err(io::Error::other("it was changed in the meantime"));
        }
        Some(_) => temporary.persist(to),
        None => temporary.persist_noclobber(to),
    };
    persisted.map(drop).map_err(|error| error.error)
}

/// What is to be removed when something fails: files, then the directories that were made for them.
#[derive(Default)]
struct Undo {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Undo {
    /// Makes `directory`, and those above it.
    fn create(&mut self, directory: &Path) -> Result<(), Failure> {
        let missing = |path: &&Path| *path != Path::new("") && !path.exists();
        let new: Vec<PathBuf> = directory.ancestors().take_while(missing).map(Path::to_owned).collect();
        for directory in new.into_iter().rev() {
            failed(fs::create_dir(&directory), "create", &directory)?;
            self.directories.push(directory);
        }
        Ok(())
    }

    /// Everything is there.
    fn forget(&mut self) {
        self.files.clear();
        self.directories.clear();
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for directory in self.directories.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

fn failed<T>(result: io::Result<T>, verb: &'static str, path: &Path) -> Result<T, Failure> {
    let is_read_only = matches!(&result, Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem);
    let result = result.context(verb, super::here(path)).map_err(|error| coracle::Error::from(error).into());
    result.map_err(|failure: Failure| match failure.hint {
        Some(_) if is_read_only => {
            Failure { hint: Some("run it in another folder; `--dry-run` shows the files".into()), ..failure }
        }
        _ => failure,
    })
}
