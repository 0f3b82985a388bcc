//! Why there is no image: one variant for each floor.

use std::path::PathBuf;

use super::budget::OverBudget;
use crate::closure::{Problem, ProblemKind};
use crate::path::{ImagePath, Spelled};
use crate::platform::Platform;
use crate::rootfs::Owner;
use crate::store::Destination;
use crate::transfer::Place;
use crate::{
    base, closure, config, contract, fs, gate, image, layer, loader, recipe, registry, rootfs, runtime,
    store, transfer,
};

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe asks for something that can't be.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// The configuration can't be rendered.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The image would hold what does not belong there.
    #[error(transparent)]
    Leaks(#[from] gate::Error),
    /// The image is larger than it may be.
    #[error(transparent)]
    Budget(#[from] OverBudget),
    /// A program can't be resolved.
    #[error(transparent)]
    Closure(#[from] closure::Error),
    /// Libraries lack what was linked against them, all of it.
    #[error("{}", problems_text(.0))]
    NotStarting(Vec<Problem>),
    /// What programs need can't be had.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// The image can't be planned.
    #[error(transparent)]
    Rootfs(#[from] rootfs::Error),
    /// What the image expects can't be said.
    #[error(transparent)]
    Contract(#[from] contract::Error),
    /// The image can't be described.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The base can't be used.
    #[error(transparent)]
    Base(#[from] base::Error),
    /// There is no client of registries.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The image can't be written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The image can't be sent.
    #[error(transparent)]
    Transfer(#[from] transfer::Error),
    /// What the image was made of is not what it was.
    #[error("inputs of the image have changed since it was packed")]
    Changed,
    /// Somebody has to talk to registries.
    #[error("cannot reach `{0}`: no registry client is configured")]
    NoClient(Place),
    /// Something could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A root that is no directory.
    #[error("cannot use `{}` as a root: it is not a directory", .0.display())]
    NoRoot(PathBuf),
    /// A script and what it starts are for different platforms.
    #[error("`{program}` is for {found}, but the program that starts it is for {wanted}")]
    Platforms {
        /// What is started.
        program: Spelled,
        /// Its platform.
        found: Platform,
        /// The platform of what starts it.
        wanted: Platform,
    },
    /// `--platform` contradicts the program.
    #[error("`{program}` is for {found}, not for {wanted}")]
    Platform {
        /// The program.
        program: Spelled,
        /// What its header says.
        found: Platform,
        /// What was asked for.
        wanted: Platform,
    },
    /// A machine that images have no name for.
    #[error("`{program}` is for {machine}, for which OCI defines no platform")]
    Machine {
        /// The program.
        program: Spelled,
        /// What its header says.
        machine: String,
    },
    /// The bases of several platforms don't agree, and the image has one contract.
    #[error("the base image's user is {first} on one platform and {other} on another")]
    Users {
        /// One user.
        first: Owner,
        /// Another one.
        other: Owner,
    },
    /// The image would be part of itself.
    #[error("`{destination}` is inside `{}`, which is included: the image would contain itself", .include.display())]
    Itself {
        /// Where the image goes.
        destination: Destination,
        /// What is included.
        include: PathBuf,
    },
    /// A program that is linked otherwise than the recipe asks.
    #[error("`{program}` is linked {}, but `linkage` requires the opposite", if *.is_static { "statically" } else { "dynamically" })]
    Linkage {
        /// The program.
        program: Spelled,
        /// How it is linked.
        is_static: bool,
        /// What links it the other way.
        setting: String,
    },
    /// A path that JSON can't hold.
    #[error("`{0}` is not UTF-8, so the image's config cannot contain it")]
    NotText(ImagePath),
}

impl Error {
    /// An observer has said that the build should not go on.
    pub fn interrupted() -> Self {
        store::Error::from(layer::Error::Interrupted).into()
    }

    /// Whether what was asked for can't be, whatever the files are.
    pub fn is_usage(&self) -> bool {
        let unknown_level = |error: &closure::Error| {
            matches!(error, closure::Error::Loader { source: loader::Error::UnknownHwcaps { .. }, .. })
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

    /// The next step, where there is a usual one.
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
            Self::Changed => Some("build again once nothing writes to them".into()),
            Self::NoClient(_) => Some("set `Settings::client`".into()),
            Self::Io(error) => error.hint(),
            Self::NoRoot(_) => Some("name a directory with an unpacked root file system in it".into()),
            Self::Platforms { .. } => Some("use a script and an interpreter for the same platform".into()),
            Self::Platform { .. } => Some(
                "the platform is read from the program: omit `--platform`, or name another program"
                    .into(),
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

/// Problems that are listed; a program built against another library may miss thousands of symbols.
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
