//! `coracle config check`, `diff` and `show`, `coracle resolve`: images of a C program with
//! configuration, valid and invalid manifests, and malformed images.

mod check_content;
mod check_mounts;
mod diff;
mod malformed_images;
mod resolve;
mod show;
pub(crate) mod test_image;
