//! Images of musl programs: the loader of this machine, a library next to the program, a path file,
//! and a root like Alpine's.

use std::process::Command;

use coracle_testing::requirement::{self, Program};

use crate::architectures::test_project::{Project, files};

const LOADER: &str = "/lib/ld-musl-x86_64.so.1";
const APP: &str = "#include <stdio.h>\nconst char *name(void);\nint main(void) { printf(\"hello, %s\\n\", name()); return 0; }\n";
const LIBRARY: &str = "const char *name(void) { return \"musl\"; }\n";
const HELLO: &str = "hello, musl\n";

#[test]
fn a_musl_program_gets_its_loader() {
    if !is_installed("musl alone") {
        return;
    }
    let project = Project::new();
    project.file("name.c", LIBRARY);
    project.file("app.c", APP);
    project.compile("musl-gcc", "app", &["app.c", "name.c"]);
    let images = project.build(&["app"]);
    assert_eq!(project.run_image(&images[0], "root", None), HELLO);
}

#[test]
fn a_library_next_to_the_program_is_packed() {
    if !is_installed("musl with $ORIGIN") {
        return;
    }
    let project = project_with_library("out/lib/libname.so");
    project.compile("musl-gcc", "out/bin/app", &["app.c", "out/lib/libname.so", "-Wl,-rpath,$ORIGIN/../lib"]);
    let images = project.build(&["out/bin/app"]);
    assert_eq!(project.run_image(&images[0], "root", None), HELLO);
    let files = files(&project.path("root"));
    assert!(files.contains(&"/app/lib/libname.so".to_owned()), "{files:?}");
}

#[test]
fn the_path_file_of_a_root_leads_to_a_library() {
    if !is_installed("musl with a path file") {
        return;
    }
    let project = project_with_library("from/opt/name/lib/libname.so");
    project.compile("musl-gcc", "from/usr/bin/app", &["app.c", "-Lfrom/opt/name/lib", "-lname"]);
    project.copy(LOADER, "from/lib/ld-musl-x86_64.so.1");
    project.file("from/etc/ld-musl-x86_64.path", "/usr/lib\n/opt/name/lib\n");
    let images = project.build(&["/usr/bin/app", "/usr/bin/app:/usr/bin/second", "--root=from"]);
    assert_eq!(project.run_image(&images[0], "root", None), HELLO);
    let files = files(&project.path("root"));
    for path in ["/etc/ld-musl-x86_64.path", "/opt/name/lib/libname.so"] {
        assert!(files.contains(&path.to_owned()), "no {path} in {files:?}");
    }
}

#[test]
fn a_root_like_alpine_s_has_the_c_library_under_two_names() {
    if !is_installed("a root like Alpine's") {
        return;
    }
    let project = project_with_library("from/usr/lib/libname.so.1");
    project.compile("musl-gcc", "from/usr/bin/app", &["app.c", "-Lfrom/usr/lib", "-l:libname.so.1"]);
    for file in ["from/usr/bin/app", "from/usr/lib/libname.so.1"] {
        let mut patchelf = Command::new("patchelf");
        project.run(patchelf.args(["--replace-needed", "libc.so", "libc.musl-x86_64.so.1", file]));
    }
    project.copy(LOADER, "from/lib/ld-musl-x86_64.so.1");
    project.link("from/lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1");
    let images = project.build(&["/usr/bin/app", "--root=from"]);
    assert_eq!(project.run_image(&images[0], "root", None), HELLO);
    // The name of the C library means the loader, so nothing opens the link.
    let expected = ["/etc/group", "/etc/passwd", LOADER, "/usr/bin/app", "/usr/lib/libname.so.1"];
    assert_eq!(files(&project.path("root")), expected);
}

/// Returns a project with a program, and its library at `path`.
fn project_with_library(path: &str) -> Project {
    let project = Project::new();
    project.file("name.c", LIBRARY);
    project.file("app.c", APP);
    let soname = format!("-Wl,-soname,{}", path.rsplit('/').next().unwrap());
    project.compile("musl-gcc", path, &["-shared", "-fPIC", "name.c", &soname]);
    project
}

fn is_installed(what: &str) -> bool {
    requirement::programs_installed(
        what,
        &[Program("musl-gcc", "musl-tools"), Program("patchelf", "patchelf")],
    )
}
