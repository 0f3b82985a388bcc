//! Which compiler a program was made with, as far as its sections tell. No loader reads them, so what they say is for advice
//! and defaults alone.

use super::sections::sections;
use super::{Error, Object};
use coracle_core::content::Reader;
use coracle_core::fs;
use coracle_core::platform::Platform;

/// A compiler that links a C library statically or dynamically as it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Toolchain {
    /// `rustc` writes its name into `.comment`, and what strips programs leaves it there.
    Rust,
    /// Go's linker always writes `.go.buildinfo` (`debug/buildinfo`); its note about the build ID can be left out.
    Go,
}

/// What rustc calls its targets for one platform of Linux.
#[derive(Clone, Copy, Debug)]
pub struct RustTargets {
    /// `GOARCH`.
    architecture: &'static str,
    /// With musl, which is linked statically.
    pub musl: &'static str,
    /// With glibc.
    pub gnu: &'static str,
}

/// Those that a standard library is distributed for with either C library. Source: the rustc book, "Platform Support".
const RUST_TARGETS: [RustTargets; 7] = [
    of("386", "i686-unknown-linux-musl", "i686-unknown-linux-gnu"),
    of("amd64", "x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"),
    of("arm", "armv7-unknown-linux-musleabihf", "armv7-unknown-linux-gnueabihf"),
    of("arm64", "aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"),
    of("loong64", "loongarch64-unknown-linux-musl", "loongarch64-unknown-linux-gnu"),
    of("ppc64le", "powerpc64le-unknown-linux-musl", "powerpc64le-unknown-linux-gnu"),
    of("riscv64", "riscv64gc-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"),
];

const fn of(architecture: &'static str, musl: &'static str, gnu: &'static str) -> RustTargets {
    RustTargets { architecture, musl, gnu }
}

/// The targets for `platform`, where there are both.
pub fn rust_targets(platform: &Platform) -> Option<RustTargets> {
    RUST_TARGETS.into_iter().find(|targets| targets.architecture == platform.architecture)
}

/// How much of `.comment` is read: each compiler adds a line.
const COMMENT: u64 = 1 << 12;

/// The toolchain of `object`, whose bytes are `file`; none that is known, or section headers that are damaged, are nothing.
///
/// # Errors
/// When the file can't be read.
pub fn toolchain(file: &Reader, object: &Object) -> fs::Result<Option<Toolchain>> {
    let sections = match sections(file, &object.header) {
        Err(Error::Io(error)) => return Err(error),
        sections => sections.unwrap_or_default(),
    };
    if sections.iter().any(|section| section.name == b".go.buildinfo") {
        return Ok(Some(Toolchain::Go));
    }
    let Some(comment) = sections.iter().find(|section| section.name == b".comment") else { return Ok(None) };
    let size = comment.header.sh_size.min(COMMENT).min(file.size());
    let text = file.bytes_at(comment.header.sh_offset, usize::try_from(size).unwrap_or_default())?;
    let mut words = text.split(|byte| *byte == 0);
    Ok(words.any(|word| word.starts_with(b"rustc version ")).then_some(Toolchain::Rust))
}
