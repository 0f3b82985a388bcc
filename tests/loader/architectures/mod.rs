//! Images for other architectures and for musl, run in their unpacked roots with qemu.

mod machines;
mod musl;
mod test_project;
