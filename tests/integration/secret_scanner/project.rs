//! A directory with a static program, what is included with it, and `coracle` in it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use coracle_testing::{Coracle, coracle_in};
use tempfile::TempDir;

/// Removed at the end.
pub(crate) struct Project(TempDir);

impl Project {
    /// With `app`, a static program that does nothing.
    pub(crate) fn new() -> Self {
        static APP: OnceLock<Vec<u8>> = OnceLock::new();
        let project = Self(TempDir::new().unwrap());
        let app = APP.get_or_init(|| {
            project.compile("app", "int main(void) { return 0; }");
            std::fs::read(project.path("app")).unwrap()
        });
        project.file("app", app);
        assert!(Command::new("chmod").arg("755").arg(project.path("app")).status().unwrap().success());
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with its directories.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// A static program without symbols.
    pub(crate) fn compile(&self, name: &str, source: &str) {
        self.file("source.c", source);
        let mut compiler = Command::new("cc");
        compiler.args(["-s", "-static", "-o"]).arg(self.path(name)).arg(self.path("source.c"));
        assert!(compiler.status().unwrap().success());
    }

    pub(crate) fn coracle<const N: usize>(&self, args: [&str; N]) -> Coracle {
        coracle_in(self.0.path(), args)
    }

    /// Builds with these arguments: the exit code, and what is said.
    pub(crate) fn build(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.coracle(["build", "-o", "oci:out.oci"]).command().args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(self.path("out.oci").exists(), output.status.success(), "{said}");
        (output.status.code(), said)
    }
}
