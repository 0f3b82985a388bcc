//! Deterministic layers, OCI images, image layouts, registries and container engines.

pub mod base;
pub mod cache;
pub mod copy;
pub mod engine;
pub mod image;
pub mod layer;
pub mod layout;
pub mod registry;
pub mod remote_cache;
