//! Plugins of well-known libraries: whole directories of which a program opens some at run time.

use super::error::Error;
use super::files_at_path::{self, FilesAndSize};
use super::program_context::ProgramContext;
use super::requested_dependencies::{DataContent, RequestedDependencies};
use crate::closure::{DlopenCaller, DlopenRequest, MappedObject};
use crate::elf::{self, DlopenPriority};
use coracle_core::path::RawPath;

/// A library's plugins.
pub struct PluginFamily {
    /// The name for the recipe and for flags.
    pub name: &'static str,
    /// The prefix of the library's soname.
    soname_prefix: &'static str,
    /// Plugin directories, relative to the library's directory.
    directories: &'static [&'static str],
    /// Absolute paths of directories with files that name plugins.
    manifest_directories: &'static [&'static str],
    /// Paths of other data, and of programs that need no other libraries; relative ones start at the library's directory.
    data_paths: &'static [&'static str],
}

const fn plugin_family(
    name: &'static str,
    library: &'static str,
    directories: &'static [&'static str],
) -> PluginFamily {
    PluginFamily { name, soname_prefix: library, directories, manifest_directories: &[], data_paths: &[] }
}

/// All supported families.
pub const PLUGIN_FAMILIES: &[PluginFamily] = &[
    PluginFamily {
        name: "alsa",
        soname_prefix: "libasound.so",
        directories: &["alsa-lib"],
        manifest_directories: &[],
        // Without its configuration, no device can be opened, not even `null`. `/etc/asound.conf` is this machine's.
        data_paths: &[
            "/usr/share/alsa/alsa.conf",
            "/usr/share/alsa/alsa.conf.d",
            "/usr/share/alsa/cards",
            "/usr/share/alsa/ctl",
            "/usr/share/alsa/pcm",
            "/etc/alsa/conf.d",
        ],
    },
    plugin_family("dri", "libgbm.so", &["dri", "gbm"]),
    PluginFamily {
        name: "egl",
        soname_prefix: "libEGL.so",
        // Mesa's drivers, also for software rendering.
        directories: &["dri", "gbm"],
        manifest_directories: &["/usr/share/glvnd/egl_vendor.d"],
        data_paths: &[],
    },
    PluginFamily {
        name: "gdk-pixbuf",
        soname_prefix: "libgdk_pixbuf-2.0.so",
        directories: &["gdk-pixbuf-2.0"],
        manifest_directories: &[],
        // The type of a picture is found by its content.
        data_paths: &["/usr/share/mime/mime.cache"],
    },
    PluginFamily {
        name: "gio",
        soname_prefix: "libgio-2.0.so",
        directories: &["gio/modules"],
        manifest_directories: &[],
        data_paths: &["/usr/share/mime/mime.cache", "/usr/share/glib-2.0/schemas/gschemas.compiled"],
    },
    PluginFamily {
        name: "gstreamer",
        soname_prefix: "libgstreamer-1.0.so",
        directories: &["gstreamer-1.0"],
        manifest_directories: &[],
        // The program that loads new plugins, so that a faulty one does no harm.
        data_paths: &[
            "gstreamer1.0/gstreamer-1.0/gst-plugin-scanner",
            "/usr/libexec/gstreamer-1.0/gst-plugin-scanner",
        ],
    },
    plugin_family("gtk3", "libgtk-3.so", &["gtk-3.0"]),
    plugin_family("gtk4", "libgtk-4.so", &["gtk-4.0"]),
    plugin_family("krb5", "libkrb5.so", &["krb5/plugins"]),
    plugin_family("qt5", "libQt5Core.so", &["qt5/plugins"]),
    plugin_family("qt6", "libQt6Core.so", &["qt6/plugins"]),
    plugin_family("sasl2", "libsasl2.so", &["sasl2"]),
    plugin_family("vdpau", "libvdpau.so", &["vdpau"]),
    PluginFamily {
        name: "vulkan",
        soname_prefix: "libvulkan.so",
        directories: &[],
        manifest_directories: &["/usr/share/vulkan/icd.d"],
        data_paths: &[],
    },
];

/// Adds the policy's plugin families.
pub(super) fn add_plugins(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    for name in program.policy.plugins.iter().flatten() {
        let Some(family) = PLUGIN_FAMILIES.iter().find(|family| family.name == name) else { continue };
        let option = format!("plugins {name}");
        let Some(library) = program.library_with_prefix(family.soname_prefix) else {
            let why = format!("cannot add the plugins `{name}`: no `{}` is mapped", family.soname_prefix);
            requests.mark_unused(&option, why, "leave them out of `plugins`");
            continue;
        };
        requests.mark_used(&option);
        let caller = DlopenCaller::from_library(library);
        let why = format!("plugin of `{name}`");
        let directory_of_library = RawPath::from(&library.path).dirname();
        for directory in family.directories {
            let directory = RawPath::join_bytes(directory_of_library.as_bytes(), directory.as_bytes());
            add_plugin_directory(program, &directory, &caller, &why, requests)?;
        }
        for directory in family.manifest_directories {
            add_manifest_directory(program, &RawPath::new(*directory), &caller, &why, requests)?;
        }
        for path in family.data_paths {
            let path = RawPath::new(*path).absolute_from(&directory_of_library);
            requests.data_files.extend(program.data_file(&path, &why)?);
            requests.data_files.extend(program.sources.data_files_below(&path, &[], &why)?);
        }
    }
    Ok(())
}

/// Returns the families whose library is mapped and whose plugins exist, with the library and the
/// files.
pub(super) fn available_families<'a>(
    program: &ProgramContext<'a>,
) -> Result<Vec<(&'static str, &'a MappedObject, FilesAndSize)>, Error> {
    let mut available = Vec::new();
    for family in PLUGIN_FAMILIES {
        let Some(library) = program.library_with_prefix(family.soname_prefix) else { continue };
        let directory_of_library = RawPath::from(&library.path).dirname();
        let beside_library = family
            .directories
            .iter()
            .map(|name| RawPath::join_bytes(directory_of_library.as_bytes(), name.as_bytes()));
        let mut contents = FilesAndSize::default();
        for path in beside_library.chain(
            family
                .manifest_directories
                .iter()
                .chain(family.data_paths)
                .map(|path| RawPath::new(*path).absolute_from(&directory_of_library)),
        ) {
            let more = files_at_path::files_and_size_at(program.sources.untracked, &path)?;
            contents.size += more.size;
            contents.files.extend(more.files);
        }
        if !contents.files.is_empty() {
            available.push((family.name, library, contents));
        }
    }
    Ok(available)
}

/// Adds everything in a directory. Libraries are opened, so that their dependencies are added, too.
pub(super) fn add_plugin_directory(
    program: &ProgramContext<'_>,
    directory: &RawPath,
    caller: &DlopenCaller,
    purpose: &str,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    for file in program.sources.data_files_below(directory, &[], purpose)? {
        let is_library = file.path.file_name().is_some_and(|name| name.windows(3).any(|part| part == b".so"));
        if is_library {
            requests.dlopens.push(DlopenRequest {
                caller: caller.clone(),
                // The name may be a link that ends in `.so`, which plugins are found by.
                names: vec![file.raw_path.as_bytes().to_vec()],
                purpose: purpose.to_owned(),
                priority: DlopenPriority::Recommended,
            });
        } else {
            requests.data_files.push(file);
        }
    }
    Ok(())
}

/// Adds the files in a directory, and opens the libraries that they name.
fn add_manifest_directory(
    program: &ProgramContext<'_>,
    directory: &RawPath,
    caller: &DlopenCaller,
    purpose: &str,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    for file in program.sources.data_files_below(directory, &[], purpose)? {
        if let DataContent::File(existing) = &file.content {
            for name in elf::strings_containing(&existing.content.open()?, &[".so"])? {
                requests.dlopens.push(DlopenRequest {
                    caller: caller.clone(),
                    names: vec![name],
                    purpose: purpose.to_owned(),
                    priority: DlopenPriority::Recommended,
                });
            }
        }
        requests.data_files.push(file);
    }
    Ok(())
}
