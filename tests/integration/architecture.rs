//! Rules about the code that Cargo does not enforce. The order of the crates is in their
//! `Cargo.toml`; ARCHITECTURE.md explains both.

use std::path::{Path, PathBuf};

/// The only files that may call functions which not every host has, besides what records and runs
/// programs, which is for Linux alone.
const HOST_CALLS_FILES: &[&str] =
    &["crates/coracle-core/src/fs/unix.rs", "crates/coracle-core/src/fs/unix_directory.rs"];
const LINUX_ALONE: &[&str] = &["crates/coracle-trace/src/linux/", "crates/coracle-run/src/linux/"];
const HOST_CALLS: &[&str] = &["std::os::", "rustix::", "libc::"];

/// The only files with unsafe code: a call that no crate has a safe function for, and the program of the
/// reload sidecar, which has no library.
const UNSAFE_FILES: &[&str] = &[
    "crates/coracle-reload/helper/memory.rs",
    "crates/coracle-reload/helper/system.rs",
    "crates/coracle-trace/src/linux/resume_process.rs",
];

/// Names that only the command line may use.
const COMMAND_LINE_ONLY: &[&str] = &[
    "clap",
    "anstream",
    "anstyle",
    "indicatif",
    "std::env::",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "crate::cli",
];

/// Modules of the package `coracle` from the bottom up. Each may use only those before it. Modules
/// that are not listed may use all of them.
const LOWER_MODULES: &[&str] = &["rootfs", "recipe"];

/// Words that make prose hard to understand, with a way to write it.
const UNCLEAR_WORDS: &[(&str, &str)] = &[
    ("nobody", "say what is missing: `no registry client is configured`"),
    ("somebody", "name the program or person"),
    ("whoever", "name the program or person"),
    (" stands ", "use `is` or `means`"),
    ("is told", "use `is passed` or `gets`"),
];

/// Generates the account `nobody`.
const NOBODY_ACCOUNT_FILE: &str = "src/rootfs/passwd_and_group.rs";

/// A file of Rust code in `src/`, `crates/*/src/` or the reload sidecar's program.
struct SourceFile {
    /// The path from the workspace root.
    path: String,
    text: String,
}

impl SourceFile {
    /// Whether it belongs to a library, and not to the command line or to tests.
    fn is_library(&self) -> bool {
        let is_command_line =
            ["src/main.rs", "src/bin/", "src/cli/"].iter().any(|prefix| self.path.starts_with(prefix));
        !is_command_line && !self.is_test()
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("crates/coracle-testing/")
            || self.path.ends_with("tests.rs")
            || self.path.contains("/tests/")
    }

    fn text_before_tests(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap()
    }

    /// The code without comments and without the tests at its end.
    fn code(&self) -> String {
        let lines = self.text_before_tests().lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The module of the package `coracle` that the file belongs to.
    fn module(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split(['/', '.']).next()
    }
}

/// Returns all files of Rust code in the packages' sources.
fn source_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = std::fs::read_dir(root.join("crates")).unwrap();
    let mut pending: Vec<PathBuf> = packages.map(|entry| entry.unwrap().path().join("src")).collect();
    pending.extend(["src", "crates/coracle-reload/helper"].map(|path| root.join(path)));
    let mut files = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(SourceFile { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Whether `code` has `name`, and not only as the end of a longer name.
fn uses(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Returns the modules that `code` names after `crate::`, one level of braces included.
fn imported_modules(code: &str) -> Vec<&str> {
    let mut modules = Vec::new();
    for path in code.split("crate::").skip(1) {
        let names = match path.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default(),
        };
        let names = names.split(',').map(|name| name.trim().split(':').next().unwrap_or_default());
        modules.extend(names.filter(|name| name.starts_with(char::is_lowercase)));
    }
    modules
}

#[track_caller]
fn assert_empty(violations: &[String], advice: &str) {
    assert!(violations.is_empty(), "{advice}:\n{}", violations.join("\n"));
}

#[test]
fn only_one_file_calls_functions_of_some_hosts() {
    let mut violations = Vec::new();
    for file in source_files().into_iter().filter(SourceFile::is_library) {
        let code = file.code();
        for call in HOST_CALLS.iter().filter(|call| uses(&code, call)) {
            if !HOST_CALLS_FILES.contains(&file.path.as_str())
                && !LINUX_ALONE.iter().any(|path| file.path.starts_with(path))
            {
                violations.push(format!("{} uses `{call}`", file.path));
            }
        }
    }
    assert_empty(&violations, "move these calls to `coracle_core::fs`, behind `cfg`");
}

#[test]
fn only_listed_files_have_unsafe_code() {
    let mut found: Vec<String> = source_files()
        .into_iter()
        .filter(|file| file.code().lines().any(|line| uses(line, "unsafe {") || uses(line, "unsafe fn")))
        .map(|file| file.path)
        .collect();
    found.retain(|path| !UNSAFE_FILES.contains(&path.as_str()));
    assert_empty(&found, "use a safe function, or list the file with a reason");
}

#[test]
fn libraries_use_neither_terminal_nor_environment() {
    let mut violations = Vec::new();
    for file in source_files().into_iter().filter(SourceFile::is_library) {
        let code = file.code();
        let is_crate_root = file.path == "src/lib.rs";
        for name in COMMAND_LINE_ONLY.iter().filter(|name| uses(&code, name) && !is_crate_root) {
            violations.push(format!("{} uses `{name}`", file.path));
        }
    }
    assert_empty(&violations, "move this to src/cli, and pass values in `Settings`");
}

#[test]
fn modules_use_only_lower_modules() {
    let mut violations = Vec::new();
    for file in source_files().into_iter().filter(SourceFile::is_library) {
        let Some(level) = LOWER_MODULES.iter().position(|module| file.module() == Some(module)) else {
            continue;
        };
        let code = file.code();
        for import in imported_modules(&code) {
            if !LOWER_MODULES[..=level].contains(&import) {
                violations.push(format!("{} uses `crate::{import}`", file.path));
            }
        }
    }
    assert_empty(&violations, "move the code to the module that uses it, or pass a value");
}

#[test]
fn comments_and_messages_are_plain() {
    let mut violations = Vec::new();
    for file in source_files()
        .into_iter()
        .filter(|file| !file.path.contains("/tests/") && file.path != NOBODY_ACCOUNT_FILE)
    {
        for (index, line) in file.text_before_tests().lines().enumerate() {
            let is_prose = line.contains("//") || line.contains('"');
            let line = line.to_lowercase();
            for (word, advice) in UNCLEAR_WORDS.iter().filter(|(word, _)| is_prose && line.contains(word)) {
                violations.push(format!("{}:{}: `{}`: {advice}", file.path, index + 1, word.trim()));
            }
        }
    }
    assert_empty(&violations, "write these lines in plain words");
}
