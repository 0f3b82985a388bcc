//! A directory with sources, programs and an image layout.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use coracle_testing::launch::{launch, retry_while_busy};
use coracle_testing::process::{Finished, start, stdout_of};
use coracle_testing::unpacked::Image;
use tempfile::TempDir;

pub(crate) struct Project(TempDir);

impl Project {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, after creating its parent directories.
    pub(crate) fn file(&self, name: &str, text: &str) {
        fs::write(self.path_with_parents(name), text).unwrap();
    }

    pub(crate) fn link(&self, name: &str, target: &str) {
        symlink(target, self.path_with_parents(name)).unwrap();
    }

    /// Copies a file of this machine.
    pub(crate) fn copy(&self, from: &str, name: &str) {
        fs::copy(from, self.path_with_parents(name)).unwrap();
    }

    fn path_with_parents(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Compiles `output`.
    pub(crate) fn compile(&self, compiler: &str, output: &str, arguments: &[&str]) {
        self.path_with_parents(output);
        self.run(Command::new(compiler).args(["-O1", "-o", output]).args(arguments));
    }

    /// Runs a command in this directory and returns its output. Panics if it fails.
    pub(crate) fn run(&self, command: &mut Command) -> String {
        stdout_of(command.current_dir(self.0.path()))
    }

    /// Runs `coracle build` with `arguments` and returns the images.
    pub(crate) fn build(&self, arguments: &[&str]) -> Vec<Image> {
        let mut coracle = Command::new(env!("CARGO_BIN_EXE_coracle"));
        self.run(coracle.arg("build").args(arguments).args([
            "--quiet",
            "--no-cache",
            "--output",
            "oci:layout",
        ]));
        Image::read_all(&self.path("layout"))
    }

    /// Unpacks the image to `root`, runs its entrypoint there and returns the output. The emulator, if
    /// any, is copied into the root.
    pub(crate) fn run_image(&self, image: &Image, root: &str, emulator: Option<&str>) -> String {
        let root = self.path(root);
        image.unpack(&root);
        // As every runtime does: musl and qemu look there for the program's own path.
        fs::create_dir(root.join("proc")).unwrap();
        let mut command = launch(&root, image.working_dir(), image.user());
        command.args(image.variables()).arg("--");
        if let Some(emulator) = emulator {
            fs::copy(emulator, root.join("emulator")).unwrap();
            command.arg("/emulator");
        }
        command.args(image.command());
        let stderr = |finished: &Finished| finished.stderr.clone();
        retry_while_busy(|| start(&mut command).finish(), stderr).success()
    }
}

/// Returns the paths of all files and links in a root.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut pending = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => pending.push(entry.path()),
                false => files.push(format!("/{}", entry.path().strip_prefix(root).unwrap().display())),
            }
        }
    }
    files.sort();
    files
}
