//! Why there is no image: one variant for each floor.

use std::path::PathBuf;

use crate::path::{ImagePath, Spelled};
use crate::platform::Platform;
use crate::store::Destination;
use crate::{closure, fs, image, recipe, rootfs, store};

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe asks for something that can't be.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// A program can't be resolved.
    #[error(transparent)]
    Closure(#[from] closure::Error),
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
    /// The image would be part of itself.
    #[error("`{destination}` lies in `{}`, which is included: the image would hold itself", .include.display())]
    Itself {
        /// Where the image goes.
        destination: Destination,
        /// What is included.
        include: PathBuf,
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
            Self::Closure(error) => error.hint(),
            Self::Rootfs(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Io(error) => error.hint(),
            Self::Platforms { .. } => Some("build an image for each platform".into()),
            Self::Platform { .. } => Some(
                "the platform is read from the program; leave `--platform` out, or name the right program"
                    .into(),
            ),
            Self::Machine { .. } => None,
            Self::Itself { .. } => {
                Some("write the image elsewhere with `--output`, or include less than that directory".into())
            }
            Self::NotText(_) => Some("give it another path with `PROGRAM:/app/NAME`".into()),
        }
    }
}
