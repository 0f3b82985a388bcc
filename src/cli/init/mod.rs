//! `coracle init`: writes a recipe that builds at once, and first files for configuration and CI.

mod files;
mod names;
mod subject;
mod write;

use std::path::{Path, PathBuf};

use coracle_core::escape::escape_text;
use coracle_core::note::Note;

use super::args::{Ci, InitArgs};
use super::error::{CliError, CliExit};
use super::terminal::{self, BOLD, DIM};
use super::{Invocation, interrupt};
use files::InitFile;
use names::{Forge, GitRemote};
use subject::{InitSubject, SubjectKind};

/// Runs `coracle init`. Checks all files before any is written.
pub(super) fn run_init(args: &InitArgs, caller: Invocation) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let subject = InitSubject::find(args, caller)?;
    let remote = names::read_git_remote(&subject.folder);
    let forge = choose_forge(args.ci, &subject, remote.as_ref())?;
    let files = files::init_files(&subject, remote.as_ref(), forge, !args.no_config)?;
    write::check_writable(&subject.folder, &files)?;
    let (kept, new): (Vec<InitFile>, Vec<InitFile>) = files
        .into_iter()
        .partition(|file| !file.is_appended() && exists_even_dangling(&subject.folder.join(&file.path)));
    if args.dry_run {
        print_files(&subject.folder, &new)?;
    } else {
        write::write_all(&subject.folder, &new, || print_paths(&subject.folder, &new))?;
    }
    report_kept_files(&subject.folder, &kept);
    if !args.dry_run {
        terminal::print_notes(&[build_hint(&subject, args.path.is_some())], false);
    }
    Ok(CliExit::Success)
}

/// Returns the text of a first recipe for `program`, without configuration.
pub(super) fn first_recipe(program: &Path) -> Result<String, CliError> {
    let subject = InitSubject::of_program(program)?;
    let files = files::init_files(&subject, None, None, false)?;
    files
        .into_iter()
        .last()
        .map(|recipe| recipe.text)
        .ok_or_else(|| CliError::internal("`init` writes no recipe"))
}

/// Returns the forge to write a workflow for: the one in `--ci`, or else the one that the
/// repository uses, if `subject` is at the repository's root, where workflows must be.
fn choose_forge(
    requested: Option<Ci>,
    subject: &InitSubject,
    remote: Option<&GitRemote>,
) -> Result<Option<Forge>, CliError> {
    let is_workspace = matches!(subject.kind, SubjectKind::Workspace(_));
    let forge = match requested {
        Some(Ci::None) => None,
        Some(Ci::Github) => Some(Forge::GitHub),
        Some(Ci::Gitlab) => Some(Forge::GitLab),
        None if is_workspace => None,
        None if subject.folder.join(".github").is_dir() => Some(Forge::GitHub),
        None if subject.folder.join(".git").exists() => remote.and_then(GitRemote::forge),
        None => None,
    };
    if is_workspace && forge.is_some() {
        return Err(CliError::usage(
            "`--ci` can't be used with a workspace: it has several images, and each needs its own name",
            "leave `--ci` out; docs/registries.md in Coracle's sources has example jobs",
        ));
    }
    Ok(forge)
}

/// Whether `path` exists, even as a dangling symbolic link.
fn exists_even_dangling(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Prints what would be written.
fn print_files(folder: &Path, files: &[InitFile]) -> Result<(), CliError> {
    files.iter().enumerate().try_for_each(|(index, file)| {
        let (gap, end) =
            (if index > 0 { "\n" } else { "" }, if file.is_appended() { ", at its end" } else { "" });
        let path = escape_text(&display_path(folder, file).to_string_lossy());
        terminal::print_data(&format!("{gap}{BOLD}==> {path}{end}{BOLD:#}\n"))?;
        terminal::print_bytes(file.text.trim_start().as_bytes())
    })
}

/// Prints the paths that are written, one per line.
fn print_paths(folder: &Path, files: &[InitFile]) -> Result<(), CliError> {
    files.iter().try_for_each(|file| {
        terminal::print_data(&(escape_text(&display_path(folder, file).to_string_lossy()) + "\n"))
    })
}

/// Reports files that exist already and are kept. For GitLab's pipeline, the job to add is printed.
fn report_kept_files(folder: &Path, files: &[InitFile]) {
    for file in files {
        let path = display_path(folder, file);
        terminal::print_message(&format!(
            "kept `{}`, which exists already\n",
            escape_text(&path.to_string_lossy())
        ));
        if file.path == Path::new(files::GITLAB_CI_FILE) {
            let job: String = file.text.lines().map(|line| format!("  {line}\n")).collect();
            terminal::print_message("to build the image there, add:\n");
            terminal::print_unwrapped(&format!("{DIM}{job}{DIM:#}"));
        }
    }
}

/// Returns the command that builds the image. The default directory needs no flag.
fn build_hint(subject: &InitSubject, is_named: bool) -> Note {
    let is_here = subject.folder == Path::new(".") || !is_named;
    let path = |name: &str| shell_quote(&subject.folder.join(name));
    let (command, flag) = match &subject.kind {
        SubjectKind::Program(_) => ("coracle build", format!(" --file {}", path("coracle.toml"))),
        SubjectKind::Package(..) | SubjectKind::Workspace(_) => {
            ("cargo coracle build", format!(" --manifest-path {}", path("Cargo.toml")))
        }
    };
    let flag = if is_here { String::new() } else { flag };
    Note::Hint(format!("build the image with `{command}{flag}`; add `--dry-run` to list its files"))
}

/// Quotes a path for a shell, on one line.
fn shell_quote(path: &Path) -> String {
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
fn display_path(folder: &Path, file: &InitFile) -> PathBuf {
    without_dot_prefix(&folder.join(&file.path)).to_owned()
}

/// Returns `path` without a leading `./`.
fn without_dot_prefix(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}
