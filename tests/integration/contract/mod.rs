//! Commands about contracts as their users meet them: images built of a C program with configuration, manifests good and
//! bad with everything that is said about them, and images that are none.

mod check_content;
mod check_mounts;
mod diff;
mod malformed_images;
mod resolve;
mod show;
mod test_image;
