//! The recipe, and its groups of settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::budget::Budget;
#[cfg(feature = "kube")]
use super::error::SourcePosition;
use super::recipe_paths::resolve_path;
use crate::rootfs::{ExcludePattern, Owner};
use coracle_core::hint::Hint;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;
use coracle_core::port::Port;
use coracle_core::reference::ImageReference;
use coracle_core::signal_name::SignalName;
use coracle_inventory::sbom::SbomFormat;
#[cfg(feature = "kube")]
use coracle_kube::RecipePart;
#[cfg(feature = "kube")]
use coracle_kube::config::Configuration;
#[cfg(feature = "kube")]
use coracle_kube::manifests::WorkloadSettings;
use coracle_ld::implicit::ImplicitPolicy;
use coracle_ld::ldso::HwcapsSelection;
use coracle_oci::copy::ImageLocation;
use coracle_oci::engine::EngineKind;
use coracle_oci::layer::Compression;

/// Everything that one image is made of. All values are valid; the files that it names may not
/// exist.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Recipe {
    /// The image's names, and what its config and manifest contain.
    pub image: ImageSettings,
    /// The files of the image, and how they are found.
    pub contents: Contents,
    /// The configuration, which is mounted and never part of the image.
    #[cfg(feature = "kube")]
    pub config: Configuration,
    /// The settings of the generated Kubernetes manifests.
    #[cfg(feature = "kube")]
    pub kubernetes: WorkloadSettings,
    /// Where the image is written to, and how its layers are compressed.
    pub output: OutputSettings,
    /// The checks that can fail a build.
    pub checks: BuildChecks,
    /// Where the recipe was read from. Not part of the image.
    pub source: RecipeSource,
}

impl Recipe {
    /// Names an image without a name after its program: the file name of the first one in lower
    /// case, with the tag `latest`. It stays without a name if that is not the name of an image.
    pub fn apply_default_name(&mut self) {
        let program = self.contents.programs.first().and_then(|program| program.from.file_name());
        let name = program.and_then(|name| name.to_str()?.to_lowercase().parse::<ImageReference>().ok());
        // A name that was not asked for must not be pushed.
        if let Some(name) = name.filter(|_| self.image.names.is_empty() && !self.output.push) {
            self.image.names.push(name);
            self.image.has_default_name = true;
        }
    }
}

/// The image's names, and what its config and manifest contain.
#[derive(Clone, PartialEq, Eq, Default, Hash, Debug)]
pub struct ImageSettings {
    /// The image's names with their tags, in the order given, without duplicates. May be empty.
    pub names: Vec<ImageReference>,
    /// `true` if the only name is that of [`Recipe::apply_default_name`].
    pub has_default_name: bool,
    /// The base image. `None` if the image is built from scratch.
    pub base: Option<ImageLocation>,
    /// The entrypoint's arguments (`Cmd`).
    pub args: Vec<String>,
    /// The user and group that the program runs as. `None` for the base image's, or
    /// [`super::DEFAULT_USER`].
    pub user: Option<Owner>,
    /// The ports that the program listens on.
    pub exposed_ports: BTreeSet<Port>,
    /// Environment variables that are the same in every deployment.
    pub env: BTreeMap<String, String>,
    /// The program's working directory. `None` for the base image's, or `/`.
    pub working_dir: Option<ImagePath>,
    /// The signal that stops the program. `None` for the engine's default.
    pub stop_signal: Option<SignalName>,
    /// The image's labels.
    pub labels: BTreeMap<String, String>,
    /// The manifest's annotations.
    pub annotations: BTreeMap<String, String>,
    /// The platform, where the program's ELF header does not determine it (such as the ARM
    /// variant).
    pub platform: Option<Platform>,
}

/// The files of the image, and how they are found.
#[derive(Clone, PartialEq, Eq, Default, Hash, Debug)]
pub struct Contents {
    /// The programs; the first is the entrypoint. Empty only in a recipe from
    /// [`super::read_with_optional_programs`].
    pub programs: Vec<RecipeProgram>,
    /// Files and directories that are copied into the image.
    pub includes: Vec<RecipeInclude>,
    /// Patterns that all includes add to their own.
    pub exclude: Vec<ExcludePattern>,
    /// The times of all included files. `None` if each include has its own.
    pub include_times: Option<FileTimes>,
    /// `true` if symbols and debug information are stripped from programs.
    pub strip: bool,
    /// Which implicit dependencies are added: the table `[runtime]`.
    pub implicit: ImplicitPolicy,
    /// `true` if everything that is hinted at and exists is added.
    pub complete: bool,
    /// Which `glibc-hwcaps` variants of libraries are added.
    pub hwcaps: HwcapsSelection,
    /// The inventory of packages, by which scanners find them.
    pub inventory: Inventory,
    /// Directories that replace the host's root file system: roots or sysroots.
    pub root_overrides: Vec<RootOverride>,
}

/// What an image contains about its packages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Inventory {
    /// `true` if it contains the data by which scanners recognize packages.
    pub packages: bool,
    /// `true` if it contains the licence texts of packages.
    pub licences: bool,
}

impl Default for Inventory {
    fn default() -> Self {
        Self { packages: true, licences: false }
    }
}

/// Where the image is written to, and how its layers are compressed.
#[derive(Clone, PartialEq, Eq, Default, Hash, Debug)]
pub struct OutputSettings {
    /// The image's destinations, without duplicates. Empty for the default destination.
    pub destinations: Vec<ImageLocation>,
    /// `true` if the image is also pushed to the registry of each of its names.
    pub push: bool,
    /// The local engine that loads the image under each of its names. Set by the caller, who
    /// detects the engine.
    pub load_engine: Option<EngineKind>,
    /// Where the full contract is published, in addition to the image's label.
    pub publish_contract: Option<ImageLocation>,
    /// The software bills of materials.
    pub sbom: SbomOutput,
    /// The compression of the layers.
    pub compression: Compression,
}

/// The software bills of materials that a build writes.
#[derive(Clone, PartialEq, Eq, Default, Hash, Debug)]
pub struct SbomOutput {
    /// Files with their formats. The name of a file contains the platform if there are several.
    pub files: BTreeMap<PathBuf, SbomFormat>,
    /// The formats that are attached to the image as referrers.
    pub attached: BTreeSet<SbomFormat>,
}

impl SbomOutput {
    /// Returns whether any is written.
    pub fn is_wanted(&self) -> bool {
        !(self.files.is_empty() && self.attached.is_empty())
    }
}

/// The checks that can fail a build.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct BuildChecks {
    /// How the programs must be linked.
    pub linkage: Linkage,
    /// Paths whose scanner findings are accepted, with the reason.
    pub allowed_paths: BTreeMap<ImagePath, String>,
    /// Config values whose findings are accepted, with the reason: `env:NAME`, `label:NAME`,
    /// `annotation:NAME`, `arg:NUMBER`.
    pub allowed_config_values: BTreeMap<String, String>,
    /// The size limits of the image.
    pub budget: Budget,
    /// `true` if the secret scanner's warnings are errors.
    pub strict: bool,
    /// `true` if it is an error if scanners cannot see what the image contains.
    pub require_inventory: bool,
}

/// The required linkage of every ELF program.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug)]
pub enum Linkage {
    /// Any; a hint is given if another linkage suits better.
    #[default]
    Auto,
    /// Without a dynamic loader.
    Static,
    /// With a dynamic loader.
    Dynamic,
}

/// Where a recipe was read from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecipeSource {
    /// The directory that [`Recipe::resolve_path`] resolves relative paths against; `.` is the
    /// working directory.
    pub recipe_dir: PathBuf,
    /// Source positions of the values that are checked only later, by
    /// [`coracle_kube::manifests`].
    #[cfg(feature = "kube")]
    pub positions: BTreeMap<RecipePart, SourcePosition>,
}

/// The source of a recipe that was not read from a file.
impl Default for RecipeSource {
    fn default() -> Self {
        Self {
            recipe_dir: PathBuf::from("."),
            #[cfg(feature = "kube")]
            positions: BTreeMap::new(),
        }
    }
}

/// A program and its path in the image.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RecipeProgram {
    /// The file; [`Recipe::resolve_path`] resolves relative paths.
    pub from: PathBuf,
    /// Its path in the image. `None` for the default path.
    pub to: Option<ImagePath>,
}

/// A file or directory that is copied into the image.
#[derive(Clone, PartialEq, Eq, Default, Hash, Debug)]
pub struct RecipeInclude {
    /// The file or directory; [`Recipe::resolve_path`] resolves relative paths. A trailing slash is
    /// kept.
    pub from: PathBuf,
    /// Its absolute path in the image, without `.` and `..`. A trailing slash means "into this
    /// directory".
    pub to: RawPath,
    /// The files of a directory that are left out; the last pattern that matches decides.
    pub exclude: Vec<ExcludePattern>,
    /// The times of its files.
    pub times: FileTimes,
}

/// The modification times of included files.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug)]
pub enum FileTimes {
    /// 1970-01-01, as for all other files.
    #[default]
    Zero,
    /// The epoch: `SOURCE_DATE_EPOCH` or `--epoch`.
    Epoch,
}

/// The error for a text that names no [`FileTimes`].
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not `zero` or `epoch`, the times of included files", coracle_core::path::escape_bytes(.0.as_bytes()))]
pub struct ParseFileTimesError(String);

impl FromStr for FileTimes {
    type Err = ParseFileTimesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "zero" => Ok(Self::Zero),
            "epoch" => Ok(Self::Epoch),
            _ => Err(ParseFileTimesError(text.to_owned())),
        }
    }
}

/// A directory that replaces the host's root file system, for one platform or for all.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RootOverride {
    /// Whether it replaces the whole root or only the libraries.
    pub kind: RootOverrideKind,
    /// Its platform. `None` for any.
    pub platform: Option<Platform>,
    /// The directory; [`Recipe::resolve_path`] resolves relative paths.
    pub directory: PathBuf,
}

/// The part of the file system that a [`RootOverride`] replaces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RootOverrideKind {
    /// The whole root file system, including the programs: `--root`.
    Root,
    /// The dynamic loader and the libraries; programs are read from the host: `--sysroot`.
    Sysroot,
}

impl Recipe {
    /// Returns the host path of `path`, a path of this recipe.
    pub fn resolve_path(&self, path: &Path) -> PathBuf {
        resolve_path(&self.source.recipe_dir, path)
    }
}

/// An invalid value of `linkage`.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is none of `auto`, `static` and `dynamic`", coracle_core::path::escape_bytes(.0.as_bytes()))]
pub struct ParseLinkageError(String);

impl Hint for ParseLinkageError {
    fn hint(&self) -> Option<String> {
        Some("`static` and `dynamic` reject programs that are linked otherwise, `auto` allows both".into())
    }
}

impl FromStr for Linkage {
    type Err = ParseLinkageError;

    fn from_str(word: &str) -> Result<Self, ParseLinkageError> {
        match word {
            "auto" => Ok(Self::Auto),
            "static" => Ok(Self::Static),
            "dynamic" => Ok(Self::Dynamic),
            other => Err(ParseLinkageError(other.into())),
        }
    }
}
