//! The local build cache: compressed layers, blobs of base images, and records of builds.
//!
//! The directory is private to one user. Layers and records are used only if they match their
//! digests. Errors here do not fail a build; [`BuildCache::take_warning`] returns them as a
//! warning. This module does not depend on builds.

mod blob_store;
mod build_cache;
mod cached_layers;
mod lock_file;
mod prune;

pub(crate) use blob_store::BlobStore;
pub use build_cache::{BuildCache, CacheError, DEFAULT_LIMIT};
pub use prune::PruneResult;

#[cfg(test)]
mod tests;
#[cfg(test)]
#[cfg(unix)]
mod untrusted_cache_tests;
