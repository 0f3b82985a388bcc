//! Files, directories and programs whose absolute paths are in the text of a program or of its
//! libraries, and which exist.
//!
//! A program's own text is precise. Libraries name many files that they read only for rare features, so
//! there are lists of what is not reported.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::files_at_path;
use super::ignored_paths::{self, is_library_text_ignored};
use super::program_context::{ProgramContext, path_literal_form};
use crate::closure::MappedObject;
use crate::elf::{self, DataQuery, PathLiteralForm};
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// An existing path in the text of an object.
#[derive(Clone, Debug)]
pub(super) struct PathInText {
    pub(super) path: RawPath,
    pub(super) kind: PathKind,
    /// The object whose text has it.
    pub(super) object: RawPath,
    /// `true` if the object is the program itself.
    pub(super) is_in_program: bool,
}

/// The kinds of files at a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum PathKind {
    /// A file that is not executable.
    File,
    /// An executable file.
    Executable,
    /// A directory.
    Directory,
}

/// Returns the paths in the text of `program` and its libraries, each once, the program's first.
pub(super) fn find_named_paths(program: &ProgramContext<'_>) -> Result<Vec<PathInText>, Error> {
    let own = program.program_object();
    let mut known: BTreeMap<ImagePath, PathInText> = BTreeMap::new();
    let mut order = Vec::new();
    let libraries = program.directly_used_libraries(is_library_text_ignored);
    for mapped in std::iter::once(own).chain(libraries) {
        let is_in_program = program.is_own_object(mapped);
        for (resolved, path, kind) in paths_in_text(program, mapped, is_in_program)? {
            let library = (!is_in_program).then_some(mapped);
            // Libraries name commands of distributions for rare features.
            let is_command = kind == PathKind::Executable && ignored_paths::is_command_path(path.as_bytes());
            if library.is_some() && is_command || ignored_paths::is_ignored_path(path.as_bytes(), library) {
                continue;
            }
            if known.contains_key(&resolved) {
                continue;
            }
            order.push(resolved.clone());
            known.insert(resolved, PathInText { path, kind, object: mapped.raw_path.clone(), is_in_program });
        }
    }
    Ok(order.into_iter().filter_map(|path| known.remove(&path)).collect())
}

/// Returns the existing paths in the text of one object: the resolved path, the path in the text, and the kind
/// of file.
fn paths_in_text(
    program: &ProgramContext<'_>,
    mapped: &MappedObject,
    is_in_program: bool,
) -> Result<Vec<(ImagePath, RawPath, PathKind)>, Error> {
    let text = if is_in_program { path_literal_form(mapped)? } else { PathLiteralForm::Terminated };
    if mapped.raw_path == program.program_object().raw_path {
        let paths = &program.own_data.paths;
        return existing_paths(program.sources.untracked, paths, text == PathLiteralForm::Concatenated);
    }
    let query = DataQuery { paths: Some(text), ..DataQuery::default() };
    let texts = elf::search_data(&mapped.file.content.open()?, &mapped.object, &query)?.paths;
    let are_concatenated = text == PathLiteralForm::Concatenated;
    existing_paths(program.sources.untracked, &texts, are_concatenated)
}

/// Returns the existing paths in `texts`: the resolved path, the path in the text, and the kind of file.
pub(super) fn existing_paths(
    tree: &dyn FileSystem,
    texts: &BTreeSet<Vec<u8>>,
    are_concatenated: bool,
) -> Result<Vec<(ImagePath, RawPath, PathKind)>, Error> {
    let mut found = BTreeMap::new();
    for text in texts {
        // Go programs name thousands of source files.
        for part in split_list(text).filter(|part| !ignored_paths::is_ignored_path(part, None)) {
            let existing = match are_concatenated {
                true => longest_existing_prefix(tree, part)?,
                false => existing_path(tree, part)?,
            };
            let is_file = matches!(&existing, Some((.., PathKind::File | PathKind::Executable)));
            let more = if is_file || are_concatenated { Vec::new() } else { paths_with_suffix(tree, part)? };
            for (resolved, path, kind) in existing.into_iter().chain(more) {
                found.entry(path).or_insert((resolved, kind));
            }
        }
    }
    Ok(found.into_iter().map(|(path, (resolved, kind))| (resolved, path, kind)).collect())
}

/// Splits a list such as `/etc/a:/usr/b`.
fn split_list(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| b":=,@~".contains(byte)).filter(|part| part.starts_with(b"/"))
}

/// Returns the file or directory that `text` names. For a pattern such as `/usr/share/x/%s.dat`,
/// returns the directory.
fn existing_path(tree: &dyn FileSystem, text: &[u8]) -> fs::Result<Option<(ImagePath, RawPath, PathKind)>> {
    let pattern = text.iter().position(|byte| *byte == b'%');
    let text = match pattern {
        Some(at) => {
            let start = text.get(..at).unwrap_or_default();
            let slash = start.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
            start.get(..slash).unwrap_or_default()
        }
        None => text,
    };
    let trimmed = text.trim_ascii_end();
    let end = trimmed.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let path = trimmed.get(..end).unwrap_or_default();
    if !path.starts_with(b"/") || path.windows(4).any(|part| part == b"/../") {
        return Ok(None);
    }
    existing_node_at(tree, path)
}

/// The longest name of a file that Linux has (`NAME_MAX`).
const MAX_NAME: usize = 255;

fn existing_node_at(
    tree: &dyn FileSystem,
    path: &[u8],
) -> fs::Result<Option<(ImagePath, RawPath, PathKind)>> {
    // Such as `/a/../b`, which is no path of an image.
    let is_plain = ImagePath::parse(path).is_ok();
    if !is_plain || path.split(|byte| *byte == b'/').any(|name| name.len() > MAX_NAME) {
        return Ok(None);
    }
    Ok(match file_system::resolve_path(tree, &ImagePath::root(), path)?.end {
        ResolutionEnd::File(resolved, file) => {
            let kind = if file.stat.is_executable() { PathKind::Executable } else { PathKind::File };
            Some((resolved, RawPath::new(path), kind))
        }
        ResolutionEnd::Directory(resolved) => Some((resolved, RawPath::new(path), PathKind::Directory)),
        _ => None,
    })
}

/// Maximum number of files that a program can mean by one name.
const MAX_SUFFIXES: usize = 4;

/// Returns the files whose names are the last name of `text` and a suffix that the program adds, such as
/// `/usr/share/misc/magic.mgc` of `/usr/share/misc/magic`. Empty if there are many.
fn paths_with_suffix(
    file_system: &dyn FileSystem,
    text: &[u8],
) -> fs::Result<Vec<(ImagePath, RawPath, PathKind)>> {
    let path = RawPath::new(text);
    let name = path.file_name();
    let Some((directory, ..)) = existing_node_at(file_system, path.dirname().as_bytes())? else {
        return Ok(Vec::new());
    };
    // Names in directories of programs and libraries would match by chance.
    let is_shared = matches!(directory.parent(), Some(parent) if parent.file_name() == Some(b"usr"))
        || ignored_paths::is_library_directory(directory.as_bytes());
    if name.is_empty() || text.contains(&b'%') || is_shared {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in files_at_path::list_if_permitted(file_system, &directory)? {
        if entry.strip_prefix(name).is_some_and(|rest| rest.starts_with(b".")) {
            let path = RawPath::join_bytes(path.dirname().as_bytes(), &entry);
            found.extend(existing_node_at(file_system, path.as_bytes())?);
        }
    }
    Ok(if found.len() > MAX_SUFFIXES { Vec::new() } else { found })
}

/// Returns the longest existing path that `text` starts with. Another literal may follow it without a
/// separator.
fn longest_existing_prefix(
    tree: &dyn FileSystem,
    text: &[u8],
) -> fs::Result<Option<(ImagePath, RawPath, PathKind)>> {
    if let Some(found) = existing_path(tree, text)? {
        return Ok(Some(found));
    }
    let mut directory: Vec<u8> = Vec::new();
    for name in text.split(|byte| *byte == b'/').skip(1) {
        let next = [directory.as_slice(), b"/", name].concat();
        match existing_node_at(tree, &next)? {
            Some((_, _, PathKind::Directory)) => directory = next,
            Some(file) => return Ok(Some(file)),
            None => return existing_name_prefix(tree, &directory, name),
        }
    }
    Ok(None)
}

/// Returns the entry of `directory` whose name is the longest prefix of `text`; else the directory.
fn existing_name_prefix(
    tree: &dyn FileSystem,
    directory: &[u8],
    text: &[u8],
) -> fs::Result<Option<(ImagePath, RawPath, PathKind)>> {
    /// The minimum length of a name. Shorter names would often be found by chance.
    const MIN_LENGTH: usize = 2;
    let Some((resolved, path, _)) = existing_node_at(tree, directory)?.filter(|_| !directory.is_empty())
    else {
        return Ok(None);
    };
    let names = files_at_path::list_if_permitted(tree, &resolved)?;
    let longest = names
        .iter()
        .filter(|name| name.len() >= MIN_LENGTH && text.starts_with(name))
        .max_by_key(|name| name.len());
    match longest {
        Some(name) => existing_node_at(tree, RawPath::join_bytes(directory, name).as_bytes()),
        // Below `/etc`, programs name files that need not exist.
        None if path.as_bytes().starts_with(b"/etc/") => Ok(None),
        None => Ok(Some((resolved, path, PathKind::Directory))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::file_system::MemoryFs;

    fn tree() -> MemoryFs {
        MemoryFs::from_text(
            "/usr/bin/head = x
             /usr/bin/he = x
             /usr/share/vim/vimrc = v
             /usr/share/x/a.dat = 1
             /usr/share/link -> x
             /etc/passwd = p",
        )
    }

    fn shown(found: Option<(ImagePath, RawPath, PathKind)>) -> String {
        found.map_or_else(|| "none".into(), |(resolved, path, _)| format!("{path} {resolved}"))
    }

    #[test]
    fn finds_existing_paths() {
        for (text, expected) in [
            ("/usr/share/vim", "/usr/share/vim /usr/share/vim"),
            ("/usr/share/vim/", "/usr/share/vim /usr/share/vim"),
            ("/usr/share/link", "/usr/share/link /usr/share/x"),
            ("/usr/share/x/%s.dat", "/usr/share/x /usr/share/x"),
            ("/usr/share/vimx", "none"),
            ("/usr/bin/head-c3", "none"),
        ] {
            assert_eq!(shown(existing_path(&tree(), text.as_bytes()).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn finds_longest_existing_prefixes() {
        for (text, expected) in [
            ("/usr/bin/head-c3/etc/passwd", "/usr/bin/head /usr/bin/head"),
            ("/usr/bin/helpNulError", "/usr/bin/he /usr/bin/he"),
            ("/usr/share/vim/vimrcerror", "/usr/share/vim/vimrc /usr/share/vim/vimrc"),
            ("/usr/share/vim/xyz", "/usr/share/vim /usr/share/vim"),
            ("/opt/none", "none"),
        ] {
            assert_eq!(shown(longest_existing_prefix(&tree(), text.as_bytes()).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn finds_files_with_a_suffix() {
        let found = paths_with_suffix(&tree(), b"/usr/share/x/a").unwrap();
        let paths: Vec<String> = found.iter().map(|(_, path, _)| path.to_string()).collect();
        assert_eq!(paths, ["/usr/share/x/a.dat"]);
    }

    #[test]
    fn splits_lists() {
        let parts: Vec<&[u8]> = split_list(b"/etc/a:/usr/b:rel").collect();
        assert_eq!(parts, [b"/etc/a".as_slice(), b"/usr/b"]);
    }
}
