//! The build system of a project, for the CI job that builds its program.

use std::path::Path;

/// How a CI job builds the program.
pub(super) struct BuildSystem {
    pub(super) command: &'static str,
    /// The image that a job of GitLab runs in; it has the build system and curl.
    pub(super) ci_image: &'static str,
}

/// The file of each build system.
const BUILD_SYSTEMS: [(&str, BuildSystem); 8] = [
    ("Cargo.toml", BuildSystem { command: "cargo build --release", ci_image: "rust:1" }),
    ("Makefile", BuildSystem { command: "make", ci_image: C_IMAGE }),
    ("GNUmakefile", BuildSystem { command: "make", ci_image: C_IMAGE }),
    ("go.mod", BuildSystem { command: "go build", ci_image: "golang:1" }),
    ("CMakeLists.txt", BuildSystem { command: "cmake -B build && cmake --build build", ci_image: C_IMAGE }),
    (
        "meson.build",
        BuildSystem { command: "meson setup build && meson compile -C build", ci_image: C_IMAGE },
    ),
    ("build.zig", BuildSystem { command: "zig build -Doptimize=ReleaseSafe", ci_image: C_IMAGE }),
    ("package.json", BuildSystem { command: "npm ci --omit=dev", ci_image: "node:22" }),
];

const C_IMAGE: &str = "gcc:14";

impl BuildSystem {
    /// Returns the build system of the project at `folder`. A program of an unknown one is built by `make`; `None` for
    /// a script, which needs no build.
    pub(super) fn detect(folder: &Path, is_script: bool) -> Option<Self> {
        let known = BUILD_SYSTEMS.into_iter().find(|(file, _)| folder.join(file).exists());
        let unknown = (!is_script).then_some(Self { command: "make", ci_image: C_IMAGE });
        known.map(|(_, system)| system).or(unknown)
    }

    /// The image of a job that builds nothing.
    pub(super) const PLAIN_IMAGE: &'static str = "buildpack-deps:stable";
}
