//! `coracle init`: writes a recipe that builds at once, and first files for configuration and CI.

mod build_system;
mod config_files;
mod existing_config;
mod files_to_write;
mod find_program;
mod find_scripts;
mod proposed_names;
mod repository;
mod subject;
mod write_files;

use std::path::Path;

use coracle_core::escape::escape_text;
use coracle_core::note::Note;

use super::args::{Ci, InitArgs};
use super::console_output::{self, BOLD, DIM};
use super::error::{CliError, CliExit};
use super::{Invocation, interrupt};
use config_files::RecipeConfiguration;
use files_to_write::InitFile;
use proposed_names::Forge;
use repository::Repository;
use subject::{InitSubject, SubjectKind};

/// Runs `coracle init`. Checks all files before any is written.
pub(super) fn run_init(args: &InitArgs, caller: Invocation) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let subject = InitSubject::find(args, caller)?;
    let repository = Repository::containing(&subject.folder);
    let forge = choose_forge(args.ci, &subject, &repository)?;
    let has_config = !args.no_config && !matches!(subject.kind, SubjectKind::Workspace(_));
    let config =
        has_config.then(|| RecipeConfiguration::for_project(&subject.folder, &subject.name)).transpose()?;
    let files = files_to_write::init_files(&subject, Some(&repository), forge, config.as_ref())?;
    write_files::check_writable(&files)?;
    let (kept, new): (Vec<InitFile>, Vec<InitFile>) =
        files.into_iter().partition(|file| !file.is_appended() && exists_even_dangling(&file.full_path()));
    if args.dry_run {
        print_files(&new)?;
    } else {
        write_files::write_all(&new, || print_paths(&new))?;
    }
    if !args.quiet {
        config.iter().for_each(|config| report_used_files(&subject.folder, config));
        report_kept_files(&kept);
    }
    if !args.dry_run {
        let mut notes = vec![build_hint(&subject, args.path.is_some())];
        notes.extend(new.iter().find(|file| file.is_for_ci).map(ci_hint));
        notes.extend(config.as_ref().and_then(missing_values_warning));
        console_output::print_notes(&notes, args.quiet);
    }
    Ok(CliExit::Success)
}

/// Returns the text of a first recipe for `program`, without configuration.
pub(super) fn first_recipe(program: &Path) -> Result<String, CliError> {
    let subject = InitSubject::of_program(program)?;
    let files = files_to_write::init_files(&subject, None, None, None)?;
    files
        .into_iter()
        .last()
        .map(|recipe| recipe.text)
        .ok_or_else(|| CliError::internal("`init` writes no recipe"))
}

/// Returns the forge to write a workflow for: the one in `--ci`, or else the one that the
/// repository uses.
fn choose_forge(
    requested: Option<Ci>,
    subject: &InitSubject,
    repository: &Repository,
) -> Result<Option<Forge>, CliError> {
    let is_workspace = matches!(subject.kind, SubjectKind::Workspace(_));
    let forge = match requested {
        Some(Ci::None) => None,
        Some(Ci::Github) => Some(Forge::GitHub),
        Some(Ci::Gitlab) => Some(Forge::GitLab),
        None if is_workspace => None,
        None => repository.forge(),
    };
    if is_workspace && forge.is_some() {
        return Err(CliError::usage(
            "`--ci` can't be used with a workspace: it has several images, and each needs its own name",
            "leave `--ci` out; docs/registries.md in Coracle's sources has example jobs",
        ));
    }
    Ok(forge)
}

/// Returns whether `path` exists, even as a dangling symbolic link.
fn exists_even_dangling(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Prints what would be written.
fn print_files(files: &[InitFile]) -> Result<(), CliError> {
    files.iter().enumerate().try_for_each(|(index, file)| {
        let (gap, end) =
            (if index > 0 { "\n" } else { "" }, if file.is_appended() { ", at its end" } else { "" });
        let path = escape_text(&display_path(file).to_string_lossy());
        console_output::print_data(&format!("{gap}{BOLD}==> {path}{end}{BOLD:#}\n"))?;
        console_output::print_bytes(file.text.trim_start().as_bytes())
    })
}

/// Prints the paths that are written, one per line.
fn print_paths(files: &[InitFile]) -> Result<(), CliError> {
    files.iter().try_for_each(|file| {
        console_output::print_data(&(escape_text(&display_path(file).to_string_lossy()) + "\n"))
    })
}

/// Reports the existing configuration that the recipe uses.
fn report_used_files(folder: &Path, config: &RecipeConfiguration) {
    for file in &config.used_files {
        let path = folder.join(file);
        let path = escape_text(&without_dot_prefix(&path).to_string_lossy());
        console_output::print_message(&format!("uses `{path}`, which exists already\n"));
    }
}

/// Reports files that exist already and are kept. For GitLab's pipeline, the job to add is printed.
fn report_kept_files(files: &[InitFile]) {
    for file in files {
        let path = display_path(file);
        console_output::print_message(&format!(
            "kept `{}`, which exists already\n",
            escape_text(&path.to_string_lossy())
        ));
        if file.path == Path::new(repository::GITLAB_CI_FILE) {
            let job: String = file.text.lines().map(|line| format!("  {line}\n")).collect();
            console_output::print_message("to build the image there, add:\n");
            console_output::print_unwrapped(&format!("{DIM}{job}{DIM:#}"));
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

/// Returns what to replace in the file for CI.
fn ci_hint(file: &InitFile) -> Note {
    let path = display_path(file).display().to_string();
    Note::Hint(format!(
        "there is no release of Coracle yet: replace CORACLE_RELEASE and CORACLE_SHA256 in `{path}`, as docs/ci.md says"
    ))
}

/// Returns a warning about keys of existing templates that have no value; `None` if there are none.
fn missing_values_warning(config: &RecipeConfiguration) -> Option<Note> {
    let values = config.values.first()?;
    let keys: Vec<String> = config.missing_keys.iter().map(|key| format!("`{key}`")).collect();
    (!keys.is_empty()).then(|| {
        Note::Warning(format!(
            "the templates use keys that have no value yet: write {} in `{values}`",
            keys.join(", ")
        ))
    })
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

/// Returns the path of `file`, relative to the working directory.
fn display_path(file: &InitFile) -> std::path::PathBuf {
    without_dot_prefix(&file.full_path()).to_owned()
}

/// Returns `path` without a leading `./`.
fn without_dot_prefix(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}
