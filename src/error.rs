//! Errors of a build.

use std::path::PathBuf;

use super::lock::{LockError, LockMismatch};
use super::over_budget::OverBudgetError;
use super::recipe;
use super::rootfs::{self, Owner};
use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::note::DependencyNote;
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;
#[cfg(feature = "kube")]
use coracle_kube::{config, contract};
use coracle_ld::closure::{self, Problem, ProblemKind};
use coracle_ld::implicit;
use coracle_ld::ldso;
use coracle_oci::base;
use coracle_oci::copy::{self, ImageLocation};
use coracle_oci::image;
use coracle_oci::layout::{self, DiskLocation};
use coracle_oci::registry;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe is invalid.
    #[error(transparent)]
    Recipe(#[from] recipe::RecipeError),
    /// The configuration cannot be rendered.
    #[cfg(feature = "kube")]
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The secret scanner has findings.
    #[cfg(feature = "scan")]
    #[error(transparent)]
    SecretsFound(#[from] coracle_scan::FindingsError),
    /// The image differs from its lock.
    #[error(transparent)]
    Locked(#[from] LockMismatch),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A signature cannot be made.
    #[cfg(feature = "sign")]
    #[error(transparent)]
    Sign(#[from] coracle_sign::signer::SignError),
    /// A destination cannot hold signatures and attestations.
    #[error("`{0}` can't hold signatures and provenance, only registries and layouts can")]
    AttestationsUnsupported(ImageLocation),
    /// Simple signing needs a key of its own.
    #[error("the signature for engines can only be made with a key")]
    SimpleSigningWithoutKey,
    /// The image exceeds its budget.
    #[error(transparent)]
    OverBudget(#[from] OverBudgetError),
    /// A program cannot be resolved.
    #[error(transparent)]
    Closure(#[from] closure::Error),
    /// Programs would not start: libraries lack versions or symbols, or do not fit together.
    #[error("{}", format_problems(.0))]
    WouldNotStart(Vec<Problem>),
    /// The image lacks files without which a program does not start.
    #[error("{}", format_missing_files(.0))]
    MissingFiles(Vec<DependencyNote>),
    /// Implicit dependencies of programs cannot be added.
    #[error(transparent)]
    Implicit(#[from] implicit::Error),
    /// The file tree cannot be planned.
    #[error(transparent)]
    Rootfs(#[from] rootfs::RootfsError),
    /// The contract cannot be made.
    #[cfg(feature = "kube")]
    #[error(transparent)]
    Contract(#[from] contract::ContractError),
    /// The image's documents cannot be made.
    #[error(transparent)]
    Image(#[from] image::ImageError),
    /// The base image cannot be used.
    #[error(transparent)]
    Base(base::BaseError),
    /// The registry client cannot be set up, or a registry cannot be read.
    #[error(transparent)]
    Registry(#[from] registry::RegistryError),
    /// The image cannot be written or read.
    #[error(transparent)]
    Layout(layout::LayoutError),
    /// The image cannot be pushed or loaded.
    #[error(transparent)]
    Copy(copy::CopyError),
    /// The observer has cancelled the build.
    #[error("interrupted; {} was written", if *.uploads_started { "no tag" } else { "nothing" })]
    Cancelled {
        /// `true` if blobs may have been uploaded to registries.
        uploads_started: bool,
    },
    /// Inputs have changed between packing and publishing.
    #[error("cannot publish the image: its inputs have changed since it was packed")]
    InputsChanged,
    /// A registry or engine is needed, but [`super::Settings::registry_client`] is `None`.
    #[error("cannot reach `{0}`: no registry client is configured")]
    NoRegistryClient(ImageLocation),
    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A root or sysroot is not a directory.
    #[error("cannot use `{}` as a root: it is not a directory", .0.display())]
    RootNotDirectory(PathBuf),
    /// A program and the program that starts it are for different platforms.
    #[error("cannot use `{program}`: it is for {found}, but the program that starts it is for {wanted}")]
    InterpreterPlatform {
        /// The program that is started.
        program: RawPath,
        /// The platform of the program that is started.
        found: Platform,
        /// The platform of the program that starts it.
        wanted: Platform,
    },
    /// The requested platform contradicts the program.
    #[error("cannot use `{program}`: it is for {found}, not for {wanted}")]
    PlatformMismatch {
        /// The program.
        program: RawPath,
        /// The platform of its ELF header.
        found: Platform,
        /// The requested platform.
        wanted: Platform,
    },
    /// A program is for a machine without an OCI platform.
    #[error("cannot use `{program}`: it is for {machine}, for which OCI defines no platform")]
    UnsupportedMachine {
        /// The program.
        program: RawPath,
        /// The machine of its ELF header.
        machine: String,
    },
    /// The base image has different users on different platforms, but the image has one contract.
    #[error("the base image's user is {first} on one platform and {other} on another")]
    BaseUsersDiffer {
        /// The user on the first platform.
        first: Owner,
        /// A different user on another platform.
        other: Owner,
    },
    /// A destination is inside an included directory.
    #[error("`{destination}` is inside `{}`, which is included: the image would contain itself", .include.display())]
    DestinationInInclude {
        /// The destination.
        destination: DiskLocation,
        /// The included directory.
        include: PathBuf,
    },
    /// A program is not linked as the recipe requires.
    #[error("`{program}` is linked {}, but `linkage` requires the opposite", if *.is_static { "statically" } else { "dynamically" })]
    LinkageMismatch {
        /// The program.
        program: RawPath,
        /// `true` if it is linked statically.
        is_static: bool,
        /// The compiler or linker setting that links it the other way.
        setting: String,
    },
    /// A package database cannot be read.
    #[error(transparent)]
    Inventory(#[from] coracle_inventory::InventoryError),
    /// Scanners cannot see all that the image contains, which the recipe requires.
    #[error("scanners cannot see all that the image contains:\n{}", .0.join("\n"))]
    IncompleteInventory(Vec<String>),
    /// The path of a program is not UTF-8, so the config, which is JSON, cannot contain it.
    #[error("cannot write the path `{0}` to the image's config: it is not UTF-8")]
    PathNotUtf8(ImagePath),
    /// A defect of Coracle.
    #[error("internal error: {0}; please report it")]
    Internal(&'static str),
}

impl From<base::BaseError> for Error {
    fn from(error: base::BaseError) -> Self {
        match error {
            base::BaseError::Cancelled => Self::cancelled(),
            error => Self::Base(error),
        }
    }
}

impl From<layout::LayoutError> for Error {
    fn from(error: layout::LayoutError) -> Self {
        match error {
            layout::LayoutError::Cancelled => Self::cancelled(),
            error => Self::Layout(error),
        }
    }
}

impl From<copy::CopyError> for Error {
    fn from(error: copy::CopyError) -> Self {
        match error {
            copy::CopyError::Cancelled => Self::Cancelled { uploads_started: true },
            error => Self::Copy(error),
        }
    }
}

impl Error {
    /// Returns the error of a build that was cancelled before anything was written.
    pub fn cancelled() -> Self {
        Self::Cancelled { uploads_started: false }
    }

    /// Returns whether the cause is the request itself (recipe, flags, configuration), for exit code 2.
    pub fn is_usage_error(&self) -> bool {
        let unknown_level = |error: &closure::Error| {
            matches!(
                error,
                closure::Error::InvalidLoader { source: ldso::Error::UnsupportedHwcaps { .. }, .. }
            )
        };
        match self {
            Self::Recipe(_)
            | Self::Lock(_)
            | Self::AttestationsUnsupported(_)
            | Self::SimpleSigningWithoutKey => true,
            #[cfg(feature = "kube")]
            Self::Config(_) => true,
            #[cfg(feature = "kube")]
            Self::Contract(error) => {
                matches!(error, contract::ContractError::Config(_) | contract::ContractError::TooLarge { .. })
            }
            Self::Closure(error) => unknown_level(error),
            _ => false,
        }
    }
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe(error) => error.hint(),
            #[cfg(feature = "kube")]
            Self::Config(error) => error.hint(),
            #[cfg(feature = "scan")]
            Self::SecretsFound(error) => error.hint(),
            Self::Locked(error) => error.hint(),
            Self::Lock(error) => error.hint(),
            #[cfg(feature = "sign")]
            Self::Sign(error) => error.hint(),
            Self::AttestationsUnsupported(_) => {
                Some("write the image to a registry or a layout: `--push`, `-o oci:DIR`".into())
            }
            Self::SimpleSigningWithoutKey => Some("pass the key: `--sign-key KEY`".into()),
            Self::OverBudget(error) => error.hint(),
            Self::Closure(error) => error.hint(),
            Self::WouldNotStart(problems) => Some(problems_hint(problems)),
            Self::MissingFiles(missing) => Some(missing_files_hint(missing)),
            Self::Implicit(error) => error.hint(),
            Self::Rootfs(error) => error.hint(),
            #[cfg(feature = "kube")]
            Self::Contract(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Base(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Layout(error) => error.hint(),
            Self::Copy(error) => error.hint(),
            Self::Cancelled { .. } => None,
            Self::InputsChanged => Some("build again when the inputs no longer change".into()),
            Self::NoRegistryClient(_) => Some("set `Settings::registry_client`".into()),
            Self::Io(error) => error.hint(),
            Self::RootNotDirectory(_) => {
                Some("name a directory with an unpacked root file system in it".into())
            }
            Self::InterpreterPlatform { .. } => {
                Some("use a script and an interpreter for the same platform".into())
            }
            Self::PlatformMismatch { .. } => Some(
                "the platform is read from the program: omit `--platform`, or name another program".into(),
            ),
            Self::UnsupportedMachine { .. } => None,
            Self::BaseUsersDiffer { .. } => Some("set the user: `--user UID[:GID]`".into()),
            Self::DestinationInInclude { .. } => {
                Some("write the image elsewhere with `--output`, or include less than that directory".into())
            }
            Self::LinkageMismatch { is_static, setting, .. } => {
                let wanted = if *is_static { "dynamically" } else { "statically" };
                Some(format!("{setting} links it {wanted}; `--linkage auto` allows both"))
            }
            Self::Inventory(error) => error.hint(),
            Self::IncompleteInventory(_) => {
                Some("mend what is listed, or build without `--require-inventory`".into())
            }
            Self::Internal(_) => None,
            Self::PathNotUtf8(_) => Some("give it another path with `PROGRAM:/app/NAME`".into()),
        }
    }
}

/// The maximum number of problems listed. A program built against another library may lack
/// thousands of symbols.
const MAX_LISTED: usize = 50;

fn format_missing_files(missing: &[DependencyNote]) -> String {
    let line = |note: &DependencyNote| format!("the image lacks {}, {}", note.subject, note.reason);
    missing.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn missing_files_hint(missing: &[DependencyNote]) -> String {
    let args: Vec<String> = missing.iter().flat_map(|note| note.args.clone()).collect();
    format!(
        "the program can't start without it: add `{}`, or everything that it may need with `--complete`\n\
         to leave it out on purpose, name it with `--ignore`, or in `ignore` below `[runtime]` of a recipe",
        args.join(" ")
    )
}

fn format_problems(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    if problems.len() > MAX_LISTED {
        lines.push(format!("and {} more", problems.len() - MAX_LISTED));
    }
    lines.join("\n")
}

fn problems_hint(problems: &[Problem]) -> String {
    let old_libc = problems.iter().any(|problem| problem.needed_name.starts_with("GLIBC_"));
    let is_mixed = problems.iter().any(|problem| problem.kind == ProblemKind::MixedCLibraries);
    let is_version = problems.iter().any(|problem| problem.kind.concerns_versions());
    if is_mixed {
        "build the program and its libraries against one C library, or link it statically"
    } else if old_libc {
        "the glibc here is older than the one that the program was linked against: build it here or on an older \
         system, or link it statically"
    } else if is_version {
        "the library here is another release than the one that the program was linked against: install that one, or \
         rebuild the program"
    } else {
        "the libraries here are not those that the program was linked against: install those, or rebuild it"
    }
    .into()
}
