//! Character sets of `iconv`. glibc opens a module listed in `gconv-modules` for each one that is
//! not built in.
//!
//! The image gets a `gconv-modules` that is reduced to the requested character sets.

use super::gconv::{Chosen, Configuration};
use super::program::Program;
use super::wants::{ExtraNode, Wants};
use super::{Error, c_library};
use crate::closure::{Mapped, Opening};
use crate::elf::{self, Priority};
use coracle_core::path::{ImagePath, Spelled};

/// Maximum size of a configuration file.
const MAX_CONFIGURATION: usize = 4 << 20;

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    let Some(charsets) = program.policy.charsets.as_ref().filter(|charsets| !charsets.is_empty()) else {
        return Ok(());
    };
    let Some(libc) = program.glibc() else {
        let why = "`charsets` has no effect: the program does not use glibc, and other C libraries have no gconv modules";
        wants.is_useless("charsets", why, "leave `charsets` out");
        return Ok(());
    };
    wants.is_used("charsets");
    let Some(directory) = directory(libc)? else {
        wants.lack("cannot determine the directory of glibc's gconv modules", "leave `charsets` out");
        return Ok(());
    };
    let configuration = read(program, &directory)?;
    let mut chosen = Chosen::default();
    for charset in charsets {
        if !configuration.choose(charset, &mut chosen) {
            wants.lack(
                format!("cannot find the character set `{charset}` in `{directory}/gconv-modules`"),
                "install `libc-bin` or the package that has the modules, or check the spelling with `iconv --list`",
            );
        }
    }
    let file = |name: &str| Spelled::in_directory(directory.as_bytes(), name.as_bytes());
    for module in chosen.modules() {
        wants.openings.push(Opening {
            by: c_library::opener(libc),
            names: vec![file(&format!("{module}.so")).as_bytes().to_vec()],
            why: "module for a character set".into(),
            priority: Priority::Required,
        });
    }
    let path = ImagePath::parse(file("gconv-modules").as_bytes());
    if let (Ok(path), false) = (path, chosen.is_empty()) {
        wants.make(path, chosen.text(), "configuration of character sets");
    }
    Ok(())
}

/// Returns the directory of glibc's modules, taken from the path of their cache, which is compiled
/// into glibc.
fn directory(libc: &Mapped) -> Result<Option<Spelled>, Error> {
    let file = libc.file.content.open()?;
    let words = elf::words_in(&file, &libc.object, &["/gconv/gconv-modules.cache"])?;
    Ok(words.into_iter().find(|word| word.starts_with(b"/")).map(|word| Spelled::new(word).directory()))
}

/// Reads `gconv-modules` and the files below `gconv-modules.d`.
fn read(program: &Program<'_>, directory: &Spelled) -> Result<Configuration, Error> {
    let below = |name: &[u8]| Spelled::in_directory(directory.as_bytes(), name);
    let main = program.data(&below(b"gconv-modules"), "")?;
    let more = program.folder(&below(b"gconv-modules.d"), &[], "")?;
    let mut configuration = Configuration::default();
    for extra in main.into_iter().chain(more) {
        let ExtraNode::File(file) = extra.node else { continue };
        let text = file.content.open()?.bytes_at(0, MAX_CONFIGURATION)?;
        configuration.add(&String::from_utf8_lossy(&text));
    }
    Ok(configuration)
}
