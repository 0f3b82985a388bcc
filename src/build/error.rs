//! Why there is no image: one variant for each floor.

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
    Leaks(#[from] coracle_scan::Error),
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
    Runtime(#[from] implicit::Error),
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
    Store(#[from] layout::Error),
    /// The image can't be sent.
    #[error(transparent)]
    Transfer(#[from] copy::Error),
    /// What the image was made of is not what it was.
    #[error("what the image is made of has changed since it was packed")]
    Changed,
    /// Somebody has to talk to registries.
    #[error("cannot send the image to `{0}`: nobody is there who talks to registries")]
    NoClient(Place),
    /// Something could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A root that is no directory.
    #[error("cannot use `{}` as a root: it is no directory", .0.display())]
    NoRoot(PathBuf),
    /// A script and what it starts are for different platforms.
    #[error("`{program}` is for {found}, what starts it is for {wanted}")]
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
    #[error("`{program}` is for {machine}, which images have no platform for")]
    Machine {
        /// The program.
        program: Spelled,
        /// What its header says.
        machine: String,
    },
    /// The bases of several platforms don't agree, and the image has one contract.
    #[error("the base runs as {first} on one platform and as {other} on another")]
    Users {
        /// One user.
        first: Owner,
        /// Another one.
        other: Owner,
    },
    /// The image would be part of itself.
    #[error("`{destination}` lies in `{}`, which is included: the image would hold itself", .include.display())]
    Itself {
        /// Where the image goes.
        destination: Destination,
        /// What is included.
        include: PathBuf,
    },
    /// A program that is linked otherwise than the recipe asks.
    #[error("`{program}` is linked {}, and `linkage` asks for the opposite", if *.is_static { "statically" } else { "dynamically" })]
    Linkage {
        /// The program.
        program: Spelled,
        /// How it is linked.
        is_static: bool,
        /// What links it the other way.
        setting: String,
    },
    /// A path that JSON can't hold.
    #[error("`{0}` is not UTF-8, so no image can name it as its program")]
    NotText(ImagePath),
}

impl Error {
    /// An observer has said that the build should not go on.
    pub fn interrupted() -> Self {
        layout::Error::from(layer::Error::Interrupted).into()
    }

    /// Whether what was asked for can't be, whatever the files are.
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
            Self::Changed => Some("build again when all of it is finished".into()),
            Self::NoClient(_) => Some("give the build a client, `Settings::client`".into()),
            Self::Io(error) => error.hint(),
            Self::NoRoot(_) => Some("name a directory with an unpacked root file system in it".into()),
            Self::Platforms { .. } => Some("let the script name an interpreter of one platform".into()),
            Self::Platform { .. } => Some(
                "the platform is read from the program; leave `--platform` out, or name the right program"
                    .into(),
            ),
            Self::Machine { .. } => None,
            Self::Users { .. } => Some("say who runs the program: `--user UID[:GID]`".into()),
            Self::Itself { .. } => {
                Some("write the image elsewhere with `--output`, or include less than that directory".into())
            }
            Self::Linkage { is_static, setting, .. } => {
                let wanted = if *is_static { "dynamically" } else { "statically" };
                Some(format!("{setting} links it {wanted}; `--linkage auto` takes both"))
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
        "the glibc here is older than the one that it was linked against: build it here or on an older system, or \
         link it statically"
    } else if is_version {
        "the library here is another release than the one that it was linked against: install that one, or build the \
         program again"
    } else {
        "the libraries here are not those that it was linked against: install those, or build the program again"
    }
    .into()
}
