//! Checks the linkage that a recipe requires, and advises static or dynamic linking.
//!
//! Advice is given only for toolchains that need a single setting for it: Rust's and Go's.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::recipe::{Linkage, Recipe};
use crate::rootfs::{PlannedProgram, Rootfs};
use coracle_core::content::OpenContent;
use coracle_core::fs;
use coracle_core::note::Note;
use coracle_core::path::{RawPath, escape_bytes};
use coracle_core::platform::Platform;
use coracle_ld::closure::{ElfProgram, MappedObject};
use coracle_ld::elf::{self, ElfObject, Toolchain};

/// The libraries of glibc and of its compiler, which a static program contains.
const C_LIBRARY: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libgcc_s.so.1",
];
/// Name parts of cgo functions in Go's function table, and Go's own packages that do not require
/// cgo.
const CGO_NAME_PARTS: [&str; 2] = ["._Cfunc_", "._C2func_"];
const PACKAGES_WITHOUT_CGO: [&str; 3] = ["net.", "os/user.", "runtime/cgo."];
/// Functions that a static program cannot use.
const DLOPEN_FUNCTIONS: [&[u8]; 2] = [b"dlopen", b"dlmopen"];
/// The minimum share of the C library in an image, in percent, for advice.
const MIN_SHARE_PERCENT: u64 = 25;

/// A program and how it is linked.
struct LinkedProgram<'a> {
    raw_path: &'a RawPath,
    elf: &'a ElfProgram,
    is_static: bool,
    toolchain: Option<Toolchain>,
    /// `true` if it is a dynamic Go program with C code of its own.
    has_cgo: bool,
}

impl LinkedProgram<'_> {
    /// Returns its file name.
    fn name(&self) -> String {
        escape_bytes(self.raw_path.file_name())
    }

    /// Returns the toolchain's setting that links it the other way.
    fn opposite_setting(&self, platform: &Platform) -> String {
        match (self.toolchain, elf::rust_targets(platform), self.is_static) {
            (Some(Toolchain::Rust), Some(targets), false) => format!("rustc's `--target {}`", targets.musl),
            (Some(Toolchain::Rust), Some(targets), true) => format!("rustc's `--target {}`", targets.gnu),
            (Some(Toolchain::Rust), None, false) => "rustc's `-Ctarget-feature=+crt-static`".into(),
            (Some(Toolchain::Rust), None, true) => "rustc's `-Ctarget-feature=-crt-static`".into(),
            (Some(Toolchain::Go), _, false) if self.has_cgo => {
                "Go's `-ldflags '-linkmode external -extldflags -static'`".into()
            }
            (Some(Toolchain::Go), _, false) => "Go's `CGO_ENABLED=0`".into(),
            (Some(Toolchain::Go), _, true) => "Go's `CGO_ENABLED=1`, where a package uses cgo,".into(),
            (None, _, false) => "the linker's `-static`".into(),
            (None, _, true) => "leaving out the linker's `-static`".into(),
        }
    }
}

/// Checks that `programs`, which are for `platform`, are linked as `recipe` requires.
///
/// # Errors
/// Fails if a program is linked otherwise, or a file cannot be read.
pub(super) fn check_linkage(
    recipe: &Recipe,
    programs: &[PlannedProgram],
    platform: &Platform,
) -> Result<(), Error> {
    let wants_static = match recipe.checks.linkage {
        Linkage::Auto => return Ok(()),
        Linkage::Static => true,
        Linkage::Dynamic => false,
    };
    match linked_programs(programs)?.into_iter().find(|linked| linked.is_static != wants_static) {
        None => Ok(()),
        Some(other) => {
            let (program, setting) = (other.raw_path.clone(), other.opposite_setting(platform));
            Err(Error::LinkageMismatch { program, is_static: other.is_static, setting })
        }
    }
}

/// Returns advice about the linkage of `programs`, whose image for `platform` is `rootfs`. `None`
/// if `recipe` sets the linkage.
///
/// # Errors
/// Fails if a file cannot be read.
pub(super) fn linkage_advice(
    recipe: &Recipe,
    programs: &[PlannedProgram],
    platform: &Platform,
    rootfs: &Rootfs,
) -> fs::Result<Option<Note>> {
    // A base image may have the C library already.
    if recipe.checks.linkage != Linkage::Auto || recipe.image.base.is_some() {
        return Ok(None);
    }
    let linked = linked_programs(programs)?;
    // A script needs its interpreter with all of its files.
    let are_programs = linked.len() == programs.len();
    let to_static = if are_programs { advise_static(&linked, platform, rootfs.total_size())? } else { None };
    Ok(to_static.or_else(|| advise_dynamic(&linked, platform)).map(Note::Hint))
}

fn linked_programs(programs: &[PlannedProgram]) -> fs::Result<Vec<LinkedProgram<'_>>> {
    let elves = programs.iter().flat_map(|program| program.closure.elf_programs());
    let mut linked = Vec::new();
    for elf in elves {
        let Some(program) = elf.link_map.objects.first() else { continue };
        let file = program.file.content.open()?;
        let toolchain = elf::detect_toolchain(&file, &program.object.header)?;
        let is_static = elf.link_map.loader.is_none();
        // Not for static programs: the whole text would be read, which may be large.
        let has_cgo = !is_static && toolchain == Some(Toolchain::Go) && has_cgo(&file, &program.object)?;
        linked.push(LinkedProgram { raw_path: &program.raw_path, elf, is_static, toolchain, has_cgo });
    }
    Ok(linked)
}

fn has_cgo(file: &OpenContent, object: &ElfObject) -> fs::Result<bool> {
    let words = elf::data_strings_containing(file, object, &CGO_NAME_PARTS)?;
    Ok(words
        .iter()
        .any(|word| !PACKAGES_WITHOUT_CGO.iter().any(|package| word.starts_with(package.as_bytes()))))
}

/// Advises static linking if all programs are of one toolchain and need only the C library, and the
/// C library is a large share of the image.
fn advise_static(linked: &[LinkedProgram<'_>], platform: &Platform, size: u64) -> fs::Result<Option<String>> {
    let Some(first) = linked.first() else { return Ok(None) };
    for linked in linked {
        let is_alike = linked.toolchain.is_some() && linked.toolchain == first.toolchain;
        if !is_alike
            || linked.has_cgo
            || !needs_c_library_alone(linked.elf)
            || program_calls_dlopen(linked.elf)?
        {
            return Ok(None);
        }
    }
    let libraries = linked
        .iter()
        .flat_map(|linked| linked.elf.all_link_maps())
        .flat_map(|map| map.objects.iter().skip(1));
    let sizes: BTreeMap<_, u64> =
        libraries.map(|library| (&library.path, library.file.content.size())).collect();
    let share = sizes.values().sum::<u64>().saturating_mul(100) / size.max(1);
    Ok((share >= MIN_SHARE_PERCENT).then(|| {
        let needs = match linked {
            [one] => format!("`{}` needs", one.name()),
            _ => "the programs need".into(),
        };
        let setting = first.opposite_setting(platform);
        format!(
            "{needs} nothing but the C library, {share} % of the image; {setting} makes it one file, `--linkage dynamic` \
             disables this hint"
        )
    }))
}

fn needs_c_library_alone(elf: &ElfProgram) -> bool {
    let is_glibc = elf.link_map.loader.as_ref().is_some_and(|loader| loader.is_glibc());
    let libraries = elf.all_link_maps().flat_map(|map| map.objects.iter().enumerate());
    let mut libraries = libraries.filter(|(index, mapped)| *index != 0 && !is_loader(elf, mapped));
    is_glibc
        && libraries.all(|(_, mapped)| {
            let soname = mapped.object.dynamic.soname.as_deref().unwrap_or(mapped.raw_path.file_name());
            C_LIBRARY.iter().any(|part| part.as_bytes() == soname)
        })
}

/// Returns whether the object is the dynamic loader, which is in the link map, too.
fn is_loader(elf: &ElfProgram, mapped: &MappedObject) -> bool {
    let program = elf.link_map.objects.first();
    let interpreter = program.and_then(|program| program.object.interpreter.as_ref());
    interpreter.is_some_and(|interpreter| {
        RawPath::new(interpreter.as_bytes()).file_name() == mapped.raw_path.file_name()
    })
}

/// Returns whether the program itself calls `dlopen`.
fn program_calls_dlopen(elf: &ElfProgram) -> fs::Result<bool> {
    let references = elf.link_map.symbol_references()?;
    let own = references.symbols.iter().filter(|wanted| wanted.used_by.contains(&0));
    Ok(own.into_iter().any(|wanted| DLOPEN_FUNCTIONS.contains(&wanted.reference.name.as_slice())))
}

/// Advises dynamic linking if a static program contains a C library that the image has anyway.
fn advise_dynamic(linked: &[LinkedProgram<'_>], platform: &Platform) -> Option<String> {
    let is_glibc = |linked: &&LinkedProgram<'_>| {
        linked.elf.link_map.loader.as_ref().is_some_and(|loader| loader.is_glibc())
    };
    let dynamic = linked.iter().find(is_glibc)?;
    let alone = linked.iter().find(|linked| linked.is_static && linked.toolchain == Some(Toolchain::Rust))?;
    Some(format!(
        "`{}` contains a C library, but the image has one for `{}` as well; {} makes it use that one",
        alone.name(),
        dynamic.name(),
        alone.opposite_setting(platform)
    ))
}
