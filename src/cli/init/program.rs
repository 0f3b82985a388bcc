//! What a folder holds that an image can be made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use coracle_core::content::Content;
use coracle_ld::elf::{Header, Type};

use crate::cli::failure::Failure;

/// More than any header of an ELF file has.
const HEADER: u64 = 64;

/// Where build tools put programs.
const PLACES: [&str; 7] = ["", "bin", "build", "out", "zig-out/bin", ".build/release", "target/release"];

/// What the first bytes of a file say that it is.
#[derive(PartialEq, Eq)]
enum Looks {
    Elf(Type),
    Script,
    Other,
}

/// Whether an image of `program` can be asked for; whether it can be made, the build says.
pub(super) fn check(program: &Path) -> Result<(), Failure> {
    let failure = |message: String| {
        let hint = "a program is an ELF file or starts with `#!`; build it first, and name what the compiler has written";
        Failure::usage(format!("cannot use `{}` as a program: {message}", program.display()), hint)
    };
    if !program.is_file() {
        return Err(failure("it is no file".into()));
    }
    match looks(program).map_err(|error| failure(error.to_string()))? {
        Looks::Elf(Type::Executable | Type::Shared) | Looks::Script => Ok(()),
        Looks::Elf(Type::Other(_)) => Err(failure("it is an ELF file that can't be run".into())),
        Looks::Other => Err(failure("it is not an ELF file".into())),
    }
}

/// The only program in `folder`, below it. Scripts are not counted: they are what builds it more often than the program.
pub(super) fn only(folder: &Path) -> Result<PathBuf, Failure> {
    let found: Vec<PathBuf> = PLACES.iter().flat_map(|place| in_place(folder, place)).collect();
    let found = without_links(folder, found);
    let here =
        if folder == Path::new(".") { "this folder".into() } else { format!("`{}`", folder.display()) };
    match found.as_slice() {
        [program] => Ok(program.clone()),
        [] => Err(Failure::usage(
            format!("no program is named, and {here} has none"),
            "build it first, and name it, as in `coracle init ./app`",
        )),
        several => {
            let lines: String = several.iter().map(|path| format!("\n  {}", path.display())).collect();
            Err(Failure::usage(
                format!("no program is named, and {here} has several{lines}"),
                "name the one that the image is for, as in `coracle init ./app`",
            ))
        }
    }
}

/// Each program once, by its own path where that is among them: a link to it is no other one.
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

/// The programs in the folder `place`, which stands in `folder`, by name; their paths start at `folder`.
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
