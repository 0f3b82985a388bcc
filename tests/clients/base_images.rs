//! On top of an image that podman has made of Debian's own files: the program runs there, and so
//! does what was there before.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use coracle_testing::process::stdout_of;
use coracle_testing::requirement;
use coracle_testing::sandbox::Sandbox;

use crate::podman::{self, Podman};

/// The files of the base.
const PACKAGES: [&str; 4] = ["base-files", "bash", "libc6", "libtinfo6"];

/// The files of these packages with everything that leads to them, as a tar; Debian's `/bin` and `/lib` are links.
fn root(tar: &Path) {
    let listed = stdout_of(Command::new("dpkg").arg("--listfiles").args(PACKAGES));
    let merged = ["/bin", "/lib", "/lib64", "/sbin"].map(Path::new);
    let files = listed.lines().map(str::trim).filter(|line| line.starts_with('/') && *line != "/.");
    let files: BTreeSet<String> = files
        .map(|file| match merged.into_iter().find(|link| Path::new(file).starts_with(link)) {
            Some(_) => format!("usr{file}"),
            None => file.trim_start_matches('/').to_owned(),
        })
        .filter(|file| fs::symlink_metadata(format!("/{file}")).is_ok())
        .chain(["bin", "lib", "lib64", "sbin", "etc/ld.so.cache", "etc/passwd", "etc/group"].map(Into::into))
        .collect();
    let list = tar.with_extension("list");
    fs::write(&list, Vec::from_iter(files).join("\n")).unwrap();
    stdout_of(Command::new("tar").args(["-C", "/", "--no-recursion", "-cf"]).arg(tar).arg("-T").arg(&list));
}

#[test]
fn an_image_based_on_a_podman_image_runs() {
    if !requirement::programs_installed("podman", podman::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    let podman = Podman::new(&sandbox);
    let shared = |name: &str| sandbox.shared().join(name);
    root(&shared("root.tar"));
    podman.run(&[
        "import",
        "--quiet",
        "--change=ENV GREETING=hello",
        "--change=USER nobody",
        shared("root.tar").to_str().unwrap(),
        "localhost/base:1",
    ]);
    let (base, out) = (format!("oci-archive:{}", shared("base.tar").display()), shared("out.tar"));
    podman.run(&[
        "save",
        "--quiet",
        "--format=oci-archive",
        "--output",
        shared("base.tar").to_str().unwrap(),
        "localhost/base:1",
    ]);
    let source = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
                  int main(void) { printf(\"%s %d\\n\", getenv(\"GREETING\"), (int)getuid()); return 0; }";
    let program = shared("program");
    fs::write(program.with_extension("c"), source).unwrap();
    stdout_of(Command::new("cc").arg("-o").arg(&program).arg(program.with_extension("c")));
    let mut build = Command::new(env!("CARGO_BIN_EXE_coracle"));
    build.args(["build", program.to_str().unwrap(), "--no-cache", "-t", "localhost/top:1", "--base", &base]);
    build.arg("-o").arg(format!("oci-archive:{}", out.display()));
    let built = build.output().unwrap();
    let said = String::from_utf8(built.stderr).unwrap();
    assert!(built.status.success(), "{said}");
    assert!(
        said.contains("1 layer") && said.contains("already contains 2 files"),
        "the C library is there: {said}"
    );
    podman.run(&["load", "--quiet", "--input", out.to_str().unwrap()]);
    assert_eq!(podman.container(&["--rm"], "localhost/top:1"), "hello 65534\n");
    // Existing content is unchanged.
    let bash = podman
        .container(&["--rm", "--entrypoint=[\"/bin/bash\",\"-c\",\"echo /app/* $UID\"]"], "localhost/top:1");
    assert_eq!(bash, "/app/program 65534\n");
}
