//! Files of language runtimes that are found relative to the program: Python's standard library, a Java
//! home, the directory of a frozen Python program, and the tree that a package installs for itself.
//!
//! Sources: `Modules/getpath.py` of CPython; `src/java.base/unix/native/libjli` of OpenJDK;
//! `bootloader/src/pyi_archive.c` of PyInstaller.

use super::dependency_hint::{DependencyHint, HintKind, HintedPath, Likelihood};
use super::error::Error;
use super::files_at_path;
use super::ignored_paths;
use super::program_context::{DataSources, ProgramContext};
use crate::closure::ExecutedFile;
use crate::elf;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};

/// Returns the hints about the runtime of `program`.
pub(super) fn runtime_hints(
    program: &ProgramContext<'_>,
    executed: &ExecutedFile,
) -> Result<Vec<DependencyHint>, Error> {
    let mut hints = Vec::new();
    hints.extend(python_hint(program, executed)?);
    let environment = virtual_environment_hint(program.sources, executed)?;
    let is_system_python = executed.path.as_bytes().starts_with(b"/usr/bin/")
        && python_version(executed.path.file_name().unwrap_or_default(), "python").is_some();
    if environment.is_none() && is_system_python {
        let (by, likelihood) = (&executed.raw_path, Likelihood::Possible);
        hints.extend(distribution_packages_hint(program.sources, by, likelihood)?);
    }
    hints.extend(environment);
    hints.extend(java_hint(program.sources, executed)?);
    hints.extend(frozen_python_hint(program, executed)?);
    if program.role.is_named_by_user() {
        hints.extend(package_directory_hint(program.sources, executed)?);
    }
    Ok(hints)
}

/// Returns a hint that adds the directories and files at `paths`. The hint is met when the image
/// has `needed`. Returns `None` if `needed` does not exist.
fn include_hint(
    sources: DataSources<'_>,
    reason: String,
    likelihood: Likelihood,
    paths: &[RawPath],
    needed: &[RawPath],
) -> Result<Option<DependencyHint>, Error> {
    for path in needed {
        if !path_exists(sources.untracked, path)? {
            return Ok(None);
        }
    }
    let mut hinted = Vec::new();
    for path in paths {
        hinted.push(HintedPath::at_same_path(
            path,
            files_at_path::files_and_size_at(sources.untracked, path)?.size,
        ));
    }
    Ok(DependencyHint::for_includes(HintKind::Directory, reason, likelihood, hinted, needed.to_vec()))
}

/// Returns whether there is a file or directory at `path`.
pub(super) fn path_exists(tree: &dyn FileSystem, path: &RawPath) -> fs::Result<bool> {
    let walk = file_system::resolve_path(tree, &ImagePath::root(), path.as_bytes())?;
    Ok(matches!(walk.end, ResolutionEnd::File(..) | ResolutionEnd::Directory(_)))
}

pub(super) fn join(directory: &RawPath, name: &str) -> RawPath {
    RawPath::join_bytes(directory.as_bytes(), name.as_bytes())
}

/// Returns the version in a name such as `python3.11` or `libpython3.11.so.1.0`.
fn python_version(name: &[u8], prefix: &str) -> Option<String> {
    let rest = std::str::from_utf8(name).ok()?.strip_prefix(prefix)?;
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(major) && is_number(&minor)).then(|| format!("{major}.{minor}"))
}

/// Returns the hint about Python's standard library, without which Python does not start.
fn python_hint(
    program: &ProgramContext<'_>,
    executed: &ExecutedFile,
) -> Result<Option<DependencyHint>, Error> {
    let own_name = executed.path.file_name().unwrap_or_default();
    let own_version = python_version(own_name, "python");
    let library = program.library_with_prefix("libpython");
    let (version, binary, likelihood) = match (own_version, library) {
        (Some(version), _) => (version, RawPath::from(&executed.path), Likelihood::Certain),
        (None, Some(library)) => {
            let soname = library.object.dynamic.soname.as_deref().unwrap_or_default();
            let Some(version) = python_version(soname, "libpython") else { return Ok(None) };
            (version, RawPath::from(&library.path), Likelihood::Likely)
        }
        (None, None) => return Ok(None),
    };
    let mut directory = binary.dirname();
    // The program is in `PREFIX/bin`, a library in `PREFIX/lib` or `PREFIX/lib/ARCHITECTURE`.
    for _ in 0..3 {
        let library = join(&directory, &format!("lib/python{version}"));
        let needed = join(&library, "encodings/__init__.py");
        if path_exists(program.sources.untracked, &needed)? {
            let reason = format!("the standard library of {}", executed.raw_path);
            return include_hint(program.sources, reason, likelihood, &[library], &[needed]);
        }
        directory = directory.dirname();
    }
    Ok(None)
}

/// Directories of the Python packages of a distribution, which are not in the standard library.
pub(super) const DISTRIBUTION_PACKAGES: [&str; 2] =
    ["/usr/lib/python3/dist-packages", "/usr/lib/python3/site-packages"];

/// Returns the hint about the Python packages of the distribution, which `by` may import.
pub(super) fn distribution_packages_hint(
    sources: DataSources<'_>,
    by: &RawPath,
    likelihood: Likelihood,
) -> Result<Option<DependencyHint>, Error> {
    let reason = format!("the distribution's packages, for {by}");
    for directory in DISTRIBUTION_PACKAGES {
        let directory = RawPath::new(directory);
        let contents = files_at_path::files_and_size_at(sources.untracked, &directory)?;
        if !contents.files.is_empty() {
            let paths = vec![HintedPath::at_same_path(&directory, contents.size)];
            return Ok(DependencyHint::for_includes(
                HintKind::Directory,
                reason,
                likelihood,
                paths,
                contents.files,
            ));
        }
    }
    Ok(None)
}

/// Returns the virtual environment of an interpreter: the directory above the interpreter's own, if
/// it has a `pyvenv.cfg`.
pub(super) fn virtual_environment_directory(
    tree: &dyn FileSystem,
    interpreter: &RawPath,
) -> fs::Result<Option<RawPath>> {
    let directory = interpreter.dirname().dirname();
    Ok(path_exists(tree, &join(&directory, "pyvenv.cfg"))?.then_some(directory))
}

/// Returns the hint about the packages of a virtual environment whose interpreter is started.
fn virtual_environment_hint(
    sources: DataSources<'_>,
    executed: &ExecutedFile,
) -> Result<Option<DependencyHint>, Error> {
    let Some(environment) = virtual_environment_directory(sources.untracked, &executed.raw_path)? else {
        return Ok(None);
    };
    let Some(version) = python_version(executed.path.file_name().unwrap_or_default(), "python") else {
        return Ok(None);
    };
    let below = format!("lib/python{version}/site-packages");
    let packages = join(&environment, &below);
    let size = files_at_path::files_and_size_at(sources.untracked, &packages)?.size;
    if size == 0 {
        return Ok(None);
    }
    let reason = format!("the packages of {}", executed.raw_path);
    let to = RawPath::new(format!("../{below}"));
    let paths = vec![HintedPath { from: packages, to: to.clone(), size }];
    Ok(DependencyHint::for_includes(HintKind::Directory, reason, Likelihood::Certain, paths, vec![to]))
}

/// Returns the hint about the Java home of the launcher `java`.
fn java_hint(sources: DataSources<'_>, executed: &ExecutedFile) -> Result<Option<DependencyHint>, Error> {
    if executed.path.file_name() != Some(b"java") {
        return Ok(None);
    }
    let mut home = RawPath::from(&executed.path).dirname().dirname();
    if home.file_name() == b"jre" && path_exists(sources.untracked, &join(&home, "../lib/tools.jar"))? {
        home = home.dirname();
    }
    let needed = join(&home, "lib/server/libjvm.so");
    let reason = format!("the Java home of {}", executed.raw_path);
    include_hint(sources, reason, Likelihood::Certain, &[home], &[needed])
}

/// Returns the hint about the files beside a program that PyInstaller froze.
fn frozen_python_hint(
    program: &ProgramContext<'_>,
    executed: &ExecutedFile,
) -> Result<Option<DependencyHint>, Error> {
    let own = program.program_object();
    if !elf::has_section(&own.file.content.open()?, &own.object, b"pydata")? {
        return Ok(None);
    }
    let directory = RawPath::from(&executed.path).dirname();
    let internal = join(&directory, "_internal");
    let size = files_at_path::files_and_size_at(program.sources.untracked, &internal)?.size;
    if size == 0 {
        return Ok(None);
    }
    let paths = vec![HintedPath { from: internal, to: RawPath::new("_internal"), size }];
    let reason = format!("{} is frozen by PyInstaller", executed.raw_path);
    let files = vec![RawPath::new("_internal")];
    Ok(DependencyHint::for_includes(HintKind::Directory, reason, Likelihood::Certain, paths, files))
}

/// Directories in which a package may have a directory of its own.
const PACKAGE_PARENTS: [&str; 6] =
    ["/usr/lib", "/usr/libexec", "/usr/local/lib", "/usr/local/libexec", "/opt", "/usr/share"];

/// Returns the hint about the directory that a package installs its programs in: `/opt/x` for
/// `/opt/x/bin/y`, `/usr/lib/x/1` for `/usr/lib/x/1/bin/y`.
pub(super) fn package_directory_hint(
    sources: DataSources<'_>,
    executed: &ExecutedFile,
) -> Result<Option<DependencyHint>, Error> {
    let path = RawPath::from(&executed.path);
    let mut directory = path.dirname();
    if matches!(directory.file_name(), b"bin" | b"sbin" | b"libexec") {
        directory = directory.dirname();
    }
    let is_in_package = PACKAGE_PARENTS.iter().any(|parent| {
        directory.as_bytes().strip_prefix(parent.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
    });
    if !is_in_package || ignored_paths::is_ignored_path(directory.as_bytes(), None) {
        return Ok(None);
    }
    let contents = files_at_path::files_and_size_at(sources.untracked, &directory)?;
    if contents.files.len() < 2 {
        return Ok(None);
    }
    let reason = format!("the directory of {}", executed.raw_path);
    let paths = vec![HintedPath::at_same_path(&directory, contents.size)];
    Ok(DependencyHint::for_includes(HintKind::Directory, reason, Likelihood::Likely, paths, contents.files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_versions() {
        for (name, prefix, version) in [
            ("python3.11", "python", Some("3.11")),
            ("libpython3.11.so.1.0", "libpython", Some("3.11")),
            ("python3", "python", None),
            ("pythonw.exe", "python", None),
        ] {
            assert_eq!(python_version(name.as_bytes(), prefix).as_deref(), version, "{name}");
        }
    }
}
