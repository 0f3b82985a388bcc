//! Starts programs inside a root, as a runtime would. Of the host only `/proc` and `/dev` are
//! visible, if the root has directories for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Returns the start of a command that runs a program inside `root`. The caller appends variables,
/// `--`, the program and its arguments. The user is `UID:GID`, which needs root, or `-` for the
/// current one.
pub fn launch(root: &Path, directory: &str, user: &str) -> Command {
    let mut launch = Command::new(launcher().unwrap());
    launch.arg(root).args([directory, user]);
    launch
}

/// The program that [`launch`] runs, built once; `None` without a C compiler.
pub fn launcher() -> Option<&'static Path> {
    static LAUNCHER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let path = crate::temporary_directory().join("launch");
        let half = path.with_extension(std::process::id().to_string());
        let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/launch.c"));
        let built = Command::new("cc").args(["-Wall", "-Werror", "-o"]).arg(&half).arg(source).status();
        built.ok()?.success().then_some(())?;
        fs::rename(half, &path).ok()?;
        Some(path)
    };
    LAUNCHER.get_or_init(build).as_deref()
}

/// Returns whether the current user can create mount namespaces and change the root.
pub fn namespaces() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        let status = launch(Path::new("/"), "/", "-").args(["--", "/bin/true"]).status();
        status.is_ok_and(|status| status.success())
    })
}

/// Repeats `run` while it fails with "Text file busy": a child that another test forked may have
/// the new program open for writing.
pub fn retry_while_busy<T>(mut run: impl FnMut() -> T, stderr: impl Fn(&T) -> String) -> T {
    let mut outputs = std::iter::repeat_with(&mut run).take(1000);
    outputs.find(|output| !stderr(output).contains("Text file busy")).unwrap()
}
