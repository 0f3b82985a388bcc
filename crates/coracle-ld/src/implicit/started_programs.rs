//! Programs that a program may start: `/bin/sh`, absolute paths and names in its text, and the commands
//! of shell scripts.

use std::collections::BTreeSet;

use super::command_names::{self, HelperCommands};
use super::dependency_hint::{DependencyHint, HintedPath, Likelihood};
use super::error::Error;
use super::function_calls::FunctionNeed;
use super::paths_in_text::{PathInText, PathKind};
use super::program_context::{DataSources, ProgramContext};
use super::shell_script;
use crate::closure::ResolveOptions;
use crate::elf::{self, DataQuery};
use coracle_core::file_system::{self, FileSystem, FsFile, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// The size of an object, in bytes, up to which names of commands are searched for in its text.
/// Larger objects contain most words by chance.
const MAX_SEARCHED_SIZE: u64 = 16 << 20;

const SHELL: &str = "/bin/sh";

/// Returns the hint about programs that `program` may start. `named` are the paths in its text.
pub(super) fn hint_about_started_programs(
    program: &ProgramContext<'_>,
    named: &[PathInText],
) -> Result<Option<DependencyHint>, Error> {
    let own = program.program_object();
    let shell = program.calls.first_call(FunctionNeed::Shell);
    let mut paths: Vec<RawPath> = shell.iter().map(|_| RawPath::new(SHELL)).collect();
    if program.is_static() || program.calls.first_call(FunctionNeed::Child).is_some() {
        let is_command = |named: &&PathInText| named.kind == PathKind::Executable;
        paths.extend(named.iter().filter(is_command).map(|named| named.path.clone()));
    }
    paths.extend(commands_named_in_text(program)?);
    let mut known = BTreeSet::new();
    paths.retain(|path| known.insert(path.clone()));
    let reason = match shell {
        Some(call) if !program.is_own_path(&call.caller) => {
            format!(
                "for `{}`, which {} calls, and in the text of {}",
                call.function, call.caller, own.raw_path
            )
        }
        Some(call) => format!("for `{}`, and in the text of {}", call.function, own.raw_path),
        None => format!("named in {}", own.raw_path),
    };
    let is_own = shell.is_none_or(|call| program.is_own_path(&call.caller));
    let likelihood = if is_own || paths.len() > 1 { Likelihood::Likely } else { Likelihood::Possible };
    hint_about_programs_at(program.sources.untracked, &paths, &reason, likelihood).map_err(Error::from)
}

/// Returns one hint about the programs at `paths`. `None` if none exists.
pub(super) fn hint_about_programs_at(
    tree: &dyn FileSystem,
    paths: &[RawPath],
    reason: &str,
    likelihood: Likelihood,
) -> fs::Result<Option<DependencyHint>> {
    let mut existing = Vec::new();
    for path in paths {
        if let Some(file) = executable_at(tree, path)? {
            existing.push(HintedPath::at_same_path(path, file.stat.size));
        }
    }
    Ok(DependencyHint::for_programs(reason.to_owned(), likelihood, existing))
}

/// Returns the executable file at `path`.
fn executable_at(tree: &dyn FileSystem, path: &RawPath) -> fs::Result<Option<FsFile>> {
    let walk = file_system::resolve_path(tree, &ImagePath::root(), path.as_bytes())?;
    Ok(match walk.end {
        ResolutionEnd::File(_, file) if file.stat.is_executable() => Some(file),
        _ => None,
    })
}

/// Returns the programs in the directories of `PATH` whose names are literals of the program, if it
/// starts programs by name or by a shell.
fn commands_named_in_text(program: &ProgramContext<'_>) -> Result<Vec<RawPath>, Error> {
    let starts_by_name = [FunctionNeed::PathSearch, FunctionNeed::Shell]
        .into_iter()
        .any(|need| program.own_call(need).is_some());
    let mut names: BTreeSet<&[u8]> = known_commands(program).map(str::as_bytes).collect();
    if program.role.is_named_by_user() && starts_by_name {
        let helpers = HelperCommands::new();
        let is_wanted_word = |word: &[u8]| helpers.matches_word(word);
        let query = DataQuery { is_wanted_word: Some(&is_wanted_word), ..DataQuery::default() };
        let own = std::iter::once(program.program_object()).chain(program.own_libraries());
        for mapped in own.filter(|mapped| mapped.file.stat.size <= MAX_SEARCHED_SIZE) {
            let found = elf::search_data(&mapped.file.content.open()?, &mapped.object, &query)?;
            names.extend(helpers.commands_in(&found.words));
        }
    }
    let mut paths = Vec::new();
    for name in names {
        paths.extend(path_of_command(program.sources, name)?);
    }
    Ok(paths)
}

/// Returns the first program called `name` in the directories of `PATH`.
fn path_of_command(sources: DataSources<'_>, name: &[u8]) -> fs::Result<Option<RawPath>> {
    for directory in search_directories(sources.options) {
        let path = RawPath::join_bytes(directory, name);
        if executable_at(sources.untracked, &path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Returns the commands that are known for the program's name.
fn known_commands(program: &ProgramContext<'_>) -> impl Iterator<Item = &'static str> {
    let name = RawPath::from(&program.program_object().path).file_name().to_vec();
    command_names::commands_of_program(&name).collect::<Vec<_>>().into_iter()
}

fn search_directories(options: &ResolveOptions) -> impl Iterator<Item = &[u8]> {
    options.path_variable.split(':').filter(|directory| directory.starts_with('/')).map(str::as_bytes)
}

/// Returns the hint about the commands in the text of the shell script at `script`.
pub(super) fn script_commands_hint(
    sources: DataSources<'_>,
    text: &str,
    script: &RawPath,
) -> Result<Option<DependencyHint>, Error> {
    let mut paths = Vec::new();
    for word in shell_script::command_words(text) {
        if word.starts_with('/') {
            paths.push(RawPath::new(word.as_bytes()));
        } else if let Some(name) = word.strip_prefix("./") {
            paths.push(RawPath::join_bytes(script.dirname().as_bytes(), name.as_bytes()));
        } else if !word.contains('/') {
            paths.extend(path_of_command(sources, word.as_bytes())?);
        }
    }
    let reason = format!("commands of the script {script}");
    Ok(hint_about_programs_at(sources.untracked, &paths, &reason, Likelihood::Likely)?)
}
