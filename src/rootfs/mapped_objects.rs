//! The files in the link maps of a program, with the reason for each.

use super::EntryReason;
use coracle_core::file_system::{FsFile, PathResolution};
use coracle_core::path::ImagePath;
use coracle_ld::closure::{ElfProgram, LinkMap, MapReason};

/// Iterates over the link maps of a program; those of `dlopen` have the purpose.
pub(super) fn link_maps(elf: &ElfProgram) -> impl Iterator<Item = (&LinkMap, Option<&str>)> {
    let start = std::iter::once(&elf.link_map).chain(&elf.older_cpu_maps).map(|map| (map.as_ref(), None));
    let opened = elf
        .dlopened
        .iter()
        .flat_map(|opened| opened.maps.iter().map(|map| (map.as_ref(), Some(opened.purpose.as_str()))));
    start.chain(opened)
}

/// An object of a link map, or an alias of one.
pub(super) struct MappedObject<'a> {
    pub(super) path: &'a ImagePath,
    pub(super) file: &'a FsFile,
    pub(super) found: &'a MapReason,
}

/// Iterates over the objects of `map` except the program, and over aliases, each with its reason
/// and its path walk.
pub(super) fn mapped_objects<'a>(
    map: &'a LinkMap,
    why: Option<&'a str>,
) -> impl Iterator<Item = (EntryReason, MappedObject<'a>, &'a PathResolution)> {
    let opened = map.opened_objects.as_ref().and_then(|added| added.first().copied());
    let objects = map.objects.iter().enumerate().skip(1).map(move |(index, object)| {
        let why = why.filter(|_| opened == Some(index));
        (object_reason(map, &object.reason, why), object, &object.reason, &object.walk)
    });
    let aliases = map.aliases.iter().filter_map(|alias| {
        let object = map.objects.get(alias.object)?;
        Some((object_reason(map, &alias.reason, None), object, &alias.reason, &alias.walk))
    });
    objects.chain(aliases).map(|(reason, object, found, walk)| {
        (reason, MappedObject { path: &object.path, file: &object.file, found }, walk)
    })
}

fn object_reason(map: &LinkMap, found: &MapReason, why: Option<&str>) -> EntryReason {
    let spelled =
        |index: usize| map.objects.get(index).map(|object| object.raw_path.clone()).unwrap_or_default();
    match (found, why) {
        (MapReason::Needed { by, .. }, Some(why)) => {
            EntryReason::Dlopened { by: spelled(*by), why: why.to_owned() }
        }
        (MapReason::Needed { by, rule, .. }, None) => {
            EntryReason::Needed { by: spelled(*by), rule: rule.to_string() }
        }
        (MapReason::Interpreter | MapReason::Program, _) => EntryReason::Interpreter(spelled(0)),
    }
}
