//! The crates and Go modules of the executable files of an image.

use std::collections::BTreeSet;

use super::FileModules;
use crate::rootfs::{EntryNode, Rootfs};
use coracle_core::fs;
use coracle_core::path::ImagePath;
use coracle_inventory::ProgramModules;
use coracle_ld::elf::Toolchain;

/// Returns the modules of each file that has a list, and a message about each file of Rust or Go without
/// one. Files in `owned` belong to packages, which scanners see.
///
/// # Errors
/// Fails if a file cannot be read.
pub(super) fn read_modules(
    rootfs: &Rootfs,
    owned: &BTreeSet<ImagePath>,
) -> fs::Result<(Vec<FileModules>, Vec<String>)> {
    let (mut modules, mut missing) = (Vec::new(), Vec::new());
    for (path, entry) in rootfs.iter() {
        let EntryNode::File(content) = &entry.node else { continue };
        // Scanners read modules of executable files alone.
        if entry.mode & 0o111 == 0 {
            continue;
        }
        match ProgramModules::read(content)? {
            ProgramModules::Listed(list) => modules.push(FileModules { path: path.clone(), list }),
            ProgramModules::Missing(toolchain) if !owned.contains(path) => {
                missing.push(missing_list(path, toolchain));
            }
            ProgramModules::Missing(_) | ProgramModules::Unknown => {}
        }
    }
    Ok((modules, missing))
}

fn missing_list(path: &ImagePath, toolchain: Toolchain) -> String {
    match toolchain {
        Toolchain::Rust => format!(
            "scanners do not see the crates of `{path}`: `cargo auditable build` adds a list of them, as does \
             `cargo coracle build --auditable`"
        ),
        Toolchain::Go => format!(
            "scanners do not see the modules of `{path}`: `go build` lists them in a directory with `go.mod`, from Go \
             1.18 on"
        ),
    }
}
