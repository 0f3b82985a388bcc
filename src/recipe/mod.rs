//! The recipe of one image: read from `coracle.toml` and overridden by flags, or from flags alone.
//!
//! Values (ports, names, signals) are parsed and checked here, with their positions in the file. No
//! program is opened. ARCHITECTURE.md, "The recipe", lists the keys.

mod budget;
mod cargo_toml;
mod document;
mod error;
#[cfg(test)]
mod json_schema;
mod linkage;
mod schema;
mod toml_source;
mod user;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::rootfs::Owner;
use coracle_core::fs::{self, Context};
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;
use coracle_core::reference::ImageReference;
use coracle_kube::config::Configuration;
use coracle_kube::manifests::{self, WorkloadSettings};
use coracle_kube::{LocatedProblem, RecipeLocation};
use coracle_ld::implicit::ImplicitPolicy;
use coracle_ld::ldso::HwcapsSelection;
use coracle_oci::copy;
use coracle_oci::engine;
use coracle_oci::layer::Compression;

pub use budget::{Budget, BudgetLimit, GrowthLimit};
pub use cargo_toml::CargoPackage;
pub use coracle_core::port::{Port, Protocol};
pub use coracle_core::signal::Signal;
pub use error::{RecipeError, RecipeProblem, SourcePosition};
pub use linkage::Linkage;
pub use user::DEFAULT_USER;

/// The default file name of a recipe.
pub const DEFAULT_FILE_NAME: &str = "coracle.toml";

/// The maximum size of a recipe, in bytes.
const MAX_RECIPE_SIZE: u64 = 1 << 20;

/// Everything that one image is made of. All values are valid; the files that it names may not
/// exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipe {
    /// The image's names with their tags, in the order given, without duplicates. May be empty.
    pub names: Vec<ImageReference>,
    /// The base image. `None` if the image is built from scratch.
    pub base: Option<copy::ImageLocation>,
    /// The programs of the image; the first is the entrypoint. Empty only from [`application`].
    pub programs: Vec<RecipeProgram>,
    /// The entrypoint's arguments (`Cmd`).
    pub args: Vec<String>,
    /// The user and group that the program runs as. `None` for the base image's, or
    /// [`DEFAULT_USER`].
    pub user: Option<Owner>,
    /// The ports that the program listens on.
    pub expose: BTreeSet<Port>,
    /// Environment variables that are the same in every deployment.
    pub env: BTreeMap<String, String>,
    /// The program's working directory. `None` for the base image's, or `/`.
    pub working_dir: Option<ImagePath>,
    /// The signal that stops the program. `None` for the engine's default.
    pub stop_signal: Option<Signal>,
    /// The image's labels.
    pub labels: BTreeMap<String, String>,
    /// The manifest's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Files and directories that are copied into the image.
    pub includes: Vec<RecipeInclude>,
    /// Whether symbols and debug information are stripped from programs.
    pub strip: bool,
    /// How the programs must be linked.
    pub linkage: Linkage,
    /// The compression of the layers.
    pub compression: Compression,
    /// Which implicit dependencies are added: the table `[runtime]`.
    pub implicit: ImplicitPolicy,
    /// Which `glibc-hwcaps` variants of libraries are added.
    pub hwcaps: HwcapsSelection,
    /// The configuration, which is mounted and never part of the image.
    pub config: Configuration,
    /// The settings of the generated Kubernetes manifests.
    pub kubernetes: WorkloadSettings,
    /// The platform, where the program's ELF header does not determine it (such as the ARM
    /// variant).
    pub platform: Option<Platform>,
    /// Directories that replace the host's root file system: roots or sysroots.
    pub root_overrides: Vec<RootOverride>,
    /// The image's destinations, without duplicates. Empty for the default destination.
    pub destinations: Vec<copy::ImageLocation>,
    /// Whether the image is also pushed to the registry of each of its names.
    pub push: bool,
    /// The local engine that loads the image under each of its names. Set by the caller, who
    /// detects the engine.
    pub load_engine: Option<engine::EngineKind>,
    /// Where the full contract is published, in addition to the image's label.
    pub publish_contract: Option<copy::ImageLocation>,
    /// Paths whose scanner findings are accepted, with the reason.
    pub allowed_paths: BTreeMap<ImagePath, String>,
    /// Config values whose findings are accepted, with the reason: `env:NAME`, `label:NAME`,
    /// `annotation:NAME`, `arg:NUMBER`.
    pub allowed_config_values: BTreeMap<String, String>,
    /// The size limits of the image.
    pub budget: Budget,
    /// Whether the secret scanner's warnings are errors.
    pub strict: bool,
    /// The directory that relative paths are resolved against by [`Recipe::locate`]; `.` is the
    /// working directory.
    pub recipe_dir: PathBuf,
    /// Source positions of the values that are checked only later, by [`crate::kubernetes`].
    pub source_positions: BTreeMap<RecipeLocation, SourcePosition>,
}

/// A program and its path in the image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecipeProgram {
    /// The file; relative paths start at [`Recipe::folder`].
    pub from: PathBuf,
    /// Its path in the image. `None` for the default path.
    pub to: Option<ImagePath>,
}

/// A file or directory that is copied into the image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecipeInclude {
    /// The file or directory; relative paths start at [`Recipe::folder`]. A trailing slash is kept.
    pub from: PathBuf,
    /// Its absolute path in the image, without `.` and `..`. A trailing slash means "into this
    /// directory".
    pub to: RawPath,
}

/// A directory that replaces the host's root file system, for one platform or for all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RootOverride {
    /// Whether it replaces the whole root or only the libraries.
    pub kind: RootOverrideKind,
    /// Its platform. `None` for any.
    pub platform: Option<Platform>,
    /// The directory; relative paths start at [`Recipe::folder`].
    pub directory: PathBuf,
}

/// What a [`Root`] replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RootOverrideKind {
    /// The whole root file system, including the programs: `--root`.
    Root,
    /// The dynamic loader and the libraries; programs are read from the host: `--sysroot`.
    Sysroot,
}

/// The unparsed values of flags. A non-empty list replaces the file's list; maps are merged into
/// the file's maps.
#[derive(Clone, Default, Debug)]
pub struct RecipeOverrides {
    /// `--tag NAME[:TAG]`
    pub names: Vec<String>,
    /// `--base NAME|PLACE`
    pub base: Option<String>,
    /// `PROGRAM[:TO]`, split at the last colon before a `/`, unless the whole value names a file.
    pub programs: Vec<OsString>,
    /// `--arg ARG`, and the arguments after `--`.
    pub args: Vec<String>,
    /// `--user UID[:GID]`
    pub user: Option<String>,
    /// `--expose PORT[/PROTOCOL]`
    pub expose: Vec<String>,
    /// `--env NAME=VALUE`
    pub env: Vec<String>,
    /// `--working-dir PATH`
    pub working_dir: Option<String>,
    /// `--stop-signal SIGNAL`
    pub stop_signal: Option<String>,
    /// `--label NAME=VALUE`
    pub labels: Vec<String>,
    /// `--annotation NAME=VALUE`
    pub annotations: Vec<String>,
    /// `--include FROM:TO`
    pub includes: Vec<OsString>,
    /// `--strip`
    pub strip: bool,
    /// `--linkage HOW`
    pub linkage: Option<String>,
    /// `--compression CODEC[:LEVEL]`
    pub compression: Option<String>,
    /// The flags for `[runtime]`.
    pub runtime: RuntimeOverrides,
    /// The flags for configuration.
    pub config: ConfigOverrides,
    /// `--platform OS/ARCH[/VARIANT]`
    pub platform: Option<String>,
    /// `--root [PLATFORM=]DIR`
    pub roots: Vec<OsString>,
    /// `--sysroot [PLATFORM=]DIR`
    pub sysroots: Vec<OsString>,
    /// `--output DEST`
    pub destinations: Vec<String>,
    /// `--push`
    pub push: bool,
    /// `--publish-contract DEST`
    pub publish_contract: Option<String>,
    /// `--allow PATH=REASON`
    pub allow: Vec<String>,
    /// `--strict`
    pub strict: bool,
    /// `--budget-image SIZE`
    pub budget_image: Option<String>,
    /// `--budget-growth PERCENT|SIZE`
    pub budget_growth: Option<String>,
    /// `--previous IMAGE`
    pub previous: Option<String>,
}

/// The unparsed values of the flags for `[runtime]`. `None` or empty if a flag is absent.
#[derive(Clone, Default, Debug)]
pub struct RuntimeOverrides {
    /// `--certificates auto|true|false`
    pub certificates: Option<String>,
    /// `--nss auto|true|false`
    pub nss: Option<String>,
    /// `--nss-module NAME`
    pub nss_modules: Vec<String>,
    /// `--openssl auto|true|false`
    pub openssl: Option<String>,
    /// `--libgcc auto|true|false`
    pub libgcc: Option<String>,
    /// `--dlopen NAME`
    pub dlopen: Vec<String>,
    /// `--dlopen-notes LEVEL`
    pub dlopen_notes: Option<String>,
    /// `--time-zones[=ZONE,…]`; an empty list means all zones.
    pub time_zones: Option<Vec<String>>,
    /// `--locale NAME`
    pub locales: Vec<String>,
    /// `--charset NAME`
    pub charsets: Vec<String>,
    /// `--pam SERVICE`
    pub pam: Vec<String>,
    /// `--plugins FAMILY`
    pub plugins: Vec<String>,
    /// `--hwcaps LEVEL`
    pub hwcaps: Option<String>,
}

/// The unparsed values of the flags for configuration.
#[derive(Clone, Default, Debug)]
pub struct ConfigOverrides {
    /// `--config MOUNT=FOLDER`; one flag replaces all tables `[[config]]`.
    pub mounts: Vec<OsString>,
    /// `--secret MOUNT=KEY[,KEY]`; one flag replaces all tables `[[secret]]`.
    pub secrets: Vec<String>,
    /// `--schema FILE`
    pub schema: Option<PathBuf>,
    /// `--environment NAME`
    pub environment: Option<String>,
    /// `--values FILE`, merged after the recipe's and the environment's files.
    pub values: Vec<PathBuf>,
    /// `--set KEY=VALUE`
    pub sets: Vec<String>,
    /// `--set-file KEY=FILE`
    pub set_files: Vec<OsString>,
}

impl Recipe {
    /// Converts problems of the Kubernetes manifests to a recipe error with source positions.
    pub fn with_source_positions(
        &self,
        manifests::ManifestsError(problems): manifests::ManifestsError,
    ) -> RecipeError {
        let located = |problem: LocatedProblem| RecipeProblem {
            message: problem.message,
            hint: Some(problem.hint).filter(|hint| !hint.is_empty()),
            position: problem.location.and_then(|about| self.source_positions.get(&about).cloned()),
        };
        let mut problems: Vec<RecipeProblem> = problems.into_iter().map(located).collect();
        problems.sort_by_key(RecipeProblem::sort_key);
        RecipeError::Invalid(problems)
    }

    /// Returns the recipe that flags alone describe; its paths start at the working directory.
    ///
    /// # Errors
    /// Fails if no program is named or values are invalid; all invalid values are reported
    /// together.
    pub fn from_flags(flags: &RecipeOverrides) -> Result<Self, RecipeError> {
        require_program(validate::build_recipe(None, flags)?, None)
    }

    /// Returns the host path of `path`, a path of this recipe.
    pub fn resolve_path(&self, path: &Path) -> PathBuf {
        resolve_path(&self.recipe_dir, path)
    }
}

/// Parses the roots and sysroots of `flags`, for callers without a recipe.
///
/// # Errors
/// Fails if a platform is invalid, or if roots and sysroots are combined.
pub fn root_overrides_from_flags(flags: &RecipeOverrides) -> Result<Vec<RootOverride>, RecipeError> {
    validate::root_overrides_from_flags(flags)
}

/// Reads the recipe at `path` and applies `flags`. In a Cargo.toml, the recipe is the package's
/// metadata: [`Package`].
///
/// # Errors
/// Fails if the file cannot be read, is not TOML or has invalid values (reported together), or
/// names no program.
pub fn read_recipe(path: &Path, flags: &RecipeOverrides) -> Result<Recipe, RecipeError> {
    require_program(read_with_optional_programs(Some(path), flags)?, Some(path))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, RecipeError> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).context("read", path)?;
    file.take(MAX_RECIPE_SIZE + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > MAX_RECIPE_SIZE {
        return Err(RecipeError::TooLarge { path: path.to_owned(), limit: MAX_RECIPE_SIZE });
    }
    Ok(bytes)
}

/// Parses `bytes` as the recipe at `path` and applies `flags`.
///
/// # Errors
/// Fails like [`file()`], except for reading.
pub fn parse_recipe(path: &Path, bytes: &[u8], flags: &RecipeOverrides) -> Result<Recipe, RecipeError> {
    let document = document::RecipeDocument::new(path, bytes)?;
    require_program(validate::build_recipe(Some(&document), flags)?, Some(path))
}

/// Reads only the configuration of the recipe at `path`, or of `flags` alone. Programs are not
/// required.
///
/// # Errors
/// Fails like [`file()`].
pub fn read_configuration(
    path: Option<&Path>,
    flags: &RecipeOverrides,
) -> Result<Configuration, RecipeError> {
    Ok(read_with_optional_programs(path, flags)?.config)
}

/// Reads the recipe at `path`, or of `flags` alone, like [`file()`], but accepts one without
/// programs.
///
/// # Errors
/// Fails like [`file()`], except for missing programs.
pub fn read_with_optional_programs(
    path: Option<&Path>,
    flags: &RecipeOverrides,
) -> Result<Recipe, RecipeError> {
    let Some(path) = path else { return validate::build_recipe(None, flags) };
    if is_cargo_toml(path) {
        return CargoPackage::read(path)?.recipe(flags);
    }
    let bytes = read_bytes(path)?;
    let document = document::RecipeDocument::new(path, &bytes)?;
    validate::build_recipe(Some(&document), flags)
}

/// Returns the names of the tables `[environments.NAME]` of the recipe at `path`.
///
/// # Errors
/// Fails if the file cannot be read or is not TOML.
pub fn read_environment_names(path: &Path) -> Result<Vec<String>, RecipeError> {
    if is_cargo_toml(path) {
        return CargoPackage::read(path)?.environment_names();
    }
    let bytes = read_bytes(path)?;
    let document = document::RecipeDocument::new(path, &bytes)?;
    Ok(document.file.environments.keys().cloned().collect())
}

fn require_program(recipe: Recipe, path: Option<&Path>) -> Result<Recipe, RecipeError> {
    if recipe.programs.is_empty() {
        return Err(RecipeError::NoProgram { recipe: path.map(Path::to_owned) });
    }
    Ok(recipe)
}

fn is_cargo_toml(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "Cargo.toml")
}

/// Returns the directory of the recipe at `path`, which its relative paths start at.
fn recipe_dir_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Returns the host path of `path`, which is written in a recipe in `folder`.
fn resolve_path(folder: &Path, path: &Path) -> PathBuf {
    if folder == Path::new(".") { path.to_owned() } else { folder.join(path) }
}

/// Converts a path of the command line to one that [`locate`] resolves to the same file from
/// `folder`.
fn resolvable_from(folder: &Path, path: PathBuf) -> fs::Result<PathBuf> {
    if folder == Path::new(".") { Ok(path) } else { fs::absolute_path(&path) }
}

#[cfg(test)]
mod tests;
