//! Detects the compiler of a program from its sections. Loaders do not read them, so the result is
//! used only for advice and defaults.

use super::elf_object::ElfObject;
use super::error::Error;
use super::header::Header;
use super::sections::{Section, read_sections};
use coracle_core::content::OpenContent;
use coracle_core::fs;
use coracle_core::platform::Platform;

/// A compiler that can link programs either statically or dynamically.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Toolchain {
    /// rustc. Detected by its name in `.comment`, which strip tools keep.
    Rust,
    /// Go. Detected by `.go.buildinfo` (`debug/buildinfo`), which its linker always writes, unlike
    /// the build ID note.
    Go,
}

/// rustc's target names for one Linux platform.
#[derive(Clone, Copy, Debug)]
pub struct RustTargets {
    /// `GOARCH`.
    architecture: &'static str,
    /// The musl target, which links statically.
    pub musl: &'static str,
    /// The glibc target.
    pub gnu: &'static str,
}

/// Platforms with a distributed standard library for both musl and glibc. Source: the rustc book,
/// "Platform Support".
const RUST_TARGETS: [RustTargets; 7] = [
    rust_target("386", "i686-unknown-linux-musl", "i686-unknown-linux-gnu"),
    rust_target("amd64", "x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"),
    rust_target("arm", "armv7-unknown-linux-musleabihf", "armv7-unknown-linux-gnueabihf"),
    rust_target("arm64", "aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"),
    rust_target("loong64", "loongarch64-unknown-linux-musl", "loongarch64-unknown-linux-gnu"),
    rust_target("ppc64le", "powerpc64le-unknown-linux-musl", "powerpc64le-unknown-linux-gnu"),
    rust_target("riscv64", "riscv64gc-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"),
];

const fn rust_target(architecture: &'static str, musl: &'static str, gnu: &'static str) -> RustTargets {
    RustTargets { architecture, musl, gnu }
}

/// Returns the rustc targets for `platform`; `None` unless there is one for each C library.
pub fn rust_targets(platform: &Platform) -> Option<RustTargets> {
    RUST_TARGETS.into_iter().find(|targets| targets.architecture == platform.architecture)
}

/// Maximum number of bytes to read of `.comment`. Each compiler adds a line.
const MAX_COMMENT_SIZE: u64 = 1 << 12;

/// Returns whether `object`, which was read from `file`, has a section called `name`. False if section
/// headers are damaged.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn has_section(file: &OpenContent, object: &ElfObject, name: &[u8]) -> fs::Result<bool> {
    Ok(sections_if_valid(file, &object.header)?.iter().any(|section| section.name == name))
}

/// Returns the bytes of the section called `name`, or its first `limit` bytes. `None` if there is no
/// such section, or section headers are damaged.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn read_section(
    file: &OpenContent,
    header: &Header,
    name: &[u8],
    limit: u64,
) -> fs::Result<Option<Vec<u8>>> {
    let sections = sections_if_valid(file, header)?;
    let section = sections.iter().find(|section| section.name == name);
    section.map(|section| section_bytes(file, section, limit)).transpose()
}

/// Detects the toolchain of the file with `header`. `None` if it is unknown or section headers are
/// damaged.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn detect_toolchain(file: &OpenContent, header: &Header) -> fs::Result<Option<Toolchain>> {
    let sections = sections_if_valid(file, header)?;
    if sections.iter().any(|section| section.name == b".go.buildinfo") {
        return Ok(Some(Toolchain::Go));
    }
    let Some(comment) = sections.iter().find(|section| section.name == b".comment") else { return Ok(None) };
    let text = section_bytes(file, comment, MAX_COMMENT_SIZE)?;
    let mut comments = text.split(|byte| *byte == 0);
    Ok(comments.any(|comment| comment.starts_with(b"rustc version ")).then_some(Toolchain::Rust))
}

/// Reads the sections. The list is empty if section headers are damaged.
fn sections_if_valid(file: &OpenContent, header: &Header) -> fs::Result<Vec<Section>> {
    match read_sections(file, header) {
        Err(Error::Io(error)) => Err(error),
        sections => Ok(sections.unwrap_or_default()),
    }
}

fn section_bytes(file: &OpenContent, section: &Section, limit: u64) -> fs::Result<Vec<u8>> {
    let size = section.file_end().saturating_sub(section.header.sh_offset).min(limit).min(file.size());
    file.read_bytes_at(section.header.sh_offset, usize::try_from(size).unwrap_or_default())
}
