//! What to write a recipe for: a program, a cargo package or a workspace, and its directory.

use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use coracle::recipe::{self, Overrides, Package};
use toml::Table;

use super::{name, program, targets};
use crate::cli::Caller;
use crate::cli::args::InitArgs;
use crate::cli::failure::Failure;

/// What to write a recipe for, its name and directory.
pub(super) struct Subject {
    /// `.` for the working directory.
    pub(super) folder: PathBuf,
    pub(super) name: String,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A program, with its path relative to the directory.
    Program(String),
    /// A cargo package: the content of Cargo.toml, and the names of the package's programs (empty
    /// if cargo fails).
    Package(String, Vec<String>),
    /// A cargo workspace without a root package: the content of Cargo.toml.
    Workspace(String),
}

impl Subject {
    /// Returns what the arguments name, or else what the directory contains.
    pub(super) fn find(args: &InitArgs, caller: Caller) -> Result<Self, Failure> {
        let named = args.path.as_deref();
        if caller == Caller::Cargo {
            return under_cargo(named, args.recipe);
        }
        match named {
            Some(path) if !path.is_dir() => of_program(path),
            folder => {
                let folder = folder.unwrap_or(Path::new("."));
                if !args.recipe && folder.join("Cargo.toml").exists() {
                    of_manifest(folder)
                } else {
                    of_only_program(folder)
                }
            }
        }
    }
}

/// Returns the package or workspace, whose Cargo.toml may be in a parent directory.
fn under_cargo(named: Option<&Path>, recipe: bool) -> Result<Subject, Failure> {
    if recipe {
        return Err(Failure::usage(
            "`--recipe` can't be used under cargo: the settings are in Cargo.toml, and coracle.toml is not read",
            "run `coracle init --recipe` to write one for `coracle build`",
        ));
    }
    if let Some(program) = named.filter(|path| !path.is_dir()) {
        let program = program.display();
        return Err(Failure::usage(
            format!("`{program}`: `cargo coracle init` takes no program, because cargo builds the programs"),
            format!("name the directory of a Cargo.toml, or none; for a file, run `coracle init {program}`"),
        ));
    }
    let has_manifest = |folder: &Path| folder.join("Cargo.toml").exists();
    let folder = match named {
        Some(folder) => Some(folder.to_owned()).filter(|folder| has_manifest(folder)),
        None if has_manifest(Path::new(".")) => Some(".".into()),
        None => {
            let here = std::env::current_dir().unwrap_or_default();
            here.ancestors().find(|folder| has_manifest(folder)).map(Path::to_owned)
        }
    };
    match folder {
        Some(folder) => of_manifest(&folder),
        None => {
            let place = match named {
                Some(folder) => format!("`{}`", folder.display()),
                None => format!(
                    "`{}` or its parent directories",
                    std::env::current_dir().unwrap_or_default().display()
                ),
            };
            Err(Failure::usage(
                format!("there is no Cargo.toml in {place}"),
                "create one with `cargo new app`, or name an existing program: `coracle init ./app`",
            ))
        }
    }
}

/// Returns the program at `path`, whose recipe is written to the working directory.
fn of_program(path: &Path) -> Result<Subject, Failure> {
    if path.symlink_metadata().is_err() {
        return Err(Failure::usage(
            format!("`{}` does not exist", path.display()),
            "build the program first, or name its directory",
        ));
    }
    program::check(path)?;
    program_in(Path::new("."), super::here(path))
}

fn of_only_program(folder: &Path) -> Result<Subject, Failure> {
    refuse_second(folder)?;
    program_in(folder, &program::only(folder)?)
}

fn program_in(folder: &Path, path: &Path) -> Result<Subject, Failure> {
    refuse_second(folder)?;
    let Some(text) = path.to_str() else {
        return Err(Failure::usage(
            format!("`{}` is not UTF-8, which a recipe requires", path.display()),
            "rename it, or build without a recipe: `coracle build PROGRAM` accepts any name",
        ));
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Subject { folder: folder.to_owned(), name: name::of_file(&file), kind: Kind::Program(text.into()) })
}

/// Fails if the directory has a recipe already.
fn refuse_second(folder: &Path) -> Result<(), Failure> {
    let path = folder.join(recipe::FILE_NAME);
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let path = super::here(&path);
    let flag = if path == Path::new(recipe::FILE_NAME) {
        String::new()
    } else {
        format!(" --file {}", super::quoted(path))
    };
    Err(Failure::usage(
        format!("`{}` exists already", path.display()),
        format!("build its image with `coracle build{flag}`; to start over, move it away"),
    ))
}

fn of_manifest(folder: &Path) -> Result<Subject, Failure> {
    let path = folder.join("Cargo.toml");
    let path = super::here(&path);
    // Reports errors of Cargo.toml as the build does, with their position.
    Package::read(path)?.recipe(&Overrides::default())?;
    let text = std::fs::read_to_string(path).context("read", path).map_err(coracle::Error::from)?;
    let table: Table = toml::from_str(&text).map_err(|error| {
        Failure::usage(
            format!("`{}` is not TOML: {}", path.display(), error.message()),
            "run `cargo check` for details",
        )
    })?;
    let package = table.get("package");
    let owner = if package.is_some() { "package" } else { "workspace" };
    let Some(of) = table.get(owner) else {
        return Err(Failure::usage(
            format!("`{}` has neither a package nor a workspace", path.display()),
            "create a package with `cargo init`",
        ));
    };
    if of.get("metadata").and_then(|metadata| metadata.get("coracle")).is_some() {
        return Err(Failure::usage(
            format!("`{}` has `[{owner}.metadata.coracle]` already", path.display()),
            "build its image with `cargo coracle build`; to start over, remove it",
        ));
    }
    let name = name::of(of.get("name").and_then(|name| name.as_str()).unwrap_or_default());
    let kind = if package.is_some() { Kind::Package(text, programs(path)?) } else { Kind::Workspace(text) };
    Ok(Subject { folder: folder.to_owned(), name, kind })
}

/// Returns the programs of the package of `manifest`; empty if cargo fails.
fn programs(manifest: &Path) -> Result<Vec<String>, Failure> {
    let Some(targets) = targets::of(manifest) else { return Ok(Vec::new()) };
    if targets.programs.is_empty() {
        let hint = match targets.examples.first() {
            Some(example) => {
                format!(
                    "for an image of an example, run `cargo coracle build --example {example}`; it needs no settings"
                )
            }
            None => {
                "create one in `src/main.rs`, or change to the directory of a package that has one".into()
            }
        };
        return Err(Failure::usage(
            format!("`{}` has no program, so there is no image to build", manifest.display()),
            hint,
        ));
    }
    Ok(targets.programs)
}
