//! Directories that are named after a program or one of its libraries. They have data that is found
//! relative to the program, or by a path that is joined at run time.

use super::error::Error;
use super::files_at_path;
use super::ignored_paths::{self, is_library_text_ignored};
use super::program_context::ProgramContext;
use coracle_core::distribution_directories::is_system_path;
use coracle_core::file_system::{self, ResolutionEnd};
use coracle_core::path::{ImagePath, RawPath};

/// Directories that have a directory for each program.
const PARENTS: [&str; 5] = ["/etc", "/usr/lib", "/usr/libexec", "/usr/share", "/var/lib"];
/// Endings of the names of directories that have nothing for a running program.
const IGNORED_ENDINGS: [&str; 3] = ["-doc", "-dev", "-dbg"];
/// The minimum length of a name. Shorter names would often be found by chance.
const MIN_LENGTH: usize = 3;

/// Returns the directories that are named after the program or a library that it uses directly.
pub(super) fn named_directories(program: &ProgramContext<'_>) -> Result<Vec<RawPath>, Error> {
    let own = program.program_object();
    // Distributions have no directories for other programs.
    if !is_system_path(&own.path) {
        return Ok(Vec::new());
    }
    let mut names = vec![own.raw_path.file_name().to_vec(), RawPath::from(&own.path).file_name().to_vec()];
    let libraries = program.directly_used_libraries(is_library_text_ignored);
    names.extend(libraries.iter().filter_map(|library| library_stem(library.raw_path.file_name())));
    // Python's rule is more precise.
    names.retain(|name| name.len() >= MIN_LENGTH && !name.starts_with(b"python"));
    let tree = program.sources.untracked;
    let (mut candidates, mut paths) = (Vec::new(), Vec::new());
    let parents = PARENTS.iter().map(|parent| RawPath::new(*parent));
    for parent in parents {
        let walk = file_system::resolve_path(tree, &ImagePath::root(), parent.as_bytes())?;
        let ResolutionEnd::Directory(directory) = walk.end else { continue };
        for entry in files_at_path::list_if_permitted(tree, &directory)? {
            if names.iter().any(|name| is_named_after(&entry, name)) {
                candidates.push(RawPath::join_bytes(parent.as_bytes(), &entry));
            }
        }
    }
    // The directory of libraries has thousands of entries.
    let libraries = program.glibc().map(|libc| RawPath::from(&libc.path).dirname());
    for (directory, name) in
        libraries.iter().flat_map(|directory| names.iter().map(move |name| (directory, name)))
    {
        candidates.push(RawPath::join_bytes(directory.as_bytes(), name));
        candidates.push(RawPath::join_bytes(directory.as_bytes(), &[name.as_slice(), b"-data"].concat()));
    }
    for path in candidates {
        if !ignored_paths::is_ignored_path(path.as_bytes(), None) && files_at_path::is_directory(tree, &path)?
        {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Returns a library's name without `lib` and its suffix: `aspell` for `libaspell.so.15`.
fn library_stem(name: &[u8]) -> Option<Vec<u8>> {
    let name = name.strip_prefix(b"lib")?;
    let end = name.windows(3).position(|part| part == b".so")?;
    name.get(..end).map(<[u8]>::to_vec)
}

/// Returns whether the directory name `entry` is `name`, alone or followed by a version or another word.
fn is_named_after(entry: &[u8], name: &[u8]) -> bool {
    let is_ignored = IGNORED_ENDINGS.iter().any(|ending| entry.ends_with(ending.as_bytes()));
    let is_end = |rest: &[u8]| rest.first().is_none_or(|byte| b"-.".contains(byte) || byte.is_ascii_digit());
    !is_ignored && entry.strip_prefix(name).is_some_and(is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_names() {
        for (entry, name, expected) in [
            ("cmake-3.25", "cmake", true),
            ("espeak-ng-data", "espeak-ng", true),
            ("vim", "vim", true),
            ("vimdiff", "vim", false),
            ("git-doc", "git", false),
        ] {
            assert_eq!(is_named_after(entry.as_bytes(), name.as_bytes()), expected, "{entry}");
        }
        assert_eq!(library_stem(b"libaspell.so.15"), Some(b"aspell".to_vec()));
    }
}
