//! ELF files in directories that are included: modules of the entrypoint, and programs of their
//! own.

use std::path::Path;

use coracle_testing::skipped;

use crate::build::project::Project;
use crate::implicit::built_image::Image;

const HOST: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int offset = 40;
int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        void *opened = dlopen(names[i], RTLD_NOW);
        int (*answer)(void) = opened ? dlsym(opened, "answer") : 0;
        if (answer) printf("%d\n", answer()); else printf("%s\n", dlerror());
    }
}
"#;

/// A program with a directory of modules: one with a library beside it, one with a library that only the program's
/// RPATH leads to.
fn host() -> Project {
    let project = Project::new();
    let soname = |name: &str| format!("-Wl,-soname,{name}");
    project
        .program("app", HOST, &["-rdynamic", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib"])
        .library("plugins/libs/libbeside.so", "beside", "1", &[&soname("libbeside.so")])
        .library("lib/libinherited.so", "inherited", "2", &[&soname("libinherited.so")])
        .library(
            "plugins/a.so",
            "answer",
            "41 + beside()",
            &["plugins/libs/libbeside.so", "-Wl,-rpath,$ORIGIN/libs"],
        )
        .library("plugins/b.so", "answer", "41 + inherited()", &["lib/libinherited.so"]);
    project
}

#[test]
fn resolves_included_modules_as_opened_by_the_entrypoint() {
    let project = host();
    let run = ["--include", "plugins:/srv/plugins", "--", "/srv/plugins/a.so"];
    let image = Image::of(&project, &[&["app"], &run[..]].concat());
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "42\n");
    }
    // The program's directory lies elsewhere in the image, and nothing moved its `lib` there.
    assert!(image.said.contains("/srv/plugins/b.so: cannot find `libinherited.so`"), "{}", image.said);
    let more = ["--include", "lib:/app/lib", "--include", "plugins:/srv/plugins", "--", "/srv/plugins/b.so"];
    let image = Image::of(&project, &[&["app"], &more[..]].concat());
    assert!(!image.said.contains("warning"), "{}", image.said);
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "43\n");
    }
}

#[test]
fn adds_implicit_dependencies_of_modules() {
    let modules = Path::new("/usr/lib/python3.11");
    if !modules.is_dir() || !Path::new("/usr/bin/python3.11").exists() {
        return skipped("there is no Python 3.11 (on Debian: python3.11)");
    }
    let project = Project::new();
    let script = "import ssl, sqlite3, ctypes, bz2, lzma; print(ssl.OPENSSL_VERSION.split()[0], sqlite3.connect(':memory:').execute('select 6*7').fetchone()[0], len(ssl.create_default_context().get_ca_certs()) > 50)";
    // Links that lead out of it can't be included.
    let copied = std::process::Command::new("cp")
        .args(["-r", "/usr/lib/python3.11"])
        .arg(project.path("lib"))
        .status();
    assert!(copied.unwrap().success());
    let links =
        std::process::Command::new("find").arg(project.path("lib")).args(["-type", "l", "-delete"]).status();
    assert!(links.unwrap().success());
    let include = format!("lib:{}", modules.display());
    let image = Image::of(&project, &["/usr/bin/python3.11", "--include", &include, "--", "-c", script]);
    for name in [
        "libssl.so.3",
        "libsqlite3.so.0",
        "libffi.so.8",
        "liblzma.so.5",
        "openssl.cnf",
        "ca-certificates.crt",
    ] {
        let found = image.layout.entries().iter().flatten().any(|line| line.contains(name));
        assert!(found, "{name}");
    }
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "OpenSSL 42 True\n");
    }
}

#[test]
fn adds_libraries_of_included_programs() {
    let project = Project::hello(&["-static"]);
    project.library("lib/libanswer.so", "answer", "42", &["-Wl,-soname,libanswer.so"]).program(
        "tool",
        "int answer(void); int main(void) { return answer(); }",
        &["lib/libanswer.so", "-Wl,-rpath,$ORIGIN/lib"],
    );
    let build =
        |more: &[&str]| Image::of(&project, &[&["hello", "--include", "tool:/opt/tool"], more].concat());
    let image = build(&["--include", "lib:/opt/lib"]);
    assert!(
        image.has_file("libc.so.6") && image.has("/lib64/ld-linux-x86-64.so.2")
            || image.has_file("ld-linux-x86-64.so.2")
    );
    assert!(!image.said.contains("warning"), "{}", image.said);
    let image = build(&[]);
    assert!(
        image.said.contains(
            "one included file can't be loaded in the image\n  /opt/tool: cannot find `libanswer.so`"
        ),
        "{}",
        image.said
    );
}

#[test]
fn adds_dependencies_of_included_libraries() {
    let project = Project::hello(&["-static"]);
    project.library("lib/libdeep.so", "deep", "1", &["-Wl,-soname,libdeep.so"]).library(
        "lib/libtop.so",
        "top",
        "deep()",
        &["lib/libdeep.so", "-Wl,-rpath,$ORIGIN,--no-as-needed,-lc"],
    );
    let image = Image::of(&project, &["hello", "--include", "lib:/srv/lib"]);
    assert!(image.has_file("libc.so.6"), "it was linked against it");
    std::fs::remove_file(project.path("lib/libdeep.so")).unwrap();
    let image = Image::of(&project, &["hello", "--include", "lib:/srv/lib"]);
    assert!(image.said.contains("/srv/lib/libtop.so: cannot find `libdeep.so`"), "{}", image.said);
}

#[test]
fn object_files_are_data() {
    let project = Project::hello(&[]);
    project.compile("cc", "data/object.o", "int x;", &["-c"]).file("data/broken.so", b"\x7fELF\x02\x01");
    let image = Image::of(&project, &["hello", "--include", "data:/srv/data"]);
    assert!(image.has("/srv/data/object.o") && image.has("/srv/data/broken.so"));
    assert!(!image.said.contains("warning"), "{}", image.said);
}

/// Links a module with zlib, which the program does not map.
const ZLIB: [&str; 2] = ["-Wl,--no-as-needed", "-l:libz.so.1"];

fn maps_zlib(image: &Image) -> bool {
    image.layout.entries().iter().flatten().any(|line| line.contains("/libz.so.1"))
}

#[test]
fn a_module_finds_a_library_that_is_a_module() {
    let project = host();
    let needed = [&["modules/server/libbase.so"], &ZLIB[..]].concat();
    project.library("modules/server/libbase.so", "base", "1", &["-Wl,-soname,libbase.so"]).library(
        "modules/needs.so",
        "answer",
        "41 + base()",
        &needed,
    );
    let modules = ["--include", "modules:/srv/modules"];
    let opened = ["--", "/srv/modules/server/libbase.so", "/srv/modules/needs.so"];
    let image = Image::of(&project, &[&["app"], &modules[..], &opened[..]].concat());
    assert!(!image.said.contains("warning"), "{}", image.said);
    assert!(maps_zlib(&image));
    if let Some(printed) = image.prints() {
        assert!(printed.ends_with("42\n"), "{printed}");
    }
}

#[test]
fn what_is_found_of_an_incomplete_module_comes_along() {
    let project = host();
    let needed = [&["gone/libgone.so"], &ZLIB[..]].concat();
    project.library("gone/libgone.so", "gone", "1", &["-Wl,-soname,libgone.so"]).library(
        "modules/incomplete.so",
        "answer",
        "gone()",
        &needed,
    );
    let image = Image::of(&project, &["app", "--include", "modules:/srv/modules"]);
    assert!(image.said.contains("cannot find `libgone.so`"), "{}", image.said);
    assert!(maps_zlib(&image));
}

/// Packages for Node have addons for many platforms in one directory.
#[test]
fn files_for_other_platforms_are_one_warning() {
    let project = Project::hello(&[]);
    project.library("pre/linux-x64/a.node", "answer", "puts(\"\")", &["-include", "stdio.h"]);
    let own = std::fs::read(project.path("pre/linux-x64/a.node")).unwrap();
    let for_machine = |machine: u16| {
        let mut bytes = own.clone();
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    };
    let for_musl = {
        let at = own.windows(10).position(|name| name == b"libc.so.6\0").unwrap();
        let mut bytes = own.clone();
        bytes[at..at + 10].copy_from_slice(b"libc.so\0\0\0");
        bytes
    };
    let build = || Image::of(&project, &["hello", "--include", "pre:/srv/pre"]).said;
    assert!(!build().contains("warning"));
    project.file("pre/linux-arm64/a.node", for_machine(183));
    let warning = "warning: `/srv/pre/linux-arm64/a.node` is for linux/arm64: this image cannot load it\n";
    assert!(build().contains(warning), "{}", build());
    project.file("pre/linux-riscv64/a.node", for_machine(243));
    project.file("pre/linux-riscv64/b.node", for_machine(243));
    project.file("pre/linux-x64-musl/a.node", for_musl);
    let said = build();
    let warning = "warning: 4 included files such as `/srv/pre/linux-arm64/a.node` are for linux/arm64, \
                   linux/riscv64, another C library: this image cannot load them\n";
    assert!(said.contains(warning) && said.matches("warning").count() == 1, "{said}");
    // A file for this platform that lacks a library is still named.
    project.library("lib/libgone.so", "gone", "1", &["-Wl,-soname,libgone.so"]);
    project.library("pre/linux-x64/b.node", "answer", "gone()", &["lib/libgone.so"]);
    let said = build();
    assert!(said.contains("  /srv/pre/linux-x64/b.node: cannot find `libgone.so`\n"), "{said}");
    assert_eq!(said.matches("warning").count(), 2, "{said}");
}
