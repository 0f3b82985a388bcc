//! What the link maps of a program bring into its image, and why each of it is there.

use super::Reason;
use coracle_ld::closure::{Elf, Found, LinkMap};
use coracle_core::path::ImagePath;
use coracle_core::file_system::{TreeFile, Walk};

/// Every map of a program, and what a library was opened for.
pub(super) fn maps(elf: &Elf) -> impl Iterator<Item = (&LinkMap, Option<&str>)> {
    let start = std::iter::once(&elf.objects).chain(&elf.lesser).map(|map| (map.as_ref(), None));
    let opened = elf
        .opened
        .iter()
        .flat_map(|opened| opened.maps.iter().map(|map| (map.as_ref(), Some(opened.why.as_str()))));
    start.chain(opened)
}

/// Something that a map opens: an object, or a second path to one.
pub(super) struct Object<'a> {
    pub(super) path: &'a ImagePath,
    pub(super) file: &'a TreeFile,
    pub(super) found: &'a Found,
}

/// Every object of `map` but the program, and every second path to one, each with the reason and the way to it.
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
