//! The order of modules: a module imports only from lower layers, the library uses no terminal, and
//! calls of some platforms are in `src/fs` only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules of the library from the bottom up; those of one floor do not know each other, but for the words of floor 0.
const FLOORS: &[&[&str]] = &[
    &[
        "content",
        "digest",
        "fs",
        "json",
        "note",
        "path",
        "platform",
        "port",
        "quantity",
        "reference",
        "signal",
        "size",
        "spelling",
        "tree",
        "witness",
        "yaml",
    ],
    &["elf", "values"],
    &["template"],
    &["config"],
    &["contract"],
    &["kubernetes"],
    &["loader"],
    &["closure"],
    &["runtime"],
    &["rootfs"],
    &["gate"],
    &["layer"],
    &["cache"],
    &["image"],
    &["registry"],
    &["store"],
    &["engine"],
    &["transfer"],
    &["base", "shared"],
    &["manifest"],
    &["recipe"],
    &["build"],
];

/// Calls that not every host has, and the only files that may make them.
const EDGES: &[&str] = &["src/fs/unix.rs", "src/fs/linux.rs"];
const HOST_CALLS: &[&str] = &["std::os::", "rustix::", "libc::"];

/// What belongs to the binary.
const TERMINAL: &[&str] =
    &["clap", "anstream", "anstyle", "indicatif", "std::env::", "println!", "eprintln!"];

fn floor_of(module: &str) -> usize {
    FLOORS.iter().position(|floor| floor.contains(&module)).unwrap_or_else(|| {
        panic!("`{module}` stands on no floor: add it to FLOORS in tests/integration/module_layers.rs and to the table in ARCHITECTURE.md")
    })
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whether `code` names the path `word`, and not one that only ends like it.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Every file of the library with its module and its code, comments and tests left out.
fn library() -> Vec<(String, String, String)> {
    let files = rust_files(Path::new("src"));
    let modules = files.into_iter().filter_map(|path| {
        let name = path.to_str().unwrap().to_owned();
        let module = name.strip_prefix("src/")?.split(['/', '.']).next()?.to_owned();
        let code = std::fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]\nmod tests {").next()?;
        let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let own = !["lib", "main", "bin", "cli"].contains(&module.as_str()) && !name.ends_with("/tests.rs");
        own.then(|| (name, module, code.join("\n")))
    });
    modules.collect()
}

/// The modules that `code` names after `crate::`, one level of braces included.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let name = name.trim();
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            found.push(name[..end].to_owned());
        }
    }
    found.retain(|name| !name.is_empty() && name.chars().next().is_some_and(char::is_lowercase));
    found
}

#[test]
fn modules_import_only_from_lower_layers() {
    let mut wrong = Vec::new();
    for (file, module, code) in library() {
        let floor = floor_of(&module);
        for import in imports(&code) {
            let lower = floor_of(&import);
            if import != module && (lower > floor || lower == floor && floor > 0) {
                wrong.push(format!("{file} (floor {floor}) imports `{import}` (floor {lower})"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "move the code to the floor where it belongs, or hand it down as a value:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_module_has_a_layer() {
    let modules: BTreeMap<String, ()> = library().into_iter().map(|(_, module, _)| (module, ())).collect();
    for module in modules.keys() {
        floor_of(module);
    }
    for module in FLOORS.iter().copied().flatten() {
        assert!(modules.contains_key(*module), "`{module}` is on a floor but not in src/");
    }
}

#[test]
fn only_fs_uses_calls_of_some_platforms() {
    for (file, _, code) in library() {
        for call in HOST_CALLS.iter().filter(|call| names(&code, call)) {
            assert!(
                EDGES.contains(&file.as_str()),
                "{file} uses `{call}`: put the call into src/fs/, behind `cfg`"
            );
        }
    }
}

#[test]
fn the_library_uses_neither_terminal_nor_environment() {
    for (file, _, code) in library() {
        let word = TERMINAL.iter().find(|word| names(&code, word));
        assert!(
            word.is_none(),
            "{file} uses {word:?}: that belongs to src/cli/; hand the value down in `Settings`"
        );
    }
}
