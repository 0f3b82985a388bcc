//! Local container engines: loads images into Docker, Podman (which shares its storage with Buildah
//! and CRI-O) and containerd, and saves images from them.
//!
//! The image of the engine's platform is streamed as an archive, without content that the engine
//! has already. The module does not depend on how images are built. Docker is used through its API,
//! the others through their command-line clients `podman` and `ctr`.

mod client_program;
mod container_engine;
mod containerd;
mod docker;
mod engine_image_name;
mod error;
mod http;
mod load_image;
mod podman;
mod select_image;

pub use container_engine::EngineSettings;
pub use engine_image_name::{
    EngineImageName, EngineKind, EngineName, ParseEngineImageNameError, has_engine_transport,
};
pub use error::EngineError;
pub use load_image::{LoadOutcome, LoadedImage, detect_engine, load_image, save_image};
