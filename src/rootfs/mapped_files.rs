//! The files that the dynamic loader maps for a program, with the reason for each.

use coracle_core::entry::EntryReason;
use coracle_core::file_system::{FsFile, PathResolution, ResolutionEnd};
use coracle_core::path::ImagePath;
use coracle_ld::closure::{ElfProgram, LinkMap, MapReason};

/// Iterates over the link maps of a program; the maps of a `dlopen` with its purpose.
pub(super) fn link_maps(elf: &ElfProgram) -> impl Iterator<Item = (&LinkMap, Option<&str>)> {
    let start = std::iter::once(&elf.link_map).chain(&elf.older_cpu_maps).map(|map| (map.as_ref(), None));
    let opened = elf
        .dlopened
        .iter()
        .flat_map(|opened| opened.maps.iter().map(|map| (map.as_ref(), Some(opened.purpose.as_str()))));
    start.chain(opened)
}

/// A file that is mapped or executed.
pub(super) struct LoadedFile<'a> {
    pub(super) path: &'a ImagePath,
    pub(super) file: &'a FsFile,
    /// The path walk that has led to the file.
    pub(super) walk: &'a PathResolution,
    pub(super) map_reason: &'a MapReason,
    pub(super) reason: EntryReason,
}

impl LoadedFile<'_> {
    /// Returns whether the file is a dynamic loader or the interpreter of a script, which must be executable.
    pub(super) fn is_interpreter(&self) -> bool {
        *self.map_reason == MapReason::Interpreter
    }
}

/// Iterates over the objects of `map` except the program, and over their aliases, which may be hard
/// links. `purpose` is that of the `dlopen` that has made the map.
pub(super) fn mapped_files<'a>(
    map: &'a LinkMap,
    purpose: Option<&'a str>,
) -> impl Iterator<Item = LoadedFile<'a>> {
    let opened = map.opened_objects.as_ref().and_then(|added| added.first().copied());
    let objects = map.objects.iter().enumerate().skip(1).map(move |(index, object)| {
        (object, &object.reason, &object.walk, purpose.filter(|_| opened == Some(index)))
    });
    let aliases = map
        .aliases
        .iter()
        .filter_map(|alias| Some((map.objects.get(alias.object)?, &alias.reason, &alias.walk, None)));
    objects.chain(aliases).map(move |(object, map_reason, walk, purpose)| {
        let (path, file) = match &walk.end {
            ResolutionEnd::File(path, file) => (path, file),
            _ => (&object.path, &object.file),
        };
        LoadedFile { path, file, walk, map_reason, reason: entry_reason(map, map_reason, purpose) }
    })
}

fn entry_reason(map: &LinkMap, map_reason: &MapReason, purpose: Option<&str>) -> EntryReason {
    let raw_path =
        |index: usize| map.objects.get(index).map(|object| object.raw_path.clone()).unwrap_or_default();
    match (map_reason, purpose) {
        (MapReason::Needed { by, .. }, Some(purpose)) => {
            EntryReason::Dlopened { by: raw_path(*by), why: purpose.to_owned() }
        }
        (MapReason::Needed { by, rule, .. }, None) => {
            EntryReason::Needed { by: raw_path(*by), rule: rule.to_string() }
        }
        (MapReason::Interpreter | MapReason::Program, _) => EntryReason::Interpreter(raw_path(0)),
    }
}
