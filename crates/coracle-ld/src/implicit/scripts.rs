//! The needs of scripts besides their interpreter: the commands of a shell script, the modules beside a
//! Python or Node script.

use std::collections::BTreeSet;

use super::collect_hints::HintedPaths;
use super::dependency_hint::{DependencyHint, HintKind, HintedPath, Likelihood};
use super::error::Error;
use super::files_at_path;
use super::ignored_paths;
use super::language_runtimes::{
    DISTRIBUTION_PACKAGES, distribution_packages_hint, join, package_directory_hint, path_exists,
};
use super::paths_in_text::{self, PathKind};
use super::program_context::{DataSources, ProgramRole};
use super::shell_script::MAX_SCRIPT_SIZE;
use super::started_programs;
use crate::closure::ExecutedFile;
use crate::elf;
use coracle_core::file_system::FileSystem;
use coracle_core::path::RawPath;

/// Returns the hints for the script `executed`.
pub(super) fn script_hints(
    sources: DataSources<'_>,
    executed: &ExecutedFile,
    role: ProgramRole,
) -> Result<Vec<DependencyHint>, Error> {
    let bytes = executed.file.content.open()?.read_bytes_at(0, MAX_SCRIPT_SIZE)?;
    let text = String::from_utf8_lossy(&bytes);
    let directory = RawPath::from(&executed.path).dirname();
    let mut hints = Vec::new();
    let paths = match interpreter_name(&text) {
        "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh" | "mksh" => {
            hints.extend(started_programs::script_commands_hint(sources, &text, &executed.raw_path)?);
            Vec::new()
        }
        name if name.starts_with("python") || name.starts_with("pypy") => {
            if imports_distribution_packages(sources.untracked, &text)? {
                let by = &executed.raw_path;
                hints.extend(distribution_packages_hint(sources, by, Likelihood::Likely)?);
            }
            imported_python_modules(sources.untracked, &text, &directory)?
        }
        "node" | "nodejs" => required_node_files(sources.untracked, &text, &directory)?,
        _ => Vec::new(),
    };
    hints.extend(files_beside_script_hint(sources, executed, paths)?);
    hints.extend(named_paths_hints(sources, executed)?);
    if role.is_named_by_user() {
        hints.extend(package_directory_hint(sources, executed)?);
    }
    hints.retain(|hint| role.accepts_hint(hint.likelihood));
    Ok(hints)
}

/// Returns the name of the interpreter in the first line: of `#!/usr/bin/env -S python3 -u`, `python3`.
fn interpreter_name(text: &str) -> &str {
    let line = text.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap_or_default();
    let names = line.split_whitespace().filter_map(|word| word.rsplit('/').next());
    names
        .into_iter()
        .find(|name| *name != "env" && !name.starts_with('-') && !name.contains('='))
        .unwrap_or("")
}

/// Returns the hint about files beside a script.
fn files_beside_script_hint(
    sources: DataSources<'_>,
    executed: &ExecutedFile,
    paths: Vec<HintedPath>,
) -> Result<Option<DependencyHint>, Error> {
    let mut hinted = Vec::new();
    for path in paths {
        let size = files_at_path::files_and_size_at(sources.untracked, &path.from)?.size;
        hinted.push(HintedPath { size, ..path });
    }
    let files = hinted.iter().map(|path| path.to.clone()).collect();
    let reason = format!("imported by {}", executed.raw_path);
    Ok(DependencyHint::for_includes(HintKind::Directory, reason, Likelihood::Likely, hinted, files))
}

/// Returns the hints about files, directories and programs whose absolute paths are in the script.
fn named_paths_hints(
    sources: DataSources<'_>,
    executed: &ExecutedFile,
) -> Result<Vec<DependencyHint>, Error> {
    let texts = elf::absolute_paths_in_text(&executed.file.content.open()?)?;
    let (mut paths, mut programs) = (HintedPaths::default(), Vec::new());
    for (_, path, kind) in paths_in_text::existing_paths(sources.untracked, &texts, false)? {
        if ignored_paths::is_ignored_path(path.as_bytes(), None) {
            continue;
        }
        match kind {
            PathKind::Executable => programs.push(path),
            PathKind::File | PathKind::Directory => paths.add(sources.untracked, &path)?,
        }
    }
    let reason = format!("named in {}", executed.raw_path);
    let commands =
        started_programs::hint_about_programs_at(sources.untracked, &programs, &reason, Likelihood::Likely)?;
    let data = paths.into_hint(HintKind::Directory, reason, Likelihood::Likely);
    Ok(commands.into_iter().chain(data).collect())
}

/// Returns the path `name` in the script's directory. In the image, it is in the script's
/// directory, too.
fn path_beside_script(directory: &RawPath, name: &str) -> HintedPath {
    HintedPath { from: join(directory, name), to: RawPath::new(name), size: 0 }
}

/// Returns the modules and packages in a Python script's directory that the script imports directly
/// or indirectly.
fn imported_python_modules(
    tree: &dyn FileSystem,
    text: &str,
    directory: &RawPath,
) -> Result<Vec<HintedPath>, Error> {
    let (mut known, mut paths) = (BTreeSet::new(), Vec::new());
    let mut queue: Vec<String> = python_imports(text);
    while let Some(name) = queue.pop() {
        if !known.insert(name.clone()) {
            continue;
        }
        let module = format!("{name}.py");
        if path_exists(tree, &join(directory, &format!("{name}/__init__.py")))? {
            paths.push(path_beside_script(directory, &name));
        } else if path_exists(tree, &join(directory, &module))? {
            queue.extend(python_imports(&read_text(tree, &join(directory, &module))?));
            paths.push(path_beside_script(directory, &module));
        }
    }
    for name in ["templates", "static"] {
        if !paths.is_empty() || text.contains("Flask(") {
            paths.extend(
                path_exists(tree, &join(directory, name))?.then(|| path_beside_script(directory, name)),
            );
        }
    }
    paths.sort();
    Ok(paths)
}

/// Returns whether a Python script imports a package of the distribution.
fn imports_distribution_packages(tree: &dyn FileSystem, text: &str) -> Result<bool, Error> {
    for directory in DISTRIBUTION_PACKAGES {
        let directory = RawPath::new(directory);
        for name in python_imports(text) {
            if path_exists(tree, &join(&directory, &name))?
                || path_exists(tree, &join(&directory, &format!("{name}.py")))?
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Returns the first component of each imported module.
fn python_imports(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        let modules = match (line.strip_prefix("import "), line.strip_prefix("from ")) {
            (Some(list), _) => list,
            (_, Some(rest)) => rest.split(" import").next().unwrap_or_default(),
            _ => continue,
        };
        for module in modules.split(',') {
            let name = module.trim().split(['.', ' ', ';', '#']).next().unwrap_or_default();
            if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Returns what a Node script loads from its directory: `node_modules`, `package.json`, and the
/// files that it requires by a relative path, directly or indirectly.
fn required_node_files(
    tree: &dyn FileSystem,
    text: &str,
    directory: &RawPath,
) -> Result<Vec<HintedPath>, Error> {
    let mut paths = Vec::new();
    for name in ["node_modules", "package.json"] {
        paths.extend(path_exists(tree, &join(directory, name))?.then(|| path_beside_script(directory, name)));
    }
    let mut known = BTreeSet::new();
    let mut queue = relative_requires(text, "");
    while let Some(name) = queue.pop() {
        for suffix in ["", ".js", ".mjs", ".cjs", ".json", "/index.js"] {
            let file = format!("{name}{suffix}");
            let is_file = files_at_path::is_file(tree, &join(directory, &file))?;
            if is_file && known.insert(file.clone()) {
                let parent = file.rsplit_once('/').map_or("", |(parent, _)| parent);
                queue.extend(relative_requires(&read_text(tree, &join(directory, &file))?, parent));
                paths.push(path_beside_script(directory, &file));
                break;
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// Returns the relative paths in calls of `require` and in imports, from the directory `parent`. Paths
/// above the script's directory are left out.
fn relative_requires(text: &str, parent: &str) -> Vec<String> {
    let mut names = Vec::new();
    for quote in ['"', '\''] {
        for part in text.split(quote).skip(1).step_by(2) {
            if !part.starts_with("./") && !part.starts_with("../") || part.contains(char::is_whitespace) {
                continue;
            }
            let mut components: Vec<&str> = parent.split('/').filter(|name| !name.is_empty()).collect();
            let mut is_inside = true;
            for name in part.split('/').filter(|name| !matches!(*name, "" | ".")) {
                if name == ".." {
                    is_inside &= components.pop().is_some();
                } else {
                    components.push(name);
                }
            }
            if is_inside && !components.is_empty() {
                names.push(components.join("/"));
            }
        }
    }
    names
}

fn read_text(tree: &dyn FileSystem, path: &RawPath) -> Result<String, Error> {
    let bytes = files_at_path::read_file(tree, path, MAX_SCRIPT_SIZE)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_core::file_system::MemoryFs;

    fn shown(paths: &[HintedPath]) -> Vec<String> {
        paths.iter().map(|path| format!("{}:{}", path.from, path.to)).collect()
    }

    #[test]
    fn names_interpreters() {
        for (line, name) in [
            ("#!/bin/sh -e", "sh"),
            ("#!/usr/bin/env -S A=1 python3 -u", "python3"),
            ("#!/usr/bin/env node", "node"),
            ("x", ""),
        ] {
            assert_eq!(interpreter_name(line), name);
        }
    }

    #[test]
    fn finds_python_modules() {
        let tree = MemoryFs::from_text(
            "/srv/app/util.py = import deep
             /srv/app/deep.py = x
             /srv/app/pkg/__init__.py = x
             /srv/app/other.py = x",
        );
        let text = "import os, util\nfrom pkg.sub import x\n";
        let paths = imported_python_modules(&tree, text, &RawPath::new("/srv/app")).unwrap();
        assert_eq!(
            shown(&paths),
            ["/srv/app/deep.py:deep.py", "/srv/app/pkg:pkg", "/srv/app/util.py:util.py"]
        );
    }

    #[test]
    fn finds_node_modules() {
        let tree = MemoryFs::from_text(
            "/srv/app/node_modules/express/index.js = x
             /srv/app/package.json = {}
             /srv/app/routes/index.js = require('../lib/a')
             /srv/app/lib/a.js = x
             /srv/app/unused.js = x",
        );
        let text = "const e = require('express'), r = require('./routes')";
        let paths = required_node_files(&tree, text, &RawPath::new("/srv/app")).unwrap();
        assert_eq!(
            shown(&paths),
            [
                "/srv/app/lib/a.js:lib/a.js",
                "/srv/app/node_modules:node_modules",
                "/srv/app/package.json:package.json",
                "/srv/app/routes/index.js:routes/index.js",
            ]
        );
    }
}
