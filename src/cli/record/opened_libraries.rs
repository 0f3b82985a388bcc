//! Reduces mapped libraries to the libraries that a program opened itself, without the libraries
//! that these need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coracle_core::content::Content;
use coracle_core::fs;
use coracle_ld::elf::ElfObject;

/// Returns the `libraries` that neither another library nor one of the files in `others` needs.
pub(super) fn opened_libraries(
    libraries: &BTreeSet<PathBuf>,
    others: impl Iterator<Item = PathBuf>,
) -> BTreeSet<PathBuf> {
    opened_in_graph(libraries, others, &needed_library_names)
}

/// Like [`opened_libraries`]; `needed` returns the names that a file needs.
fn opened_in_graph(
    libraries: &BTreeSet<PathBuf>,
    others: impl Iterator<Item = PathBuf>,
    needed: &dyn Fn(&Path) -> BTreeSet<String>,
) -> BTreeSet<PathBuf> {
    let names: BTreeMap<&Path, BTreeSet<String>> =
        libraries.iter().map(|library| (library.as_path(), needed(library))).collect();
    let provides = |library: &Path, wanted: &BTreeSet<String>| {
        library.file_name().is_some_and(|name| wanted.contains(&*name.to_string_lossy()))
    };
    let reach = |reached: &mut BTreeSet<PathBuf>, wanted: BTreeSet<String>| {
        let mut pending = vec![wanted];
        while let Some(wanted) = pending.pop() {
            for (&library, needed) in &names {
                if provides(library, &wanted) && reached.insert(library.to_owned()) {
                    pending.push(needed.clone());
                }
            }
        }
    };
    let mut reached = BTreeSet::new();
    others.for_each(|other| reach(&mut reached, needed(&other)));
    let is_needed =
        |library: &Path| names.iter().any(|(&other, wanted)| other != library && provides(library, wanted));
    // First those that none needs; what is still not reached after that is needed in a circle.
    let (first, then): (Vec<_>, Vec<_>) = libraries.iter().partition(|library| !is_needed(library));
    let mut opened = BTreeSet::new();
    for library in first.into_iter().chain(then) {
        if reached.insert(library.clone()) {
            opened.insert(library.clone());
            reach(&mut reached, names.get(library.as_path()).cloned().unwrap_or_default());
        }
    }
    opened
}

/// Returns the `DT_NEEDED` names of an ELF file. Other files need none.
fn needed_library_names(path: &Path) -> BTreeSet<String> {
    let read = || {
        let content = Content::from_host_file(path.to_owned(), fs::stat(path).ok()?);
        let object = ElfObject::read(&content.open().ok()?).ok()?;
        let needed = object.dynamic.needed();
        Some(needed.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_that_no_other_needs_are_opened() {
        let needed = |path: &Path| {
            let names: &[&str] = match path.to_str().unwrap() {
                "/lib/a.so" => &["b.so"],
                "/lib/b.so" => &["c.so"],
                "/lib/x.so" => &["y.so"],
                "/lib/y.so" => &["x.so"],
                "/bin/child" => &["z.so"],
                _ => &[],
            };
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let all = ["a", "b", "c", "x", "y", "z"].map(|name| PathBuf::from(format!("/lib/{name}.so")));
        let opened = opened_in_graph(&all.into(), ["/bin/child".into()].into_iter(), &needed);
        assert_eq!(opened, [PathBuf::from("/lib/a.so"), PathBuf::from("/lib/x.so")].into());
    }
}
