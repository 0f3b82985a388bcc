//! Errors of engines.

use std::io::{self, ErrorKind};

use super::engine_image_name::{EngineImageName, EngineKind, EngineName};
use crate::layout;
use coracle_core::fs;
use coracle_core::hint::Hint;
use coracle_core::platform::Platform;

/// Why an image could not be loaded into an engine or saved from it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A blob or document of the image can't be read.
    #[error(transparent)]
    Store(layout::LayoutError),
    /// A file can't be written.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// The operation was cancelled.
    #[error("interrupted; no image was loaded into the engine")]
    Cancelled,
    /// No engine responds.
    #[error("no container engine was found to load the image into{}", format_attempts(.0))]
    NoEngine(Vec<(EngineKind, EngineError)>),
    /// The command-line client of an engine was not found.
    #[error("cannot find `{program}`, the command-line client of {engine}")]
    MissingProgram {
        /// The engine.
        engine: EngineName,
        /// The program.
        program: &'static str,
        /// The number of directories searched.
        searched: usize,
    },
    /// The engine does not accept connections.
    #[error("cannot reach {engine} at `{endpoint}`")]
    Unreachable {
        /// The engine.
        engine: EngineName,
        /// The socket or address.
        endpoint: String,
        /// The cause.
        source: io::Error,
    },
    /// The endpoint of Docker is invalid or not supported.
    #[error("cannot use `{endpoint}` as the endpoint of Docker: {why}")]
    InvalidEndpoint {
        /// The endpoint, as configured.
        endpoint: String,
        /// The problem.
        why: &'static str,
    },
    /// The connection was closed, or the engine did not respond in time.
    #[error("no response from {engine} to the request to {operation}")]
    NoResponse {
        /// The engine.
        engine: EngineName,
        /// The operation, as in "load an image".
        operation: String,
        /// The cause.
        source: io::Error,
    },
    /// The response can't be parsed.
    #[error("invalid response from {engine} to the request to {operation}: {why}")]
    InvalidResponse {
        /// The engine.
        engine: EngineName,
        /// The operation, as in "load an image".
        operation: String,
        /// The problem.
        why: String,
    },
    /// The engine refused the operation, or failed.
    #[error("{engine} failed to {operation}: {message}")]
    Failed {
        /// The engine.
        engine: EngineName,
        /// The operation, as in "load an image".
        operation: String,
        /// The message of the engine.
        message: String,
    },
    /// No image is for the platform of the engine.
    #[error("cannot write `{to}`: the image is for {image_platforms}, but the engine runs {engine_platform}")]
    PlatformMismatch {
        /// The destination.
        to: EngineImageName,
        /// The platform of the engine.
        engine_platform: Platform,
        /// The platforms of the image.
        image_platforms: String,
    },
    /// The source is an artifact, such as a signature or a chart, not an image.
    #[error("cannot write `{0}`: the source is an artifact, not a container image")]
    NotAnImage(EngineImageName),
    /// The engine has no image of this name.
    #[error("there is no image at `{0}`")]
    NoSuchImage(EngineImageName),
    /// The engine reported success, but does not have the image.
    #[error("the engine loaded the image, but does not have it as `{0}`")]
    NotLoaded(EngineImageName),
}

impl From<layout::LayoutError> for EngineError {
    fn from(error: layout::LayoutError) -> Self {
        match error {
            layout::LayoutError::Cancelled => Self::Cancelled,
            error => Self::Store(error),
        }
    }
}

/// Formats one line for each engine that was tried.
fn format_attempts(engines: &[(EngineKind, EngineError)]) -> String {
    engines.iter().map(|(kind, error)| format!("\n  {:<11} {}", kind.name(), with_causes(error))).collect()
}

/// The message of an error and its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", with_causes(source)));
    format!("{error}{}", source.unwrap_or_default())
}

impl EngineError {
    fn is_permission_denied(&self) -> bool {
        matches!(self, Self::Unreachable { source, .. } if source.kind() == ErrorKind::PermissionDenied)
    }
}

impl Hint for EngineError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::File(error) => return error.hint(),
            Self::Cancelled => return None,
            Self::NoEngine(tried) => {
                let denied =
                    tried.iter().find(|(_, error)| error.is_permission_denied()).and_then(|(_, error)| error.hint());
                denied.unwrap_or_else(|| {
                    "start one of them, or write an archive that each of them can load: `-o oci-archive:FILE`"
                        .into()
                })
            }
            Self::MissingProgram { engine, program, searched } => format!(
                "install {engine}, or add the directory of `{program}` to PATH ({searched} directories were searched)"
            ),
            Self::Unreachable { engine, source, .. } => connect_hint(*engine, source.kind()),
            Self::InvalidEndpoint { .. } => {
                "set DOCKER_HOST to `unix:///PATH` or `tcp://HOST:PORT`, or write an archive and \
                 load it with `docker load -i FILE`"
                    .into()
            }
            Self::NoResponse { source, .. } if source.kind() == ErrorKind::TimedOut => {
                "the engine may be busy: try again, or check its log".into()
            }
            Self::NoResponse { .. } => "check the engine's log, and try again".into(),
            Self::InvalidResponse { .. } => "check that the engine listens at this address, not another server".into(),
            Self::Failed { message, .. } if message.contains("invalid tar header") => {
                "Docker before 23.0 does not support zstd: build the image with `--compression gzip`".into()
            }
            Self::Failed { message, .. } if message.contains("permission denied") => {
                "run the command as a user with access to the engine, such as root".into()
            }
            Self::Failed { .. } => return None,
            Self::PlatformMismatch { .. } => {
                "build the image for the platform of the engine, or write `oci-archive:FILE` and load it with \
                 the engine's own client"
                    .into()
            }
            Self::NotAnImage(_) => "copy it to a layout: `oci:DIR`".into(),
            Self::NoSuchImage(_) => "check the name and the tag; without a tag, `latest` is used".into(),
            Self::NotLoaded(_) => "check the engine's log; the image may have been removed in the meantime".into(),
        })
    }
}

fn connect_hint(engine: EngineName, why: ErrorKind) -> String {
    match (why, engine) {
        (ErrorKind::PermissionDenied, EngineName::Docker) => {
            "run the command as root, or join the group that owns the socket: `sudo usermod -aG docker $USER`, then log in again"
                .into()
        }
        (ErrorKind::PermissionDenied, _) => format!("run the command as a user with access to {engine}, such as root"),
        (_, EngineName::Docker) => "start it with `systemctl start docker`, or set DOCKER_HOST to where it listens".into(),
        _ => format!(
            "start it with `systemctl start {engine}`, or set CONTAINERD_ADDRESS to where it listens"
        ),
    }
}
