//! Turns a program that is already built into the smallest honest container image.

pub mod content;
pub mod digest;
pub mod fs;
pub mod image;
pub mod json;
pub mod layer;
pub mod path;
pub mod platform;
pub mod reference;
pub mod rootfs;
pub mod store;
pub mod tree;
