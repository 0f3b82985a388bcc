//! Base images: location, config, layers, and a file system view of them.
//!
//! Documents and layers are read on demand. Fetched blobs are stored by digest and verified. This
//! module does not depend on builds.

mod base_source;
mod error;
mod inherited_config;

pub use base_source::{BaseImage, BaseSource, resolve_base_digest};
pub use error::BaseError;
pub use inherited_config::InheritedConfig;
