//! Finds the programs in a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use coracle_core::content::Content;
use coracle_ld::elf::{Header, Type};

use crate::cli::failure::Failure;

/// The size of the largest ELF header, in bytes.
const HEADER: u64 = 64;

/// The directories where build tools write programs.
const PLACES: [&str; 7] = ["", "bin", "build", "out", "zig-out/bin", ".build/release", "target/release"];

/// The kind of a file, by its first bytes.
#[derive(PartialEq, Eq)]
enum Looks {
    Elf(Type),
    Script,
    Other,
}

/// Fails if `program` is not a program. The build does further checks.
pub(super) fn check(program: &Path) -> Result<(), Failure> {
    let failure = |message: String| {
        let hint =
            "a program is an ELF file or starts with `#!`; build it first, and name the compiler's output";
        Failure::usage(format!("cannot use `{}` as a program: {message}", program.display()), hint)
    };
    if !program.is_file() {
        return Err(failure("it is not a file".into()));
    }
    match looks(program).map_err(|error| failure(error.to_string()))? {
        Looks::Elf(Type::Executable | Type::Shared) | Looks::Script => Ok(()),
        Looks::Elf(Type::Other(_)) => Err(failure("it is an ELF file, but not an executable".into())),
        Looks::Other => Err(failure("it is not an ELF file".into())),
    }
}

/// Returns the path of the only program in `folder`, relative to it. Scripts are ignored, because
/// they more often build the program than run it.
pub(super) fn only(folder: &Path) -> Result<PathBuf, Failure> {
    let found: Vec<PathBuf> = PLACES.iter().flat_map(|place| in_place(folder, place)).collect();
    let found = without_links(folder, found);
    let here =
        if folder == Path::new(".") { "this directory".into() } else { format!("`{}`", folder.display()) };
    match found.as_slice() {
        [program] => Ok(program.clone()),
        [] => Err(Failure::usage(
            format!("no program is given, and {here} contains none"),
            "build one first, and name it, as in `coracle init ./app`",
        )),
        several => {
            let lines: String = several.iter().map(|path| format!("\n  {}", path.display())).collect();
            Err(Failure::usage(
                format!("no program is given, and {here} contains several{lines}"),
                "name one, as in `coracle init ./app`",
            ))
        }
    }
}

/// Removes symbolic links to programs that are also found by their own path.
fn without_links(folder: &Path, found: Vec<PathBuf>) -> Vec<PathBuf> {
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

/// Returns the programs in the subdirectory `place` of `folder`, sorted, relative to `folder`.
fn in_place(folder: &Path, place: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join(place)) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(Path::new(place).join(entry.ok()?.file_name())));
    let mut found: Vec<PathBuf> = paths.filter(|path| is_program(&folder.join(path))).collect();
    found.sort();
    found
}

fn is_program(path: &Path) -> bool {
    let is_library = path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
    path.is_file() && !is_library && matches!(looks(path), Ok(Looks::Elf(Type::Executable | Type::Shared)))
}

fn looks(path: &Path) -> io::Result<Looks> {
    let mut bytes = Vec::new();
    File::open(path)?.take(HEADER).read_to_end(&mut bytes)?;
    if bytes.starts_with(b"#!") {
        return Ok(Looks::Script);
    }
    let reader = Content::bytes(bytes).open().map_err(io::Error::other)?;
    Ok(Header::read(&reader).map_or(Looks::Other, |header| Looks::Elf(header.kind)))
}
