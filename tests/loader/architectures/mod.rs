//! Images for other architectures, run in their unpacked roots: every machine with a cross compiler
//! in Debian, under qemu, and programs for musl.

mod machines;
mod musl;
mod test_project;
