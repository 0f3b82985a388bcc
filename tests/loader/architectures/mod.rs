//! Images of other worlds, each run in its own unpacked root, where nothing of the host is: every machine that Debian
//! has a cross compiler for, under qemu, and musl's programs.
//!
//! What a machine lacks is skipped aloud, or fails the test.

mod machines;
mod musl;
mod test_project;
