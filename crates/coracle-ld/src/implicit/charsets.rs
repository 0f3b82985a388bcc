//! Character sets of `iconv`. For each character set that is not built in, glibc opens a module
//! listed in `gconv-modules`.
//!
//! The image gets a `gconv-modules` that is reduced to the requested character sets.

use super::error::Error;
use super::gconv_modules::{GconvConfiguration, SelectedModules};
use super::program_context::ProgramContext;
use super::requested_dependencies::{DataContent, RequestedDependencies};
use crate::closure::{DlopenCaller, DlopenRequest, MappedObject};
use crate::elf::{self, DlopenPriority};
use coracle_core::path::{ImagePath, RawPath};

/// Maximum size of a configuration file.
const MAX_CONFIGURATION_SIZE: u64 = 4 << 20;

/// Opens the modules for the policy's character sets, and adds their configuration.
pub(super) fn add_charsets(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    let Some(charsets) = program.policy.charsets.as_ref().filter(|charsets| !charsets.is_empty()) else {
        return Ok(());
    };
    let Some(libc) = program.glibc() else {
        let why = "`charsets` has no effect: the program does not use glibc, and other C libraries have no gconv modules";
        requests.mark_unused("charsets", why, "leave `charsets` out");
        return Ok(());
    };
    requests.mark_used("charsets");
    let Some(directory) = gconv_directory_in_libc(libc)? else {
        requests.add_unmet("cannot determine the directory of glibc's gconv modules", "leave `charsets` out");
        return Ok(());
    };
    let configuration = read_gconv_configuration(program, &directory)?;
    let mut selected = SelectedModules::default();
    for charset in charsets {
        if !configuration.select_charset(charset, &mut selected) {
            requests.add_unmet(
                format!("cannot find the character set `{charset}` in `{directory}/gconv-modules`"),
                "install `libc-bin` or the package that has the modules, or check the spelling with `iconv --list`",
            );
        }
    }
    let file_path = |name: &str| RawPath::join_bytes(directory.as_bytes(), name.as_bytes());
    for module in selected.module_names() {
        requests.dlopens.push(DlopenRequest {
            caller: DlopenCaller::from_library(libc),
            names: vec![file_path(&format!("{module}.so")).as_bytes().to_vec()],
            purpose: "module for a character set".into(),
            priority: DlopenPriority::Required,
        });
    }
    let path = ImagePath::parse(file_path("gconv-modules").as_bytes());
    if let (Ok(path), false) = (path, selected.is_empty()) {
        requests.add_generated_file(path, selected.to_configuration(), "configuration of character sets");
    }
    Ok(())
}

/// Returns the directory of glibc's modules. `None` if the program does not use glibc.
pub(super) fn gconv_directory(program: &ProgramContext<'_>) -> Result<Option<RawPath>, Error> {
    program.glibc().map_or(Ok(None), gconv_directory_in_libc)
}

/// Returns the directory of glibc's modules, taken from the path of their cache, which is compiled
/// into glibc.
fn gconv_directory_in_libc(libc: &MappedObject) -> Result<Option<RawPath>, Error> {
    let file = libc.file.content.open()?;
    let strings = elf::data_strings_containing(&file, &libc.object, &["/gconv/gconv-modules.cache"])?;
    Ok(strings.into_iter().find(|word| word.starts_with(b"/")).map(|word| RawPath::new(word).dirname()))
}

/// Reads `gconv-modules` and the files below `gconv-modules.d`.
fn read_gconv_configuration(
    program: &ProgramContext<'_>,
    directory: &RawPath,
) -> Result<GconvConfiguration, Error> {
    let below = |name: &[u8]| RawPath::join_bytes(directory.as_bytes(), name);
    let main = program.data_file(&below(b"gconv-modules"), "")?;
    let more = program.sources.data_files_below(&below(b"gconv-modules.d"), &[], "")?;
    let mut configuration = GconvConfiguration::default();
    for data_file in main.into_iter().chain(more) {
        let DataContent::File(file) = data_file.content else { continue };
        let text = file.content.read_whole(data_file.raw_path.as_bytes(), MAX_CONFIGURATION_SIZE)?;
        configuration.add_file(&String::from_utf8_lossy(&text));
    }
    Ok(configuration)
}
