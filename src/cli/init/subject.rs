//! What a recipe is begun for: a program, a package of cargo, or a workspace; and in which folder.

use std::path::{Path, PathBuf};

use coracle_core::fs::Context as _;
use coracle::recipe::{self, Overrides, Package};
use toml::Table;

use super::{name, program, targets};
use crate::cli::Caller;
use crate::cli::args::InitArgs;
use crate::cli::failure::Failure;

/// The folder, what the recipe is for, and its name.
pub(super) struct Subject {
    /// `.` for the working directory.
    pub(super) folder: PathBuf,
    pub(super) name: String,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A program, as a recipe in the folder has to write its path.
    Program(String),
    /// What the folder's Cargo.toml holds, and the names of the programs that cargo builds, as far as cargo can say.
    Package(String, Vec<String>),
    /// The same, with no package in it.
    Workspace(String),
}

impl Subject {
    /// What the arguments name, or the folder holds.
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

/// Cargo looks for Cargo.toml in the directories above, too.
fn under_cargo(named: Option<&Path>, recipe: bool) -> Result<Subject, Failure> {
    if recipe {
        return Err(Failure::usage(
            "`--recipe`: under cargo, the settings stand in Cargo.toml, and no coracle.toml is read",
            "`coracle init --recipe` writes one for `coracle build`",
        ));
    }
    if let Some(program) = named.filter(|path| !path.is_dir()) {
        let program = program.display();
        return Err(Failure::usage(
            format!("`{program}`: under cargo, the programs are those that cargo builds"),
            format!("name the folder with Cargo.toml, or none; `coracle init {program}` takes a file"),
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
                None => format!("`{}` or above", std::env::current_dir().unwrap_or_default().display()),
            };
            Err(Failure::usage(
                format!("there is no Cargo.toml in {place}"),
                "begin with `cargo new app`, or with a program that is there: `coracle init ./app`",
            ))
        }
    }
}

/// The recipe of a program that somebody names stands where they are.
fn of_program(path: &Path) -> Result<Subject, Failure> {
    if path.symlink_metadata().is_err() {
        return Err(Failure::usage(
            format!("there is no `{}`", path.display()),
            "build the program first, or name the folder that it is in",
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
            format!("`{}` is not UTF-8, so no recipe can name it", path.display()),
            "rename it, or do without a recipe: `coracle build PROGRAM` takes any name",
        ));
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Subject { folder: folder.to_owned(), name: name::of_file(&file), kind: Kind::Program(text.into()) })
}

/// A recipe that is there is somebody's.
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
        format!("`{}` is there already", path.display()),
        format!("`coracle build{flag}` builds what it says; to begin anew, move it away"),
    ))
}

fn of_manifest(folder: &Path) -> Result<Subject, Failure> {
    let path = folder.join("Cargo.toml");
    let path = super::here(&path);
    // Whatever is wrong in it would be wrong for the build as well, and has its place there.
    Package::read(path)?.recipe(&Overrides::default())?;
    let text = std::fs::read_to_string(path).context("read", path).map_err(coracle::Error::from)?;
    let table: Table = toml::from_str(&text).map_err(|error| {
        Failure::usage(
            format!("`{}` is not TOML: {}", path.display(), error.message()),
            "`cargo check` says more",
        )
    })?;
    let package = table.get("package");
    let owner = if package.is_some() { "package" } else { "workspace" };
    let Some(of) = table.get(owner) else {
        return Err(Failure::usage(
            format!("`{}` has neither a package nor a workspace", path.display()),
            "begin a package with `cargo init`",
        ));
    };
    if of.get("metadata").and_then(|metadata| metadata.get("coracle")).is_some() {
        return Err(Failure::usage(
            format!("`{}` has `[{owner}.metadata.coracle]` already", path.display()),
            "`cargo coracle build` builds what it says; to begin anew, remove it",
        ));
    }
    let name = name::of(of.get("name").and_then(|name| name.as_str()).unwrap_or_default());
    let kind = if package.is_some() { Kind::Package(text, programs(path)?) } else { Kind::Workspace(text) };
    Ok(Subject { folder: folder.to_owned(), name, kind })
}

/// The programs of the package of `manifest`; none where cargo can't say.
fn programs(manifest: &Path) -> Result<Vec<String>, Failure> {
    let Some(targets) = targets::of(manifest) else { return Ok(Vec::new()) };
    if targets.programs.is_empty() {
        let hint = match targets.examples.first() {
            Some(example) => {
                format!(
                    "`cargo coracle build --example {example}` makes an image of an example without any settings"
                )
            }
            None => "begin one in `src/main.rs`, or go to the folder of a package that has one".into(),
        };
        return Err(Failure::usage(
            format!("`{}` has no program, so there is nothing to make an image of", manifest.display()),
            hint,
        ));
    }
    Ok(targets.programs)
}
