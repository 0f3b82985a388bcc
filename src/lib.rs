//! Turns a program that is already built into the smallest honest container image.

mod build;
pub mod closure;
pub mod content;
pub mod digest;
pub mod elf;
pub mod fs;
pub mod image;
pub mod json;
pub mod layer;
pub mod loader;
pub mod note;
pub mod path;
pub mod platform;
pub mod recipe;
pub mod reference;
pub mod rootfs;
pub mod store;
pub mod tree;

pub use build::{Built, Error, Observer, Plan, Settings, build, plan};
