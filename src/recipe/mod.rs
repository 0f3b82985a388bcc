//! What somebody asks for: one recipe, one image, read from flags or from `coracle.toml` with flags on top.
//!
//! It knows words (ports, names, signals) and their places in a file; it knows no program and looks into none.
//! ARCHITECTURE.md has the keys, "The recipe".

mod budget;
mod cargo;
mod document;
mod draft;
mod error;
mod linkage;
#[cfg(test)]
mod published;
mod schema;
mod source;
mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use coracle_kube::config::Configuration;
use coracle_oci::engine;
use coracle_core::fs::{self, Context};
use coracle_kube::manifests::{self, About, Settings};
use coracle_oci::layer::Compression;
use coracle_ld::ldso::Hwcaps;
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::platform::Platform;
use coracle_core::reference::Reference;
use crate::rootfs::Owner;
use coracle_ld::implicit::Policy;
use coracle_oci::copy;

pub use coracle_core::port::{Port, Protocol};
pub use coracle_core::signal::Signal;
pub use budget::{Budget, Growth, Limit};
pub use cargo::Package;
pub use error::{Error, Place, Problem};
pub use linkage::Linkage;
pub use user::DEFAULT_USER;

/// The recipe's name when none is given.
pub const FILE_NAME: &str = "coracle.toml";

/// A recipe larger than this is something else.
const SIZE_LIMIT: u64 = 1 << 20;

/// Everything that one image is made of, checked word for word; whether the files exist is not its matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipe {
    /// The image's names with their tags, in the order given, each once; none when nobody named it.
    pub names: Vec<Reference>,
    /// The image that this one stands on; nothing when it has all that it needs.
    pub base: Option<copy::Place>,
    /// What goes in and can be started; the first is the entrypoint. Never empty.
    pub programs: Vec<Program>,
    /// The entrypoint's arguments (`Cmd`).
    pub args: Vec<String>,
    /// Who the program runs as; nothing when that is left to the base, or to [`DEFAULT_USER`].
    pub user: Option<Owner>,
    /// The ports that the program listens on.
    pub expose: BTreeSet<Port>,
    /// Variables that never change between deployments.
    pub env: BTreeMap<String, String>,
    /// Where the program starts; nothing when that is left to the base, or to the root.
    pub working_dir: Option<ImagePath>,
    /// What asks the program to end; the engine's choice when nothing is said.
    pub stop_signal: Option<Signal>,
    /// The image's labels.
    pub labels: BTreeMap<String, String>,
    /// The manifest's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Static data that goes in as it is.
    pub includes: Vec<Include>,
    /// Whether programs lose their symbols and debug information.
    pub strip: bool,
    /// How its programs have to be linked.
    pub linkage: Linkage,
    /// How its layers are compressed.
    pub compression: Compression,
    /// What goes in besides what loaders map.
    pub runtime: Policy,
    /// Which variants of libraries for newer CPUs go in.
    pub hwcaps: Hwcaps,
    /// What the program reads from mounted directories; none of it goes in.
    pub config: Configuration,
    /// How it runs on Kubernetes.
    pub kubernetes: Settings,
    /// What a program's header can't say about the platform.
    pub platform: Option<Platform>,
    /// Directories that stand for the root, in place of the host's.
    pub roots: Vec<Root>,
    /// Where the image goes, no place twice; nothing when the default is meant.
    pub destinations: Vec<copy::Place>,
    /// Whether it goes to the registry of each of its names, too.
    pub push: bool,
    /// The engine that the image is brought to under each of its names, once somebody knows which is there.
    pub load: Option<engine::Kind>,
    /// Where the whole contract goes, besides the image's label.
    pub publish_contract: Option<copy::Place>,
    /// Paths whose findings are accepted on purpose, and why.
    pub allow: BTreeMap<ImagePath, String>,
    /// Likewise variables, labels, annotations and arguments: `env:NAME`, `label:NAME`, `annotation:NAME`, `arg:NUMBER`.
    pub allow_words: BTreeMap<String, String>,
    /// How large the image may be.
    pub budget: Budget,
    /// Whether what may not belong into the image refuses it.
    pub strict: bool,
    /// Where the relative paths of this recipe start, [`Recipe::locate`] joins them; `.` is the working directory.
    pub folder: PathBuf,
    /// Where those words of the file stand that can turn out wrong only when everything else is known.
    pub places: BTreeMap<About, Place>,
}

/// A program and its place in the image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// The file, absolute or from [`Recipe::folder`] on.
    pub from: PathBuf,
    /// Its path in the image, when the recipe chooses it.
    pub to: Option<ImagePath>,
}

/// A file or directory that goes into the image as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Include {
    /// The file or directory, absolute or from [`Recipe::folder`] on; a trailing slash is kept.
    pub from: PathBuf,
    /// Its absolute path in the image, without `.` and `..`; a trailing slash means "into this directory".
    pub to: Spelled,
}

/// A directory that stands for the root, for one platform or for all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Root {
    /// How much of it counts.
    pub kind: RootKind,
    /// The platform that it is for; any when nothing is said.
    pub platform: Option<Platform>,
    /// The directory, absolute or from [`Recipe::folder`] on.
    pub directory: PathBuf,
}

/// How much a [`Root`] holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RootKind {
    /// Everything, the programs too: `--root`.
    Whole,
    /// Loader and libraries; the programs are the host's: `--sysroot`.
    Libraries,
}

/// What the command line says, as it says it. Lists that are not empty replace the file's, maps are merged into it.
#[derive(Clone, Default, Debug)]
pub struct Overrides {
    /// `--tag NAME[:TAG]`
    pub names: Vec<String>,
    /// `--base NAME|PLACE`
    pub base: Option<String>,
    /// `PROGRAM[:TO]`; the last colon before a `/` divides, unless the whole names a file.
    pub programs: Vec<OsString>,
    /// `--arg ARG`, and what stands behind `--`.
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
    /// The flags that stand for `[runtime]`.
    pub runtime: RuntimeOverrides,
    /// The flags about configuration.
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

/// What flags say in place of keys of `[runtime]`; nothing where they are silent.
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
    /// `--time-zones[=ZONE,…]`; without a list all of them.
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

/// What flags say of a program's configuration.
#[derive(Clone, Default, Debug)]
pub struct ConfigOverrides {
    /// `--config MOUNT=FOLDER`; any of them replaces all of the file's.
    pub mounts: Vec<OsString>,
    /// `--secret MOUNT=KEY[,KEY]`; any of them replaces all of the file's.
    pub secrets: Vec<String>,
    /// `--schema FILE`
    pub schema: Option<PathBuf>,
    /// `--environment NAME`
    pub environment: Option<String>,
    /// `--values FILE`, on top of the file's and the environment's.
    pub values: Vec<PathBuf>,
    /// `--set KEY=VALUE`
    pub sets: Vec<String>,
    /// `--set-file KEY=FILE`
    pub set_files: Vec<OsString>,
}

impl Recipe {
    /// What keeps the recipe's application from running on Kubernetes, each problem with its place.
    pub fn located(&self, manifests::Error(problems): manifests::Error) -> Error {
        let located = |problem: manifests::Problem| Problem {
            message: problem.message,
            hint: Some(problem.hint).filter(|hint| !hint.is_empty()),
            place: problem.about.and_then(|about| self.places.get(&about).cloned()),
        };
        let mut problems: Vec<Problem> = problems.into_iter().map(located).collect();
        problems.sort_by_key(Problem::order);
        Error::Illegal(problems)
    }

    /// A recipe from flags alone; its paths start at the working directory.
    ///
    /// # Errors
    /// When no program is named, or a word is not legal: all of them at once.
    pub fn from_flags(flags: &Overrides) -> Result<Self, Error> {
        with_program(draft::finish(None, flags)?, None)
    }

    /// Where `path`, one of this recipe's, is on the host.
    pub fn locate(&self, path: &Path) -> PathBuf {
        locate(&self.folder, path)
    }
}

/// The roots that `flags` name, for whoever has no recipe.
///
/// # Errors
/// When a platform is not legal, or roots go together with sysroots.
pub fn roots(flags: &Overrides) -> Result<Vec<Root>, Error> {
    draft::roots(flags)
}

/// Reads the recipe at `path` and puts `flags` on top. A Cargo.toml has it where [`Package`] says; so everywhere here.
///
/// # Errors
/// When it can't be read, is not TOML, or says something that is not legal: all places at once.
pub fn file(path: &Path, flags: &Overrides) -> Result<Recipe, Error> {
    with_program(application(Some(path), flags)?, Some(path))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).context("read", path)?;
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(Error::TooLarge { path: path.to_owned(), limit: SIZE_LIMIT });
    }
    Ok(bytes)
}

/// The recipe that `bytes` are, as if they stood at `path`, with `flags` on top.
///
/// # Errors
/// As [`file()`], but for reading.
pub fn parse(path: &Path, bytes: &[u8], flags: &Overrides) -> Result<Recipe, Error> {
    let document = document::Document::new(path, bytes)?;
    with_program(draft::finish(Some(&document), flags)?, Some(path))
}

/// The configuration in the recipe at `path`, or in `flags` alone; no program need be named.
///
/// # Errors
/// As [`file()`].
pub fn configuration(path: Option<&Path>, flags: &Overrides) -> Result<Configuration, Error> {
    Ok(application(path, flags)?.config)
}

/// What the recipe at `path`, or `flags` alone, say of an application, whether they name a program or not: `programs` may be empty.
///
/// # Errors
/// As [`file()`].
pub fn application(path: Option<&Path>, flags: &Overrides) -> Result<Recipe, Error> {
    let Some(path) = path else { return draft::finish(None, flags) };
    if is_cargos(path) {
        return Package::read(path)?.recipe(flags);
    }
    let bytes = read(path)?;
    let document = document::Document::new(path, &bytes)?;
    draft::finish(Some(&document), flags)
}

/// The names of the environments in the recipe at `path`.
///
/// # Errors
/// As [`file()`].
pub fn environments(path: &Path) -> Result<Vec<String>, Error> {
    if is_cargos(path) {
        return Package::read(path)?.environments();
    }
    let bytes = read(path)?;
    let document = document::Document::new(path, &bytes)?;
    Ok(document.file.environments.keys().cloned().collect())
}

fn with_program(recipe: Recipe, path: Option<&Path>) -> Result<Recipe, Error> {
    if recipe.programs.is_empty() {
        return Err(Error::NoProgram { recipe: path.map(Path::to_owned) });
    }
    Ok(recipe)
}

fn is_cargos(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "Cargo.toml")
}

/// The directory that a recipe's paths start at.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Where `path` is on the host, as a recipe in `folder` writes it.
fn locate(folder: &Path, path: &Path) -> PathBuf {
    if folder == Path::new(".") { path.to_owned() } else { folder.join(path) }
}

/// A path of the command line, as a recipe in `folder` has to write it.
fn from_folder(folder: &Path, path: PathBuf) -> fs::Result<PathBuf> {
    if folder == Path::new(".") { Ok(path) } else { fs::absolute(&path) }
}

#[cfg(test)]
mod tests;
