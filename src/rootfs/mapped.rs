//! The files in the link maps of a program, with the reason for each.

use super::Reason;
use coracle_ld::closure::{Elf, Found, LinkMap};
use coracle_core::path::ImagePath;
use coracle_core::file_system::{TreeFile, Walk};

/// Iterates over the link maps of a program; those of `dlopen` have the purpose.
pub(super) fn maps(elf: &Elf) -> impl Iterator<Item = (&LinkMap, Option<&str>)> {
    let start = std::iter::once(&elf.objects).chain(&elf.lesser).map(|map| (map.as_ref(), None));
    let opened = elf
        .opened
        .iter()
        .flat_map(|opened| opened.maps.iter().map(|map| (map.as_ref(), Some(opened.why.as_str()))));
    start.chain(opened)
}

/// An object of a link map, or an alias of one.
pub(super) struct Object<'a> {
    pub(super) path: &'a ImagePath,
    pub(super) file: &'a TreeFile,
    pub(super) found: &'a Found,
}

/// Iterates over the objects of `map` except the program, and over aliases, each with its reason
/// and its path walk.
pub(super) fn objects<'a>(
    map: &'a LinkMap,
    why: Option<&'a str>,
) -> impl Iterator<Item = (Reason, Object<'a>, &'a Walk)> {
    let opened = map.added.as_ref().and_then(|added| added.first().copied());
    let objects = map.objects.iter().enumerate().skip(1).map(move |(index, object)| {
        let why = why.filter(|_| opened == Some(index));
        (reason(map, &object.found, why), object, &object.found, &object.walk)
    });
    let aliases = map.aliases.iter().filter_map(|alias| {
        let object = map.objects.get(alias.of)?;
        Some((reason(map, &alias.found, None), object, &alias.found, &alias.walk))
    });
    objects.chain(aliases).map(|(reason, object, found, walk)| {
        (reason, Object { path: &object.path, file: &object.file, found }, walk)
    })
}

fn reason(map: &LinkMap, found: &Found, why: Option<&str>) -> Reason {
    let spelled =
        |index: usize| map.objects.get(index).map(|object| object.spelled.clone()).unwrap_or_default();
    match (found, why) {
        (Found::Needed { by, .. }, Some(why)) => Reason::Opened { by: spelled(*by), why: why.to_owned() },
        (Found::Needed { by, rule, .. }, None) => Reason::Needed { by: spelled(*by), rule: rule.to_string() },
        (Found::Interpreter | Found::Program, _) => Reason::Interpreter(spelled(0)),
    }
}
