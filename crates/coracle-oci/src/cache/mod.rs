//! The local build cache: compressed layers, blobs of base images, and records of builds.
//!
//! The directory is private to one user. Layers and records are used only if they match their
//! digests. Errors here do not fail a build; [`BuildCache::take_warning`] returns them as a
//! warning. This module does not depend on builds.

mod blob_store;
mod build_cache;
mod directory;
mod layers;
mod lock_file;
mod prune;
mod records;

pub(crate) use blob_store::BlobStore;
pub use build_cache::{BuildCache, DEFAULT_LIMIT};
pub use directory::CacheError;
pub use prune::PruneResult;

#[cfg(test)]
mod tests;
