//! Why there is no image: one variant for each floor.

use crate::closure::{Problem, ProblemKind};
use crate::path::{ImagePath, ParsePathError, Spelled};
use crate::platform::Platform;
use crate::store::ParseDestinationError;
use crate::{closure, fs, image, recipe, rootfs, store};

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe asks for something that can't be.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// A destination is none.
    #[error(transparent)]
    Destination(#[from] ParseDestinationError),
    /// A program can't be resolved.
    #[error(transparent)]
    Closure(#[from] closure::Error),
    /// Libraries lack what was linked against them, all of it.
    #[error("{}", problems_text(.0))]
    NotStarting(Vec<Problem>),
    /// The image can't be planned.
    #[error(transparent)]
    Rootfs(#[from] rootfs::Error),
    /// The image can't be described.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The image can't be written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Something could not be read.
    #[error(transparent)]
    Io(#[from] fs::Error),
    /// A directory under `[allow]` is none.
    #[error("`[allow]` names no directory")]
    Allow(#[source] ParsePathError),
    /// Programs of different platforms.
    #[error("`{program}` is for {found}, the other programs are for {wanted}")]
    Platforms {
        /// The program that differs.
        program: Spelled,
        /// Its platform.
        found: Platform,
        /// The first program's.
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
    /// A path that JSON can't hold.
    #[error("`{0}` is not UTF-8, so no image can name it as its program")]
    NotText(ImagePath),
}

impl Error {
    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Destination(error) => Some(error.hint()),
            Self::Closure(error) => error.hint(),
            Self::NotStarting(problems) => Some(problems_hint(problems)),
            Self::Rootfs(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Io(error) => error.hint(),
            Self::Allow(_) => {
                Some("write the absolute path of a directory, such as `\"/home/me/lib\"`".into())
            }
            Self::Platforms { .. } => Some("build an image for each platform".into()),
            Self::Platform { .. } => Some(
                "the platform is read from the program; leave `--platform` out, or name the right program"
                    .into(),
            ),
            Self::Machine { .. } => None,
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
    let is_version = problems.iter().any(|problem| problem.kind == ProblemKind::Version);
    if old_libc {
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
