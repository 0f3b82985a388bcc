//! Errors of a build.

use std::path::PathBuf;

use super::budget::OverBudget;
use coracle_ld::closure::{Problem, ProblemKind};
use coracle_core::path::{ImagePath, Spelled};
use coracle_core::platform::Platform;
use crate::rootfs::Owner;
use coracle_oci::layout::Destination;
use coracle_oci::copy::Place;
use coracle_oci::base;
use coracle_ld::closure;
use coracle_kube::config;
use coracle_kube::contract;
use coracle_core::fs;
use coracle_oci::image;
use coracle_oci::layer;
use coracle_ld::ldso;
use crate::recipe;
use coracle_oci::registry;
use crate::rootfs;
use coracle_ld::implicit;
use coracle_oci::layout;
use coracle_oci::copy;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe is invalid.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// The configuration cannot be rendered.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The secret scanner has findings.
    #[error(transparent)]
    Leaks(#[from] coracle_scan::Error),
    /// The image exceeds its budget.
    #[error(transparent)]
    Budget(#[from] OverBudget),
    /// A program cannot be resolved.
    #[error(transparent)]
    Closure(#[from] closure::Error),
    /// Programs would not start: libraries lack versions or symbols, or do not fit together.
    #[error("{}", problems_text(.0))]
    NotStarting(Vec<Problem>),
    /// Implicit dependencies of programs cannot be added.
    #[error(transparent)]
    Runtime(#[from] implicit::Error),
    /// The file tree cannot be planned.
    #[error(transparent)]
    Rootfs(#[from] rootfs::Error),
    /// The contract cannot be made.
    #[error(transparent)]
    Contract(#[from] contract::Error),
    /// The image's documents cannot be made.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The base image cannot be used.
    #[error(transparent)]
    Base(#[from] base::Error),
    /// The registry client cannot be set up, or a registry cannot be read.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The image cannot be written or read.
    #[error(transparent)]
    Store(#[from] layout::Error),
    /// The image cannot be pushed or loaded.
    #[error(transparent)]
    Transfer(#[from] copy::Error),
    /// Inputs have changed between packing and publishing.
    #[error("inputs of the image have changed since it was packed")]
    Changed,
    /// A registry or engine is needed, but [`super::Settings::client`] is `None`.
    #[error("cannot reach `{0}`: no registry client is configured")]
    NoClient(Place),
    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A root or sysroot is not a directory.
    #[error("cannot use `{}` as a root: it is not a directory", .0.display())]
    NoRoot(PathBuf),
    /// A program and the program that starts it are for different platforms.
    #[error("`{program}` is for {found}, but the program that starts it is for {wanted}")]
    Platforms {
        /// The program that is started.
        program: Spelled,
        /// Its platform.
        found: Platform,
        /// The platform of the program that starts it.
        wanted: Platform,
    },
    /// The requested platform contradicts the program.
    #[error("`{program}` is for {found}, not for {wanted}")]
    Platform {
        /// The program.
        program: Spelled,
        /// The platform of its ELF header.
        found: Platform,
        /// The requested platform.
        wanted: Platform,
    },
    /// A program is for a machine without an OCI platform.
    #[error("`{program}` is for {machine}, for which OCI defines no platform")]
    Machine {
        /// The program.
        program: Spelled,
        /// The machine of its ELF header.
        machine: String,
    },
    /// The base image has different users on different platforms, but the image has one contract.
    #[error("the base image's user is {first} on one platform and {other} on another")]
    Users {
        /// The user on the first platform.
        first: Owner,
        /// A different user on another platform.
        other: Owner,
    },
    /// A destination is inside an included directory.
    #[error("`{destination}` is inside `{}`, which is included: the image would contain itself", .include.display())]
    Itself {
        /// The destination.
        destination: Destination,
        /// The included directory.
        include: PathBuf,
    },
    /// A program is not linked as the recipe requires.
    #[error("`{program}` is linked {}, but `linkage` requires the opposite", if *.is_static { "statically" } else { "dynamically" })]
    Linkage {
        /// The program.
        program: Spelled,
        /// Whether it is linked statically.
        is_static: bool,
        /// The compiler or linker setting that links it the other way.
        setting: String,
    },
    /// The path of a program is not UTF-8, so the config, which is JSON, cannot contain it.
    #[error("`{0}` is not UTF-8, so the image's config cannot contain it")]
    NotText(ImagePath),
}

impl Error {
    /// Returns the error of a build that its observer has cancelled.
    pub fn interrupted() -> Self {
        layout::Error::from(layer::Error::Interrupted).into()
    }

    /// Whether the cause is the request itself (recipe, flags, configuration), for exit code 2.
    pub fn is_usage(&self) -> bool {
        let unknown_level = |error: &closure::Error| {
            matches!(error, closure::Error::Loader { source: ldso::Error::UnknownHwcaps { .. }, .. })
        };
        match self {
            Self::Recipe(_) | Self::Config(_) => true,
            Self::Contract(error) => {
                matches!(error, contract::Error::Config(_) | contract::Error::TooLarge { .. })
            }
            Self::Closure(error) => unknown_level(error),
            _ => false,
        }
    }

    /// Returns the next step, if there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Leaks(error) => error.hint(),
            Self::Budget(error) => Some(error.hint()),
            Self::Closure(error) => error.hint(),
            Self::NotStarting(problems) => Some(problems_hint(problems)),
            Self::Runtime(error) => error.hint(),
            Self::Rootfs(error) => error.hint(),
            Self::Contract(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Base(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Transfer(error) => error.hint(),
            Self::Changed => Some("build again when the inputs no longer change".into()),
            Self::NoClient(_) => Some("set `Settings::client`".into()),
            Self::Io(error) => error.hint(),
            Self::NoRoot(_) => Some("name a directory with an unpacked root file system in it".into()),
            Self::Platforms { .. } => Some("use a script and an interpreter for the same platform".into()),
            Self::Platform { .. } => Some(
                "the platform is read from the program: omit `--platform`, or name another program".into(),
            ),
            Self::Machine { .. } => None,
            Self::Users { .. } => Some("set the user: `--user UID[:GID]`".into()),
            Self::Itself { .. } => {
                Some("write the image elsewhere with `--output`, or include less than that directory".into())
            }
            Self::Linkage { is_static, setting, .. } => {
                let wanted = if *is_static { "dynamically" } else { "statically" };
                Some(format!("{setting} links it {wanted}; `--linkage auto` allows both"))
            }
            Self::NotText(_) => Some("give it another path with `PROGRAM:/app/NAME`".into()),
        }
    }
}

/// The maximum number of problems listed. A program built against another library may lack
/// thousands of symbols.
const LISTED: usize = 50;

fn problems_text(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(LISTED).map(ToString::to_string).collect();
    if problems.len() > LISTED {
        lines.push(format!("and {} more", problems.len() - LISTED));
    }
    lines.join("\n")
}

fn problems_hint(problems: &[Problem]) -> String {
    let old_libc = problems.iter().any(|problem| problem.name.starts_with("GLIBC_"));
    let is_mixed = problems.iter().any(|problem| problem.kind == ProblemKind::CLibrary);
    let is_version = problems.iter().any(|problem| problem.kind == ProblemKind::Version);
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
