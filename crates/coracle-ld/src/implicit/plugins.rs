//! Plugins of well-known libraries: whole directories of which a program opens some at run time.

use super::Error;
use super::program::Program;
use super::wants::Wants;
use crate::closure::{Mapped, Opener, Opening};
use crate::elf::{self, Priority};
use coracle_core::path::Spelled;

/// A library's plugins.
pub struct Family {
    /// The name for the recipe and for flags.
    pub name: &'static str,
    /// The prefix of the library's soname.
    library: &'static str,
    /// Plugin directories, relative to the library's directory.
    directories: &'static [&'static str],
    /// Absolute paths of data directories; libraries named in their files are plugins, too.
    data: &'static [&'static str],
}

const fn family(name: &'static str, library: &'static str, directories: &'static [&'static str]) -> Family {
    Family { name, library, directories, data: &[] }
}

/// All supported families.
pub const FAMILIES: &[Family] = &[
    family("alsa", "libasound.so", &["alsa-lib"]),
    family("dri", "libgbm.so", &["dri", "gbm"]),
    Family { name: "egl", library: "libEGL.so", directories: &[], data: &["/usr/share/glvnd/egl_vendor.d"] },
    family("gdk-pixbuf", "libgdk_pixbuf-2.0.so", &["gdk-pixbuf-2.0"]),
    family("gio", "libgio-2.0.so", &["gio/modules"]),
    family("gstreamer", "libgstreamer-1.0.so", &["gstreamer-1.0"]),
    family("gtk3", "libgtk-3.so", &["gtk-3.0"]),
    family("gtk4", "libgtk-4.so", &["gtk-4.0"]),
    family("krb5", "libkrb5.so", &["krb5/plugins"]),
    family("qt5", "libQt5Core.so", &["qt5/plugins"]),
    family("qt6", "libQt6Core.so", &["qt6/plugins"]),
    family("sasl2", "libsasl2.so", &["sasl2"]),
    family("vdpau", "libvdpau.so", &["vdpau"]),
    Family { name: "vulkan", library: "libvulkan.so", directories: &[], data: &["/usr/share/vulkan/icd.d"] },
];

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    for name in program.policy.plugins.iter().flatten() {
        let Some(family) = FAMILIES.iter().find(|family| family.name == name) else { continue };
        let what = format!("plugins {name}");
        let Some(library) = program.library(family.library) else {
            let why = format!("cannot add the plugins `{name}`: no `{}` is mapped", family.library);
            wants.is_useless(&what, why, "leave them out of `plugins`");
            continue;
        };
        wants.is_used(&what);
        let by = Opener::Library(library.object.dynamic.soname.clone().unwrap_or_default());
        let why = format!("plugin of `{name}`");
        let home = Spelled::from(&library.path).directory();
        for directory in family.directories {
            let directory = Spelled::in_directory(home.as_bytes(), directory.as_bytes());
            open_all(program, &directory, &by, &why, wants)?;
        }
        for directory in family.data {
            name_all(program, &Spelled::new(*directory), &by, &why, wants)?;
        }
    }
    Ok(())
}

/// Returns the families whose library is mapped and whose plugins exist, with the library.
pub(super) fn present<'a>(program: &Program<'a>) -> Result<Vec<(&'static str, &'a Mapped)>, Error> {
    let mut present = Vec::new();
    for family in FAMILIES {
        let Some(library) = program.library(family.library) else { continue };
        let home = Spelled::from(&library.path).directory();
        let beside =
            family.directories.iter().map(|name| Spelled::in_directory(home.as_bytes(), name.as_bytes()));
        for directory in beside.chain(family.data.iter().map(|directory| Spelled::new(*directory))) {
            if !program.folder(&directory, &[], "")?.is_empty() {
                present.push((family.name, library));
                break;
            }
        }
    }
    Ok(present)
}

/// Adds everything in a directory. Libraries are opened, so that their dependencies are added, too.
pub(super) fn open_all(
    program: &Program<'_>,
    directory: &Spelled,
    by: &Opener,
    why: &str,
    wants: &mut Wants,
) -> Result<(), Error> {
    for extra in program.folder(directory, &[], why)? {
        let is_library = extra.path.name().is_some_and(|name| name.windows(3).any(|part| part == b".so"));
        if is_library {
            wants.openings.push(Opening {
                by: by.clone(),
                names: vec![extra.path.as_bytes().to_vec()],
                why: why.to_owned(),
                priority: Priority::Recommended,
            });
        } else {
            wants.extras.push(extra);
        }
    }
    Ok(())
}

/// Adds the files in a directory, and opens the libraries that they name.
fn name_all(
    program: &Program<'_>,
    directory: &Spelled,
    by: &Opener,
    why: &str,
    wants: &mut Wants,
) -> Result<(), Error> {
    for extra in program.folder(directory, &[], why)? {
        if let super::ExtraNode::File(file) = &extra.node {
            for name in elf::words_with(&file.content.open()?, &[".so"])? {
                let (names, why) = (vec![name], why.to_owned());
                wants.openings.push(Opening { by: by.clone(), names, why, priority: Priority::Recommended });
            }
        }
        wants.extras.push(extra);
    }
    Ok(())
}
