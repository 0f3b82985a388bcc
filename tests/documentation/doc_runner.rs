//! Where the commands of a page are run: a folder with the files that the page speaks of, a home,
//! and a `PATH` with `coracle`, `cargo`, the engines and a cluster's client.

use std::cell::{OnceCell, RefCell};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use coracle_testing::kubernetes_tools;
use tempfile::TempDir;

use crate::engines::Engines;
use crate::fake_api_server::Cluster;
use crate::page;
use crate::registry_hosts::Registry;

const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Ends with its value, and with it all that runs there.
pub(crate) struct DocRunner {
    engines: Option<Engines>,
    folder: TempDir,
    /// Where the shell stands, which `cd` changes.
    directory: RefCell<PathBuf>,
    cluster: Cluster,
    registry: OnceCell<Registry>,
    /// Words of the page, and what they stand for here.
    words: RefCell<Vec<(&'static str, String)>>,
}

impl DocRunner {
    /// An empty one; with engines, everything runs where they are.
    pub(crate) fn new(engines: Option<Engines>) -> Self {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        for name in ["bin", "home", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let directory = RefCell::new(folder.path().join("work"));
        let (registry, words) = (OnceCell::new(), RefCell::default());
        let runner = Self { engines, folder, directory, cluster: Cluster::start(), registry, words };
        for (name, path) in [
            ("coracle", env!("CARGO_BIN_EXE_coracle")),
            ("cargo-coracle", env!("CARGO_BIN_EXE_cargo-coracle")),
        ] {
            std::os::unix::fs::symlink(path, runner.folder.path().join("bin").join(name)).unwrap();
        }
        let kubectl = kubernetes_tools::path("kubectl");
        let server = &runner.cluster.address;
        // tests/integration/manifests checks these objects with the schemas of the API server.
        let kubectl = format!(
            "[ $1 = apply ] && set -- \"$@\" --validate=false\nexec {} --kubeconfig=/dev/null --server={server} \"$@\"",
            kubectl.display()
        );
        runner.tool("kubectl", &kubectl);
        if let Some(engines) = &runner.engines {
            runner.tool("podman", &engines.podman());
        }
        runner
    }

    /// The folder in which the page's commands start.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// A file with its directories.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        self
    }

    /// A copy of a file of this machine.
    pub(crate) fn copy(&self, from: impl AsRef<Path>, name: &str) -> &Self {
        let content = fs::read(from).unwrap();
        self.file(name, content);
        fs::set_permissions(self.path(name), Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Programs of this machine that need libssl, under other names.
    pub(crate) fn programs<const N: usize>(&self, names: [&str; N]) -> &Self {
        names.into_iter().fold(self, |runner, name| runner.copy("/usr/bin/openssl", name))
    }

    /// The source of a program that prints a line.
    pub(crate) fn source(&self, name: &str) -> &Self {
        self.file(name, "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n")
    }

    /// Such a program.
    pub(crate) fn hello(&self, name: &str) -> &Self {
        self.source("hello.c").done(&format!("gcc -O2 -s -o {name} hello.c; rm hello.c"));
        self
    }

    /// A program in `PATH`, as a script of the shell.
    pub(crate) fn tool(&self, name: &str, script: &str) -> &Self {
        let path = self.folder.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Lets a word of the page stand for something: `IMAGE`, or `sha256:…`.
    pub(crate) fn word(&self, word: &'static str, meaning: impl Into<String>) -> &Self {
        self.words.borrow_mut().push((word, meaning.into()));
        self
    }

    /// A command as it is run.
    pub(crate) fn meant(&self, command: &str) -> String {
        self.words
            .borrow()
            .iter()
            .fold(command.to_owned(), |text, (word, meaning)| text.replace(word, meaning))
    }

    /// Does what has to be done before: it must succeed. Gives what is printed.
    #[track_caller]
    pub(crate) fn done(&self, script: &str) -> String {
        let output = self.run(&format!("set -e; {script}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}\n{}{said}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs a command where the last one has left the shell.
    pub(crate) fn run(&self, command: &str) -> Output {
        let left = self.folder.path().join("left");
        let output = self.shell(command).arg(&left).output().unwrap();
        if let Ok(directory) = fs::read_to_string(left) {
            *self.directory.borrow_mut() = directory.trim_end_matches('\n').into();
        }
        output
    }

    /// The shell with a command; where it leaves the name of its directory is its next argument.
    fn shell(&self, command: &str) -> Command {
        // Variables that a line sets are there for the next one, as is where it has gone.
        let script = format!(
            "cd \"$0\" || exit; set -a; [ -e \"$1.env\" ] && . \"$1.env\"\n\
             trap 'code=$?; pwd > \"$1\"; export -p > \"$1.env\"; exit $code' EXIT\n{command}\n"
        );
        let words = ["bash", "-c", &script];
        let mut shell = match &self.engines {
            Some(engines) => engines.command(&words),
            None => {
                let mut shell = Command::new(words[0]);
                shell.args(&words[1..]);
                shell
            }
        };
        shell.arg(&*self.directory.borrow()).stdin(Stdio::null()).env_clear().envs(self.environment());
        shell
    }

    /// Starts a command that goes on while others run; it ends with the engines.
    pub(crate) fn start(&self, command: &str) {
        let mut shell = self.shell(command);
        drop(coracle_testing::process::start(shell.arg(self.folder.path().join("left-alone"))));
    }

    #[allow(clippy::disallowed_methods, reason = "where cargo is, the environment says")]
    fn environment(&self) -> Vec<(&'static str, String)> {
        let var = |name: &str| std::env::var(name).ok();
        let home = |name: &str| Some(format!("{}/{name}", var("HOME")?));
        let at = self.folder.path().display();
        let path = format!("{at}/bin:{}:{SYSTEM}", cargo().parent().unwrap().display());
        let kept = [
            ("PATH", Some(path)),
            ("HOME", Some(format!("{at}/home"))),
            ("RUSTUP_TOOLCHAIN", var("RUSTUP_TOOLCHAIN")),
            ("RUSTUP_HOME", var("RUSTUP_HOME").or_else(|| home(".rustup"))),
            // The compilers' own caches are kept for the next run.
            ("GOCACHE", Some(concat!(env!("CARGO_TARGET_TMPDIR"), "/go").into())),
            ("ZIG_GLOBAL_CACHE_DIR", Some(concat!(env!("CARGO_TARGET_TMPDIR"), "/zig").into())),
            ("CARGO_NET_OFFLINE", Some("true".into())),
            ("CARGO_TERM_COLOR", Some("never".into())),
        ];
        let registry = self.registry.get().map(Registry::environment);
        let engines = self.engines.as_ref().map(Engines::environment);
        kept.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .chain(registry.into_iter().flatten())
            .chain(engines.into_iter().flatten())
            .collect()
    }

    /// Lets every registry that pages name be there.
    pub(crate) fn registries(&self) {
        self.registry.get_or_init(Registry::start);
    }

    /// The requests to the cluster since the last call.
    pub(crate) fn asked(&self) -> String {
        self.cluster.asked()
    }
}

/// The cargo that runs this test.
pub(crate) fn cargo() -> PathBuf {
    let cargo = PathBuf::from(env!("CARGO"));
    assert!(cargo.is_absolute() && cargo.starts_with("/"), "{cargo:?} in {:?}", page::root());
    cargo
}
