//! The program of a project: the one that is named, or the only one that its directory contains.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coracle_ld::elf::ElfType;

use super::find_scripts;
use crate::cli::error::CliError;
use crate::cli::read_project::{FileKind, nearest_cargo_manifest, read_file_kind};

/// The directories where build tools write programs.
const BUILD_DIRECTORIES: [&str; 7] =
    ["", "bin", "build", "out", "zig-out/bin", ".build/release", "target/release"];

/// Fails if `program` is not a program. The build does further checks.
pub(super) fn check_program(program: &Path) -> Result<(), CliError> {
    let failure = |message: String| {
        let hint =
            "a program is an ELF file or starts with `#!`; build it first, and name the compiler's output";
        CliError::usage(format!("cannot use `{}` as a program: {message}", program.display()), hint)
    };
    if !program.is_file() {
        return Err(failure("it is not a file".into()));
    }
    match read_file_kind(program).map_err(|error| failure(error.to_string()))? {
        FileKind::Script => Ok(()),
        FileKind::Elf(header) => match header.elf_type {
            ElfType::Executable | ElfType::Shared => Ok(()),
            ElfType::Other(_) => Err(failure("it is an ELF file, but not an executable".into())),
        },
        FileKind::Other => Err(failure("it is not an ELF file".into())),
    }
}

/// Returns the path of the only program in `folder`, relative to it. Scripts count only if there is no ELF file,
/// because they more often build the program than run it.
pub(super) fn find_only_program(folder: &Path) -> Result<PathBuf, CliError> {
    let found: Vec<PathBuf> =
        BUILD_DIRECTORIES.iter().flat_map(|subdirectory| programs_in(folder, subdirectory)).collect();
    let mut found = without_duplicate_links(folder, found);
    if found.is_empty() {
        found = find_scripts::find_scripts(folder)?;
    }
    let here =
        if folder == Path::new(".") { "this directory".into() } else { format!("`{}`", folder.display()) };
    match found.as_slice() {
        [program] => Ok(program.clone()),
        [] => Err(CliError::usage(
            format!("no program is given, and {here} contains none"),
            hint_without_program(folder),
        )),
        several => {
            let lines: String = several.iter().map(|path| format!("\n  {}", path.display())).collect();
            Err(CliError::usage(
                format!("no program is given, and {here} contains several{lines}"),
                "name one, as in `coracle init ./app`",
            ))
        }
    }
}

/// Returns what to do if `folder` contains no program: it may be inside a cargo package.
fn hint_without_program(folder: &Path) -> String {
    match nearest_cargo_manifest().filter(|_| folder == Path::new(".")) {
        Some(manifest) if !Path::new("Cargo.toml").exists() => format!(
            "for the package of `{}`, run `cargo coracle init`; for another program, build it first, and name it, as in \
             `coracle init ./app`",
            manifest.display()
        ),
        _ => "build one first, and name it, as in `coracle init ./app`".into(),
    }
}

/// Removes symbolic links to programs that are also found by their own path.
fn without_duplicate_links(folder: &Path, found: Vec<PathBuf>) -> Vec<PathBuf> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let root = real(folder);
    let mut programs: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for path in &found {
        let program = real(&folder.join(path));
        if program == root.join(path) || !programs.contains_key(&program) {
            programs.insert(program, path.clone());
        }
    }
    let programs: BTreeSet<PathBuf> = programs.into_values().collect();
    found.into_iter().filter(|path| programs.contains(path)).collect()
}

/// Returns the programs in `subdirectory` of `folder`, sorted, relative to `folder`.
fn programs_in(folder: &Path, subdirectory: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join(subdirectory)) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(Path::new(subdirectory).join(entry.ok()?.file_name())));
    let mut found: Vec<PathBuf> = paths.filter(|path| is_elf_program(&folder.join(path))).collect();
    found.sort();
    found
}

fn is_elf_program(path: &Path) -> bool {
    let is_library = path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
    let is_executable = |kind| match kind {
        FileKind::Elf(header) => matches!(header.elf_type, ElfType::Executable | ElfType::Shared),
        FileKind::Script | FileKind::Other => false,
    };
    path.is_file() && !is_library && read_file_kind(path).is_ok_and(is_executable)
}
