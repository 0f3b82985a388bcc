//! `coracle init`: writes a recipe that builds at once, and first files for configuration and CI.

mod files;
mod name;
mod program;
mod remote;
mod subject;
mod targets;
mod write;

use std::path::{Path, PathBuf};

use coracle_core::note::Note;

use super::args::{Ci, InitArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::report::{FAINT, STRONG};
use super::{Caller, interrupt, output, report};
use files::File;
use remote::{Forge, Remote};
use subject::{Kind, Subject};

/// Checks all files before any is written.
pub(super) fn run(args: &InitArgs, caller: Caller) -> Result<Exit, Failure> {
    interrupt::listen();
    let subject = Subject::find(args, caller)?;
    let remote = remote::of(&subject.folder);
    let forge = forge(args.ci, &subject, remote.as_ref())?;
    let files = files::of(&subject, remote.as_ref(), forge, !args.no_config)?;
    write::check(&subject.folder, &files)?;
    let (kept, new): (Vec<File>, Vec<File>) =
        files.into_iter().partition(|file| !file.is_appended() && is_there(&subject.folder.join(&file.path)));
    if args.dry_run {
        print(&subject.folder, &new)?;
    } else {
        write::all(&subject.folder, &new, || list(&subject.folder, &new))?;
    }
    keep(&subject.folder, &kept);
    if !args.dry_run {
        report::notes(&[next(&subject, args.path.is_some())], false);
    }
    Ok(Exit::Done)
}

/// Returns the forge to write a workflow for: the one in `--ci`, or else the one that the
/// repository uses, if `subject` is at the repository's root, where workflows must be.
fn forge(asked: Option<Ci>, subject: &Subject, remote: Option<&Remote>) -> Result<Option<Forge>, Failure> {
    let is_workspace = matches!(subject.kind, Kind::Workspace(_));
    let forge = match asked {
        Some(Ci::None) => None,
        Some(Ci::Github) => Some(Forge::GitHub),
        Some(Ci::Gitlab) => Some(Forge::GitLab),
        None if is_workspace => None,
        None if subject.folder.join(".github").is_dir() => Some(Forge::GitHub),
        None if subject.folder.join(".git").exists() => remote.and_then(Remote::forge),
        None => None,
    };
    if is_workspace && forge.is_some() {
        return Err(Failure::usage(
            "`--ci` can't be used with a workspace: it has several images, and each needs its own name",
            "leave `--ci` out; docs/registries.md in Coracle's sources has example jobs",
        ));
    }
    Ok(forge)
}

/// Whether `path` exists, even as a dangling symbolic link.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Prints what would be written.
fn print(folder: &Path, files: &[File]) -> Result<(), Failure> {
    files.iter().enumerate().try_for_each(|(index, file)| {
        let (gap, end) =
            (if index > 0 { "\n" } else { "" }, if file.is_appended() { ", at its end" } else { "" });
        let path = output::plain(&called(folder, file).to_string_lossy());
        output::print(&format!("{gap}{STRONG}==> {path}{end}{STRONG:#}\n"))?;
        output::write(file.text.trim_start().as_bytes())
    })
}

/// Prints the paths that are written, one per line.
fn list(folder: &Path, files: &[File]) -> Result<(), Failure> {
    files
        .iter()
        .try_for_each(|file| output::print(&(output::plain(&called(folder, file).to_string_lossy()) + "\n")))
}

/// Reports files that exist already and are kept. For GitLab's pipeline, the job to add is printed.
fn keep(folder: &Path, files: &[File]) {
    for file in files {
        let path = called(folder, file);
        report::talk(&format!("kept `{}`, which exists already\n", output::plain(&path.to_string_lossy())));
        if file.path == Path::new(files::GITLAB) {
            let job: String = file.text.lines().map(|line| format!("  {line}\n")).collect();
            report::talk(&format!("to build the image there, add:\n{FAINT}{job}{FAINT:#}"));
        }
    }
}

/// Returns the command that builds the image. The default directory needs no flag.
fn next(subject: &Subject, is_named: bool) -> Note {
    let is_here = subject.folder == Path::new(".") || !is_named;
    let path = |name: &str| quoted(&subject.folder.join(name));
    let (command, flag) = match &subject.kind {
        Kind::Program(_) => ("coracle build", format!(" --file {}", path("coracle.toml"))),
        Kind::Package(..) | Kind::Workspace(_) => {
            ("cargo coracle build", format!(" --manifest-path {}", path("Cargo.toml")))
        }
    };
    let flag = if is_here { String::new() } else { flag };
    Note::Hint(format!("build the image with `{command}{flag}`; add `--dry-run` to list its files"))
}

/// Quotes a path for a shell, on one line.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c)) {
        text.into_owned()
    } else if text.contains(char::is_control) {
        let escaped = |c: char| match c {
            '\'' | '\\' => format!("\\{c}"),
            '\n' => r"\n".into(),
            c if c.is_ascii_control() => format!("\\{:03o}", u32::from(c)),
            c => c.into(),
        };
        format!("$'{}'", text.chars().map(escaped).collect::<String>())
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Returns the path of a file in `folder`, relative to the working directory.
fn called(folder: &Path, file: &File) -> PathBuf {
    here(&folder.join(&file.path)).to_owned()
}

/// Returns `path` without a leading `./`.
fn here(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}
