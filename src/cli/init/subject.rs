//! The subject of a new recipe: a program, a cargo package or a workspace, and its directory.

use std::path::{Path, PathBuf};

use coracle::recipe::{self, CargoPackage, RecipeOverrides};
use coracle_core::fs::Context as _;
use toml::Table;

use super::{find_program, proposed_names};
use crate::cli::Invocation;
use crate::cli::args::InitArgs;
use crate::cli::error::CliError;
use crate::cli::read_project::{FileKind, nearest_cargo_manifest, read_cargo_metadata, read_file_kind};

/// The subject of a new recipe, its name and directory.
pub(super) struct InitSubject {
    /// `.` for the working directory.
    pub(super) folder: PathBuf,
    pub(super) name: String,
    pub(super) kind: SubjectKind,
    /// `true` if the program is a script: it needs no build, but files of its interpreter.
    pub(super) is_script: bool,
}

pub(super) enum SubjectKind {
    /// A program, with its path relative to the directory.
    Program(String),
    /// A cargo package: the content of Cargo.toml, and the names of the package's programs (empty
    /// if cargo fails).
    Package(String, Vec<String>),
    /// A cargo workspace without a root package: the content of Cargo.toml.
    Workspace(String),
}

impl InitSubject {
    /// Returns the program at `path`, for a recipe in the working directory. `coracle record` finds what a script
    /// needs, so the recipe of one is that of any program.
    pub(super) fn of_program(path: &Path) -> Result<Self, CliError> {
        Ok(Self { is_script: false, ..subject_of_program(path)? })
    }

    /// Returns what the arguments name, or else what the directory contains.
    pub(super) fn find(args: &InitArgs, caller: Invocation) -> Result<Self, CliError> {
        let named = args.path.as_deref();
        if caller == Invocation::CargoSubcommand {
            return find_cargo_subject(named, args.recipe);
        }
        match named {
            Some(path) if !path.is_dir() => subject_of_program(path),
            folder => {
                let folder = folder.unwrap_or(Path::new("."));
                if !args.recipe && folder.join("Cargo.toml").exists() {
                    subject_of_manifest(folder)
                } else {
                    subject_of_only_program(folder)
                }
            }
        }
    }
}

/// Returns the package or workspace, whose Cargo.toml may be in a parent directory.
fn find_cargo_subject(named: Option<&Path>, has_recipe_flag: bool) -> Result<InitSubject, CliError> {
    if has_recipe_flag {
        return Err(CliError::usage(
            "`--recipe` can't be used under cargo: the settings are in Cargo.toml, and coracle.toml is not read",
            "run `coracle init --recipe` to write one for `coracle build`",
        ));
    }
    if let Some(program) = named.filter(|path| !path.is_dir()) {
        let program = program.display();
        return Err(CliError::usage(
            format!("`{program}`: `cargo coracle init` takes no program, because cargo builds the programs"),
            format!("name the directory of a Cargo.toml, or none; for a file, run `coracle init {program}`"),
        ));
    }
    let has_manifest = |folder: &Path| folder.join("Cargo.toml").exists();
    let folder = match named {
        Some(folder) => Some(folder.to_owned()).filter(|folder| has_manifest(folder)),
        None if has_manifest(Path::new(".")) => Some(".".into()),
        None => nearest_cargo_manifest().and_then(|manifest| manifest.parent().map(Path::to_owned)),
    };
    match folder {
        Some(folder) => subject_of_manifest(&folder),
        None => {
            let searched = match named {
                Some(folder) => format!("`{}`", folder.display()),
                None => format!(
                    "`{}` or its parent directories",
                    std::env::current_dir().unwrap_or_default().display()
                ),
            };
            Err(CliError::usage(
                format!("there is no Cargo.toml in {searched}"),
                "create one with `cargo new app`, or name an existing program: `coracle init ./app`",
            ))
        }
    }
}

/// Returns the program at `path`, whose recipe is written to the working directory.
fn subject_of_program(path: &Path) -> Result<InitSubject, CliError> {
    if path.symlink_metadata().is_err() {
        return Err(CliError::usage(
            format!("`{}` does not exist", path.display()),
            "build the program first, or name its directory",
        ));
    }
    find_program::check_program(path)?;
    program_subject(Path::new("."), super::without_dot_prefix(path))
}

fn subject_of_only_program(folder: &Path) -> Result<InitSubject, CliError> {
    check_no_recipe(folder)?;
    program_subject(folder, &find_program::find_only_program(folder)?)
}

fn program_subject(folder: &Path, path: &Path) -> Result<InitSubject, CliError> {
    check_no_recipe(folder)?;
    let Some(text) = path.to_str() else {
        return Err(CliError::usage(
            format!("`{}` is not UTF-8, which a recipe requires", path.display()),
            "rename it, or build without a recipe: `coracle build PROGRAM` accepts any name",
        ));
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(InitSubject {
        folder: folder.to_owned(),
        name: proposed_names::application_name_of_file(&file),
        kind: SubjectKind::Program(text.into()),
        is_script: matches!(read_file_kind(&folder.join(path)), Ok(FileKind::Script)),
    })
}

/// Fails if the directory has a recipe already.
fn check_no_recipe(folder: &Path) -> Result<(), CliError> {
    let path = folder.join(recipe::DEFAULT_FILE_NAME);
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let path = super::without_dot_prefix(&path);
    let flag = if path == Path::new(recipe::DEFAULT_FILE_NAME) {
        String::new()
    } else {
        format!(" --file {}", super::shell_quote(path))
    };
    Err(CliError::usage(
        format!("`{}` exists already", path.display()),
        format!("build its image with `coracle build{flag}`; to start over, move it away"),
    ))
}

fn subject_of_manifest(folder: &Path) -> Result<InitSubject, CliError> {
    let path = folder.join("Cargo.toml");
    let path = super::without_dot_prefix(&path);
    // Reports errors of Cargo.toml as the build does, with their position.
    CargoPackage::read(path)?.recipe(&RecipeOverrides::default())?;
    let text = std::fs::read_to_string(path).context("read", path)?;
    let table: Table = toml::from_str(&text).map_err(|error| {
        CliError::usage(
            format!("`{}` is not TOML: {}", path.display(), error.message()),
            "run `cargo check` for details",
        )
    })?;
    let package = table.get("package");
    let owner = if package.is_some() { "package" } else { "workspace" };
    let Some(owner_table) = table.get(owner) else {
        return Err(CliError::usage(
            format!("`{}` has neither a package nor a workspace", path.display()),
            "create a package with `cargo init`",
        ));
    };
    if owner_table.get("metadata").and_then(|metadata| metadata.get("coracle")).is_some() {
        return Err(CliError::usage(
            format!("`{}` has `[{owner}.metadata.coracle]` already", path.display()),
            "build its image with `cargo coracle build`; to start over, remove it",
        ));
    }
    let name = proposed_names::to_application_name(
        owner_table.get("name").and_then(|name| name.as_str()).unwrap_or_default(),
    );
    let kind = if package.is_some() {
        SubjectKind::Package(text, package_programs(path)?)
    } else {
        SubjectKind::Workspace(text)
    };
    Ok(InitSubject { folder: folder.to_owned(), name, kind, is_script: false })
}

/// Returns the programs of the package of `manifest`; empty if cargo fails.
fn package_programs(manifest: &Path) -> Result<Vec<String>, CliError> {
    let metadata = read_cargo_metadata(manifest);
    let Some(package) = metadata.as_ref().and_then(|metadata| metadata.package(manifest)) else {
        return Ok(Vec::new());
    };
    let programs = package.target_names("bin");
    if programs.is_empty() {
        let hint = match package.target_names("example").first() {
            Some(example) => {
                format!(
                    "for an image of an example, run `cargo coracle build --example {example}`; it needs no settings"
                )
            }
            None => {
                "create one in `src/main.rs`, or change to the directory of a package that has one".into()
            }
        };
        return Err(CliError::usage(
            format!("`{}` has no program, so there is no image to build", manifest.display()),
            hint,
        ));
    }
    Ok(programs)
}
