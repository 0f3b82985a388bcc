//! The tree of an image: what stands at each path, who owns it, and why it is there.
//!
//! It knows no tar and no digest. Its rules (owners, modes, layout) are those of ARCHITECTURE.md, "Rules of the image".

mod entry;

pub use entry::{Entry, Node, Owner, Reason, Stratum};
