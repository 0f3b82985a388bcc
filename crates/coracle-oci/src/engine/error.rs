//! Why an image is not at an engine.

use std::io::{self, ErrorKind};

use super::{Kind, Named};
use coracle_core::platform::Platform;
use coracle_core::fs;
use crate::layout;

/// Why an image could not be brought to an engine, or taken from it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image can't be read.
    #[error(transparent)]
    Store(#[from] layout::Error),
    /// A file can't be written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// The observer did not want to go on.
    #[error("interrupted; the engine was sent no whole image")]
    Interrupted,
    /// No engine is there.
    #[error("there is no engine to load the image into{}", tried(.0))]
    None(Vec<(Kind, Error)>),
    /// The engine's program is not installed.
    #[error("cannot find `{program}`, the program of {engine}")]
    Program {
        /// Which engine.
        engine: &'static str,
        /// Its program.
        program: &'static str,
        /// The directories that were looked into.
        searched: usize,
    },
    /// Nobody answers where the engine should listen.
    #[error("cannot reach {engine} at `{endpoint}`")]
    Connect {
        /// Which engine.
        engine: &'static str,
        /// Its socket.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// A way to Docker that is not known here.
    #[error("cannot reach Docker at `{endpoint}`: {why}")]
    Endpoint {
        /// As it was written.
        endpoint: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The connection broke, or the engine was silent for too long.
    #[error("{engine} did not answer when it was asked to {what}")]
    Silent {
        /// Which engine.
        engine: &'static str,
        /// What it was asked.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// An answer that is none.
    #[error("{engine} answered something else when it was asked to {what}: {why}")]
    Answer {
        /// Which engine.
        engine: &'static str,
        /// What it was asked.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The engine said no.
    #[error("{engine} refused to {what}: {said}")]
    Refused {
        /// Which engine.
        engine: &'static str,
        /// What it was asked.
        what: String,
        /// What it said.
        said: String,
    },
    /// Nothing that the engine can run.
    #[error("cannot write `{to}`: the image is for {found}, and the engine runs {runs}")]
    Platform {
        /// Where it was to go.
        to: Named,
        /// What the engine runs.
        runs: Platform,
        /// The platforms of the image.
        found: String,
    },
    /// A signature, a chart.
    #[error("cannot write `{0}`: there is no image of a file system in it")]
    NoProgram(Named),
    /// The engine has no image of this name.
    #[error("there is no image at `{0}`")]
    Nothing(Named),
    /// The engine took it, and has it not.
    #[error("the engine took the image and does not have it as `{0}`")]
    Lost(Named),
}

fn tried(engines: &[(Kind, Error)]) -> String {
    engines.iter().map(|(kind, error)| format!("\n  {:<11} {}", kind.title(), chain(error))).collect()
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", source.unwrap_or_default())
}

impl Error {
    /// The next step, where there is a usual one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::File(error) => return error.hint(),
            Self::Interrupted => return None,
            Self::None(tried) => {
                let denied =
                    tried.iter().find(|(_, error)| error.is_denied()).and_then(|(_, error)| error.hint());
                denied.unwrap_or_else(|| {
                    "start one of them, or write an archive that any of them loads: `-o oci-archive:FILE`"
                        .into()
                })
            }
            Self::Program { engine, program, searched } => format!(
                "install {engine}, or put the directory of `{program}` into PATH ({searched} were searched)"
            ),
            Self::Connect { engine, source, .. } => connecting(engine, source.kind()),
            Self::Endpoint { .. } => {
                "set DOCKER_HOST to `unix:///PATH` or `tcp://HOST:PORT`, or write an archive and \
                                      let `docker load -i FILE` take it"
                    .into()
            }
            Self::Silent { source, .. } if source.kind() == ErrorKind::TimedOut => {
                "the engine may be busy: try again, or look into its log".into()
            }
            Self::Silent { .. } => "look into the engine's log, and try again".into(),
            Self::Answer { .. } => "check that it is the engine that listens there".into(),
            Self::Refused { said, .. } if said.contains("invalid tar header") => {
                "Docker before 23.0 knows nothing of zstd: build the image with `--compression gzip`".into()
            }
            Self::Refused { said, .. } if said.contains("permission denied") => {
                "run it as a user who may talk to the engine, such as root".into()
            }
            Self::Refused { .. } => return None,
            Self::Platform { .. } => {
                "build it for the engine's platform, or write `oci-archive:FILE` and let the \
                                      engine's own client load it"
                    .into()
            }
            Self::NoProgram(_) => "copy it to a layout: `oci:DIR`".into(),
            Self::Nothing(_) => "check name and tag; a tag that nothing says is `latest`".into(),
            Self::Lost(_) => "look into the engine's log; somebody may have removed it meanwhile".into(),
        })
    }

    fn is_denied(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.kind() == ErrorKind::PermissionDenied)
    }
}

fn connecting(engine: &str, why: ErrorKind) -> String {
    match (why, engine) {
        (ErrorKind::PermissionDenied, "Docker") => {
            "run it as root, or join the group that owns the socket: `sudo usermod -aG docker $USER`, then log in again"
                .into()
        }
        (ErrorKind::PermissionDenied, _) => format!("run it as a user who may talk to {engine}, such as root"),
        (_, "Docker") => "start it: `systemctl start docker`; DOCKER_HOST says where it listens otherwise".into(),
        _ => format!(
            "start it: `systemctl start {engine}`; CONTAINERD_ADDRESS says where it listens otherwise"
        ),
    }
}
