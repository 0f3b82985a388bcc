//! A directory with crates in it, and `cargo coracle` there.

use std::fs;
use std::path::{Path, PathBuf};

use coracle_testing::{Coracle, coracle_in};
use tempfile::TempDir;

use crate::build::layout::Layout;

/// A program that prints a line.
pub(crate) const MAIN: &str = "fn main() {\n    println!(\"hello\");\n}\n";

/// Removed at the end, with a home of its own.
pub(crate) struct Project {
    folder: TempDir,
    home: TempDir,
}

impl Project {
    /// Nothing in it.
    pub(crate) fn empty() -> Self {
        Self { folder: TempDir::new().unwrap(), home: TempDir::new().unwrap() }
    }

    /// The crate `app`, with more in its Cargo.toml.
    pub(crate) fn app(more: &str) -> Self {
        let project = Self::empty();
        project.krate("", "app", more);
        project
    }

    /// A crate in `folder` with a program of its name.
    pub(crate) fn krate(&self, folder: &str, name: &str, more: &str) -> &Self {
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2024\"\n{more}");
        self.file(Path::new(folder).join("Cargo.toml"), manifest);
        self.file(Path::new(folder).join("src/main.rs"), MAIN)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        // An empty name would end the path in a slash.
        self.folder.path().components().chain(Path::new(name).components()).collect()
    }

    /// A file with its directories.
    pub(crate) fn file(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> &Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// `cargo coracle` with these arguments, as cargo calls it, in the directory `below`.
    pub(crate) fn cargo_in<const N: usize>(&self, below: &str, args: [&str; N]) -> Coracle {
        let mut run = coracle_in(&self.path(below), ["coracle"]);
        run.more(args);
        self.surroundings()
            .into_iter()
            .fold(run.through(env!("CARGO_BIN_EXE_cargo-coracle"), is_cargos), |run, (name, value)| {
                run.env(name, &value)
            })
    }

    /// `cargo coracle` with these arguments.
    pub(crate) fn cargo<const N: usize>(&self, args: [&str; N]) -> Coracle {
        self.cargo_in("", args)
    }

    /// The variables that cargo needs, and an own home without a cache.
    #[allow(clippy::disallowed_methods, reason = "where cargo is, the environment says")]
    pub(crate) fn surroundings(&self) -> Vec<(&'static str, String)> {
        let var = |name: &str| std::env::var(name).ok();
        let in_home = |name: &str| Some(format!("{}/{name}", var("HOME")?));
        let kept = [
            ("PATH", var("PATH")),
            ("RUSTUP_TOOLCHAIN", var("RUSTUP_TOOLCHAIN")),
            // Of its own, because cargo locks it, and says so.
            ("CARGO_HOME", Some(self.home.path().join("cargo").display().to_string())),
            ("RUSTUP_HOME", var("RUSTUP_HOME").or_else(|| in_home(".rustup"))),
            ("CARGO_NET_OFFLINE", Some("true".into())),
            ("HOME", Some(self.home.path().display().to_string())),
        ];
        kept.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Builds what is only the way to something else.
    #[track_caller]
    pub(crate) fn built(&self, args: &[&str]) {
        let output = self.cargo(["build", "--quiet"]).command().args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
    }

    /// The sound layout of the image `name` in the target directory.
    #[track_caller]
    pub(crate) fn layout(&self, name: &str) -> Layout {
        Layout::open(self.path(&format!("target/coracle/{name}.oci")))
    }
}

/// Whether cargo itself writes this path.
fn is_cargos(path: &Path) -> bool {
    path.ends_with("Cargo.lock") || path.starts_with("target") && !path.starts_with("target/coracle")
}
